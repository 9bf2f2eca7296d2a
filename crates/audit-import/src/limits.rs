//! The limits of the program of a mapping, its `prepare`.

/// Maximum bytes of a program.
pub const MAX_PREPARE_BYTES: usize = 16 << 10;
/// Maximum operators, branches and calls of a program within one another, with each call replaced by its
/// definition. `..` counts for 16, or for 100 if its values are changed, as `walk` does.
pub const MAX_PREPARE_NESTING: usize = 200;
/// Maximum steps that a program takes on one record: its calls, the values that it makes and looks at, and 16
/// bytes of text each.
pub const MAX_PREPARE_STEPS: u64 = 1_000_000;
/// Maximum bytes of one value of a program: those of its texts, and 16 for each value in it. 8 MiB.
pub const MAX_PREPARE_VALUE_BYTES: usize = 8 << 20;
/// Maximum levels of lists and objects in a value of a program.
pub const MAX_PREPARE_DEPTH: usize = 128;

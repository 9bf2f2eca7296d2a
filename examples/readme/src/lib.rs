//! Compiles the snippets of the READMEs as tests.

macro_rules! readmes {
    ($($name:ident: $path:literal,)*) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../", $path))]
            pub struct $name;
        )*
    };
}

readmes! {
    Workspace: "README.md",
    Contracts: "crates/audit-contracts/README.md",
    Core: "crates/audit-core/README.md",
    Http: "crates/audit-http/README.md",
    Import: "crates/audit-import/README.md",
    Memory: "crates/audit-memory/README.md",
    Merkle: "crates/audit-merkle/README.md",
    Sqlite: "crates/audit-sqlite/README.md",
}

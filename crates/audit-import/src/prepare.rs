//! The program of a mapping, in jq, that rewrites a record before the mapping reads it.
//!
//! It runs in bounded time and memory, and reads nothing but the record:
//! - [`source`] reads a text of bounded size and nesting, and adds the steps.
//! - [`nesting`] refuses recursion, so that the depth of the stack is known before a program runs.
//! - [`prelude`] and [`natives`] are the functions that a program knows; each other one is left out.
//! - [`value`] and its operators count what they copy and compare, and bound each value.
//! - [`budget`] holds what is left, and ends the run.

use std::fmt;

use audit_core::{Error, Result};
use jaq_core::compile::Undefined;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Vars};
use serde_json::Value;

use crate::limits::{
    MAX_PREPARE_BYTES, MAX_PREPARE_DEPTH, MAX_PREPARE_NESTING, MAX_PREPARE_STEPS,
    MAX_PREPARE_VALUE_BYTES,
};
use value::{Data, Val};

mod access;
mod arithmetic;
mod budget;
mod formats;
mod left_out;
mod natives;
mod nesting;
mod number;
mod order;
mod prelude;
mod regex;
mod source;
mod steps;
mod text;
mod value;

/// The name under which the engine knows the program.
const MAIN: &str = "prepare_main";

/// A compiled program.
pub(crate) struct Program(jaq_core::Filter<Data>);

impl Program {
    /// Reads a program. Fails with what is wrong, and where.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        source::with_stack(|| Self::compile(text))?
    }

    fn compile(text: &str) -> Result<Self, String> {
        let body = source::read(text).map_err(|fault| fault.describe(text))?;
        let mut main = source::Def { name: MAIN, args: Vec::new(), body };
        steps::count(&mut main);
        nesting::check(&main.body).map_err(|fault| fault.describe(text))?;
        let defs = prelude::prelude().defs.iter().cloned().chain([main]);
        let arena = Arena::default();
        let modules = Loader::new(defs).load(&arena, File { code: MAIN, path: () });
        let compiler = Compiler::default().with_funs(natives::all());
        // The rest: variables, and what definitions call that nothing calls.
        let compiled = modules.ok().map(|modules| compiler.compile(modules));
        let Some(compiled) = compiled else { return Err("is not a program".to_owned()) };
        compiled.map(Self).map_err(|errors| {
            let mut errors = errors.into_iter().flat_map(|(_, errors)| errors);
            errors.next().map_or_else(String::new, |(name, undefined)| {
                let fault = match undefined {
                    Undefined::Filter(arity) => nesting::unknown(name, arity),
                    other => nesting::undefined(name, other.as_str()),
                };
                fault.describe(text)
            })
        })
    }

    /// Rewrites a record, and returns it with the steps that this took.
    ///
    /// # Errors
    /// Fails if the program reaches a limit, fails, or gives something else than one object.
    pub(crate) fn run(&self, record: &Value) -> Result<(Value, u64)> {
        self.run_within(MAX_PREPARE_STEPS, record)
    }

    fn run_within(&self, steps: u64, record: &Value) -> Result<(Value, u64)> {
        budget::begin(steps);
        let record = Val::of(record);
        let output =
            if budget::stopped().is_some() { Ok(Val::Null) } else { self.only_output(record) };
        if let Some(stop) = budget::stopped() {
            return Err(Error::malformed("prepare", stop.bound()).with_source(stop.to_string()));
        }
        let prepared = match output? {
            object @ Val::Object(_) => object.to_json(),
            other => Err(other.kind()),
        };
        let prepared = prepared.map_err(|fault| {
            Error::malformed("prepare", "a program that gives one object").with_source(fault)
        })?;
        Ok((prepared, budget::used()))
    }

    /// Returns the one output of the program.
    fn only_output(&self, record: Val) -> Result<Val> {
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        let mut outputs = self.0.id.run((context, record));
        let number = |words: &'static str| {
            Error::malformed("prepare", "a program that gives one object").with_source(words)
        };
        let first = outputs.next().ok_or_else(|| number("it gives none"))?.map_err(failure)?;
        match outputs.next() {
            None => Ok(first),
            Some(Ok(_)) => Err(number("it gives several")),
            Some(Err(error)) => Err(failure(error)),
        }
    }
}

/// Returns the error of a record on which the program fails.
fn failure(error: Exn<'_, Val>) -> Error {
    // Anything else ends the run by its limit.
    let message = error.get_err().map_or_else(|_| String::new(), |error| error.to_string());
    Error::malformed("prepare", "a program that does not fail on the record").with_source(message)
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Program")
    }
}

#[cfg(test)]
mod tests;

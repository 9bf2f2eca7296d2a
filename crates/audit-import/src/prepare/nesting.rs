//! The depth of a program with each call replaced by its definition, before it runs.
//!
//! The engine goes through a program on the stack. Without recursion, the levels of that can be counted:
//! each call leads to a definition that is before it in the text.

use std::rc::Rc;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern};
use jaq_core::path::Part;

use super::MAX_PREPARE_NESTING;
use super::left_out::left_out;
use super::prelude::{Prelude, prelude};
use super::source::{Def, Fault, Term, too_deep};

/// The terms of a program with each call replaced by its definition.
const MAX_TERMS: usize = 100_000;

/// What `..` counts for: the engine goes through all levels of the value on the stack.
const RECURSE: usize = 16;
/// What `..` counts for where its values are changed.
const RECURSE_IN_PATH: usize = 100;
/// What `getpath` counts for where its value is changed.
const GETPATH_IN_PATH: usize = 50;

/// Fails if the program calls itself, calls what it does not know, or is nested too deeply.
pub(super) fn check<'s>(program: &Term<'s>) -> Result<(), Fault<'s>> {
    let mut walk = Walk { prelude: prelude(), terms: 0 };
    walk.term(program, &None, Level::RUN).map(drop)
}

/// What is around a term: whose definitions and arguments it can call.
type Scope<'t, 's> = Option<Rc<Frame<'t, 's>>>;

struct Frame<'t, 's> {
    entry: Entry<'t, 's>,
    around: Scope<'t, 's>,
}

enum Entry<'t, 's> {
    /// A definition, with what is around it.
    Def(&'t Def<'s>),
    /// The definition whose body this is.
    Body(&'t Def<'s>),
    /// An argument, with what is around the call.
    Argument(&'s str, &'t Term<'s>, Scope<'t, 's>),
}

/// Where a term is.
#[derive(Clone, Copy)]
struct Level {
    depth: usize,
    /// Whether it is a path. Behind a path, what comes next is within it, not after it.
    is_path: bool,
}

struct Walk {
    prelude: &'static Prelude,
    terms: usize,
}

impl Level {
    const RUN: Self = Self { depth: 0, is_path: false };

    fn below(self, levels: usize) -> Self {
        Self { depth: self.depth + levels, ..self }
    }

    /// Returns the level that is `levels` below, unless it is too deep.
    fn deeper<'s>(self, levels: usize) -> Result<Self, Fault<'s>> {
        let level = self.below(levels);
        if level.depth > MAX_PREPARE_NESTING { Err(too_deep(None)) } else { Ok(level) }
    }

    fn run(self) -> Self {
        Self { is_path: false, ..self.below(1) }
    }

    fn path(self) -> Self {
        Self { is_path: true, ..self.below(1) }
    }

    fn max(self, other: Self) -> Self {
        if self.depth > other.depth { self } else { other }
    }
}

fn with<'t, 's>(scope: &Scope<'t, 's>, entry: Entry<'t, 's>) -> Rc<Frame<'t, 's>> {
    Rc::new(Frame { entry, around: scope.clone() })
}

impl Walk {
    /// Goes through a term. Returns the level of what comes behind it.
    fn term<'t, 's>(
        &mut self,
        term: &'t Term<'s>,
        scope: &Scope<'t, 's>,
        level: Level,
    ) -> Result<Level, Fault<'s>> {
        self.terms += 1;
        if self.terms > MAX_TERMS {
            let message = format!(
                "has more than {MAX_TERMS} terms, with each call replaced by its definition"
            );
            return Err(Fault::new(message, None));
        }
        if level.depth > MAX_PREPARE_NESTING {
            return Err(too_deep(None));
        }
        let mut behind = level.below(1);
        match term {
            Term::Id | Term::Num(_) | Term::Var(_) | Term::Break(_) | Term::Arr(None) => {}
            Term::Recurse => {
                let levels = if level.is_path { RECURSE_IN_PATH } else { RECURSE };
                behind = level.deeper(levels)?;
            }
            Term::Str(format, parts) => {
                for (index, part) in parts.iter().enumerate() {
                    if let StrPart::Term(term) = part {
                        self.term(term, scope, level.run().below(index))?;
                    }
                }
                if let Some(format) = format {
                    self.call(format, &[], scope, level.run().below(parts.len()))?;
                }
            }
            Term::Arr(Some(term)) | Term::Neg(term) => drop(self.term(term, scope, level.run())?),
            Term::Label(_, term) => behind = self.term(term, scope, level.below(1))?,
            Term::Obj(entries) => {
                for (index, (key, value)) in entries.iter().enumerate() {
                    let level = level.run().below(index);
                    self.term(key, scope, level)?;
                    if let Some(value) = value {
                        self.term(value, scope, level)?;
                    }
                }
            }
            Term::BinOp(left, op, right) => {
                behind = self.operation(left, op, right, scope, level)?;
            }
            Term::Fold(name, items, pattern, terms) => {
                if level.is_path {
                    let message = format!("`{name}` cannot be a path");
                    return Err(Fault::new(message, *name));
                }
                self.term(items, scope, level.run())?;
                let level = level.run().below(self.pattern(pattern, scope, level)?);
                for term in terms {
                    self.term(term, scope, level)?;
                }
            }
            Term::TryCatch(term, catch) => {
                behind = self.term(term, scope, level.below(1))?;
                if let Some(catch) = catch {
                    self.term(catch, scope, level.run())?;
                }
            }
            Term::IfThenElse(branches, otherwise) => {
                for (index, (condition, branch)) in branches.iter().enumerate() {
                    self.term(condition, scope, level.run().below(index))?;
                    behind = behind.max(self.term(branch, scope, level.below(1 + index))?);
                }
                if let Some(term) = otherwise {
                    let level = level.below(1 + branches.len());
                    behind = behind.max(self.term(term, scope, level)?);
                }
            }
            Term::Def(defs, term) => {
                let mut scope = scope.clone();
                for def in defs {
                    scope = Some(with(&scope, Entry::Def(def)));
                }
                behind = self.term(term, &scope, level.below(1))?;
            }
            Term::Call(name, args) => behind = self.call(name, args, scope, level)?,
            Term::Path(term, path) => {
                for (part, _) in &path.0 {
                    let terms = match part {
                        Part::Index(term) => [Some(term), None],
                        Part::Range(from, to) => [from.as_ref(), to.as_ref()],
                    };
                    for term in terms.into_iter().flatten() {
                        self.term(term, scope, level.run())?;
                    }
                }
                let before = self.term(term, scope, level.below(1))?;
                let before = if level.is_path { before } else { level };
                behind = before.deeper(1 + path.0.len())?;
            }
        }
        Ok(behind)
    }

    fn operation<'t, 's>(
        &mut self,
        left: &'t Term<'s>,
        op: &'t BinaryOp<&'s str>,
        right: &'t Term<'s>,
        scope: &Scope<'t, 's>,
        level: Level,
    ) -> Result<Level, Fault<'s>> {
        let below = level.below(1);
        match op {
            BinaryOp::Pipe(None) => {
                let behind = self.term(left, scope, below)?;
                self.term(right, scope, if level.is_path { behind } else { below })
            }
            BinaryOp::Pipe(Some(pattern)) => {
                self.term(left, scope, level.run())?;
                let variables = self.pattern(pattern, scope, level)?;
                self.term(right, scope, below.below(variables))
            }
            BinaryOp::Comma | BinaryOp::Alt => {
                let left = self.term(left, scope, below)?;
                Ok(left.max(self.term(right, scope, below)?))
            }
            BinaryOp::Or | BinaryOp::And | BinaryOp::Math(_) | BinaryOp::Cmp(_) => {
                self.term(left, scope, level.run())?;
                self.term(right, scope, level.run())?;
                Ok(below)
            }
            BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt => {
                self.term(left, scope, level.path())?;
                self.term(right, scope, level.run())?;
                Ok(below)
            }
            BinaryOp::Update => {
                let behind = self.term(left, scope, level.path())?;
                self.term(right, scope, behind.run())?;
                Ok(below)
            }
        }
    }

    /// Returns the number of variables, and of values on the way to them.
    fn pattern<'t, 's>(
        &mut self,
        pattern: &'t Pattern<&'s str>,
        scope: &Scope<'t, 's>,
        level: Level,
    ) -> Result<usize, Fault<'s>> {
        let mut parts = 1;
        match pattern {
            Pattern::Var(_) => {}
            Pattern::Arr(patterns) => {
                for pattern in patterns {
                    parts += self.pattern(pattern, scope, level.below(parts))?;
                }
            }
            Pattern::Obj(entries) => {
                for (key, pattern) in entries {
                    self.term(key, scope, level.run().below(parts))?;
                    parts += self.pattern(pattern, scope, level.below(parts))?;
                }
            }
        }
        Ok(parts)
    }

    fn call<'t, 's>(
        &mut self,
        name: &'s str,
        args: &'t [Term<'s>],
        scope: &Scope<'t, 's>,
        level: Level,
    ) -> Result<Level, Fault<'s>> {
        let mut frame = scope.as_deref();
        while let Some(Frame { entry, around }) = frame {
            match entry {
                Entry::Def(def) if def.name == name && def.args.len() == args.len() => {
                    return self.body(def, around, args, scope, level);
                }
                Entry::Body(def) if def.name == name && def.args.len() == args.len() => {
                    let message = format!("`{name}` calls itself");
                    return Err(Fault::new(message, name));
                }
                Entry::Argument(param, term, scope) if *param == name && args.is_empty() => {
                    return self.term(term, scope, level.below(1));
                }
                _ => frame = around.as_deref(),
            }
        }
        let defs = self.prelude.defs.iter();
        let mut defs = defs.rev().filter(|def| def.name == name && def.args.len() == args.len());
        if let Some(def) = defs.next() {
            return self.body(def, &None, args, scope, level);
        }
        let mut natives = self.prelude.natives.iter();
        let native = natives.find(|(other, kinds)| *other == name && kinds.len() == args.len());
        let Some((_, kinds)) = native else { return Err(unknown(name, args.len())) };
        let inside = match name {
            "path" | "path_value" => level.path(),
            "first" | "last" | "limit" | "skip" => level.below(1),
            _ => level.run(),
        };
        let mut behind = match name {
            "getpath" if level.is_path => level.deeper(GETPATH_IN_PATH)?,
            _ => level.below(1),
        };
        for (arg, is_filter) in args.iter().zip(kinds) {
            let inside = if *is_filter { inside } else { level.run() };
            let arg = self.term(arg, scope, inside.below(args.len()))?;
            behind = behind.max(Level { is_path: level.is_path, ..arg });
        }
        Ok(behind)
    }

    /// Goes through the body of a definition, with these arguments in it.
    fn body<'t, 's>(
        &mut self,
        def: &'t Def<'s>,
        around: &Scope<'t, 's>,
        args: &'t [Term<'s>],
        scope: &Scope<'t, 's>,
        level: Level,
    ) -> Result<Level, Fault<'s>> {
        let mut inner = Some(with(around, Entry::Body(def)));
        for (param, arg) in def.args.iter().zip(args) {
            if param.starts_with('$') {
                self.term(arg, scope, level.run())?;
            } else {
                inner = Some(with(&inner, Entry::Argument(param, arg, scope.clone())));
            }
        }
        self.term(&def.body, &inner, level.below(1 + args.len()))
    }
}

/// Returns the error for a call of what is not known.
pub(super) fn unknown(name: &str, arity: usize) -> Fault<'_> {
    let message = match left_out(name) {
        Some(reason) => format!("`{name}` is left out: it {reason}"),
        None => format!("`{name}/{arity}` is not known"),
    };
    Fault::new(message, name)
}

/// Returns the error for a variable or another name that is not known.
pub(super) fn undefined<'s>(name: &'s str, kind: &str) -> Fault<'s> {
    match left_out(name) {
        Some(reason) => Fault::new(format!("`{name}` is left out: it {reason}"), name),
        None => Fault::new(format!("the {kind} `{name}` is not known"), name),
    }
}

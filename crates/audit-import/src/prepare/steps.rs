//! The form in which a program runs: it counts its steps, and long rows of terms are not deep.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern};
use jaq_core::ops::Math;
use jaq_core::path::Part;

use super::natives::STEP;
use super::source::{Def, Term};

/// The fields of an object that the engine adds up one within another.
const MAX_FIELDS: usize = 4;

/// The terms of a row that take no more than one step.
const ROW: usize = 8;

/// Makes a definition count a step at each call, at each `,`, `try`, `label` and `first`, and in a long row of
/// `|`. To go on without them, a program has only operations on values, which count themselves.
pub(super) fn count(def: &mut Def<'_>) {
    each(&mut def.body);
    step_before(&mut def.body);
}

fn step_before(term: &mut Term<'_>) {
    let body = std::mem::take(term);
    *term = pipe(Term::Call(STEP, Vec::new()), body);
}

fn pipe<'s>(left: Term<'s>, right: Term<'s>) -> Term<'s> {
    Term::BinOp(Box::new(left), BinaryOp::Pipe(None), Box::new(right))
}

/// Goes through a term.
fn each(term: &mut Term<'_>) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Var(_) | Term::Break(_) => {}
        Term::Str(_, parts) => {
            for part in parts {
                if let StrPart::Term(term) = part {
                    each(term);
                }
            }
        }
        Term::Arr(inner) => inner.iter_mut().for_each(|term| each(term)),
        Term::Neg(term) => each(term),
        Term::Label(_, term) => {
            each(term);
            step_before(term);
        }
        Term::Obj(entries) => {
            for (key, value) in &mut *entries {
                each(key);
                value.iter_mut().for_each(each);
            }
            *term = object(std::mem::take(entries));
        }
        Term::BinOp(_, BinaryOp::Pipe(None), _) => {
            let mut row = Vec::new();
            flatten(std::mem::take(term), &|op| matches!(op, BinaryOp::Pipe(None)), &mut row);
            row.iter_mut().for_each(each);
            row.iter_mut().skip(ROW).step_by(ROW).for_each(step_before);
            *term = balanced(row, &pipe);
        }
        Term::BinOp(_, BinaryOp::Comma, _) => {
            let mut row = Vec::new();
            flatten(std::mem::take(term), &|op| matches!(op, BinaryOp::Comma), &mut row);
            row.iter_mut().for_each(each);
            *term = balanced(row, &|left, right| {
                let mut comma = Term::BinOp(Box::new(left), BinaryOp::Comma, Box::new(right));
                step_before(&mut comma);
                comma
            });
        }
        Term::BinOp(left, op, right) => {
            if let BinaryOp::Pipe(Some(pattern)) = op {
                each_of_pattern(pattern);
            }
            each(left);
            each(right);
        }
        Term::Fold(_, items, pattern, terms) => {
            each(items);
            each_of_pattern(pattern);
            terms.iter_mut().for_each(each);
        }
        Term::TryCatch(term, catch) => {
            each(term);
            step_before(term);
            if let Some(catch) = catch {
                each(catch);
            }
        }
        Term::IfThenElse(branches, otherwise) => {
            for (condition, branch) in branches {
                each(condition);
                each(branch);
            }
            if let Some(otherwise) = otherwise {
                each(otherwise);
            }
        }
        Term::Def(defs, term) => {
            defs.iter_mut().for_each(count);
            each(term);
        }
        Term::Call(name, args) => {
            args.iter_mut().for_each(each);
            // Of these alone, the engine copies no value.
            if matches!(*name, "first" | "last" | "limit" | "skip") {
                step_before(term);
            }
        }
        Term::Path(term, path) => {
            each(term);
            for (part, _) in &mut path.0 {
                match part {
                    Part::Index(term) => each(term),
                    Part::Range(from, to) => from.iter_mut().chain(to).for_each(each),
                }
            }
        }
    }
}

fn each_of_pattern(pattern: &mut Pattern<&str>) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(patterns) => patterns.iter_mut().for_each(each_of_pattern),
        Pattern::Obj(entries) => {
            for (key, pattern) in entries {
                each(key);
                each_of_pattern(pattern);
            }
        }
    }
}

/// Adds the terms that an associative operator joins, in their order.
fn flatten<'s>(
    term: Term<'s>,
    is_operator: &dyn Fn(&BinaryOp<&'s str>) -> bool,
    row: &mut Vec<Term<'s>>,
) {
    match term {
        Term::BinOp(left, op, right) if is_operator(&op) => {
            flatten(*left, is_operator, row);
            flatten(*right, is_operator, row);
        }
        other => row.push(other),
    }
}

/// Joins the terms of a row so that none is deeper than the others.
fn balanced<'s>(mut row: Vec<Term<'s>>, join: &dyn Fn(Term<'s>, Term<'s>) -> Term<'s>) -> Term<'s> {
    if row.len() < 2 {
        return row.pop().unwrap_or_default();
    }
    let right = row.split_off(row.len() / 2);
    join(balanced(row, join), balanced(right, join))
}

/// Returns an object as the sum of smaller ones.
fn object<'s>(mut entries: Vec<(Term<'s>, Option<Term<'s>>)>) -> Term<'s> {
    if entries.len() <= MAX_FIELDS {
        return Term::Obj(entries);
    }
    let right = entries.split_off(entries.len() / 2);
    let (left, right) = (object(entries), object(right));
    Term::BinOp(Box::new(left), BinaryOp::Math(Math::Add), Box::new(right))
}

//! The functions of programs that are not written in jq.

use audit_core::json;
use bstr::ByteSlice;
use jaq_core::native::{Fun, bome, run, unary, v};
use jaq_core::{Error, Exn, Native, ValR, ValT as _};

use super::budget;
use super::number::Num;
use super::value::{Data, Val, take};
use super::{MAX_PREPARE_DEPTH, formats, regex};

/// The name of the function that counts a step. No program can write it.
pub(super) const STEP: &str = "!step";

/// The functions of jaq that are known to a program. The others read a clock, the environment or an input,
/// write, end the process, or cannot be bounded.
pub(super) const CORE: &[&str] = &[
    "error_empty",
    "path",
    "path_value",
    "range",
    "keys_unsorted",
    "key_values",
    "first",
    "last",
    "limit",
    "skip",
];
pub(super) const STANDARD: &[&str] = &[
    "floor",
    "round",
    "ceil",
    "utf8bytelength",
    "explode",
    "implode",
    "ascii_downcase",
    "ascii_upcase",
    "reverse",
    "sort",
    "sort_by",
    "group_by",
    "min_by_or_empty",
    "max_by_or_empty",
    "startswith",
    "endswith",
    "ltrimstr",
    "rtrimstr",
    "trim",
    "ltrim",
    "rtrim",
    "escape_sh",
];

/// Returns the functions under their names, with what each argument is.
pub(super) fn all() -> Vec<Fun<Data>> {
    let core = jaq_core::funs().filter(|(name, ..)| CORE.contains(name));
    let standard = jaq_std::base_funs().filter(|(name, ..)| STANDARD.contains(name));
    let own = own().into_iter().chain(formats::all()).chain(regex::all());
    core.chain(standard).chain(own).chain([step()]).collect()
}

/// The function that changes nothing, and ends the run when its budget is used up. No `try` catches that.
fn step() -> Fun<Data> {
    fn check<'a>() -> Result<(), Exn<'a, Val>> {
        take(0).map_err(|_| Exn::halt(0))
    }
    let native = Native::new(|cv| Box::new(std::iter::once(check().map(|()| cv.1))))
        .with_paths(|cv| Box::new(std::iter::once(check().map(|()| cv.1))))
        .with_update(|cv, update| match check() {
            Ok(()) => update(cv.1),
            Err(stop) => Box::new(std::iter::once(Err(stop))),
        });
    (STEP, v(0), native)
}

fn own() -> Vec<Fun<Data>> {
    vec![
        run(("length", v(0), |cv| bome(length(&cv.1)))),
        run(("tojson", v(0), |cv| bome(Ok(cv.1.to_text())))),
        run(("fromjson", v(0), |cv| bome(from_json(&cv.1)))),
        run(("tonumber", v(0), |cv| bome(to_number(cv.1)))),
        run(("has", v(1), |cv| unary(cv, |value, key| has(&value, &key)))),
        run(("contains", v(1), |cv| unary(cv, |value, part| Ok(contains(&value, &part)?.into())))),
        run(("indices", v(1), |cv| unary(cv, |value, part| indices(&value, &part)))),
        run(("flatten", v(0), |cv| bome(flatten(&cv.1, &Num::Int(MAX_PREPARE_DEPTH as i128))))),
        run(("flatten", v(1), |cv| {
            unary(cv, |value, depth| match depth {
                Val::Num(depth) => flatten(&value, &depth),
                other => Err(Error::typ(other, "number")),
            })
        })),
        (
            "getpath",
            v(1),
            Native::new(|cv| {
                unary(cv, |mut value: Val, path| {
                    for key in items(&path)? {
                        value = value.index(key)?;
                    }
                    Ok(value)
                })
            })
            .with_paths(|mut cv| {
                let path = cv.0.pop_var();
                let mut value: Val = cv.1.0;
                let mut at = cv.1.1;
                let walk = || {
                    let keys = items(&path)?;
                    // The engine goes through a path on the stack.
                    if keys.len() > MAX_PREPARE_DEPTH {
                        return Err(Error::str("the path has too many levels"));
                    }
                    for key in keys {
                        value = value.index(key)?;
                        at = at.cons(key.clone());
                    }
                    Ok((value, at))
                };
                Box::new(std::iter::once(walk().map_err(Exn::from)))
            })
            .with_update(|mut cv, update| {
                let path = cv.0.pop_var();
                let walk = || {
                    let keys = items(&path)?;
                    if keys.len() > MAX_PREPARE_DEPTH {
                        return Err(Error::str("the path has too many levels").into());
                    }
                    set(cv.1, keys, &*update)
                };
                Box::new(std::iter::once(walk()))
            }),
        ),
    ]
}

type Outputs<'a> = Box<dyn Iterator<Item = Result<Val, Exn<'a, Val>>> + 'a>;

/// Changes the value at a path, through at most [`MAX_PREPARE_DEPTH`] levels.
fn set<'a>(
    value: Val,
    path: &[Val],
    update: &dyn Fn(Val) -> Outputs<'a>,
) -> Result<Val, Exn<'a, Val>> {
    let essential = jaq_core::path::Opt::Essential;
    match path {
        [] => Ok(value),
        [key] => value.map_index(key, essential, update),
        [key, rest @ ..] => {
            value.map_index(key, essential, |value| std::iter::once(set(value, rest, update)))
        }
    }
}

fn items(value: &Val) -> ValR<&[Val], Val> {
    match value {
        Val::List(list) => Ok(&list.items),
        other => Err(Error::typ(other.clone(), "array")),
    }
}

fn length(value: &Val) -> ValR<Val> {
    Ok(match value {
        Val::Null => 0_usize.into(),
        Val::Bool(_) => return Err(Error::str(format_args!("{value} has no length"))),
        Val::Num(number) if *number < Num::Int(0) => return -value.clone(),
        Val::Num(_) => value.clone(),
        Val::Text(text) => {
            take(text.len())?;
            text.chars().count().into()
        }
        Val::List(list) => list.items.len().into(),
        Val::Object(fields) => fields.entries.len().into(),
    })
}

fn from_json(value: &Val) -> ValR<Val> {
    let Val::Text(text) = value else { return Err(Error::typ(value.clone(), "string")) };
    take(text.len())?;
    let parsed = json::parse(text)
        .map_err(|error| Error::str(format_args!("cannot parse {value} as JSON: {error}")))?;
    Ok(Val::of(&parsed))
}

fn to_number(value: Val) -> ValR<Val> {
    match &value {
        Val::Num(_) => Ok(value),
        Val::Text(text) => match from_json(&value) {
            Ok(number @ Val::Num(_)) if !text.ends_with_str(" ") => Ok(number),
            _ => Err(Error::str(format_args!("cannot parse {value} as a number"))),
        },
        _ => Err(Error::typ(value, "number")),
    }
}

fn has(value: &Val, key: &Val) -> ValR<Val> {
    match (value, key) {
        (Val::Object(_), Val::Text(_)) | (Val::List(_), Val::Num(_)) => {
            value.part(key).map(|part| part.is_some().into())
        }
        _ => Err(Error::index(value.clone(), key.clone())),
    }
}

fn contains(value: &Val, part: &Val) -> ValR<bool, Val> {
    take(0)?;
    Ok(match (value, part) {
        (Val::Text(text), Val::Text(part)) => {
            take(text.len())?;
            text.contains_str(part.as_slice())
        }
        (Val::List(list), Val::List(parts)) => {
            for part in &parts.items {
                let mut is_found = false;
                for item in &list.items {
                    take(0)?;
                    is_found = item.kind() == part.kind() && contains(item, part)?;
                    if is_found {
                        break;
                    }
                }
                if !is_found {
                    return Ok(false);
                }
            }
            true
        }
        (Val::Object(fields), Val::Object(parts)) => {
            for (key, part) in &parts.entries {
                match fields.entries.get(key) {
                    Some(value) if value.kind() == part.kind() && contains(value, part)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (value, part) => value == part,
    })
}

/// Returns where the part is: in a text by characters, in a list of the items or of a list of them.
fn indices(value: &Val, part: &Val) -> ValR<Val> {
    match (value, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Text(text), Val::Text(part)) => {
            take(text.len())?;
            if part.is_empty() {
                return Ok(Val::list([]));
            }
            let (mut from, mut number) = (0, 0_usize);
            Ok(Val::list(std::iter::from_fn(|| {
                let at = from + text[from..].find(part.as_slice())?;
                number += text[from..at].chars().count();
                let found = number;
                let step = text[at..].chars().next().map_or(1, char::len_utf8);
                // Parts can overlap, so that each is looked for behind the first character of the one before.
                let step = step.min(text.len() - at);
                budget::charge_bytes(at - from + part.len());
                number += 1;
                from = at + step;
                Some(found.into())
            })))
        }
        (Val::List(list), Val::List(part)) => {
            if part.items.is_empty() {
                return Ok(Val::list([]));
            }
            let windows = list.items.windows(part.items.len()).enumerate();
            Ok(Val::list(windows.filter(|(_, items)| is_equal(items, &part.items)).map(at)))
        }
        (Val::List(list), part) => {
            let items = list.items.iter().enumerate();
            Ok(Val::list(items.filter(|(_, item)| *item == part).map(at)))
        }
        (value, part) => Err(Error::index(value.clone(), part.clone())),
    }
}

fn at<T>((index, _): (usize, T)) -> Val {
    index.into()
}

/// Compares as far as the budget allows.
fn is_equal(one: &[Val], other: &[Val]) -> bool {
    budget::stopped().is_none() && one == other
}

fn flatten(value: &Val, depth: &Num) -> ValR<Val> {
    fn add(to: &mut Vec<Val>, item: &Val, levels: i128) -> ValR<(), Val> {
        take(0)?;
        match item {
            Val::List(list) if levels >= 0 => {
                list.items.iter().try_for_each(|item| add(to, item, levels - 1))
            }
            other => {
                to.push(other.clone());
                Ok(())
            }
        }
    }
    let levels = depth.as_int().filter(|depth| *depth >= 0);
    let levels =
        levels.ok_or_else(|| Error::str("the depth of flatten is not a number of levels"))?;
    let mut flat = Vec::new();
    for item in items(value)? {
        add(&mut flat, item, levels - 1)?;
    }
    Ok(Val::list(flat))
}

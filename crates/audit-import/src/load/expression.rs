//! Expressions, conditions and places, as a mapping writes them.

use audit_core::Result;

use super::node::{Fields, Node};
use crate::expr::{Condition, Expr, Part};
use crate::glob::Glob;
use crate::place::{Place, Step};

/// What an expression can refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    pub(super) entries: Vec<Entries>,
    /// The named values that are known so far.
    pub(super) values: Vec<(String, Expr)>,
    /// The place of the list whose items the expression is about.
    pub(super) each: String,
}

/// A list of names and values, which is read as an object.
#[derive(Clone, Debug)]
pub(super) struct Entries {
    pub(super) at: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

impl Scope {
    /// Reads an expression.
    pub(super) fn expr(&self, node: &Node<'_>) -> Result<Expr> {
        if let Some(text) = node.as_text() {
            return self.short(node, text);
        }
        if let Some(items) = node.items() {
            let alternatives = items.iter().map(|item| self.expr(item));
            return alternatives.collect::<Result<_>>().map(Expr::First);
        }
        let Some(mut fields) = node.as_table() else {
            return Err(node.fault("is not a place, a template, a list or a table"));
        };
        let condition = fields.take("if").map(|node| self.condition(&node)).transpose()?;
        let expr = self.long(node, &mut fields)?;
        fields.finish()?;
        Ok(match condition {
            Some(condition) => Expr::If(Box::new(condition), Box::new(expr)),
            None => expr,
        })
    }

    fn short(&self, node: &Node<'_>, text: &str) -> Result<Expr> {
        if let Some(name) = text.strip_prefix('$') {
            return self.named(node, name);
        }
        if text.is_empty() || text.starts_with('/') || text.starts_with("^/") {
            let place = self.place(node, text)?;
            return Ok(if place.is_movable() { Expr::Move(place) } else { Expr::Copy(place) });
        }
        if text.contains('{') {
            return self.template(node, text);
        }
        Err(node.fault(format!(
            "`{text}` is not a place, which begins with /, and not a template, which has {{…}}; \
             a text of the mapping is written {{ const = \"{text}\" }}"
        )))
    }

    fn long(&self, node: &Node<'_>, fields: &mut Fields<'_>) -> Result<Expr> {
        if let Some(text) = fields.take("const") {
            return Ok(Expr::Constant(text.text()?.to_owned()));
        }
        if let Some(from) = fields.take("copy") {
            return self.expr(&from).map(copied);
        }
        let from = self.expr(&fields.required("from")?)?;
        if let Some(form) = fields.take("as") {
            return match form.text()? {
                "term" => Ok(Expr::Term(Box::new(copied(from)))),
                other => Err(form.fault(format!("`{other}` is not known; `term` is"))),
            };
        }
        let Some(rows) = fields.take("map") else { return Ok(from) };
        let rows = rows
            .table()?
            .drain()
            .into_iter()
            .map(|(pattern, output)| Ok((Glob::new(pattern), output.text()?.to_owned())));
        let text =
            |node: Option<Node<'_>>| node.map(|node| node.text().map(str::to_owned)).transpose();
        let expr = Expr::Lookup {
            from: Box::new(from),
            rows: rows.collect::<Result<_>>()?,
            otherwise: text(fields.take("else"))?,
            absent: text(fields.take("absent"))?,
        };
        match &expr {
            Expr::Lookup { rows, .. } if rows.is_empty() => Err(node.fault("`map` has no rows")),
            _ => Ok(expr),
        }
    }

    fn named(&self, node: &Node<'_>, name: &str) -> Result<Expr> {
        let found = self.values.iter().find(|(other, _)| other == name);
        let fault = || node.fault(format!("`{name}` is not among the `values` above"));
        found.map(|(_, expr)| expr.clone()).ok_or_else(fault)
    }

    /// Reads a condition: a place or expression that has a value, or a list of which one holds.
    pub(super) fn condition(&self, node: &Node<'_>) -> Result<Condition> {
        if let Some(items) = node.items() {
            let conditions = items.iter().map(|item| self.condition(item));
            return conditions.collect::<Result<_>>().map(Condition::Any);
        }
        let Some(mut fields) = node.as_table() else {
            return self.expr(node).map(|expr| Condition::Present(copied(expr)));
        };
        let all = |nodes: Node<'_>| -> Result<Vec<_>> {
            nodes.one_or_more().iter().map(|node| self.condition(node)).collect()
        };
        let condition = if let Some(nodes) = fields.take("all") {
            Condition::All(all(nodes)?)
        } else if let Some(nodes) = fields.take("absent") {
            Condition::Not(Box::new(Condition::Any(all(nodes)?)))
        } else {
            let expr = copied(self.expr(&fields.required("at")?)?);
            let patterns = |node: Node<'_>| -> Result<Vec<_>> {
                node.one_or_more().iter().map(|node| node.text().map(Glob::new)).collect()
            };
            if let Some(not) = fields.take("not") {
                Condition::Not(Box::new(Condition::Is(expr, patterns(not)?)))
            } else {
                Condition::Is(expr, patterns(fields.required("is")?)?)
            }
        };
        fields.finish()?;
        Ok(condition)
    }

    /// Reads one place, or several of which the first is used.
    pub(super) fn places(&self, node: &Node<'_>) -> Result<Vec<Place>> {
        node.one_or_more().iter().map(|node| self.place(node, node.text()?)).collect()
    }

    pub(super) fn place(&self, node: &Node<'_>, text: &str) -> Result<Place> {
        let (pointer, is_outside) = match text.strip_prefix('^') {
            Some(pointer) => (pointer, true),
            None => (text, false),
        };
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(node.fault(format!("`{text}` is not a place: it does not begin with /")));
        }
        let mut steps = Vec::new();
        let mut above = if is_outside { String::new() } else { self.each.clone() };
        for segment in segments(pointer) {
            let entries = self.entries.iter().find(|entries| entries.at == above);
            let key = unescaped(segment)
                .ok_or_else(|| node.fault(format!("`{text}` has a ~ that is neither ~0 nor ~1")))?;
            steps.push(match (entries, segment.strip_prefix('{')) {
                (_, Some(inner)) => {
                    let inner = inner.strip_suffix('}').ok_or_else(|| {
                        node.fault(format!("`{text}` has a {{ that is not closed"))
                    })?;
                    Step::Named(Box::new(self.place(node, inner)?))
                }
                (Some(Entries { key: name, values, .. }), None) => {
                    Step::Entry { name: key, key: name.clone(), values: values.clone() }
                }
                (None, None) => Step::key(&key),
            });
            above.push('/');
            above.push_str(segment);
        }
        Ok(Place::new(pointer, is_outside, steps))
    }

    fn template(&self, node: &Node<'_>, text: &str) -> Result<Expr> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let end = closing(after)
                .ok_or_else(|| node.fault(format!("`{text}` has a {{ that is not closed")))?;
            parts.push(self.part(node, &after[..end])?);
            rest = &after[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Expr::Template(parts))
    }

    fn part(&self, node: &Node<'_>, text: &str) -> Result<Part> {
        if text == "#" {
            return Ok(Part::Number);
        }
        let (text, is_required) = match text.strip_suffix('!') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let alternatives = text.split('|').map(|text| match text.strip_prefix('$') {
            Some(name) => self.named(node, name),
            None => self.place(node, text).map(Expr::Copy),
        });
        let expr = Expr::First(alternatives.collect::<Result<_>>()?);
        Ok(Part::Value { expr, is_required })
    }
}

/// Returns the expression that copies what this one moves.
pub(super) fn copied(expr: Expr) -> Expr {
    match expr {
        Expr::Move(place) => Expr::Copy(place),
        Expr::First(alternatives) => Expr::First(alternatives.into_iter().map(copied).collect()),
        Expr::Lookup { from, rows, otherwise, absent } => {
            Expr::Lookup { from: Box::new(copied(*from)), rows, otherwise, absent }
        }
        Expr::If(condition, expr) => Expr::If(condition, Box::new(copied(*expr))),
        other => other,
    }
}

/// Returns the segments of a pointer. A `/` within braces separates none.
fn segments(pointer: &str) -> Vec<&str> {
    let (mut segments, mut depth, mut start) = (Vec::new(), 0_usize, 1);
    for (at, byte) in pointer.bytes().enumerate().skip(1) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                segments.push(&pointer[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    segments.extend(pointer.get(start..));
    segments
}

/// Returns the place of the brace that closes one before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.bytes().position(|byte| {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return true,
            b'}' => depth -= 1,
            _ => {}
        }
        false
    })
}

fn unescaped(segment: &str) -> Option<String> {
    let mut key = String::with_capacity(segment.len());
    let mut parts = segment.split('~');
    key.push_str(parts.next()?);
    for part in parts {
        let (escape, rest) = part.split_at_checked(1)?;
        key.push(match escape {
            "0" => '~',
            "1" => '/',
            _ => return None,
        });
        key.push_str(rest);
    }
    Some(key)
}

//! What a mapping moves: two of its lines cannot move one value.

use audit_core::Result;

use super::expression::Scope;
use super::node::Node;
use crate::expr::Expr;
use crate::place::Place;

/// The places that the lines of a mapping move.
#[derive(Debug, Default)]
pub(super) struct Moves<'a> {
    moves: Vec<Move<'a>>,
    /// The lists whose items are taken apart.
    lists: Vec<(String, Node<'a>)>,
}

#[derive(Debug)]
struct Move<'a> {
    line: Node<'a>,
    place: Place,
    /// The list in whose items the place is, if it is in one.
    each: String,
    /// Whether all that is below the place goes with it.
    is_whole: bool,
}

impl<'a> Moves<'a> {
    pub(super) fn expr(&mut self, line: &Node<'a>, scope: &Scope, expr: &Expr) {
        let mut places = Vec::new();
        expr.moved(&mut |place| places.push(place.clone()));
        self.add(line, scope, places, false);
    }

    pub(super) fn values(&mut self, line: &Node<'a>, scope: &Scope, places: &[Place]) {
        let movable = places.iter().filter(|place| place.is_movable()).cloned();
        self.add(line, scope, movable.collect(), true);
    }

    pub(super) fn list(&mut self, line: &Node<'a>, place: &Place) {
        self.lists.push((place.pointer.clone(), line.clone()));
    }

    fn add(&mut self, line: &Node<'a>, scope: &Scope, places: Vec<Place>, is_whole: bool) {
        let each = &scope.each;
        self.moves.extend(places.into_iter().map(|place| Move {
            line: line.clone(),
            place,
            each: each.clone(),
            is_whole,
        }));
    }

    /// Fails if two lines move the same place, or one moves a place that goes with another.
    pub(super) fn check(&self) -> Result<()> {
        for (index, one) in self.moves.iter().enumerate() {
            for other in &self.moves[..index] {
                if one.line.key == other.line.key || one.each != other.each {
                    continue;
                }
                let inner = is_within(&one.place.pointer, &other.place.pointer);
                let outer = is_within(&other.place.pointer, &one.place.pointer);
                if inner && (outer || other.is_whole) || outer && one.is_whole {
                    let (place, line) = (&one.place.pointer, &other.line.key);
                    return Err(one.line.fault(format!(
                        "moves {place}, which `{line}` moves too; one of them can be \
                         {{ copy = \"{place}\" }}"
                    )));
                }
            }
            for (list, line) in &self.lists {
                let is_inside = is_within(&one.place.pointer, list)
                    || one.is_whole && is_within(list, &one.place.pointer);
                if one.each.is_empty() && is_inside {
                    let (place, line) = (&one.place.pointer, &line.key);
                    return Err(one
                        .line
                        .fault(format!("moves {place}, whose items `{line}` takes apart")));
                }
            }
        }
        Ok(())
    }
}

/// Returns whether the place `inner` is below `outer`, or the same, in any spelling of their keys.
fn is_within(inner: &str, outer: &str) -> bool {
    let (inner, outer) = (inner.to_ascii_lowercase(), outer.to_ascii_lowercase());
    inner.strip_prefix(&outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

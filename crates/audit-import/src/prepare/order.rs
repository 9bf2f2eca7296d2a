//! The order and equality of values, which is jq's: null, booleans, numbers, texts, lists, objects.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget;
use super::value::Val;

impl Val {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Num(_) => 2,
            Self::Text(_) => 3,
            Self::List(_) => 4,
            Self::Object(_) => 5,
        }
    }
}

// A sort relies on a total order, so that a comparison also has to be right when the budget is used up. It is
// bounded by the size of the values.
impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        budget::charge(1);
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Num(one), Self::Num(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => {
                if Rc::ptr_eq(one, other) {
                    return Ordering::Equal;
                }
                budget::charge_bytes(one.len().min(other.len()));
                one.cmp(other)
            }
            (Self::List(one), Self::List(other)) => {
                if Rc::ptr_eq(one, other) {
                    return Ordering::Equal;
                }
                one.items.cmp(&other.items)
            }
            (Self::Object(one), Self::Object(other)) => {
                if Rc::ptr_eq(one, other) {
                    return Ordering::Equal;
                }
                let keys = one.entries.keys().cmp(other.entries.keys());
                budget::charge_bytes(one.size.min(other.size));
                keys.then_with(|| one.entries.values().cmp(other.entries.values()))
            }
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Val {}

//! Which items of a list were added, removed and changed.

use serde_json::Value;

/// One step from a list to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The item at this index of the old list is not in the new one.
    Removed(usize),
    /// The item at this index of the new list is not in the old one.
    Added(usize),
    /// The item at the first index of the old list is at the second of the new one, with another
    /// content.
    Changed(usize, usize),
}

/// More pairs of items than this are not compared each with each: the lists are then compared by
/// index, between the items that they have in common at both ends.
const MAX_PAIRS: usize = 1 << 20;

/// Returns the steps from `before` to `after`: as many items as possible stay as they are, and of
/// those between two that stay, the first of both lists are one item that changed.
pub(super) fn steps(before: &[Value], after: &[Value]) -> Vec<Step> {
    let head = before.iter().zip(after).take_while(|(old, new)| old == new).count();
    let rest = before[head..].iter().rev().zip(after[head..].iter().rev());
    let tail = rest.take_while(|(old, new)| old == new).count();
    let (old, new) = (&before[head..before.len() - tail], &after[head..after.len() - tail]);

    let mut steps = Vec::new();
    let (mut from, mut to) = (0, 0);
    for (kept_from, kept_to) in common(old, new).into_iter().chain([(old.len(), new.len())]) {
        while from < kept_from || to < kept_to {
            let (at_old, at_new) = (head + from, head + to);
            if from < kept_from && to < kept_to {
                steps.push(Step::Changed(at_old, at_new));
                (from, to) = (from + 1, to + 1);
            } else if from < kept_from {
                steps.push(Step::Removed(at_old));
                from += 1;
            } else {
                steps.push(Step::Added(at_new));
                to += 1;
            }
        }
        (from, to) = (kept_from + 1, kept_to + 1);
    }
    steps
}

/// Returns the indexes of a longest common subsequence of the two lists.
fn common(old: &[Value], new: &[Value]) -> Vec<(usize, usize)> {
    if old.is_empty() || new.is_empty() {
        return Vec::new();
    }
    if old.len().saturating_mul(new.len()) > MAX_PAIRS {
        let pairs = old.iter().zip(new).enumerate();
        return pairs.filter(|(_, (old, new))| old == new).map(|(at, _)| (at, at)).collect();
    }
    // The length of the longest common subsequence of what follows each pair of indexes.
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for from in (0..old.len()).rev() {
        for to in (0..new.len()).rev() {
            lengths[from * width + to] = if old[from] == new[to] {
                lengths[(from + 1) * width + to + 1] + 1
            } else {
                lengths[(from + 1) * width + to].max(lengths[from * width + to + 1])
            };
        }
    }
    let mut found = Vec::new();
    let (mut from, mut to) = (0, 0);
    while from < old.len() && to < new.len() {
        if old[from] == new[to] {
            found.push((from, to));
            (from, to) = (from + 1, to + 1);
        } else if lengths[(from + 1) * width + to] >= lengths[from * width + to + 1] {
            from += 1;
        } else {
            to += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Added, Changed, Removed};
    use proptest::prelude::*;
    use serde_json::json;

    fn list(text: &str) -> Vec<Value> {
        text.chars().map(|character| json!(character.to_string())).collect()
    }

    #[test]
    fn as_much_as_possible_stays() {
        for (before, after, expected) in [
            ("", "", vec![]),
            ("abc", "abc", vec![]),
            ("bc", "abc", vec![Added(0)]),
            ("abc", "bc", vec![Removed(0)]),
            ("abc", "axc", vec![Changed(1, 1)]),
            ("abc", "axyc", vec![Changed(1, 1), Added(2)]),
            ("abcd", "xad", vec![Added(0), Removed(1), Removed(2)]),
            ("aa", "a", vec![Removed(1)]),
            ("abcde", "acxe", vec![Removed(1), Changed(3, 2)]),
        ] {
            assert_eq!(steps(&list(before), &list(after)), expected, "{before} {after}");
        }
    }

    #[test]
    fn lists_that_are_too_long_are_compared_by_index() {
        let before: Vec<_> = (0..2_000).map(Value::from).collect();
        let mut after = before.clone();
        (after[500], after[1_500]) = (json!("x"), json!("y"));
        assert_eq!(steps(&before, &after), [Changed(500, 500), Changed(1_500, 1_500)]);
        after.insert(0, json!("first"));
        assert!(steps(&before, &after).len() <= 1_502);
    }

    proptest! {
        #[test]
        fn the_steps_lead_from_one_list_to_the_other(
            before in "[abc]{0,12}", after in "[abc]{0,12}",
        ) {
            let (before, after) = (list(&before), list(&after));
            let steps = steps(&before, &after);
            let is_kept = |index: &usize| !steps.iter().any(|step| match step {
                Removed(old) | Changed(old, _) => old == index,
                Added(_) => false,
            });
            let mut kept = (0..before.len()).filter(is_kept).map(|index| before[index].clone());
            for (index, item) in after.iter().enumerate() {
                let is_new = steps.iter().any(|step| match step {
                    Added(new) | Changed(_, new) => *new == index,
                    Removed(_) => false,
                });
                if !is_new {
                    prop_assert_eq!(Some(item.clone()), kept.next());
                }
            }
            prop_assert_eq!(kept.next(), None);
        }
    }
}

//! Comparing two values without recording the secrets in them.

use serde::Serialize;
use serde_json::Value;

use crate::{Change, Error, ErrorKind, FieldKey, Result};

mod audited;
mod comparison;
mod list_match;
mod rules;
mod secret_names;

use comparison::Comparison;
pub(crate) use rules::MASK;
use rules::Rules;

/// How two values are compared: which fields are masked or left out, and how the items of lists are
/// matched.
///
/// Masks the fields whose names are those of secrets: `password`, `secret`, `token`, `authorization`,
/// `cookie`, `api key`, `private key`, `credential`, `otp` and their like, however they are spelled, at
/// any depth, also within a value that appears or disappears as a whole. A masked field still shows
/// *that* it changed: its values are the text `[redacted]`.
///
/// ```
/// use audit_core::Diff;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct User { name: &'static str, password: &'static str, iban: &'static str }
///
/// let before = User { name: "Ana", password: "hunter2", iban: "DE1" };
/// let after = User { name: "Ana", password: "hunter3", iban: "DE2" };
/// let change = Diff::new().mask("iban").compare(&before, &after)?;
/// assert_eq!(change.diff.len(), 2);
/// assert_eq!(change.diff[0].field, "iban");
/// assert_eq!(change.diff[1].field, "password");
/// assert!(!format!("{change:?}").contains("hunter"));
/// # Ok::<(), audit_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Diff {
    rules: Rules,
    hash: Option<FieldKey>,
}

impl Diff {
    /// Compares all fields, and masks those whose names are those of secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compares all fields, and masks only those that [`mask`](Self::mask) names.
    pub fn without_default_masks() -> Self {
        Self { rules: Rules::open(), hash: None }
    }

    /// Masks every field of this name, however it is spelled: `dateOfBirth` also masks
    /// `date_of_birth`.
    #[must_use]
    pub fn mask(mut self, name: &str) -> Self {
        self.rules.mask(name);
        self
    }

    /// Shows every field of this name, although it is like that of a secret: `token_count`.
    #[must_use]
    pub fn show(mut self, name: &str) -> Self {
        self.rules.show(name);
        self
    }

    /// Leaves out every field of this name: a change of it alone is no change.
    #[must_use]
    pub fn skip(mut self, name: &str) -> Self {
        self.rules.skip(name);
        self
    }

    /// Matches the items of every list that is a field of the name `list` by the value of their
    /// `member`. The path of an item then has that value in place of its index: `lines/17/amount`.
    ///
    /// A list of which an item has no such member, or two items have the same, is compared by
    /// content, as all other lists are.
    ///
    /// ```
    /// use audit_core::Diff;
    /// use serde_json::json;
    ///
    /// let before = json!({"lines": [{"id": 17, "amount": 3}, {"id": 18, "amount": 5}]});
    /// let after = json!({"lines": [{"id": 18, "amount": 6}, {"id": 17, "amount": 3}]});
    /// let change = Diff::new().key("lines", "id").compare(&before, &after)?;
    /// assert_eq!(change.diff.len(), 1);
    /// assert_eq!(change.diff[0].field, "lines/18/amount");
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    #[must_use]
    pub fn key(mut self, list: &str, member: &str) -> Self {
        self.rules.key(list, member);
        self
    }

    /// Returns the fields in which `after` differs from `before`, as both are written in JSON.
    ///
    /// Compares objects by member. Compares lists by content: an item that is inserted at the head is
    /// one change. An item is named by its index, in `before` if it was removed and else in `after`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if a value cannot be written as JSON, for example a map whose keys are
    /// not texts.
    pub fn compare<T, U>(&self, before: &T, after: &U) -> Result<Change>
    where
        T: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        let diff = Comparison::new(&self.rules).finish(&to_value(before)?, &to_value(after)?);
        Ok(Change { diff, ..Change::default() })
    }

    /// Returns `value` as JSON, with the masks of this comparison, for a value that appears or
    /// disappears as a whole.
    ///
    /// # Errors
    /// As [`compare`](Self::compare).
    pub fn masked<T: Serialize + ?Sized>(&self, value: &T) -> Result<Value> {
        Ok(self.rules.mask_within(&to_value(value)?))
    }
}

impl Change {
    /// Returns the fields in which `after` differs from `before`, with secrets masked:
    /// [`Diff::new`].
    ///
    /// ```
    /// use audit_core::Change;
    /// use serde_json::json;
    ///
    /// let before = json!({"plan": "basic", "apiKey": "k1", "tags": ["b", "c"]});
    /// let after = json!({"plan": "pro", "apiKey": "k2", "tags": ["a", "b", "c"]});
    /// let change = Change::of(&before, &after)?;
    /// let fields: Vec<_> = change.diff.iter().map(|change| change.field.as_str()).collect();
    /// assert_eq!(fields, ["apiKey", "plan", "tags/0"]);
    /// assert_eq!(change.diff[0].new, Some(json!("[redacted]")));
    /// # Ok::<(), audit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Diff::compare`].
    pub fn of<T, U>(before: &T, after: &U) -> Result<Self>
    where
        T: Serialize + ?Sized,
        U: Serialize + ?Sized,
    {
        Diff::new().compare(before, after)
    }
}

fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value> {
    serde_json::to_value(value).map_err(|source| {
        Error::new(ErrorKind::Invalid)
            .with_field("change")
            .with_context("comparing two values")
            .with_source(source)
    })
}

#[cfg(test)]
mod tests {
    use super::secret_names::SPELLINGS;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn fields(change: &Change) -> Vec<&str> {
        change.diff.iter().map(|change| change.field.as_str()).collect()
    }

    #[test]
    fn equal_values_have_no_diff() {
        assert!(Change::of(&json!({"a": [1, 2]}), &json!({"a": [1, 2]})).unwrap().is_empty());
    }

    #[test]
    fn a_masked_field_shows_that_it_changed_and_whether_it_was_set() {
        let change = Change::of(
            &json!({"password": "a", "token": null, "pin": 1}),
            &json!({"password": "b", "token": "c", "secret": {"x": 1}}),
        );
        let masked = || Some(json!(MASK));
        let expected = Change::default()
            .field("password", masked(), masked())
            .field("pin", masked(), None)
            .field("secret", None, masked())
            .field("token", Some(Value::Null), masked());
        assert_eq!(change.unwrap(), expected);
    }

    #[test]
    fn masks_reach_into_what_appears_disappears_or_changes_its_type() {
        let secret =
            json!({"name": "db", "auth": {"user": "u"}, "list": [{"api-key": "k", "n": 1}]});
        let shown = json!({"name": "db", "auth": MASK, "list": [{"api-key": MASK, "n": 1}]});
        for (before, after, old, new) in [
            (json!({}), json!({"x": secret}), None, Some(shown.clone())),
            (json!({"x": secret}), json!({}), Some(shown.clone()), None),
            (json!({"x": [1]}), json!({"x": secret}), Some(json!([1])), Some(shown.clone())),
        ] {
            let change = Change::of(&before, &after).unwrap();
            assert_eq!(change, Change::default().field("x", old, new));
        }
        let item = Change::of(&json!({"x": []}), &json!({"x": [secret]})).unwrap();
        assert_eq!(item, Change::default().field("x/0", None, Some(shown.clone())));
        assert_eq!(Diff::new().masked(&secret).unwrap(), shown);
    }

    #[test]
    fn the_value_of_a_named_secret_is_masked() {
        let header = |value: &str| json!({"headers": [{"name": "Authorization", "value": value}]});
        let change = Change::of(&header("Bearer a"), &header("Bearer b")).unwrap();
        let masked = || Some(json!(MASK));
        assert_eq!(change, Change::default().field("headers/0/value", masked(), masked()));
        let whole = Diff::new().masked(&header("Bearer a")).unwrap();
        assert_eq!(whole, json!({"headers": [{"name": "Authorization", "value": MASK}]}));
        let accept = json!({"name": "Accept", "value": "*/*"});
        assert_eq!(Diff::new().masked(&accept).unwrap(), accept);
    }

    #[test]
    fn rules_are_by_name_in_any_spelling() {
        let before = json!({"tokenCount": 1, "dateOfBirth": "a", "updated_at": 1, "x": {"y": 1}});
        let after = json!({"tokenCount": 2, "dateOfBirth": "b", "updated_at": 2, "x": {"y": 1}});
        let diff = Diff::new().show("token_count").mask("date_of_birth").skip("updatedAt");
        let change = diff.compare(&before, &after).unwrap();
        let expected = Change::default()
            .field("dateOfBirth", Some(json!(MASK)), Some(json!(MASK)))
            .field("tokenCount", Some(json!(1)), Some(json!(2)));
        assert_eq!(change, expected);
        assert_eq!(diff.masked(&json!({"updatedAt": 1})).unwrap(), json!({}));
        let open = Diff::without_default_masks().compare(&json!({"pin": 1}), &json!({"pin": 2}));
        assert_eq!(open.unwrap().diff[0].new, Some(json!(2)));
    }

    #[test]
    fn an_item_that_is_inserted_at_the_head_is_one_change() {
        let change =
            Change::of(&json!([{"a": 1}, {"a": 2}]), &json!([{"a": 0}, {"a": 1}, {"a": 2}]));
        assert_eq!(change.unwrap(), Change::default().field("0", None, Some(json!({"a": 0}))));
        let change = Change::of(&json!([{"a": 1, "b": 1}]), &json!([{"a": 1, "b": 2}]));
        assert_eq!(fields(&change.unwrap()), ["0/b"]);
    }

    #[test]
    fn keyed_lists_follow_their_items() {
        let diff = Diff::new().key("lines", "id");
        let lines = |lines: Value| json!({"lines": lines});
        let compare = |before, after| diff.compare(&lines(before), &lines(after)).unwrap();
        let change = compare(
            json!([{"id": "a/1", "n": 1}, {"id": "b", "n": 1}]),
            json!([{"id": "c", "n": 1}, {"id": "a/1", "n": 2}]),
        );
        assert_eq!(fields(&change), ["lines/a~11/n", "lines/b", "lines/c"]);
        // Without a key for each item, by content.
        let change = compare(json!([{"id": 1}, {"id": 1}]), json!([{"id": 1}]));
        assert_eq!(fields(&change), ["lines/1"]);
    }

    #[test]
    fn a_path_is_a_json_pointer_without_its_first_slash() {
        let before = json!({"a/b": {"~": 1}, "": {"": 1, "x": 1}});
        let after = json!({"a/b": {"~": 2}, "": {"": 2, "x": 2}});
        let change = Change::of(&before, &after).unwrap();
        assert_eq!(fields(&change), ["/", "/x", "a~1b/~0"]);
        for change in &change.diff {
            assert_eq!(after.pointer(&format!("/{}", change.field)), change.new.as_ref());
        }
    }

    #[test]
    fn what_json_cannot_represent_is_an_error() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        let error = Change::of(&map, &map).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("change")));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            (0..3).prop_map(Value::from),
            "[ab]".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 24, 4, |below| {
            let name =
                prop_oneof!["[ab]", prop::sample::select(SPELLINGS).prop_map(str::to_owned),];
            prop_oneof![
                prop::collection::vec(below.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name, below, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// Replaces each value of a secret by a text that is found nowhere else.
    fn with_marks(value: &Value, is_secret: bool) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| {
                    (name.clone(), with_marks(member, is_secret || name.len() > 1))
                })
                .collect(),
            Value::Array(items) => items.iter().map(|item| with_marks(item, is_secret)).collect(),
            _ if is_secret => json!("hunter2"),
            _ => value.clone(),
        }
    }

    proptest! {
        #[test]
        fn no_secret_is_recorded_wherever_it_is(before in value(), after in value()) {
            let (before, after) = (with_marks(&before, false), with_marks(&after, false));
            let change = Change::of(&before, &after).unwrap();
            prop_assert!(!serde_json::to_string(&change).unwrap().contains("hunter2"));
            let masked = Diff::new().masked(&before).unwrap();
            prop_assert!(!masked.to_string().contains("hunter2"));
        }

        #[test]
        fn a_diff_is_empty_only_if_the_values_are_equal(before in value(), after in value()) {
            let change = Diff::without_default_masks().compare(&before, &after).unwrap();
            prop_assert_eq!(change.is_empty(), before == after);
        }
    }
}

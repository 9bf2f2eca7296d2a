//! The comparison of values whose type says which of their fields are masked.

use serde_json::{Map, Value};

use super::Diff;
use super::comparison::Comparison;
use super::rules::mask;
use crate::capture::{AuditedField, Form};
use crate::{Audited, Change, FieldChange, FieldKey, Result};

impl Diff {
    /// Sets the key of the hashes of fields that are hashed. Without one they are masked.
    #[must_use]
    pub fn hashing(mut self, key: FieldKey) -> Self {
        self.hash = Some(key);
        self
    }

    /// Returns the fields in which `after` differs from `before`, in the form that their type states.
    /// `None` is a value that does not exist yet, or no more.
    ///
    /// The rules of this comparison hold, too: a field that its type shows is masked if its name is that of
    /// a secret.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the name of a field that cannot be
    /// written as JSON.
    pub fn audited<T: Audited>(&self, before: Option<&T>, after: Option<&T>) -> Result<Change> {
        let fields = |side: Option<&T>| side.map_or(Ok(Vec::new()), T::audit_fields);
        let (before, after) = (fields(before)?, fields(after)?);
        let mut rules = self.rules.clone();
        for field in before.iter().chain(&after) {
            if let Some(member) = field.key {
                rules.key(field.name, member);
            }
        }
        let mut diff = Comparison::new(&rules).finish(&shown(&before), &shown(&after));
        let names = before.iter().chain(&after).filter(|field| field.form != Form::Shown);
        let mut names: Vec<_> = names.map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        for name in names.into_iter().filter(|name| !rules.is_skipped(name)) {
            let of = |side: &[AuditedField]| side.iter().find(|field| field.name == name).cloned();
            let (old, new) = (of(&before), of(&after));
            if old.as_ref().map(|field| &field.value) != new.as_ref().map(|field| &field.value) {
                let hidden = |side: Option<AuditedField>| side.map(|field| self.hidden(&field));
                diff.push(FieldChange::new(pointer(name), hidden(old), hidden(new)));
            }
        }
        diff.sort_by(|a, b| a.field.cmp(&b.field));
        Ok(Change { diff, ..Change::default() })
    }

    fn hidden(&self, field: &AuditedField) -> Value {
        match (&self.hash, field.form) {
            (Some(key), Form::Hashed) => key.hash(&field.value),
            _ => mask(&field.value),
        }
    }
}

impl Change {
    /// Returns the fields in which `after` differs from `before`, in the form that their type states:
    /// [`Diff::audited`].
    ///
    /// # Errors
    /// As [`Diff::audited`].
    pub fn audited<T: Audited>(before: &T, after: &T) -> Result<Self> {
        Diff::new().audited(Some(before), Some(after))
    }
}

fn shown(fields: &[AuditedField]) -> Value {
    let shown = fields.iter().filter(|field| field.form == Form::Shown);
    let members = shown.map(|field| (field.name.to_owned(), field.value.clone()));
    Value::Object(members.collect::<Map<_, _>>())
}

/// Returns the path of a field of this name.
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use serde_json::json;

    #[derive(Clone)]
    struct Customer {
        plan: Value,
        iban: Value,
        email: Value,
        password: Value,
        lines: Value,
    }

    impl Audited for Customer {
        const TARGET: &'static str = "customer";

        fn audit_id(&self) -> String {
            "c_1".to_owned()
        }

        fn audit_fields(&self) -> Result<Vec<AuditedField>> {
            Ok(vec![
                AuditedField::new("plan", &self.plan)?,
                AuditedField::new("iban/bic", &self.iban)?.redacted(),
                AuditedField::new("email", &self.email)?.hashed(),
                AuditedField::new("password", &self.password)?,
                AuditedField::new("lines", &self.lines)?.keyed("id"),
            ])
        }
    }

    fn customer(value: i64) -> Customer {
        let text = |name: &str| json!(format!("{name}{value}"));
        Customer {
            plan: text("plan"),
            iban: text("iban"),
            email: text("email"),
            password: text("hunter"),
            lines: json!([{"id": value, "n": 1}, {"id": 7, "n": value}]),
        }
    }

    fn fields(change: &Change) -> Vec<(&str, Option<&Value>)> {
        change.diff.iter().map(|change| (&*change.field, change.new.as_ref())).collect()
    }

    #[test]
    fn each_field_has_the_form_of_its_type() {
        let change = Change::audited(&customer(1), &customer(2)).unwrap();
        let masked = json!("[redacted]");
        let expected = [
            ("email", Some(&masked)),
            ("iban~1bic", Some(&masked)),
            ("lines/1", None),
            ("lines/2", Some(&json!({"id": 2, "n": 1}))),
            ("lines/7/n", Some(&json!(2))),
            ("password", Some(&masked)),
            ("plan", Some(&json!("plan2"))),
        ];
        assert_eq!(fields(&change), expected);
        assert!(Change::audited(&customer(1), &customer(1)).unwrap().is_empty());
    }

    #[test]
    fn hashes_of_equal_values_are_equal_and_need_the_key() {
        let email = |diff: &Diff, before: Option<i64>, after: i64| {
            let (before, after) = (before.map(customer), customer(after));
            let change = diff.audited(before.as_ref(), Some(&after)).unwrap();
            let email = change.diff.into_iter().find(|change| change.field == "email").unwrap();
            (email.old, email.new.unwrap())
        };
        let diff = Diff::new().hashing(FieldKey::from_secret([7; 32]));
        let (old, new) = email(&diff, Some(1), 2);
        assert_eq!(email(&diff, None, 1), (None, old.clone().unwrap()));
        assert_ne!(old.as_ref(), Some(&new));
        let other = Diff::new().hashing(FieldKey::from_secret([8; 32]));
        assert_ne!(email(&other, Some(1), 2).1, new);
        // HMAC-SHA-256 of `"email2"`, quotes included, computed with another program.
        assert_eq!(new, json!("hmac:E_4eu7grgdQAxBHoDZEhXJAn75plLH-hjc-xYoJGVXU"));
    }

    #[test]
    fn a_value_that_appears_or_disappears_shows_each_field_and_no_secret() {
        let diff = Diff::new().skip("plan");
        let created = diff.audited(None, Some(&customer(1))).unwrap();
        let deleted = diff.audited(Some(&customer(1)), None).unwrap();
        for change in [created, deleted] {
            let names: Vec<_> = fields(&change).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["email", "iban~1bic", "lines", "password"]);
            let text = serde_json::to_string(&change).unwrap();
            assert!(
                !text.contains("hunter") && !text.contains("iban1") && !text.contains("email1")
            );
        }
        assert_eq!(diff.audited::<Customer>(None, None).unwrap(), Change::default());
    }

    #[test]
    fn a_field_that_json_cannot_represent_is_named() {
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        let error = AuditedField::new("map", &map).unwrap_err();
        assert_eq!((error.kind(), error.field()), (ErrorKind::Invalid, Some("map")));
    }
}

//! The mappings that come with this crate.

use std::sync::LazyLock;

use audit_core::json;

use crate::Mapping;

/// A mapping that comes with this crate.
#[derive(Debug)]
pub struct Builtin {
    name: &'static str,
    text: &'static str,
    mapping: LazyLock<Option<Mapping>>,
}

macro_rules! builtins {
    ($($name:literal),* $(,)?) => {
        /// The mappings that come with this crate, in the order of their names.
        static BUILTINS: [Builtin; COUNT] = [$({
            const TEXT: &str = include_str!(concat!("../mappings/", $name, ".toml"));
            Builtin {
                name: $name,
                text: TEXT,
                mapping: LazyLock::new(|| Mapping::parse(TEXT).ok()),
            }
        }),*];
        const COUNT: usize = [$($name),*].len();
    };
}

builtins!(
    "auth0",
    "azure-activity",
    "cloudtrail",
    "entra-id",
    "gcp-audit",
    "github-audit",
    "github-events",
    "gitlab",
    "google-workspace",
    "jira",
    "kubernetes",
    "microsoft365",
    "okta",
    "one-password",
    "salesforce",
    "slack",
    "snyk",
    "tailscale",
    "teleport",
    "vault",
    "windows-security",
    "zendesk",
);

impl Builtin {
    /// Returns every mapping that comes with this crate.
    pub fn all() -> &'static [Self] {
        &BUILTINS
    }

    /// Returns the name, which is that of the system.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the text of the mapping, for a start of one's own.
    pub fn text(&self) -> &'static str {
        self.text
    }
}

impl Mapping {
    /// Returns the mapping of this name that comes with this crate.
    ///
    /// ```
    /// use audit_import::Mapping;
    ///
    /// assert!(Mapping::builtin("cloudtrail").is_some());
    /// assert!(Mapping::builtin("no-such-system").is_none());
    /// ```
    pub fn builtin(name: &str) -> Option<&'static Self> {
        let builtin = BUILTINS.iter().find(|builtin| builtin.name == name)?;
        builtin.mapping.as_ref()
    }

    /// Returns the mapping that comes with this crate and has the most marks in this record; `None` if the
    /// text is not JSON or no mapping recognizes it.
    pub fn guess(text: &[u8]) -> Option<&'static Self> {
        let value = json::parse(text).ok()?;
        let mappings = BUILTINS.iter().filter_map(|builtin| builtin.mapping.as_ref());
        mappings
            .filter(|mapping| mapping.recognizes_value(value.clone()))
            .max_by_key(|mapping| mapping.marks())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapping_is_read_and_named_after_its_system() {
        for builtin in Builtin::all() {
            let mapping = Mapping::parse(builtin.text).unwrap();
            assert_eq!(mapping.system(), builtin.name);
            assert!(!mapping.title().is_empty(), "{}", builtin.name);
            assert!(mapping.marks() > 0, "{}", builtin.name);
        }
        assert!(Builtin::all().is_sorted_by_key(|builtin| builtin.name));
    }
}

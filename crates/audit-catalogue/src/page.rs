//! The Markdown page of a catalogue.

use std::fmt::Write as _;

use audit_core::{ActionDefinition, FieldCount, FieldDefinition, Severity};

use crate::Catalogue;

impl Catalogue {
    /// Returns the catalogue as a Markdown page, sorted by action: a table of all actions, and for each its
    /// targets and attributes.
    ///
    /// Keep the page with the service's documentation, and a test that compares both (`include_str!`) keeps
    /// it true.
    pub fn to_markdown(&self) -> String {
        let mut definitions: Vec<_> = self.definitions().collect();
        definitions.sort_by_key(|definition| definition.name());
        definitions.dedup_by_key(|definition| definition.name());
        let mut page = "# Actions\n\n| action | meaning | severity | since | OCSF class |\n\
             |---|---|---|---|---|\n"
            .to_owned();
        for definition in &definitions {
            row(&mut page, definition);
        }
        for definition in definitions {
            section(&mut page, definition);
        }
        page
    }
}

// Writing to a text does not fail.

fn row(page: &mut String, definition: &ActionDefinition) {
    let severity = definition.severity().unwrap_or(Severity::new(""));
    let class = definition.ocsf_class().map(|class| class.to_string()).unwrap_or_default();
    let _ = writeln!(
        page,
        "| `{}` | {} | {severity} | {} | {class} |",
        cell(definition.name()),
        cell(definition.summary()),
        cell(definition.since().unwrap_or_default()),
    );
}

fn section(page: &mut String, definition: &ActionDefinition) {
    let _ = write!(
        page,
        "\n## `{}`\n\n{}. Version {} of its definition.\n",
        definition.name(),
        definition.summary(),
        definition.version()
    );
    if definition.targets().is_empty() && definition.attributes().is_empty() {
        return;
    }
    page.push_str("\n| | name | how often | meaning |\n|---|---|---|---|\n");
    for (what, fields) in [("target", definition.targets()), ("attribute", definition.attributes())]
    {
        for field in fields {
            field_row(page, what, field);
        }
    }
}

fn field_row(page: &mut String, what: &str, field: &FieldDefinition) {
    let count = match field.count() {
        FieldCount::One => "once",
        FieldCount::Optional => "at most once",
        FieldCount::Many => "any number",
    };
    let meaning = cell(field.summary().unwrap_or_default());
    let _ = writeln!(page, "| {what} | `{}` | {count} | {meaning} |", cell(field.name()));
}

/// Returns the text as a part of a table's row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\r', '\n'], " ")
}

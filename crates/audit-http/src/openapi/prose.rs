//! The descriptions of the schemas: documentation of Rust types, made readable without Rust.

use audit_core::limits;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema};

/// The limits that descriptions name.
const LIMITS: [(&str, usize); 10] = [
    ("MAX_NAME_BYTES", limits::MAX_NAME_BYTES),
    ("MAX_ID_BYTES", limits::MAX_ID_BYTES),
    ("MAX_TEXT_BYTES", limits::MAX_TEXT_BYTES),
    ("MAX_TARGETS", limits::MAX_TARGETS),
    ("MAX_ATTRIBUTES", limits::MAX_ATTRIBUTES),
    ("MAX_ON_BEHALF_OF", limits::MAX_ON_BEHALF_OF),
    ("MAX_FIELD_CHANGES", limits::MAX_FIELD_CHANGES),
    ("MAX_JSON_DEPTH", limits::MAX_JSON_DEPTH),
    ("MAX_ORGANIZATION_BYTES", limits::MAX_ORGANIZATION_BYTES),
    ("MAX_PRIVATE_ENDPOINTS", limits::MAX_PRIVATE_ENDPOINTS),
];

/// Rewrites every description in a schema.
pub(super) fn rewrite(schema: &mut RefOr<Schema>) {
    let schema = match schema {
        RefOr::Ref(reference) => {
            reference.description = plain(&reference.description);
            return;
        }
        RefOr::T(schema) => schema,
    };
    let (description, items) = match schema {
        Schema::Object(object) => {
            object.properties.values_mut().for_each(rewrite);
            if let Some(values) = &mut object.additional_properties
                && let AdditionalProperties::RefOr(values) = &mut **values
            {
                rewrite(values);
            }
            (&mut object.description, None)
        }
        Schema::Array(array) => {
            if let ArrayItems::RefOrSchema(items) = &mut array.items {
                rewrite(items);
            }
            (&mut array.description, None)
        }
        Schema::OneOf(one) => (&mut one.description, Some(&mut one.items)),
        Schema::AllOf(all) => (&mut all.description, Some(&mut all.items)),
        Schema::AnyOf(any) => (&mut any.description, Some(&mut any.items)),
        _ => return,
    };
    if let Some(description) = description {
        *description = plain(description);
    }
    items.into_iter().flatten().for_each(rewrite);
}

/// Returns a text of documentation up to its example and the line that leads to it, without paragraphs
/// about functions of Rust. Links to items of Rust become their names, those to limits their values.
fn plain(documentation: &str) -> String {
    let mut rest = match documentation.split_once("```") {
        Some((before, _)) => {
            let before = before.trim_end();
            match before.rsplit_once("\n\n") {
                Some((before, lead)) if lead.ends_with(':') => before,
                _ => before,
            }
        }
        None => documentation,
    };
    let mut text = String::with_capacity(rest.len());
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        text.push_str(before);
        match LIMITS.iter().find(|(limit, _)| *limit == name) {
            Some((_, value)) => text.push_str(&grouped(*value)),
            None => text.extend(["`", name, "`"]),
        }
        let path = after.strip_prefix('(').and_then(|path| path.split_once(')'));
        rest = path.map_or(after, |(_, after)| after);
    }
    text.push_str(rest);
    let is_of_rust = |paragraph: &&str| paragraph.contains("::");
    let kept: Vec<_> = text.trim_end().split("\n\n").filter(|p| !is_of_rust(p)).collect();
    kept.join("\n\n")
}

/// Writes a number with a comma before every three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_names_and_limits_numbers() {
        for (documentation, text) in [
            ("At most [`MAX_TEXT_BYTES`] bytes.", "At most 65,536 bytes."),
            ("[`MAX_JSON_DEPTH`](limits::MAX_JSON_DEPTH) − 1 levels", "64 − 1 levels"),
            ("As with an [`InclusionProof`].", "As with an `InclusionProof`."),
            ("A text.\n\nMore.\n\n```\nlet x = 1;\n```\n", "A text.\n\nMore."),
            ("A text.\n\nFor example:\n\n```\nlet x = 1;\n```\n", "A text."),
            ("A text.\n\n[`Change::of`] compares.\n\nMore.", "A text.\n\nMore."),
            ("a [link](https://a.example) and [`", "a [link](https://a.example) and [`"),
        ] {
            assert_eq!(plain(documentation), text);
        }
        assert_eq!(grouped(1), "1");
        assert_eq!(grouped(262_144), "262,144");
    }
}

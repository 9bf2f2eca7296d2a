//! The commands of `docs/postgres.md`.

use std::fs;
use std::path::Path;

/// Returns the blocks of code in this language, in their order, of the section with this heading.
pub(crate) fn blocks(section: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/postgres.md");
    let page = fs::read_to_string(path).expect("the page is beside the crates");
    let heading = format!("\n## {section}\n");
    let (_, text) = page.split_once(&heading).expect("the page has the section");
    let text = text.split("\n## ").next().unwrap_or_default();
    let opening = format!("```{language}\n");
    let blocks = text.split(&opening).skip(1).map(|rest| rest.split("```").next());
    blocks.map(|block| block.unwrap_or_default().to_owned()).collect()
}

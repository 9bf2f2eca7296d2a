//! The definitions of jq that a program can use.

use std::sync::LazyLock;

use super::natives;
use super::source::Def;
use super::steps;

/// The definitions of jaq that end on any value.
pub(super) const CORE: &[&str] = &[
    "empty",
    "error",
    "true",
    "false",
    "not",
    "select",
    "tostring",
    "range",
    "paths",
    "setpath",
    "delpaths",
    "map",
    "map_values",
    "walk",
    "del",
    "first",
    "last",
    "nth",
    "join",
    "to_entries",
    "isempty",
    "all",
    "any",
];
pub(super) const STANDARD: &[&str] = &[
    "null",
    "isboolean",
    "isnumber",
    "isstring",
    "isarray",
    "isobject",
    "abs",
    "type",
    "values",
    "nulls",
    "booleans",
    "numbers",
    "strings",
    "arrays",
    "objects",
    "iterables",
    "scalars",
    "add",
    "min_by",
    "max_by",
    "min",
    "max",
    "unique_by",
    "unique",
    "pick",
    "keys",
    "capture_of_match",
    "test",
    "scan_",
    "match",
    "capture",
    "split",
    "splits",
    "sub",
    "gsub",
    "scan",
    "@sh",
];

/// Further functions of jq.
const OWN: &str = r#"
    def recurse: ..;
    def from_entries:
        def name: .key // .name // .k // .Name // .Key // .K | tostring;
        def value:
            if has("value") then .value elif has("v") then .v elif has("Value") then .Value else .V end;
        reduce .[] as $entry ({}; .[$entry | name] = ($entry | value));
    def with_entries(f): to_entries | map(f) | from_entries;
    def in(object): . as $key | object | has($key);
    def inside(whole): . as $part | whole | contains($part);
    def index($part): indices($part) | first;
    def rindex($part): indices($part) | last;
    def IN(values): . as $value | any(values; . == $value);
    def toarray: if isarray then . else [.] end;
    def toboolean:
        if isboolean then .
        elif . == "true" then true
        elif . == "false" then false
        else error("cannot parse \(tojson) as a boolean") end;
    def trimstr($part): ltrimstr($part) | rtrimstr($part);
    def transpose: . as $rows | [range([$rows[] | length] | max // 0) as $at | [$rows[][$at]]];
"#;

/// What programs can call.
#[derive(Debug)]
pub(super) struct Prelude {
    pub(super) defs: Vec<Def<'static>>,
    /// The names of the functions that are not written in jq, and whether each argument is a filter.
    pub(super) natives: Vec<(&'static str, Vec<bool>)>,
}

/// Returns the prelude.
pub(super) fn prelude() -> &'static Prelude {
    static PRELUDE: LazyLock<Prelude> = LazyLock::new(|| {
        let core = jaq_core::defs().filter(|def| CORE.contains(&def.name));
        let standard = jaq_std::defs().filter(|def| STANDARD.contains(&def.name));
        // A test calls each of them.
        let own = jaq_core::load::parse(OWN, |parser| parser.defs()).unwrap_or_default();
        let mut defs: Vec<_> = core.chain(standard).chain(own).collect();
        defs.iter_mut().for_each(steps::count);
        let kind = |bind: &jaq_core::Bind| matches!(bind, jaq_core::Bind::Fun(()));
        let natives = natives::all().into_iter();
        let natives = natives.map(|(name, args, _)| (name, args.iter().map(kind).collect()));
        Prelude { defs, natives: natives.collect() }
    });
    &PRELUDE
}

//! The functions of jq that programs do not have.

/// The names that jq knows and programs do not, with the reason.
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("may not end", &["repeat", "while", "until", "recurse", "combinations"]),
    (
        "depends on a clock or a time zone",
        &[
            "now",
            "localtime",
            "gmtime",
            "mktime",
            "strftime",
            "strflocaltime",
            "strptime",
            "todate",
            "fromdate",
            "todateiso8601",
            "fromdateiso8601",
            "date",
            "dateadd",
            "datesub",
        ],
    ),
    (
        "reads or writes something else than the record",
        &[
            "env",
            "$ENV",
            "input",
            "inputs",
            "input_filename",
            "input_line_number",
            "debug",
            "stderr",
            "get_search_list",
            "include",
            "import",
            "module",
            "modulemeta",
        ],
    ),
    ("ends the process", &["halt", "halt_error"]),
    ("gives a number that JSON does not have", &["nan", "infinite", "isnan", "isinfinite"]),
];

/// Returns why a name of jq is not known to programs.
pub(super) fn left_out(name: &str) -> Option<&'static str> {
    LEFT_OUT.iter().find(|(_, names)| names.contains(&name)).map(|(reason, _)| *reason)
}

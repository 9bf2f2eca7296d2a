//! That no term and no operation of a program is free.

use super::hostile::{BYTES, STEPS, refused};

/// Each operation on a large value takes steps for its size, and each term takes some. Otherwise some of
/// these would take minutes, and this test would not end.
#[test]
fn no_step_is_large() {
    let list = "[range(2e4)]";
    let texts = "[range(1e4) | tostring]";
    let text = "\"ab\" * 3e5";
    let object = "reduce range(3e3) as $i ({}; .[\"\\($i)\"] = 1)";
    for (value, operations) in [
        (
            list,
            &[
                "sort",
                "reverse",
                "map(.)",
                "tojson",
                ". - .",
                "del(.[0])",
                ".[0] = 1",
                "flatten",
                "indices([0, 1])",
                "contains([5])",
                "group_by(.)",
                "min_by(.)",
                "[paths]",
                ".[1:]",
                ".[1:2] = []",
                "to_entries",
                "path(.[])",
                "first(.[])",
                "try .a catch .",
                "add",
                "unique",
                "map(tostring)",
                "tojson | @base64",
                "tojson | fromjson",
                ". == [.[]]",
                "[limit(5; .[])]",
                "any(. > 1e9)",
                "index(3)",
                ". + [1]",
                "[.[] | select(. > 9)]",
            ][..],
        ),
        (texts, &["join(\",\")", "@csv", "@tsv", "sort", "map(test(\"1\"))", "map(length)"]),
        (
            text,
            &[
                "length",
                "explode",
                "split(\"a\")",
                "test(\"c\")",
                "[match(\"a\"; \"g\")]",
                "trim",
                "ascii_upcase",
                "startswith(\"b\")",
                "ltrimstr(\"a\")",
                ". == . + \"\"",
                ".[5:]",
                ".[5:] = \"\"",
                "{(.): 1}",
                "{(.): 1} | keys",
                "try error catch .",
                "@uri",
                "@urid",
                "@html",
                "@base64",
                "tojson",
                "try fromjson catch .",
                "try tonumber catch .",
                "indices(\"b\")",
                "gsub(\"a\"; \"\")",
                "[splits(\"b\")]",
                "contains(\"c\")",
                "[., .] | sort",
                ". + .",
            ],
        ),
        (
            object,
            &[
                "keys",
                ". + .",
                ". * .",
                ".x = 1",
                "first(.[])",
                ". < . + {}",
                "to_entries",
                "has(\"x\")",
                "with_entries(.)",
                "del(.[\"5\"])",
                "map_values(.)",
                "walk(.)",
                "[..]",
                "tojson",
            ],
        ),
    ] {
        for operation in operations {
            let program = format!("({value}) as $v | last(range(1e9) | $v | {operation}) | {{}}");
            refused(&program, BYTES);
        }
    }
}

/// Terms that copy no value are counted, too, however many of them are between two that do.
#[test]
fn no_row_of_terms_is_free() {
    let nested = |open: &str, count: usize, close: &str| {
        format!("{}.{}", open.repeat(count), close.repeat(count))
    };
    for body in [
        ". | ".repeat(900) + ".",
        "(. | . | . | . | .) | ".repeat(600) + ".",
        "1 | ".repeat(900) + ".",
        "$x | ".repeat(900) + ".",
        ".? | ".repeat(400) + ".",
        "label $x | ".repeat(60) + ".",
        "try ".repeat(60) + ".",
        "null // ".repeat(60) + ".",
        ". as $x | ".repeat(60) + ".",
        "true and ".repeat(150) + ".",
        ".. | ".repeat(900) + ".",
        nested("first(", 30, ")"),
        nested("last(", 30, ")"),
        nested("limit(1; ", 20, ")"),
        nested("skip(0; ", 20, ")"),
        nested("reduce . as $x (.; ", 50, ")"),
        nested("if false then 1 else ", 90, " end"),
        nested("[", 50, "]"),
        nested("{a: ", 50, "}"),
        format!("({}.) |= 1", ". | ".repeat(80)),
        format!("path({}.)", ". | ".repeat(80)),
        format!("\"{}\"", "x".repeat(15_000)),
        format!("\"{}\"", "\\n".repeat(150)),
        "def f(g): g | g | g | g; f(f(f(f(.))))".to_owned(),
        "def f(g): first(g); f(f(f(f(f(f(f(.)))))))".to_owned(),
        "[[1], 2] as [[$a], $b] | $a".to_owned(),
        "{a: 1} as {a: $a} | $a".to_owned(),
        "reduce empty as $y (0; .)".to_owned(),
        "[foreach (1, 2) as $y (0; .; .)]".to_owned(),
        "try error catch .".to_owned(),
        "-(-(-1))".to_owned(),
        "error?".to_owned(),
        "empty".to_owned(),
    ] {
        let program = format!("last(range(1e9) as $x | $x | {body}) | {{}}");
        refused(&program, STEPS);
    }
}

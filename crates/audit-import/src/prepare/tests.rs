//! What programs give.

use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;

use super::*;

mod costs;
mod hostile;

/// Returns what a program gives, or the words of the error.
fn run(program: &str, record: &Value) -> std::result::Result<Value, String> {
    let program = Program::parse(program)?;
    program.run(record).map(|(value, _)| value).map_err(|error| error.to_string())
}

/// Returns the value that an expression gives.
#[track_caller]
fn value(expr: &str, record: &Value) -> Value {
    match run(&format!("{{v: ({expr})}}"), record) {
        Ok(mut object) => object["v"].take(),
        Err(error) => panic!("{expr}: {error}"),
    }
}

fn any_record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |f| f.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(6, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..8)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    });
    prop::collection::btree_map(any::<String>(), value, 0..8)
        .prop_map(|fields| fields.into_iter().collect())
}

/// Programs that change no value.
static SAME: LazyLock<Vec<(&str, Program)>> = LazyLock::new(|| {
    let texts = [
        ".",
        "with_entries(.)",
        "tojson | fromjson",
        "walk(.)",
        ". as $record | reduce keys[] as $key ({}; .[$key] = $record[$key])",
        "reduce (paths as $path | [$path, getpath($path)]) as [$path, $value] (.; \
         setpath($path; $value))",
    ];
    texts.into_iter().map(|text| (text, Program::parse(text).unwrap())).collect()
});

proptest! {
    /// Programs that say the same in another way change no value, to the last digit.
    #[test]
    fn what_a_program_does_not_change_stays(record in any_record()) {
        for (text, program) in SAME.iter() {
            let (prepared, _) = program.run(&record).unwrap();
            // What is written as text has one spelling of a whole number, which is the same value.
            if *text != "tojson | fromjson" {
                prop_assert_eq!(&prepared, &record);
            }
            prop_assert!(Val::of(&prepared) == Val::of(&record));
        }
    }

    #[test]
    fn no_text_is_a_program_that_panics(text in any::<String>(), tail in "[\\[\\](){}|,.;\"\\\\a-f0-9$@ ]{0,40}") {
        for program in [text.as_str(), &tail, &format!(". {tail}")] {
            if let Ok(program) = Program::parse(program) {
                drop(program.run(&json!({"a": [1, "x", null]})));
            }
        }
    }
}

#[test]
fn numbers_are_exact() {
    let record = json!({
        "big": 18_446_744_073_709_551_615_u64,
        "small": i64::MIN,
        "float": 1.10,
        "large": 1e300,
    });
    let text = record.to_string();
    assert_eq!(run(".", &record).unwrap().to_string(), text);
    assert_eq!(value(".big - 1", &record).to_string(), "18446744073709551614");
    assert_eq!(value(".big | tostring", &record), "18446744073709551615");
    assert_eq!(value(".big == 18446744073709551615.0", &record), false);
    assert_eq!(value("[.float, 0.1] | map(tostring)", &record), json!(["1.1", "0.1"]));
    assert_eq!(value("[6 / 3, 7 / 2, 7 % 4, -7 % 4]", &record), json!([2, 3.5, 3, -3]));
    for (program, words) in [
        ("{v: (.big + 1)}", "more digits"),
        ("{v: (.large * .large)}", "cannot calculate"),
        ("{v: (1 / 0)}", "cannot calculate 1 / 0"),
        ("{v: 1e400}", "too large"),
        ("{v: ([255] | implode | @base64 | \"gIA=\" | @base64d)}", "not UTF-8"),
        ("{v: (\"1e400\" | tonumber)}", "cannot parse"),
        ("{v: (\"0.12345678901234567890123\" | tonumber)}", "cannot parse"),
    ] {
        let error = run(program, &record).unwrap_err();
        assert!(error.contains(words), "{program}: {error}");
    }
}

#[test]
fn the_spelling_of_a_record_plays_no_part() {
    let parse = |text: &str| audit_core::json::parse(text.as_bytes()).unwrap();
    let one = parse(r#"{"b": 500, "a": {"y": 1, "x": 2}}"#);
    let other = parse(r#"{"a": {"x": 2, "y": 1.0}, "b": 5e2}"#);
    for expr in
        ["tojson", "[.[]] | tostring", "to_entries | map(.key)", "[.. | numbers | tostring]"]
    {
        assert_eq!(value(expr, &one), value(expr, &other), "{expr}");
    }
}

/// An expression on this record for each function, and its value.
#[test]
#[expect(clippy::too_many_lines)]
fn the_functions_of_jq_are_known() {
    let record = json!({"a": [1, 2, 3], "t": "a,b", "o": {"x": 1, "y": null}});
    for (expr, expected) in [
        ("[.a[] | select(. > 1)]", json!([2, 3])),
        ("[empty]", json!([])),
        ("try error catch .a", json!([1, 2, 3])),
        ("try error(\"x\") catch .", json!("x")),
        ("[true, false, null] | map(not)", json!([false, true, true])),
        ("[range(3)], [range(1; 3)], [range(0; 6; 3)] | tojson", Value::Null),
        (
            "[paths]",
            json!([["a"], ["a", 0], ["a", 1], ["a", 2], ["o"], ["o", "x"], ["o", "y"], ["t"]]),
        ),
        ("[paths(type == \"number\")] | length", json!(4)),
        ("setpath([\"n\", \"m\"]; 1).n", json!({"m": 1})),
        ("delpaths([[\"a\", 0], [\"t\"]])", json!({"a": [2, 3], "o": {"x": 1, "y": null}})),
        ("getpath([\"o\", \"x\"])", json!(1)),
        ("[getpath([\"o\", \"z\", \"u\"])]", json!([null])),
        (".a | map(. + 1)", json!([2, 3, 4])),
        (".o | map_values(. // 7)", json!({"x": 1, "y": 7})),
        ("walk(if type == \"number\" then -. else . end).a", json!([-1, -2, -3])),
        ("del(.a[0], .o.y, .t)", json!({"a": [2, 3], "o": {"x": 1}})),
        (".a | [first, last, nth(1)]", json!([1, 3, 2])),
        (
            "[first(.a[]), last(.a[]), nth(1; .a[]), limit(2; .a[]), skip(2; .a[])]",
            json!([1, 3, 2, 1, 2, 3]),
        ),
        (".a | join(\"-\")", json!("1-2-3")),
        (".o | to_entries", json!([{"key": "x", "value": 1}, {"key": "y", "value": null}])),
        (
            "[{key: \"k\", value: 1}, {name: \"n\", value: false}, {k: 1, v: 2}, {Name: \"N\"}] | from_entries",
            json!({"k": 1, "n": false, "1": 2, "N": null}),
        ),
        (".o | with_entries(.key |= ascii_upcase)", json!({"X": 1, "Y": null})),
        ("[isempty(empty), isempty(1)]", json!([true, false])),
        (
            "[(.a | all(. > 0)), (.a | any(. > 3)), all(.a[]; . > 1), ([true] | all, any)]",
            json!([true, false, false, true, true]),
        ),
        ("map(type)", Value::Null),
        (
            "[null, true, 1, \"\", [], {}] | map(type)",
            json!(["null", "boolean", "number", "string", "array", "object"]),
        ),
        ("[null, true, 1, \"\", [], {}] | [.[] | scalars] | length", json!(4)),
        ("[.a[], -4 | abs]", json!([1, 2, 3, 4])),
        ("[(.a | add), add(.a[])]", json!([6, 6])),
        (".a | [min, max, min_by(-.), max_by(-.)]", json!([1, 3, 3, 1])),
        (
            "[3, 1, 3] | [sort, unique, reverse, (group_by(.) | length), (sort_by(-.)), (unique_by(. % 2))]",
            json!([[1, 3, 3], [1, 3], [3, 1, 3], 2, [3, 3, 1], [3]]),
        ),
        ("pick(.o.x)", json!({"o": {"x": 1}})),
        ("[(.o | keys, keys_unsorted), (.a | keys)]", json!([["x", "y"], ["x", "y"], [0, 1, 2]])),
        ("[.o | has(\"x\", \"z\")]", json!([true, false])),
        ("[.a | has(0, 5)]", json!([true, false])),
        ("\"x\" | in({\"x\": 1})", json!(true)),
        ("[1] | inside([1, 2])", json!(true)),
        ("contains({o: {x: 1}, t: \",b\"})", json!(true)),
        (
            "[\"abcb\" | indices(\"b\"), index(\"b\"), rindex(\"b\"), index(\"x\")]",
            json!([[1, 3], 1, 3, null]),
        ),
        ("[[1, 2, 1, 2] | indices(1), indices([1, 2])]", json!([[0, 2], [0, 2]])),
        ("[1, IN(1, 2)], [3 | IN(1, 2)] | tojson", Value::Null),
        ("[1 | IN(1, 2)]", json!([true])),
        ("[[[1], 2], [[3]]] | [flatten, flatten(1)]", json!([[1, 2, 3], [[1], 2, [3]]])),
        ("[[1], [2, 3]] | transpose", json!([[1, 2], [null, 3]])),
        ("[1, [1] | toarray]", json!([[1], [1]])),
        ("[\"true\", false | toboolean]", json!([true, false])),
        ("[\"12\", \"1.50\", 3 | tonumber]", json!([12, 1.5, 3])),
        ("[1, \"x\", [1] | tostring]", json!(["1", "x", "[1]"])),
        ("\"\\(.a) and \\(.t)\"", json!("[1,2,3] and a,b")),
        ("[\"[1, 2]\" | fromjson]", json!([[1, 2]])),
        ("[\"ä\\n\\u0001\\\"\\\\\" | tojson | fromjson]", json!(["ä\n\u{1}\"\\"])),
        ("[\"äb\", [1, 2], {a: 1}, null, -3 | length]", json!([2, 2, 1, 0, 3])),
        ("\"äb\" | [utf8bytelength, explode, (explode | implode)]", json!([3, [228, 98], "äb"])),
        ("\"aB\" | [ascii_downcase, ascii_upcase]", json!(["ab", "AB"])),
        (
            "\"abc\" | [startswith(\"a\"), endswith(\"a\"), ltrimstr(\"a\"), rtrimstr(\"c\"), trimstr(\"a\")]",
            json!([true, false, "bc", "ab", "bc"]),
        ),
        ("\" a \" | [trim, ltrim, rtrim]", json!(["a", "a ", " a"])),
        ("[1.5 | floor, ceil, round]", json!([1, 2, 2])),
        (".t | [split(\",\"), . / \",\"]", json!([["a", "b"], ["a", "b"]])),
        ("\"aéb\" | split(\"\")", json!(["a", "é", "b"])),
        (
            "\"a1b22\" | [test(\"[0-9]\"), [match(\"[0-9]+\"; \"g\").string], [scan(\"[0-9]+\")]]",
            json!([true, ["1", "22"], ["1", "22"]]),
        ),
        ("\"a1b22\" | [splits(\"[0-9]+\")], [split(\"[0-9]+\"; null)]", Value::Null),
        ("\"a1b22\" | [splits(\"[0-9]+\")]", json!(["a", "b", ""])),
        ("\"k=v\" | capture(\"(?P<key>.)=(?P<value>.)\")", json!({"key": "k", "value": "v"})),
        (
            "\"a1b22\" | [sub(\"[0-9]+\"; \"-\"), gsub(\"(?P<n>[0-9]+)\"; \"<\\(.n)>\")]",
            json!(["a-b22", "a<1>b<22>"]),
        ),
        ("\"aéa\" | [match(\"a|é\"; \"g\") | .offset]", json!([0, 1, 2])),
        (
            "\"abc\" | [gsub(\"\"; \"-\"), gsub(\"x*\"; \"-\"), gsub(\"b*\"; \"-\")]",
            json!(["-a-b-c-", "-a-b-c-", "-a-c-"]),
        ),
        ("\"ABC\" | test(\"abc\"; \"i\")", json!(true)),
        (
            "\"a<b\" | [@html, @uri, @base64, (@base64 | @base64d), (@uri | @urid), @json, @text]",
            json!(["a&lt;b", "a%3Cb", "YTxi", "a<b", "a<b", "\"a<b\"", "a<b"]),
        ),
        ("@uri \"q=\\(.t)\"", json!("q=a%2Cb")),
        (
            "[\"a\\\"b\", 1, null] | [@csv, @tsv, @sh]",
            json!(["\"a\"\"b\",1,", "a\"b\t1\t", "'a\"b' 1 null"]),
        ),
        ("[.a[1:], .t[:1], .a[-1], .a[1.0]]", json!([[2, 3], "a", 3, 2])),
        ("(.a[1:] = [9]).a", json!([1, 9])),
        ("(.t[1:] |= \"!\").t", json!("a!")),
        (".o * {x: {z: 1}, w: 2}", json!({"x": {"z": 1}, "y": null, "w": 2})),
        ("[.a - [2], (\"ab\" * 2), (.o + {y: 1})]", json!([[1, 3], "abab", {"x": 1, "y": 1}])),
        ("[1 as $x | [$x, $x + 1] as [$y, $z] | {a: $y} as {a: $w} | $w, $z]", json!([1, 2])),
        ("reduce .a[] as $n (0; . + $n)", json!(6)),
        ("[foreach .a[] as $n (0; . + $n; [$n, .])]", json!([[1, 1], [2, 3], [3, 6]])),
        ("[label $out | .a[] | if . > 1 then break $out else . end]", json!([1])),
        (
            "[.a[] as $n | if $n == 1 then \"one\" elif $n == 2 then \"two\" else \"more\" end]",
            json!(["one", "two", "more"]),
        ),
        ("[.x?, .t.y?, (.x // \"none\")]", json!([null, "none"])),
        (
            "(.n.m += 1 | .n.k //= 2 | .o |= del(.y)) | [.n, .o]",
            json!([{"m": 1, "k": 2}, {"x": 1}]),
        ),
        (
            "def f(g; $x): [g, $x]; def twice(g): g | g; [f(.a[0]; 2), (1 | twice(twice(. + 1)))]",
            json!([[1, 2], 5]),
        ),
        ("[..] | length", json!(9)),
        ("[recurse | numbers]", json!([1, 2, 3, 1])),
        (
            "[.[] | arrays, objects, strings, numbers, booleans, nulls, iterables, values] | length",
            json!(8),
        ),
    ] {
        // Of several outputs, only that they are no error of the program's text.
        if expected.is_null() {
            assert!(Program::parse(expr).is_ok(), "{expr}: {:?}", Program::parse(expr));
        } else {
            assert_eq!(value(expr, &record), expected, "{expr}");
        }
    }
}

#[test]
fn a_row_of_any_length_is_not_deep() {
    let mut program = String::from(".n = 0");
    for _ in 0..300 {
        program.push_str(" | .n += 1");
    }
    program.push_str(" | {n");
    for field in 0..300 {
        write!(program, ", f{field}: .n").unwrap();
    }
    program.push_str("} | .l = [0");
    for number in 1..300 {
        write!(program, ", {number}").unwrap();
    }
    program.push(']');
    let prepared = run(&program, &json!({})).unwrap();
    assert_eq!((&prepared["n"], &prepared["f299"]), (&json!(300), &json!(300)));
    assert_eq!(prepared["l"], json!((0..300).collect::<Vec<_>>()));
    assert_eq!(prepared.as_object().unwrap().len(), 302);
}

#[test]
fn a_program_gives_one_object_or_refuses() {
    for (program, words) in [
        ("empty", "must be a program that gives one object (it gives none)"),
        ("., .", "must be a program that gives one object (it gives several)"),
        (".a", "must be a program that gives one object (a number)"),
        ("[.]", "must be a program that gives one object (a list)"),
        ("null", "must be a program that gives one object (null)"),
        ("error(\"no user\")", "a program that does not fail on the record (no user)"),
        ("error({a: 1})", "does not fail on the record ({\"a\":1})"),
        ("., error(\"late\")", "does not fail on the record (late)"),
        (".a.b", "does not fail on the record (cannot index 1 with b)"),
    ] {
        let error = run(program, &json!({"a": 1})).unwrap_err();
        assert!(error.starts_with("invalid input: `prepare` must be "), "{error}");
        assert!(error.contains(words), "{program}: {error}");
    }
    // `error(null)` is caught by nothing here, and has no words.
    assert!(run("error(null)", &json!({})).is_err());
}

#[test]
fn a_fault_of_a_program_is_named_with_its_place() {
    for (program, message) in [
        ("{a: .b", "line 1, column 7 of the program: expected closing brace"),
        (".a |\n  | .b", "line 2, column 3 of the program: expected term"),
        (".a )", "line 1, column 4 of the program: expected token"),
        ("\n\n  foo(1)", "line 3, column 3 of the program: `foo/1` is not known"),
        (". as $x | $y", "line 1, column 11 of the program: the variable `$y` is not known"),
        ("break $x", "line 1, column 7 of the program: the label `$x` is not known"),
        ("def f: g; .", "line 1, column 8 of the program: `g/0` is not known"),
        ("def f: f; f", "line 1, column 8 of the program: `f` calls itself"),
        (
            "(reduce .a as $x (.; .b)) |= 1",
            "line 1, column 2 of the program: `reduce` cannot be a path",
        ),
        ("x::y", "line 1, column 1 of the program: `x::y/0` is not known"),
        ("", "line 1, column 1 of the program: expected term"),
        ("reduce . as $x (.)", "line 1, column 1 of the program: `reduce/1` is not known"),
    ] {
        assert_eq!(Program::parse(program).unwrap_err(), message, "{program}");
    }
}

#[test]
fn what_is_left_out_is_named() {
    let source = |name: &str, arity: usize| match arity {
        0 => name.to_owned(),
        arity => format!("{name}({})", vec!["."; arity].join("; ")),
    };
    for (name, arities, reason) in [
        ("repeat", &[1][..], "may not end"),
        ("while", &[2], "may not end"),
        ("until", &[2], "may not end"),
        ("recurse", &[1, 2], "may not end"),
        ("combinations", &[0, 1], "may not end"),
        ("input", &[0], "reads or writes"),
        ("inputs", &[0], "reads or writes"),
        ("debug", &[0, 1], "reads or writes"),
        ("stderr", &[0], "reads or writes"),
        ("env", &[0], "reads or writes"),
        ("$ENV", &[0], "reads or writes"),
        ("input_filename", &[0], "reads or writes"),
        ("input_line_number", &[0], "reads or writes"),
        ("import", &[0], "reads or writes"),
        ("include", &[0], "reads or writes"),
        ("halt", &[0, 1], "ends the process"),
        ("halt_error", &[0, 1], "ends the process"),
        ("now", &[0], "clock"),
        ("localtime", &[0], "clock"),
        ("gmtime", &[0], "clock"),
        ("mktime", &[0], "clock"),
        ("strftime", &[1], "clock"),
        ("strptime", &[1], "clock"),
        ("todate", &[0], "clock"),
        ("fromdateiso8601", &[0], "clock"),
        ("nan", &[0], "a number that JSON does not have"),
        ("infinite", &[0], "a number that JSON does not have"),
    ] {
        for arity in arities {
            let call = source(name, *arity);
            for program in
                [call.clone(), format!("def unused: {call}; ."), format!(". as $x | {call}")]
            {
                // These are words at the start only.
                if matches!(name, "import" | "include") && program != call {
                    continue;
                }
                let error = Program::parse(&program).unwrap_err();
                assert!(
                    error.contains(&format!("`{name}` is left out: it ")),
                    "{program}: {error}"
                );
                assert!(error.contains(reason), "{program}: {error}");
            }
        }
    }
}

/// The functions of the engine are named in a list, of which a misspelled one would be without effect.
#[test]
fn every_function_on_the_lists_exists() {
    let prelude = prelude::prelude();
    for name in prelude::CORE.iter().chain(prelude::STANDARD) {
        assert!(prelude.defs.iter().any(|def| def.name == *name), "{name}");
    }
    for name in natives::CORE.iter().chain(natives::STANDARD) {
        assert!(prelude.natives.iter().any(|(native, _)| native == name), "{name}");
    }
    assert!(prelude.defs.iter().any(|def| def.name == "transpose"), "the last of the own ones");
}

#[test]
fn a_program_can_be_used_by_several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let program = Program::parse(".n += 1").unwrap();
    shared(&program);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..100 {
                    assert_eq!(program.run(&json!({"n": n})).unwrap().0, json!({"n": n + 1}));
                }
            });
        }
    });
}

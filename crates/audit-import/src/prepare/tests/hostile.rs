//! Programs that do not end, are too large or too deep: each is an error, and soon.

use super::*;

pub(super) const STEPS: &str = "a program that ends within 1000000 steps";
const DEPTH: &str = "a program whose values have at most 128 levels";
/// One of two limits, whichever is reached first.
pub(super) const BYTES: &str = "steps or bytes";

/// The steps of these tests: every limit on them is reached sooner, and in the same way.
const FEW_STEPS: u64 = 100_000;

/// Runs a program with few steps.
fn run(program: &str, record: &Value) -> std::result::Result<Value, String> {
    let program = Program::parse(program)?;
    let result = program.run_within(FEW_STEPS, record);
    result.map(|(value, _)| value).map_err(|error| error.to_string())
}

/// Asserts that a program is refused with these words, when it is read or when it runs.
#[track_caller]
pub(super) fn refused(program: &str, words: &str) {
    let start: String = program.chars().take(80).collect();
    match run(program, &json!({"a": [1, 2, 3], "t": "text", "o": {"x": null}})) {
        Ok(_) => panic!("{start} gives a record"),
        Err(error) if words == BYTES => {
            let is_limit = error.contains(STEPS) || error.contains("values have at most 8 MiB");
            assert!(is_limit, "{start}: {error}");
        }
        Err(error) => assert!(error.contains(words), "{start}: {error}"),
    }
}

#[test]
fn a_program_without_an_end_reaches_a_limit() {
    for (program, words) in [
        ("range(1e18)", "it gives several"),
        ("[range(1e18)]", BYTES),
        ("[range(1e9)] | length | {n: .}", BYTES),
        ("last(range(1e9)) | {n: .}", STEPS),
        ("last(range(0; 10; 0)) | {n: .}", STEPS),
        ("last(range(\"a\"; \"b\"; \"\")) | {n: .}", STEPS),
        ("first(range(1e18) | select(. < 0))", STEPS),
        ("limit(1e18; range(1e18)) | select(false)", STEPS),
        ("skip(1e17; range(1e18))", STEPS),
        ("reduce range(1e18) as $i (0; . + 1) | {n: .}", STEPS),
        ("last(foreach range(1e18) as $i (0; . + 1)) | {n: .}", STEPS),
        ("isempty(range(1e18) | select(false)) | {n: .}", STEPS),
        ("any(range(1e18); . < 0) | {n: .}", STEPS),
        ("label $out | range(1e18) | if . < 0 then break $out else empty end", STEPS),
        ("try last(range(1e18)) catch {}", STEPS),
        ("try (try last(range(1e18)) catch error) catch {}", STEPS),
        ("(last(range(1e18))? // {})", STEPS),
        ("[.[] | try last(range(1e18)) catch .] | {}", STEPS),
        ("(range(1e18) | error)? // {} | select(false)", "it gives none"),
        ("(range(1e18) | error(1)?) // {} | select(false)", STEPS),
        ("first(range(1e18) | try error catch empty)", STEPS),
        ("[range(1e9) | tostring] | {}", BYTES),
        ("[limit(1e12; range(1e12) | [.])] | {}", BYTES),
        ("reduce range(1e9) as $i ([]; . + [$i]) | {}", BYTES),
        ("reduce range(1e9) as $i ({}; .[$i | tostring] = $i)", BYTES),
        ("reduce range(1e9) as $i ({}; . + {\"\\($i)\": .})", BYTES),
    ] {
        refused(program, words);
    }
}

#[test]
fn recursion_of_any_kind_is_refused() {
    for program in [
        "def f: f; f",
        "def f: ., f; first(f)",
        "def f: .a | f; f",
        "def f: def g: f; g; f",
        "def f: def g: def h: f; h; g; f",
        "def f(g): g; def h: f(h); h",
        "def f(g): g | f(g); f(.)",
        "def f($n): if $n > 0 then f($n - 1) else . end; f(10)",
        "def f: [.[]? | f]; f",
        "def f(g): def h: g, h; h; f(.)",
        "def f: reduce .a[] as $x (.; f); f",
        "def f: path(f); f",
        "def f: f |= .; f",
        "def f: \"\\(f)\"; f",
        "def f: {a: f}; f",
        "def f: try f catch f; f",
        "def f: .[f]; f",
        "def f: . as [$x, {(f): $y}] | .; f",
        "prepare_main",
        "def f: prepare_main; f",
    ] {
        let error = Program::parse(program).unwrap_err();
        assert!(
            error.contains("calls itself") || error.contains("prepare_main"),
            "{program}: {error}"
        );
    }
    // A name that means something else within.
    for program in [
        "def f: def f: .; f; f",
        "def f(f): f; f(.)",
        "def f: .; def f: f; f",
        "def f(g): g; f(f(f(.)))",
        "def f: .; def g(f): f; g(f)",
        "def f($f): .; f(1)",
        "map_values(map_values(.)?)",
    ] {
        assert!(
            run(program, &json!({"a": {"b": 1}})).is_ok() || program.contains(".; def f: f"),
            "{program}"
        );
    }
}

#[test]
fn a_value_that_grows_reaches_a_limit() {
    for (program, words) in [
        ("{t: (\"x\" * 1e12)}", BYTES),
        ("{t: (1e12 * \"x\")}", BYTES),
        ("{t: (\"x\" * 18446744073709551615)}", BYTES),
        (".t *= 1e12", BYTES),
        ("{t: (\"\" * 1e30)}", "gives a record"),
        ("reduce range(60) as $i (.; .t += .t)", BYTES),
        ("reduce range(60) as $i (.; .t |= . + .)", BYTES),
        ("reduce range(60) as $i (.t; \"\\(.)\\(.)\") | {t: .}", BYTES),
        ("reduce range(40) as $i (0; [., .]) | {t: .}", BYTES),
        ("reduce range(40) as $i (0; {a: ., b: .})", BYTES),
        ("reduce range(40) as $i (.; .a = [.a, .a])", BYTES),
        ("reduce range(1000) as $i (0; [.]) | {t: .}", DEPTH),
        ("reduce range(1000) as $i (0; {a: .})", DEPTH),
        ("reduce range(1000) as $i (.; .o = [.o])", DEPTH),
        ("setpath([range(1000) | \"a\"]; 1)", "too many levels"),
        ("path(getpath([range(10000) | \"a\"])) | {t: .}", "too many levels"),
        ("getpath([range(10000) | \"a\"]) = 1", "too many levels"),
        ("reduce range(40) as $i (.t; tojson) | {t: .}", BYTES),
        ("reduce range(100) as $i (.t; @base64) | {t: .}", BYTES),
        ("[range(1e5)] | [combinations]", "left out"),
        ("[range(300)] | [., .] | [.[0][] as $a | .[1][] as $b | [$a, $b, .]] | {t: .}", BYTES),
        ("[splits(\"\")] | {t: .}", "cannot use"),
        ("{t: ([range(4e5)] | tojson | fromjson | tojson)}", BYTES),
    ] {
        if words == "gives a record" {
            assert!(run(program, &json!({})).is_ok(), "{program}");
        } else {
            refused(program, words);
        }
    }
}

#[test]
fn many_outputs_reach_a_limit() {
    let row = |term: &str, join: &str, count: usize| vec![term; count].join(join);
    for program in [
        format!("[{} | empty] | {{}}", row("(., .)", " | ", 60)),
        format!("first({} | select(. == 7))", row("(1, 2)", " | ", 60)),
        format!("[{}] | {{}}", row("((1, 2) as $x | .)", " | ", 60)),
        format!("first({} | empty)", row("[1, 1][]", " | ", 60)),
        format!("first({} | empty)", row("[1, 1][]?", " | ", 60)),
        format!("first({} | empty)", row("try ((., .) | error) catch (., .)", " | ", 60)),
        format!("first(.a{} | empty)", "[0, 0]?".to_owned() + &" | (., .)".repeat(60)),
        format!("(({}) |= .)", row("(., .)", " | ", 30)),
        format!("[path({})] | {{}}", row("(., .)", " | ", 30)),
        format!("[{{{}}}] | {{}}", row("a: (1, 2)", ", ", 60)),
        format!("[\"{}\"] | {{}}", "\\(1, 2)".repeat(60)),
        format!("[. as [{}] | 1] | {{}}", row("{(\"a\", \"b\"): $x}", ", ", 1)),
        format!("[{}] | {{}}", row("(1, 2)", " + ", 60)),
        format!("[{}] | {{}}", row("(1, 2)", " == ", 2) + &" and (true, true)".repeat(60)),
        "[.. | .. | .. | .. | .. | .. | .. | ..] | {}".to_owned(),
        format!("[{}] | {{}}", row("(null, false)", " // ", 1) + &" | (., .)".repeat(60)),
        format!("reduce ({}) as $x (0; .) | {{}}", row("(., .)", " | ", 60)),
        format!("reduce 1 as $x (0; {}) | {{}}", row("(., .)", " | ", 60)),
        format!("[foreach 1 as $x (0; {})] | {{}}", row("(., .)", " | ", 60)),
        format!(". as $r | [limit(1e15; {})] | {{}}", row("($r, $r)", " | ", 60)),
    ] {
        let result = run(&program, &json!({"a": [1, 2, 3]}));
        // The outputs of a row of additions are more than a list can hold.
        let start: String = program.chars().take(60).collect();
        if let Err(error) = result {
            assert!(
                [STEPS, "have at most 8 MiB", "does not fail", "it gives several"]
                    .iter()
                    .any(|words| error.contains(words)),
                "{start}: {error}"
            );
        }
    }
}

#[test]
fn definitions_that_double_are_refused() {
    let mut doubled = String::from("def f0: .; ");
    for number in 1..60 {
        write!(doubled, "def f{number}: f{0} | f{0}; ", number - 1).unwrap();
    }
    refused(&format!("{doubled} f59"), "more than 100000 terms");
    let mut closures = String::from("def f0(g): g | g; ");
    for number in 1..60 {
        write!(closures, "def f{number}(g): f{0}(f{0}(g)); ", number - 1).unwrap();
    }
    refused(&format!("{closures} f59(.)"), "nested too deeply");
    // As many as are allowed run in time.
    let mut few = String::from("def f0: .n += 1; ");
    for number in 1..12 {
        write!(few, "def f{number}: f{0} | f{0}; ", number - 1).unwrap();
    }
    assert_eq!(run(&format!("{few} f11"), &json!({"n": 0})).unwrap()["n"], 2_048);
}

#[test]
fn regular_expressions_take_steps() {
    for (program, words) in [
        ("(\"a\" * 1e6) | {t: test(\"(a*)*b\")}", STEPS),
        ("(\"a\" * 1e5) | {t: [match(\"a(?:.*z)?\"; \"g\")]}", STEPS),
        ("(\"a\" * 1e5) | {t: test(\"(x+x+)+y|(a|a)*z|a?a?a?a?a?a?a?a?aaaaaaaab\")}", STEPS),
        ("{t: test(\"(?:){4294967295}\")}", "prepare"),
        ("{t: (.t | test(\"x{1000}{1000}\"))}", "invalid regex"),
        ("{t: (.t | test(\"((((x{100}){100}){100}){100})\"))}", "invalid regex"),
        ("{t: (.t | test(\"a\" * 2000))}", "a pattern has more than 1024 bytes"),
        ("{t: (.t | test(\"(\" * 500 + \")\" * 500))}", "invalid regex"),
        ("{t: (.t | test(\"a\"; \"q\"))}", "invalid regex flag"),
        ("{t: (.t | test(\"(\"))}", "invalid regex"),
        ("[range(1e6) | tostring | test(\"1\")] | {t: length}", STEPS),
        ("{t: (\"ab\" * 1e5 | gsub(\"a\"; \"b\"))}", STEPS),
    ] {
        refused(program, words);
    }
    // What is needed for a line of a log is far below.
    let text = "user=ana action=login from=192.0.2.7 ".repeat(20);
    let expr = r#".t | [scan("(\\w+)=([^ ]*)")] | length"#;
    assert_eq!(value(expr, &json!({"t": text})), 60);
}

#[test]
fn a_program_that_is_too_large_or_deep_is_refused() {
    let of = |open: &str, count: usize, middle: &str, close: &str| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    for (program, words) in [
        (" ".repeat(20_000) + ".", "more than 16384 bytes"),
        (of("(", 8_000, ".", ")"), "more than 64 brackets"),
        (of("[", 8_000, ".", "]"), "more than 64 brackets"),
        (of("{a:", 4_000, ".", "}"), "more than 64 brackets"),
        ("(".repeat(16_000), "more than 64 brackets"),
        (of("\"\\(", 3_000, ".", ")\""), "more than 64 brackets"),
        ("\"]\" | ".repeat(100) + &of("[", 100, ".", "]"), "more than 64 brackets"),
        ("# ]]]]]\\\n]]]]\n".repeat(100) + &of("[", 100, ".", "]"), "more than 64 brackets"),
        (".".to_owned() + &" | .".repeat(4_000), "nested too deeply"),
        (".".to_owned() + &", .".repeat(4_000), "nested too deeply"),
        ("1".to_owned() + &"+1".repeat(8_000), "nested too deeply"),
        ("1".to_owned() + &"+1".repeat(900), "nested too deeply"),
        ("-".repeat(16_000) + "1", "nested too deeply"),
        ("-".repeat(900) + "1", "nested too deeply"),
        ("try ".repeat(4_000) + ".", "nested too deeply"),
        ("try ".repeat(900) + ".", "nested too deeply"),
        ("if . then ".repeat(900) + "." + &" end".repeat(900), "nested too deeply"),
        ("if . then . ".to_owned() + &"elif . then . ".repeat(900) + "end", "nested too deeply"),
        (". as $x | ".repeat(900) + ".", "nested too deeply"),
        ("label $x | ".repeat(900) + ".", "nested too deeply"),
        ("def f: ".repeat(900) + "." + &"; f".repeat(900), "nested too deeply"),
        ("reduce . as $x (.;".repeat(900), "more than 64 brackets"),
        (".a".repeat(4_000), "nested too deeply"),
        ("..".repeat(8_000), "expected the end"),
        (".[0]".repeat(4_000) + " |= 1", "nested too deeply"),
        (".?".repeat(8_000), "nested too deeply"),
        ("\"".to_owned() + &"\\(1)".repeat(3_000) + "\"", "nested too deeply"),
        (". as [".to_owned() + &"$x,".repeat(3_000) + "$x] | .", "nested too deeply"),
        ("def f(".to_owned() + &"a;".repeat(4_000) + "a): .; .", "gives"),
        ("walk(walk(walk(.)))".to_owned(), "nested too deeply"),
        ("\u{0}".repeat(100), "expected token"),
        ("\"\\u".to_owned(), "expected"),
        ("\"\\".to_owned(), "expected"),
        ("@".repeat(10), "expected identifier"),
        ("$".repeat(10), "expected identifier"),
        ("🦀".to_owned(), "expected token"),
    ] {
        if words == "gives" {
            drop(run(&program, &json!({})));
        } else {
            refused(&program, words);
        }
    }
}

/// The deepest program that is read, on the deepest value, in the stack of a thread.
#[test]
fn the_deepest_program_has_enough_stack() {
    let deep = |program: &dyn Fn(usize) -> String| {
        let count = (1..1_000)
            .collect::<Vec<_>>()
            .partition_point(|n| Program::parse(&program(*n)).is_ok());
        program(count)
    };
    let json = "[".repeat(127) + &"]".repeat(127);
    let mut record = json!({"t": json});
    for _ in 0..60 {
        record = json!({"r": [record]});
    }
    record["t"] = json.into();
    for program in [
        deep(&|n| {
            format!(
                "if false then . {} else {{v: (.t | fromjson | tojson)}} end",
                "elif false then . ".repeat(n)
            )
        }),
        deep(&|n| "label $x | ".repeat(n) + ". * (tojson | fromjson) | {v: [.. , .] | length}"),
        deep(&|n| {
            (0..n).fold("def f0: . * .; ".to_owned(), |text, n| {
                text + &format!("def f{}: 1 as $x | f{n}; ", n + 1)
            }) + &format!("f{n}")
        }),
        deep(&|n| format!("{} walk(.)", "try ".repeat(n))),
        deep(&|n| format!("{} del(.. | nulls)", ". as $x | ".repeat(n))),
        deep(&|n| format!("({}.) |= (tojson | fromjson)", ".r | .[0] | ".repeat(n))),
    ] {
        assert!(Program::parse(&program).is_ok());
        let result = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn({
                let record = record.clone();
                move || run(&program, &record).map(drop)
            })
            .unwrap()
            .join()
            .unwrap();
        drop(result);
    }
}

#[test]
fn the_limits_are_of_one_record() {
    let program = Program::parse("reduce range(.n) as $i (0; . + 1) | {n: .}").unwrap();
    assert!(program.run(&json!({"n": 1_000_000_000})).is_err());
    let (prepared, steps) = program.run(&json!({"n": 100})).unwrap();
    assert_eq!(prepared, json!({"n": 100}));
    assert!((100..10_000).contains(&steps), "{steps}");
    assert_eq!(program.run(&json!({"n": 100})).unwrap().1, steps, "the same again");
}

#[test]
fn numbers_at_the_ends_of_their_ranges_are_no_panic() {
    let number = |digits: &str| format!("(\"{digits}\" | tonumber)");
    for number in [
        number("9223372036854775807"),
        number("-9223372036854775808"),
        number("18446744073709551615"),
        number("1.7976931348623157e308"),
        number("-5e-324"),
        "(-170141183460469231731687303715884105727 - 1)".to_owned(),
        "170141183460469231731687303715884105727".to_owned(),
    ] {
        for operation in [
            "[.] | implode",
            "-.",
            "abs",
            ". + .",
            ". - -.",
            ". * .",
            ". / .",
            ". % .",
            ". / -1",
            ". % -1",
            "floor",
            "ceil",
            "round",
            "length",
            "tostring",
            "[1][.]",
            "[1][.:]",
            "[1][:.]",
            "\"a\"[.:]",
            "\"a\"[:.]",
            "\"a\" * .",
            "[limit(.; 1, 2)]",
            "[skip(.; 1, 2)]",
            "[range(0; .; .)]",
            "[range(.; 0; -.)]",
            "flatten(.)",
            "[[1]] | flatten($n)",
            "[1] | .[$n] = 2",
            "[1] | .[$n:] = [2]",
            "[1] | del(.[$n])",
            "[1] | has($n)",
            "nth(.; 1, 2)",
            "[1] | nth($n)",
            "[1] | getpath([$n])",
            "{} | setpath([$n]; 1)",
            "[.] | index($n)",
            "[., 1] | sort",
            "tojson | fromjson",
            ". == (. + 0)",
        ] {
            drop(run(&format!("{number} as $n | {{v: ($n | {operation})}}"), &json!({})));
        }
    }
}

/// A record is at most as large as a text that is imported.
#[test]
fn a_large_record_is_within_the_limits() {
    let items: Vec<_> = (0..5_000).map(|n| json!({"name": format!("n{n}"), "value": n})).collect();
    let record = json!({"list": items});
    let program = Program::parse(".list |= from_entries | walk(.)").unwrap();
    let (prepared, steps) = program.run(&record).unwrap();
    assert_eq!(prepared["list"]["n7"], 7);
    assert!(steps > 100_000, "{steps}");
    let mut text = "x".repeat(900_000);
    text.push('y');
    assert!(super::run(".t |= ascii_upcase", &json!({"t": text})).is_ok());
}

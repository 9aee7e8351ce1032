//! Tests of scripts: many small ones, and hostile text.

use super::*;
use crate::migrate::{Token, tokens};

fn parsed(text: &str) -> Script {
    Script::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

fn check(text: &str, wanted: &[&str]) {
    let script = parsed(text);
    let found: Vec<_> = script
        .statements()
        .iter()
        .map(|it| script.text_of(it))
        .collect();
    assert_eq!(found, wanted, "{text:?}");
}

fn refused(text: &str, wanted: &str) {
    let error = Script::parse(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), wanted, "{text:?}");
}

#[test]
fn semicolons_end_statements() {
    check("", &[]);
    check(" \n-- x\n/* y */", &[]);
    check(";;;", &[]);
    check("a;b", &["a", "b"]);
    check("a;;/* c */;\n b ;", &["a", "b"]);
    check("a -- ;\n;b /* ; */ c -- d", &["a", "b /* ; */ c"]);
    check(
        "select ';', \";\", $$;$$, $a$;$b$;$a$, e'\\';';b",
        &["select ';', \";\", $$;$$, $a$;$b$;$a$, e'\\';'", "b"],
    );
    check(
        "create rule r as do (a; b);c",
        &["create rule r as do (a; b)", "c"],
    );
    check("a);b", &["a)", "b"]);
    check("\u{feff}a;b\r\nc\r;d", &["a", "b\r\nc", "d"]);
    check(
        ":name; :'name'; :\"name\"; a[1:b]",
        &[":name", ":'name'", ":\"name\"", "a[1:b]"],
    );
    check("--a\rb;--c\nd", &["b", "d"]);
}

#[test]
fn routines_keep_their_blocks() {
    let atomic = "create function f() returns int begin atomic select case when a then 1 end; select (case b when 1 then 2 end); end";
    check(&format!("{atomic};x"), &[atomic, "x"]);
    let procedure = "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC a; END";
    check(&format!("{procedure};x"), &[procedure, "x"]);
    check(
        "begin; create function f() return 1; end; x",
        &["begin", "create function f() return 1", "end", "x"],
    );
    check(
        "create view f as select begin; end",
        &["create view f as select begin", "end"],
    );
    check(
        "create x function begin a; b end",
        &["create x function begin a", "b end"],
    );
    check(
        "create function f() as $$ begin $$; x",
        &["create function f() as $$ begin $$", "x"],
    );
    check(
        "create or replace view p as begin; x",
        &["create or replace view p as begin", "x"],
    );
}

/// `psql` counts words where the grammar knows better; a file that it misreads is misread here too.
#[test]
fn what_psql_misreads_is_misread() {
    check(
        "create function f() begin atomic select 1 as end; select 2; end;",
        &[
            "create function f() begin atomic select 1 as end",
            "select 2",
            "end",
        ],
    );
    refused(
        "create function begin() return 1; select 2;",
        "a BEGIN … END block never ends: it starts at 1:17",
    );
}

#[test]
fn rows_belong_to_their_copy() {
    let check = |text: &str, wanted: &[(&str, Option<&str>)]| {
        let script = parsed(text);
        let all = script.statements().iter();
        let found: Vec<_> = all
            .map(|it| (script.text_of(it), script.rows_of(it)))
            .collect();
        assert_eq!(found, wanted, "{text:?}");
    };
    let copy = "copy t from stdin";
    check(
        "copy t from stdin;\n';\n\\x\n\\.\nb;",
        &[(copy, Some("';\n\\x\n")), ("b", None)],
    );
    check(
        "copy t from stdin; -- c\n1\n\\.\nb",
        &[(copy, Some("1\n")), ("b", None)],
    );
    check(
        "copy t from stdin; a; b;\n1\n\\.\nc",
        &[(copy, Some("1\n")), ("a", None), ("b", None), ("c", None)],
    );
    check(
        "copy t from stdin;copy t from stdin;\r\n1\n\\.\r\n2\n\\.\n",
        &[(copy, Some("1\n")), (copy, Some("2\n"))],
    );
    check("copy t from stdin;", &[(copy, Some(""))]);
    check("copy t from stdin", &[(copy, Some(""))]);
    check("copy t from stdin;\n1\n2", &[(copy, Some("1\n2"))]);
    check(
        "copy t to stdout;\na",
        &[("copy t to stdout", None), ("a", None)],
    );
    refused(
        "copy t from stdin; a\n1\n\\.\n;",
        "a statement on the line of a COPY … FROM STDIN does not end there: it starts at 1:20",
    );
    refused(
        "copy t from stdin; select '\n1\n\\.\n';",
        "a string never ends: it starts at 1:27",
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    refused("a;\n 'b", "a string never ends: it starts at 2:2");
    refused("a E'\\'", "a string never ends: it starts at 1:3");
    refused("é \"b", "a quoted identifier never ends: it starts at 1:3");
    refused("/* /* */", "a comment never ends: it starts at 1:1");
    refused("a $x$ $y$", "a $x$ string never ends: it starts at 1:3");
    refused("$$;", "a $$ string never ends: it starts at 1:1");
    refused(
        "f(a, (b);\nc;",
        "a parenthesis never ends: it starts at 1:2",
    );
    refused(
        "create function f() begin atomic; case end",
        "a BEGIN … END block never ends: it starts at 1:21",
    );
    refused("a\0", "a NUL byte stands at 1:2");
    refused("'\0'", "a NUL byte stands at 1:2");
    refused("copy t from stdin;\n\0", "a NUL byte stands at 2:1");
    refused("\u{feff}\\i x", "the psql command \\i stands at 1:1");
    refused("select 1 \\gset", "the psql command \\gset stands at 1:10");
    refused("select 1\\; select 2", "the psql command \\; stands at 1:9");
    refused(
        "a;\n\\.\n",
        "the end of COPY rows stands without a COPY at 2:1",
    );
    refused("select :{?x}", "the test of a psql variable stands at 1:8");
    check("select :{?}", &["select :{?}"]);
}

#[test]
fn comments_belong_to_the_statement_below() {
    let check = |text: &str, wanted: &[&str]| {
        let script = parsed(text);
        let all = script.statements().iter();
        let found: Vec<_> = all.map(|it| script.comments_of(it)).collect();
        assert_eq!(found, wanted, "{text:?}");
    };
    check("a", &[""]);
    check("\u{feff}-- x\n\n/* y */\na", &["-- x\n\n/* y */"]);
    check("a; -- of a\nb", &["", ""]);
    check("a; -- of a\n-- of b\nb", &["", "-- of b"]);
    check("a; /* of b */ b", &["", "/* of b */"]);
    check("a; /* of a\n */\nb", &["", ""]);
    check("a;\n-- x\n; b", &["", ""]);
    check("a /* in */ b -- in\n; c", &["", ""]);
    check("copy t from stdin; -- c\n1\n\\.\n-- x\nb", &["", "-- x"]);
}

#[test]
fn statements_know_their_line() {
    let script = parsed("a;\n\n-- x\nb\n;c;\ncopy t from stdin;\n1\n2\n\\.\nd");
    let lines: Vec<_> = script.statements().iter().map(|it| it.line).collect();
    assert_eq!(lines, [1, 4, 5, 6, 10]);
    let begin = parsed("vacuum;");
    assert_eq!(begin.statements()[0].transaction, TransactionUse::Outside);
}

/// Numbers that look like chance and are the same every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

const PARTS: [&str; 44] = [
    "'",
    "''",
    "\"",
    "$",
    "$$",
    "$a$",
    "$é$",
    "$1",
    "(",
    ")",
    ";",
    ";",
    ";",
    "\\",
    "/*",
    "*/",
    "--",
    "\n",
    "\n",
    "\r",
    " ",
    "\t",
    "e'",
    "u&'",
    "u&\"",
    "é",
    "€",
    "\u{feff}",
    "create ",
    "function ",
    "or replace ",
    "begin ",
    "end ",
    "case ",
    "copy t from stdin;\n",
    "\\.\n",
    ":",
    "{?x}",
    "1",
    ".5e",
    "+",
    "-",
    "*",
    "a",
];

#[test]
fn hostile_text_never_panics_and_loses_nothing() {
    let mut chance = Chance(0x5eed);
    let mut accepted = 0;
    for _ in 0..20_000 {
        let count = chance.below(14);
        let text: String = (0..count)
            .map(|_| PARTS[chance.below(PARTS.len())])
            .collect();
        for token in tokens(&text) {
            assert_eq!(&text[token.span.clone()], token.text);
            assert!(token.inner().end <= token.span.end);
            _ = token.value();
        }
        let Ok(script) = Script::parse(text.as_str()) else {
            continue;
        };
        accepted += 1;
        for byte in 0..text.len() + 2 {
            _ = (script.position(byte), script.excerpt(byte));
        }
        loses_nothing(&script);
    }
    assert!(accepted > 2000, "{accepted}");
}

/// Every token that is not in rows is in a statement, semicolons between them apart.
fn loses_nothing(script: &Script) {
    let mut without_rows = script
        .text()
        .strip_prefix('\u{feff}')
        .unwrap_or(script.text())
        .to_owned();
    let bom = script.text().len() - without_rows.len();
    let rows = script
        .statements()
        .iter()
        .rev()
        .filter_map(|it| it.copy_rows.clone());
    for rows in rows {
        let rest = &without_rows[rows.end - bom..];
        let mark = rest
            .split_inclusive('\n')
            .next()
            .filter(|line| line.starts_with("\\."));
        let end = rows.end - bom + mark.map_or(0, str::len);
        without_rows.replace_range(rows.start - bom..end, "");
    }
    let texts = |tokens: Vec<Token<'_>>| {
        let texts = tokens.into_iter().map(|token| token.text.to_owned());
        texts.filter(|text| text != ";").collect::<Vec<_>>()
    };
    let all = texts(tokens(&without_rows).collect());
    let statements = script.statements().iter();
    let found = texts(
        statements
            .flat_map(|it| tokens(script.text_of(it)))
            .collect(),
    );
    assert_eq!(found, all, "{:?}", script.text());
}

#[test]
fn random_bytes_never_panic() {
    let mut chance = Chance(77);
    for _ in 0..3000 {
        let bytes: Vec<u8> = (0..chance.below(60))
            .map(|_| u8::try_from(chance.below(256)).unwrap())
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(script) = Script::parse(text.clone()) {
            (0..text.len() + 1).for_each(|byte| _ = script.excerpt(byte));
        }
        tokens(&text).for_each(|token| _ = token.value());
    }
}

#[test]
fn time_grows_with_the_text_only() {
    const BYTES: usize = 1_000_000;
    let start = std::time::Instant::now();
    for part in [
        "$",
        "$a",
        "$a$",
        "$a$ $b$ ",
        "(",
        ")",
        "/*",
        "*/",
        "/*/",
        "'",
        "''",
        "'' ",
        "''\n",
        "'a'\n--",
        "\"",
        "-",
        "- ",
        "+",
        "+*",
        "*+",
        "<+",
        ";",
        "; ",
        "\\",
        ":{?a",
        ":{?",
        "e'\\",
        "u&",
        "a.",
        "1e+",
        "a ",
        "begin ",
        "copy t from stdin;",
        "copy t from stdin;\n\\.\n",
        "copy (",
        "create function begin ",
        "reindex (",
        "a\n;",
        "--\r",
        "é",
        "1.",
        "alter subscription s set (",
        "create subscription s;",
        "/**/;",
        "--x\n",
        "$é",
    ] {
        let text = part.repeat(BYTES / part.len());
        _ = Script::parse(text.as_str());
        tokens(&text).for_each(|token| _ = token.value());
    }
    // A quadratic one takes hours.
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

//! Scripts split as `psql` splits them, and as the server's own grammar does.

mod cases;
mod fake;

use cases::{BEYOND_PSQL, CASES, PARTS, REFUSED};
use fake::{Fake, Sent};
use opskit_core::error::ErrorKind;
use opskit_core::migrate::{Script, tokens};
use std::ffi::OsStr;
use std::process::{Command, Stdio};

fn parse(text: &str) -> Script {
    Script::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// `psql` leaves out lines that are empty, and sends the mark that ends rows in some of its versions.
fn comparable(sql: &str, rows: Option<&str>) -> Sent {
    let mut sql = sql.to_owned();
    while sql.contains("\n\n") {
        sql = sql.replace("\n\n", "\n");
    }
    let mark = ["\\.\n", "\\.\r\n", "\\."];
    let rows = rows.map(|rows| {
        let ended = mark.iter().find_map(|mark| rows.strip_suffix(mark));
        ended
            .filter(|rows| rows.is_empty() || rows.ends_with('\n'))
            .unwrap_or(rows)
            .to_owned()
    });
    Sent { sql, rows }
}

fn ours(text: &str) -> Vec<Sent> {
    let script = parse(text);
    let statements = script.statements().iter();
    statements
        .map(|it| comparable(script.text_of(it), script.rows_of(it)))
        .collect()
}

/// What `psql` sent without comments around it; nothing for what has no token.
fn theirs(sent: &Sent) -> Option<Sent> {
    let sql = sent.sql.as_str();
    let sql = sql.strip_suffix(';').unwrap_or(sql);
    let mut tokens = tokens(sql);
    let first = tokens.next()?;
    let end = tokens.last().map_or(first.span.end, |last| last.span.end);
    Some(comparable(
        &sql[first.span.start..end],
        sent.rows.as_deref(),
    ))
}

/// Compares with what `psql` sends; says how many files were looked at.
fn compare_with_psql(texts: &[&str]) {
    let Some(sent) = Fake::start().psql(texts) else {
        println!("skipped: there is no psql");
        return;
    };
    let mut different = Vec::new();
    for (text, sent) in texts.iter().zip(sent) {
        let theirs: Vec<_> = sent.iter().filter_map(theirs).collect();
        let ours = ours(text);
        if ours != theirs {
            different.push(format!("{text:?}\n  opskit {ours:?}\n  psql   {theirs:?}"));
        }
    }
    println!("{} files, {} differ", texts.len(), different.len());
    assert!(different.is_empty(), "\n{}", different.join("\n"));
}

#[test]
fn files_are_split_as_psql_splits_them() {
    compare_with_psql(CASES);
}

#[test]
fn files_made_by_chance_are_split_as_psql_splits_them() {
    // The same every time.
    let mut state = 0x5eed_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(limit).unwrap()).unwrap()
    };
    let mut texts = Vec::new();
    while texts.len() < 1000 {
        let count = 2 + below(14);
        let text: String = (0..count).map(|_| PARTS[below(PARTS.len())]).collect();
        let script = Script::parse(text.as_str());
        if script.is_ok_and(|script| !script.statements().is_empty()) {
            texts.push(text);
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    compare_with_psql(&texts);
}

#[test]
fn what_cannot_be_split_is_refused() {
    for (text, wanted) in REFUSED {
        let error = Script::parse(*text).unwrap_err();
        assert_eq!(error.to_string(), *wanted, "{text:?}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

/// Reads a JSON list of texts, and gives for each the statements, or null where it cannot be parsed.
const PGLAST: &str = "
import json, sys, pglast
def statements(text):
    # Bytes, as the places are: pglast turns them into characters.
    found = [text[at.start:at.stop] if isinstance(at, slice) else at
             for at in pglast.split(text, with_parser=True, only_slices=True)]
    return found
out = []
for text in json.load(sys.stdin):
    try:
        out.append(statements(text))
    except pglast.parser.ParseError:
        out.append(None)
json.dump(out, sys.stdout)
";

/// The statements of each text by the server's grammar, or nothing where it cannot be parsed.
fn by_grammar(python: &OsStr, texts: &[String]) -> Vec<Option<Vec<String>>> {
    let mut python = Command::new(python)
        .args(["-c", PGLAST])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = python.stdin.take().unwrap();
    // It writes only after it has read everything.
    serde_json::to_writer(&mut input, texts).unwrap();
    drop(input);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let found: Vec<Option<Vec<String>>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found.len(), texts.len());
    found
        .into_iter()
        .map(|found| {
            let sql = |sql: String| theirs(&Sent { sql, rows: None });
            let found = found?.into_iter().filter_map(sql);
            Some(found.map(|it| it.sql).collect())
        })
        .collect()
}

#[test]
fn statements_are_those_of_the_grammar() {
    let Some(python) = std::env::var_os("OPSKIT_TEST_PYTHON") else {
        println!("OPSKIT_TEST_PYTHON is not set: the grammar is not asked");
        return;
    };
    let cases: Vec<_> = CASES.iter().chain(BEYOND_PSQL).collect();
    let texts: Vec<String> = cases.iter().map(|text| (**text).to_owned()).collect();
    let mut compared = 0;
    for (text, found) in cases.iter().zip(by_grammar(&python, &texts)) {
        let Some(theirs) = found else {
            assert!(!BEYOND_PSQL.contains(text), "{text:?} is SQL");
            continue;
        };
        let ours: Vec<_> = ours(text).into_iter().map(|it| it.sql).collect();
        assert_eq!(ours, theirs, "{text:?}");
        compared += 1;
    }
    println!("{compared} of {} files can be parsed", cases.len());
    assert!(compared > 60);
}

/// Commands of `psql`, and statements that are wrong on purpose, are no SQL: what is left without their lines often is.
fn without_psql(text: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .filter(|line| !line.trim_start().starts_with('\\'))
        .collect()
}

#[test]
fn the_regression_tests_of_postgres_are_split_as_its_grammar_splits_them() {
    let (python, place) = ("OPSKIT_TEST_PYTHON", "OPSKIT_TEST_REGRESS");
    let (Some(python), Some(place)) = (std::env::var_os(python), std::env::var_os(place)) else {
        println!("skipped: {python} or {place} is not set");
        return;
    };
    let mut files: Vec<_> = std::fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("sql")))
        .collect();
    files.sort();
    let texts: Vec<String> = files
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| without_psql(&text))
        .collect();
    let (mut files_compared, mut statements) = (0, 0);
    for (text, theirs) in texts.iter().zip(by_grammar(&python, &texts)) {
        let Some(theirs) = theirs else { continue };
        let ours: Vec<_> = ours(text).into_iter().map(|it| it.sql).collect();
        let differ = ours
            .iter()
            .zip(&theirs)
            .find(|(ours, theirs)| ours != theirs);
        assert_eq!(differ, None);
        assert_eq!(ours.len(), theirs.len(), "{:?}", text.get(..200));
        files_compared += 1;
        statements += ours.len();
    }
    println!(
        "{files_compared} of {} files, {statements} statements",
        texts.len()
    );
    assert!(
        files_compared > 50 && statements > 5000,
        "{files_compared} {statements}"
    );
}

//! Names that try to be something else: a path, a quote, a line, somebody else's.

use super::{Stored, assert_same, restore};
use crate::roundtrip::pg_dump;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::RestoreRequest;
use opskit_core::context::OpContext;
use opskit_core::name::{quote_ident, quote_literal};
use opskit_core::repository::{DataFormat, VerifyLevel};
use opskit_tests::database;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Each is a schema, a table in each schema, a column, an enum and its labels, a role, a partition.
fn names() -> Vec<String> {
    let plain = [
        "../up",
        "..",
        ".",
        "/etc/passwd",
        "a/b",
        "a%2Fb",
        "a%2fb",
        "%",
        "%s%n",
        "quo\"te",
        "it's",
        "$$",
        "$body$",
        "line\nbreak",
        "carriage\rreturn",
        "tab\t",
        "\u{1}\u{7f}",
        "semi;colon--",
        "/* no */",
        "Upper",
        "upper",
        "UPPER",
        "back\\slash",
        "\\'; drop schema public; --",
        "select",
        " ",
        " lead and trail ",
        "a.b",
        "manifest.json",
        "con",
        "-n",
        "*",
        "é",
        "e\u{301}",
        "\u{202e}right to left",
        "😀",
        "{{name}}",
        "NULL",
        "pg_temp_",
    ];
    let mut names: Vec<String> = plain.map(str::to_owned).into();
    names.push("é".repeat(31));
    names.push("a".repeat(63));
    names.push(format!("{}/", "A".repeat(62)));
    names.push(format!("{}\\", "A".repeat(62)));
    names
}

fn statements(roles: &str) -> String {
    let names = names();
    let columns: Vec<String> = names
        .iter()
        .map(|name| format!("{} text default {}", quote_ident(name), quote_literal(name)))
        .collect();
    let labels: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
    let mut sql = format!(
        "create table wide ({}); insert into wide default values; create table parted (k text) partition by list (k); ",
        columns.join(", ")
    );
    for (at, name) in names.iter().enumerate() {
        let (name_sql, text) = (quote_ident(name), quote_literal(name));
        let role = quote_ident(&format!(
            "{roles}{at}{}",
            name.chars()
                .take(40 / name.len().max(1))
                .collect::<String>()
        ));
        let schema = match name.starts_with("pg_") {
            true => "public".to_owned(),
            false => {
                sql.push_str(&format!("create schema {name_sql}; "));
                name_sql.clone()
            }
        };
        let table = format!("{schema}.{name_sql}");
        let other = format!("{schema}.{}", quote_ident(&names[(at + 1) % names.len()]));
        sql.push_str(&format!(
            "create role {role}; create table {table} ({name_sql} int, b text default {text}); insert into {table} values ({at}, {text}); \
             create table {other} (i int); insert into {other} values ({at}); create index on {table} ({name_sql}); \
             comment on table {table} is {text}; comment on column {table}.{name_sql} is {text}; grant select on {table} to {role}; \
             alter table {table} add constraint {name_sql} check ({name_sql} < 1000); create sequence {schema}.{}; \
             create table {schema}.{} partition of public.parted for values in ({text}); insert into public.parted values ({text}); ",
            quote_ident(&format!("s{at}")),
            quote_ident(&format!("p{at}{}", name.chars().take(10).collect::<String>())),
        ));
    }
    for (at, name) in names
        .iter()
        .enumerate()
        .filter(|(_, name)| !name.starts_with("pg_"))
    {
        let schema = quote_ident(name);
        sql.push_str(&format!(
            "create type {schema}.mood as enum ({0}); create table {schema}.moods as select {1}::{schema}.mood as m, array[{1}]::{schema}.mood[] as a, {1}::text as t; ",
            labels.join(", "),
            labels[at]
        ));
    }
    sql
}

/// Every file of rows, read by DuckDB: the names of the columns, and all text of the rows.
fn duckdb(data: &Path) -> Option<String> {
    const READ: &str = "import duckdb, glob, sys, os
for folder in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], folder)
    files = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith('.parquet'))
    got = duckdb.sql('select * from read_parquet($1)', params=[files])
    print(repr((got.columns, sorted(got.fetchall()))))";
    let python = std::env::var_os("OPSKIT_TEST_PYTHON")?;
    let output = Command::new(python)
        .args(["-c", READ])
        .arg(data)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Everything below a directory, by its path.
fn below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.insert(path.to_str().unwrap().to_owned());
        if path.is_dir() {
            below(&path, found);
        }
    }
}

#[tokio::test]
async fn names_that_try_to_be_something_else() {
    let source = database().await;
    source.psql(&statements(source.name())).await;
    let formats = match std::env::var_os("OPSKIT_TEST_FULL") {
        Some(_) => vec![DataFormat::Parquet, DataFormat::Pgcopy],
        None => vec![DataFormat::Parquet],
    };
    for format in formats {
        let target = database().await;
        let request = BackupRequest::new().with_format(format);
        let stored = Stored::of(&source, &source.url(), request).await;
        // Nothing outside of the repository, and no component that a file system could take for another.
        let mut found = BTreeSet::new();
        below(stored.place.path(), &mut found);
        let repository = stored.place.path().join("repo");
        let within = repository.to_str().unwrap();
        assert!(
            found.iter().all(|path| path.starts_with(within)),
            "{found:?}"
        );
        let folded: BTreeSet<String> = found.iter().map(|path| path.to_lowercase()).collect();
        assert_eq!(folded.len(), found.len());
        let id = stored.repository().find("latest").unwrap();
        let verified = stored
            .repository()
            .verify(&OpContext::default(), &id, VerifyLevel::Decode);
        assert_eq!(verified.unwrap().faults, []);
        let report = restore(&stored, &target.url(), RestoreRequest::default()).await;
        let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
        assert_same(&report);
        if let (Some(wanted), Some(found)) = (pg_dump(&source), pg_dump(&target)) {
            assert_eq!(wanted, found);
        }
        let rows = "select * from parted order by 1; select * from wide";
        assert_eq!(source.psql(rows).await, target.psql(rows).await);
        if format == DataFormat::Parquet {
            let data = repository.join("backups").join(id.as_str()).join("data");
            let Some(said) = duckdb(&data) else {
                println!("skipped: OPSKIT_TEST_PYTHON tells no Python with DuckDB");
                continue;
            };
            assert_eq!(said.lines().count(), report.tables);
            for name in names().iter().filter(|name| {
                name.is_ascii() && !name.contains(['\'', '"', '\\', '\u{1}', '\n', '\r', '\t'])
            }) {
                assert!(said.contains(&format!("'{name}'")), "{name}");
            }
        }
    }
}

//! A database's objects, written as SQL and run in an empty database, are the same objects.
//!
//! The judge is `pg_dump`: its text of both databases must be the same. Where there is none for the
//! server, and besides, what is read from the copy must be what was read from the source.

mod access;
mod constraints;
mod indexes;
mod inheritance;
mod owner;
mod routines;
mod sequences;
mod tables;
mod types;

use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::catalog::model::Model;
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database};
use std::process::Command;

/// `pg_dump`'s text of all objects, `None` where there is no `pg_dump` for this server.
pub(crate) fn pg_dump(db: &TestDb) -> Option<String> {
    dumped("pg_dump", &["--schema-only"], &db.url())
}

/// What `pg_dump` or `pg_dumpall` says, `None` where there is none for this server.
pub(crate) fn dumped(program: &str, args: &[&str], url: &str) -> Option<String> {
    let mut command = Command::new(program);
    let done = command
        .args(args)
        .args(["--restrict-key=x", "--dbname", url]);
    let done = done.output().ok()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if said.contains("server version mismatch") {
        println!("skipped: {program} is older than the server");
        return None;
    }
    assert!(done.status.success(), "{program}: {said}");
    Some(String::from_utf8(done.stdout).unwrap())
}

/// Makes the objects of `sql` in one database, carries them into another, and compares. Gives the copy.
pub(crate) async fn assert_round_trip(sql: &str) -> TestDb {
    let (source, target) = (database().await, database().await);
    source.psql(sql).await;
    assert_carried(&source, &target).await;
    target
}

/// Carries the objects of one database into another, and compares.
pub(crate) async fn assert_carried(source: &TestDb, target: &TestDb) {
    carry(source, target).await;
    if let (Some(wanted), Some(found)) = (pg_dump(source), pg_dump(target)) {
        pretty_assert(&wanted, &found);
    }
    let script = |model: &Model| {
        let options = DdlOptions::new(model.server_version);
        without_numbers(&Script::of(model, &options).unwrap().to_string())
    };
    let (wanted, found) = (model_of(source).await, model_of(target).await);
    // Where there is no pg_dump, this is what is known.
    pretty_assert(&script(&wanted), &script(&found));
}

/// A table that lends its columns is named by a number of its database.
fn without_numbers(script: &str) -> String {
    let mut parts = script.split("opskit_lender_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "opskit_lender_" + part.trim_start_matches(|digit: char| digit.is_ascii_digit())
    })
}

/// The model of everything in a database.
pub(crate) async fn model_of(db: &TestDb) -> Model {
    let ctx = OpContext::default();
    let model = read_model(&ctx, &parse(&db.url()), &Scope::default()).await;
    model.unwrap()
}

/// Runs the script of `source` in `target`, a statement at a time.
pub(crate) async fn carry(source: &TestDb, target: &TestDb) {
    let model = model_of(source).await;
    // What is stored in a backup is what restore reads.
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(Model::from_json(stored.as_bytes()).unwrap(), model);
    let script = Script::of(&model, &DdlOptions::new(model.server_version)).unwrap();
    let script = script.to_string();
    if let Err(error) = target.try_psql(&script).await {
        panic!("{error}, in: {script}");
    }
}

pub(crate) fn pretty_assert(wanted: &str, found: &str) {
    if wanted == found {
        return;
    }
    let only = |these: &str, those: &str| {
        let lines: Vec<String> = these
            .lines()
            .filter(|line| !those.contains(line))
            .map(str::to_owned)
            .collect();
        lines.join("\n")
    };
    panic!(
        "pg_dump differs\n--- only in the source\n{}\n--- only in the copy\n{}\n--- source\n{wanted}\n--- copy\n{found}",
        only(wanted, found),
        only(found, wanted)
    );
}

#[tokio::test]
async fn schemas() {
    assert_round_trip("create schema shop; create schema \"odd \"\"name\"").await;
}

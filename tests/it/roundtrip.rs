//! A database's objects, written as SQL and run in an empty database, are the same objects.
//!
//! The judge is `pg_dump`: its text of both databases must be the same.

mod access;

use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{DdlOptions, Script, Section};
use opskit_core::catalog::model::Object;
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database};
use std::process::Command;

/// `pg_dump`'s text of all objects, `None` where there is no `pg_dump` for this server.
pub(crate) fn pg_dump(db: &TestDb) -> Option<String> {
    let done = Command::new("pg_dump")
        .args(["--schema-only", "--restrict-key=x", "--dbname"])
        .arg(db.url())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&done.stderr);
    if said.contains("server version mismatch") {
        println!("skipped: pg_dump is older than the server");
        return None;
    }
    assert!(done.status.success(), "pg_dump: {said}");
    Some(String::from_utf8(done.stdout).unwrap())
}

/// Makes the objects of `sql` in one database, carries them into another, and compares.
pub(crate) async fn assert_round_trip(sql: &str) {
    let (source, target) = (database().await, database().await);
    source.psql(sql).await;
    assert_carried(&source, &target).await;
}

/// Carries the objects of one database into another that lacks them, and compares.
pub(crate) async fn assert_carried(source: &TestDb, target: &TestDb) {
    carry(source, target).await;
    pretty_assert("the model", &told(source).await, &told(target).await);
    if let (Some(wanted), Some(found)) = (pg_dump(source), pg_dump(target)) {
        pretty_assert("pg_dump", &wanted, &found);
    }
}

/// Runs the script of `source` in `target`, but for what is there already.
pub(crate) async fn carry(source: &TestDb, target: &TestDb) {
    let ctx = OpContext::default();
    let model = read_model(&ctx, &parse(&source.url()), &Scope::default()).await;
    let model = model.unwrap();
    // What is stored in a backup is what restore reads.
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(
        serde_json::from_str::<opskit_core::catalog::model::Model>(&stored).unwrap(),
        model
    );
    let mut script = Script::of(&model, &DdlOptions::new(model.server_version)).unwrap();
    let there = read_model(&ctx, &parse(&target.url()), &Scope::default()).await;
    let there: Vec<String> = there.unwrap().objects.iter().map(Object::describe).collect();
    script
        .statements
        .retain(|s| s.section != Section::PreData || !there.contains(&s.object));
    target.psql(&script.to_string()).await;
}

/// The model of a database as text, a line per object, without addresses.
async fn told(db: &TestDb) -> String {
    let model = read_model(&OpContext::default(), &parse(&db.url()), &Scope::default()).await;
    let mut model = serde_json::to_value(model.unwrap()).unwrap();
    let mut lines = Vec::new();
    let mut lists = vec![model["objects"].take()];
    lists.extend(model["access"].as_object_mut().unwrap().values_mut().map(|list| list.take()));
    for list in &mut lists {
        for item in list.as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("address");
            // What a new object is granted: no property of this one.
            if let Some(acl) = item.pointer_mut("/is/acl") {
                acl["base"].take();
            }
            lines.push(item.to_string());
        }
    }
    lines.sort();
    lines.join("\n")
}

fn pretty_assert(what: &str, wanted: &str, found: &str) {
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
        "{what} differs\n--- only in the source\n{}\n--- only in the copy\n{}\n--- source\n{wanted}\n--- copy\n{found}",
        only(wanted, found),
        only(found, wanted)
    );
}

#[tokio::test]
async fn schemas() {
    assert_round_trip("create schema shop; create schema \"odd \"\"name\"").await;
}

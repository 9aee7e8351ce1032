//! `schema dump`, `snapshot` and `diff`.

use super::{Call, NOWHERE, names, sample};
use opskit_tests::database;

#[tokio::test]
async fn a_dump_makes_the_objects_again() {
    let (db, other) = (sample().await, database().await);
    let call = |args: &[&str]| Call::new(args).env("DATABASE_URL", &db.url()).run().code(0);
    let sql = call(&["schema", "dump"]).out();
    assert!(sql.contains("CREATE TABLE \"public\".\"t\""), "{sql}");
    other.psql(&sql).await;
    let diff = Call::new(["schema", "diff", &db.url(), &other.url(), "--objects-only"]).run();
    assert_eq!(diff.code(0).out(), "");
    assert!(call(&["schema", "dump", "--json"]).json().is_object());
}

#[tokio::test]
async fn what_differs_is_told_and_is_1() {
    let (db, place) = (sample().await, tempfile::tempdir().unwrap());
    let call = |args: &[&str]| {
        Call::new(args)
            .within(place.path())
            .env("DATABASE_URL", &db.url())
            .run()
    };
    call(&["schema", "snapshot", "-o", "before.json"])
        .code(0)
        .says("facts about objects");
    assert_eq!(names(place.path()), ["before.json"]);
    let url = db.url();
    // Roles are shared with tests that run beside this one.
    let diff = ["schema", "diff", "--objects-only", "before.json", &url];
    call(&diff).code(0).says("no difference");
    db.psql("alter table t add column more int; create view v as select 1 as one")
        .await;
    let ended = call(&diff).code(1);
    for words in ["public.t", "more", "only in B: view public.v"] {
        assert!(ended.out().contains(words), "{words}: {}", ended.out());
    }
    let document = call(&[&diff[..], &["--json"]].concat()).code(1).json();
    assert_eq!(document["schema"], "opskit.schema-diff/1");
    let to_stdout = call(&["schema", "snapshot"]).code(0).out();
    std::fs::write(place.path().join("after.json"), to_stdout).unwrap();
    call(&["schema", "diff", "after.json", &url]).code(0);
    call(&["schema", "diff", "before.json", "after.json"]).code(1);
}

#[test]
fn requests_that_are_wrong() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("other.json"), "{}").unwrap();
    let call = |args: &[&str]| {
        Call::new(args)
            .within(place.path())
            .env("DATABASE_URL", NOWHERE)
            .run()
    };
    call(&["schema"]).code(64);
    call(&["schema", "diff", "a.json"]).code(64).says("<B>");
    call(&["schema", "diff", "a.json", "b.json"])
        .code(66)
        .says("a.json");
    call(&["schema", "diff", "other.json", "other.json"])
        .code(65)
        .says("other.json");
    for what in ["dump", "snapshot"] {
        call(&["schema", what]).code(69);
    }
}

//! `drill`.

use super::{Call, backed_up, damage, names, sample};
use opskit_tests::database;

#[tokio::test]
async fn a_drill_passes_and_leaves_its_record() {
    let db = sample().await;
    let (place, report) = backed_up(&db, &[]);
    std::fs::write(
        place.path().join("checks.sql"),
        "select 'rows of t', count(*) = 1000, count(*) || ' rows' from public.t;",
    )
    .unwrap();
    let call = |more: &[&str]| {
        Call::new(["drill"].iter().chain(more))
            .within(place.path())
            .run()
    };
    let document = call(&["--check", "checks.sql", "--json"]).code(0).json();
    assert_eq!(document["schema"], "opskit.drill/1");
    assert_eq!(document["outcome"], "passed");
    assert_eq!(document["backup"], report["id"]);
    assert!(document["recovery_ms"].as_u64().unwrap() > 0);
    let checks = document["checks"].as_array().unwrap();
    assert!(
        checks
            .iter()
            .any(|check| check["name"] == "rows of t" && check["ok"] == true)
    );
    let history = names(&place.path().join("backups/history"));
    assert!(
        history.iter().any(|name| name.starts_with("drill-")),
        "{history:?}"
    );
    let text = call(&["latest", "--check", "checks.sql"]).code(0).out();
    for words in [
        "ok: rows of t: 1000 rows",
        "the same by",
        "drill passed: recovery took ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// A check that says no, and one that cannot tell, are no success.
#[tokio::test]
async fn a_check_that_fails_is_1() {
    let db = sample().await;
    let (place, _) = backed_up(&db, &[]);
    for (name, sql, words) in [
        (
            "no.sql",
            "select 'few rows', count(*) < 10 from public.t",
            "not ok: few rows",
        ),
        (
            "nothing.sql",
            "select 'no row', true where false",
            "unknown: query 1: it gave no row",
        ),
        (
            "unknown.sql",
            "select 'nobody knows', null::bool",
            "unknown: nobody knows",
        ),
    ] {
        std::fs::write(place.path().join(name), sql).unwrap();
        let ended = Call::new(["drill", "--check", name])
            .within(place.path())
            .run();
        let ended = ended.code(1);
        assert!(
            ended.out().contains(words) && ended.out().contains("drill failed"),
            "{}",
            ended.out()
        );
    }
    Call::new(["drill", "--check", "no-such-file.sql"])
        .within(place.path())
        .run()
        .code(66)
        .says("no-such-file.sql");
    std::fs::write(place.path().join("path.sql"), "select 'x', true from t").unwrap();
    let ended = Call::new(["drill", "--check", "path.sql"])
        .within(place.path())
        .run();
    ended.code(66).says("search path is empty");
    std::fs::write(place.path().join("bad.sql"), "selec 1").unwrap();
    Call::new(["drill", "--check", "bad.sql"])
        .within(place.path())
        .run()
        .code(64)
        .says("syntax");
}

#[tokio::test]
async fn a_drill_takes_an_empty_database_too() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    let call = |to: &str| Call::new(["drill", "--to", to]).within(place.path()).run();
    call(&target.url()).code(0);
    assert_eq!(target.psql("select count(*) from t").await, "1000");
    // One that is not empty is refused, the source first of all.
    call(&db.url()).code(64).says("has already");
    assert_eq!(db.psql("select count(*) from t").await, "1000");
}

#[tokio::test]
async fn what_cannot_be_drilled() {
    let db = sample().await;
    let empty = tempfile::tempdir().unwrap();
    Call::new(["drill"])
        .within(empty.path())
        .run()
        .code(66)
        .says("no repository");
    let (place, _) = backed_up(&db, &[]);
    let none = ["drill", "--pg-bin", empty.path().to_str().unwrap()];
    Call::new(none)
        .within(place.path())
        .run()
        .code(66)
        .says("hint: ");
    damage(place.path(), "public.t/part-00000.parquet");
    let ended = Call::new(["drill"]).within(place.path()).run();
    // The rest is restored and compared all the same; what is damaged is named.
    let ended = ended.code(1);
    assert!(
        ended.out().contains("part-00000.parquet") && ended.out().contains("drill failed"),
        "{}",
        ended.out()
    );
}

/// What the backup does not hold cannot come back: no drill of it passes.
#[tokio::test]
async fn a_drill_of_a_part_is_partial() {
    let db = sample().await;
    for (args, unproven) in [
        (
            ["--exclude", "t"],
            "rows of table public.t: excluded as asked",
        ),
        (
            ["--type", "schema"],
            "all rows: the backup holds definitions only",
        ),
    ] {
        let (place, report) = backed_up(&db, &args);
        let id = report["id"].as_str().unwrap();
        let ended = Call::new(["drill", id, "--json"])
            .within(place.path())
            .run();
        let document = ended.code(1).json();
        assert_eq!(document["outcome"], "partial", "{document}");
        assert_eq!(document["unproven"][0], unproven);
    }
}

/// The number that is given next is there already.
#[tokio::test]
async fn a_sequence_that_gives_a_number_twice_fails_a_drill() {
    let db = database().await;
    db.psql(
        "create table fine (id int generated by default as identity); create table twice (like fine including identity); \
         insert into twice values (1)",
    )
    .await;
    let (place, _) = backed_up(&db, &[]);
    let ended = Call::new(["drill"]).within(place.path()).run().code(1);
    let words = "not ok: sequences: behind their columns: public.twice_id_seq";
    assert!(ended.out().contains(words), "{}", ended.out());
}

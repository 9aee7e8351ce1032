//! Exports that fail: the right status, a clear reason, and nothing left.

use super::{Call, names, sample};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use std::fs::File;
use std::io::Read as _;

#[tokio::test]
async fn requests_that_are_wrong() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["t", "--no-such-option"][..], "--no-such-option"),
        (&[], "TABLE"),
        (&["t", "--query", "select 1"], "--query"),
        (&["a.b.c"], "more than two parts"),
        (&["public.*", "-o", "one.parquet"], "one file takes one"),
        (&["t", "-o", "one.csv", "--format", "arrow"], "--format"),
        (&["t", "-o", "dir", "--overwrite"], "--overwrite"),
        (&["t", "--jobs", "0"], "--jobs"),
        (&["t", "--part-size", "big"], "128MiB"),
        (&["t", "--lock-timeout", "10"], "unit"),
        (&["t", "--memory", "1MiB"], "--memory"),
        (&["t", "--compression", "gzip"], "zstd:LEVEL"),
        (
            &["t", "-o", "a.csv", "--compression", "zstd:1"],
            "not compressed",
        ),
        (&["t", "-o", "-", "--json"], "standard output"),
        (&["t", "-q", "-v"], "--verbose"),
        (&["--query", "delete from t returning id"], "hint: "),
        (&["--query", "selec 1"], "syntax"),
    ] {
        let ended = Call::export(&db, args).within(place.path()).run();
        let ended = ended.code(64).says("error: ").says(words);
        assert!(
            args.contains(&"--json") || ended.out().is_empty(),
            "{args:?}: {}",
            ended.out()
        );
        assert_eq!(names(place.path()), [""; 0], "{args:?}");
    }
    assert_eq!(db.psql("select count(*) from t").await, "1000");
}

#[tokio::test]
async fn a_missing_table_is_66() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| Call::export(&db, args).within(place.path()).run().code(66);
    call(&["nothing", "-o", "x.parquet"]).says("no table matches \"nothing\"");
    let document = call(&["nothing", "--json"]).json();
    assert_eq!(document["schema"], "opskit.error/1");
    assert_eq!(document["kind"], "not-found");
    assert_eq!(document["retryable"], false);
    assert!(document["hint"].is_string() && document["causes"].is_array());
    assert_eq!(names(place.path()), [""; 0]);
}

#[tokio::test]
async fn json_errors_of_usage_are_documents_too() {
    let ended = Call::new(["export", "t", "--json", "--nonsense"])
        .run()
        .code(64);
    assert_eq!(ended.json()["kind"], "invalid-input");
}

#[tokio::test]
async fn a_refused_connection_is_69() {
    let place = tempfile::tempdir().unwrap();
    let url = "postgresql://ann@127.0.0.1:1/x?sslmode=disable";
    let call = |args: &[&str]| {
        let args = ["export", "t", "-o", "x"].iter().chain(args);
        Call::new(args)
            .env("DATABASE_URL", url)
            .within(place.path())
    };
    call(&[]).run().code(69).says("error: ");
    assert_eq!(call(&["--json"]).run().code(69).json()["retryable"], true);
    assert_eq!(names(place.path()), [""; 0]);
    // Where nobody named a database, the hint says so.
    let ended = Call::new(["export", "t"])
        .env("PGPORT", "1")
        .env("PGUSER", "ann");
    ended
        .within(place.path())
        .run()
        .code(69)
        .says("DATABASE_URL");
}

#[tokio::test]
async fn places_that_cannot_be_written_are_74() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    std::fs::write(&file, "").unwrap();
    let no_places = [
        file.clone(),
        file.join("t.csv"),
        file.join("directory"),
        place.path().join("missing/t.csv"),
    ];
    for target in no_places.iter().map(|path| path.to_str().unwrap()) {
        Call::export(&db, &["t", "-o", target]).run().code(74);
    }
    assert_eq!(names(place.path()), ["file"]);
    for args in [&["t", "--format", "csv", "-o", "-"][..], &["t", "--plan"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = Call::export(&db, args).stdout(full).run().code(74);
        assert!(
            !ended.err().contains("left behind"),
            "a stream cannot take back what it took"
        );
    }
}

#[tokio::test]
async fn a_held_lock_is_75() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let mut holder = PgConnection::connect(&db.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table t in access exclusive mode")
        .execute(&mut holder)
        .await
        .unwrap();
    let args = ["t", "-o", "x", "--lock-timeout", "200ms", "--json"];
    let ended = Call::export(&db, &args).within(place.path()).run().code(75);
    let document: Value = ended.json();
    assert_eq!(document["kind"], "busy");
    assert_eq!(document["retryable"], true);
    assert_eq!(names(place.path()), [""; 0]);
}

#[tokio::test]
async fn rows_that_may_not_be_seen_are_77() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let role = format!("reader_{}", db.name());
    db.psql(&format!(
        "create role {role} login; create table filtered (id int); insert into filtered values (1), (2); \
         alter table filtered enable row level security; \
         create policy first_only on filtered using (id = 1); grant select on filtered to {role}"
    ))
    .await;
    let url = db.url().replace("user=postgres", &format!("user={role}"));
    for table in ["t", "filtered"] {
        let call = Call::export(&db, &[table, "-o", "x.parquet"]).env("DATABASE_URL", &url);
        call.within(place.path())
            .run()
            .code(77)
            .says(&format!("public.{table}"));
    }
    assert_eq!(names(place.path()), [""; 0]);
    db.psql(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let db = sample().await;
    for format in ["csv", "jsonl", "pgcopy", "arrow", "parquet"] {
        // Text that does not shrink to what a pipe holds.
        let query =
            "select i, md5(i::text) || md5((i + 1)::text) from generate_series(1, 200000) i";
        let args = ["--query", query, "--format", format, "-o", "-"];
        let mut child = Call::export(&db, &args).spawn();
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 1]).unwrap();
        drop(stdout);
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert_eq!(err, "", "{format}");
        assert_eq!(child.wait().unwrap().code(), Some(141), "{format}");
    }
}

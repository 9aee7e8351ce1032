//! `restore`.

use super::{Call, NOWHERE, backed_up, damage, sample};
use opskit_tests::{TestDb, database};
use std::path::Path;

fn restore(place: &Path, to: &TestDb, more: &[&str]) -> Call {
    let url = to.url();
    let args = ["restore", "latest", "--to", &url];
    Call::new(args.iter().chain(more)).within(place)
}

#[tokio::test]
async fn what_was_backed_up_comes_back() {
    let (db, target) = (sample().await, database().await);
    let (place, report) = backed_up(&db, &[]);
    let plan = restore(place.path(), &target, &["--plan", "--json"])
        .run()
        .code(0)
        .json();
    assert_eq!(plan["schema"], "opskit.restore-plan/1");
    assert_eq!(plan["tables"].as_array().unwrap().len(), 2);
    let text = restore(place.path(), &target, &["--plan"])
        .run()
        .code(0)
        .out();
    assert!(
        text.contains("public.t") && text.contains("1,000 rows"),
        "{text}"
    );
    assert_eq!(
        target
            .psql("select count(*) from pg_tables where schemaname = 'public'")
            .await,
        "0"
    );
    let restored = restore(place.path(), &target, &["--json"])
        .run()
        .code(0)
        .json();
    assert_eq!(restored["schema"], "opskit.restore/1");
    assert_eq!(restored["rows"], report["rows"]);
    assert_eq!(restored["differences"], serde_json::json!([]));
    let rows = "select md5(string_agg(t::text, ',' order by id)) from t";
    assert_eq!(target.psql(rows).await, db.psql(rows).await);
    // What is there already is not written over, unless it is to go.
    let ended = restore(place.path(), &target, &[]).run().code(64);
    ended.says("has already").says("public.t");
    let text = restore(place.path(), &target, &["--clean", "--jobs", "1"])
        .run()
        .code(0)
        .out();
    assert!(text.contains("the same by"), "{text}");
    assert_eq!(target.psql(rows).await, db.psql(rows).await);
}

#[tokio::test]
async fn one_table_comes_back_alone() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    let only = restore(place.path(), &target, &["--only", "t", "--json"])
        .run()
        .code(0)
        .json();
    assert_eq!((&only["tables"], &only["rows"]), (&1.into(), &1000.into()));
    let ended = restore(place.path(), &target, &["--only", "nothing"])
        .run()
        .code(66);
    ended.says("nothing");
}

#[tokio::test]
async fn requests_that_are_wrong() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    Call::new(["restore", "latest"])
        .within(place.path())
        .run()
        .code(64)
        .says("--to");
    Call::new(["restore"])
        .within(place.path())
        .run()
        .code(64)
        .says("<ID>");
    for (more, words) in [
        (&["--schema-only", "--data-only"][..], "--data-only"),
        (&["--only", "a.b.c"], "pattern"),
        (&["--jobs", "0"], "--jobs"),
        (&["--lock-timeout", "10"], "unit"),
    ] {
        restore(place.path(), &target, more)
            .run()
            .code(64)
            .says(words);
    }
    let none = tempfile::tempdir().unwrap();
    restore(none.path(), &target, &[])
        .run()
        .code(66)
        .says("no repository");
    let other = [
        "restore",
        "20260101T000000Z-00000000",
        "--to",
        &target.url(),
    ];
    Call::new(other)
        .within(place.path())
        .run()
        .code(66)
        .says("opskit list");
    let dead = Call::new(["restore", "latest", "--to", NOWHERE]).within(place.path());
    dead.run().code(69);
    let named = Call::new(["restore", "latest", "--to", "copy"]).within(place.path());
    named.run().code(64).says("opskit.toml");
}

/// The source of a backup is full of what the backup holds: nothing is dropped unasked.
#[tokio::test]
async fn the_source_itself_is_refused() {
    let db = sample().await;
    let (place, _) = backed_up(&db, &[]);
    restore(place.path(), &db, &[])
        .run()
        .code(64)
        .says("has already");
    assert_eq!(db.psql("select count(*) from t").await, "1000");
}

#[tokio::test]
async fn a_production_target_is_named_twice() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    std::fs::write(
        place.path().join("opskit.toml"),
        "[target.prod]\nclass = \"production\"\nurl_env = \"PROD_URL\"\n[target.copy]\nclass = \"scratch\"\nurl_env = \"COPY_URL\"\n",
    )
    .unwrap();
    let call = |to: &str, more: &[&str]| {
        let args = ["restore", "latest", "--to", to, "--repo", "backups"];
        let call = Call::new(args.iter().chain(more)).within(place.path());
        call.env("PROD_URL", &target.url())
            .env("COPY_URL", &db.url())
            .run()
    };
    // By its name or by its URL; with the wrong name, or none.
    for to in ["prod", &target.url()] {
        call(to, &[])
            .code(64)
            .says("target \"prod\" is production")
            .says("--confirm prod");
        call(to, &["--confirm", "production"])
            .code(64)
            .says("--confirm prod");
        call(to, &["--clean", "--confirm", "copy"]).code(64);
        // Looking is free.
        call(to, &["--plan"]).code(0);
    }
    assert_eq!(
        target
            .psql("select count(*) from pg_tables where schemaname = 'public'")
            .await,
        "0"
    );
    call("prod", &["--confirm", "prod"]).code(0);
    assert_eq!(target.psql("select count(*) from t").await, "1000");
    // Another class needs no second word.
    call("copy", &["--clean"]).code(0);
    let drill = ["drill", "latest", "--to", "prod", "--repo", "backups"];
    let drill = Call::new(drill)
        .within(place.path())
        .env("PROD_URL", &target.url());
    drill.run().code(64).says("production");
}

#[tokio::test]
async fn a_damaged_backup_is_65() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    damage(place.path(), "public.t/part-00000.parquet");
    let ended = restore(place.path(), &target, &[]).run().code(65);
    ended.says("part-00000.parquet");
    damage(place.path(), "manifest.sealed");
    restore(place.path(), &target, &["--plan"])
        .run()
        .code(65)
        .says("manifest.sealed");
}

/// A repository of somebody else's.
#[tokio::test]
async fn a_directory_that_cannot_be_read_is_77() {
    let (db, target) = (sample().await, database().await);
    let (place, _) = backed_up(&db, &[]);
    let closed = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(place.path().join("backups"), closed).unwrap();
    let ended = restore(place.path(), &target, &["--plan"]).run();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(place.path().join("backups"), open).unwrap();
    if rustix::process::geteuid().is_root() {
        println!("root reads everything: nothing to see");
        ended.code(0);
    } else {
        ended.code(77).says("backups");
    }
}

//! `backup`, `list`, `show` and `verify`.

use super::{Call, NOWHERE, backed_up, damage, names, sample};
use std::path::Path;

fn within(place: &Path, args: &[&str]) -> Call {
    Call::new(args).within(place)
}

#[tokio::test]
async fn a_backup_is_listed_shown_and_verified() {
    let db = sample().await;
    let (place, report) = backed_up(&db, &["--tag", "why=test"]);
    assert_eq!(report["schema"], "opskit.backup/1");
    assert_eq!(report["rows"], 1001);
    let id = report["id"].as_str().unwrap();
    let listed = within(place.path(), &["list", "--json"])
        .run()
        .code(0)
        .json();
    assert_eq!(listed["schema"], "opskit.list/1");
    assert_eq!(listed["backups"][0]["id"], id);
    assert_eq!(listed["overdue"], serde_json::json!([]));
    let text = within(place.path(), &["list"]).run().code(0).out();
    assert!(text.contains(id) && text.contains("1 backup in "), "{text}");
    for name in ["latest", id] {
        let shown = within(place.path(), &["show", name, "--json"])
            .run()
            .code(0)
            .json();
        assert_eq!(shown["schema"], "opskit.show/1");
        assert_eq!(shown["contents"]["tags"]["why"], "test");
        assert_eq!(shown["manifest"]["id"], id);
    }
    let text = within(place.path(), &["show", "latest"])
        .run()
        .code(0)
        .out();
    for words in ["public.t", "1,000 rows", "why=test", db.name(), "Odd.Name"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for (level, rows) in [("list", 0), ("hash", 0), ("decode", 1001)] {
        let args = ["verify", "latest", "--level", level, "--json"];
        let verified = within(place.path(), &args).run().code(0).json();
        assert_eq!(verified["schema"], "opskit.verify/1");
        assert_eq!(verified["rows"], rows, "{level}");
        assert_eq!(verified["faults"], serde_json::json!([]));
    }
    let text = within(place.path(), &["verify", "latest"])
        .run()
        .code(0)
        .out();
    assert!(text.contains("sound"), "{text}");
}

#[tokio::test]
async fn a_plan_stores_nothing() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| {
        let args = ["backup", "--plan"].iter().chain(args);
        Call::new(args)
            .within(place.path())
            .env("DATABASE_URL", &db.url())
    };
    let plan = call(&["--json", "--exclude", "t"]).run().code(0).json();
    assert_eq!(plan["schema"], "opskit.backup-plan/1");
    assert_eq!(plan["tables"].as_array().unwrap().len(), 1);
    let text = call(&["--exclude", "t"]).run().code(0).out();
    for words in [
        "Odd.Name",
        "not in it: rows of table public.t: excluded as asked",
        "1 table, ",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(names(place.path()), [""; 0]);
}

/// What stands in the way is in the plan, which then ends as the backup would.
#[tokio::test]
async fn a_plan_tells_what_is_missing() {
    let db = sample().await;
    let role = format!("r_{}", db.name());
    db.psql(&format!("create role {role} login")).await;
    let place = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| {
        Call::new(args)
            .within(place.path())
            .env("DATABASE_URL", &db.url_for(&role))
            .run()
    };
    let planned = call(&["backup", "--plan"]).code(77);
    assert!(
        planned
            .out()
            .contains("missing: table public.t needs the privilege SELECT"),
        "{}",
        planned.out()
    );
    assert_eq!(
        call(&["backup", "--plan", "--json"]).code(77).json()["missing"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    call(&["backup"])
        .code(77)
        .says("needs the privilege SELECT")
        .says("--plan");
    // The run has its record, and there is no backup.
    let listed = call(&["list", "--json"]).code(0).json();
    assert_eq!(listed["backups"], serde_json::json!([]));
    assert_eq!(names(&place.path().join("backups/history")).len(), 1);
    db.psql(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

#[tokio::test]
async fn what_is_not_there_is_66() {
    let db = sample().await;
    let empty = tempfile::tempdir().unwrap();
    for args in [&["list"][..], &["show", "latest"], &["verify", "latest"]] {
        let ended = within(empty.path(), args).run().code(66);
        ended.says("\"backups\" is no repository").says("--repo");
    }
    let (place, report) = backed_up(&db, &[]);
    let other = "20260101T000000Z-00000000";
    for command in ["show", "verify"] {
        let ended = within(place.path(), &[command, other]).run().code(66);
        ended.says(other).says("opskit list");
        let ended = within(place.path(), &[command, "../../etc/passwd"])
            .run()
            .code(64);
        ended.says("is no backup").says("latest");
        within(place.path(), &[command]).run().code(64).says("<ID>");
        let document = within(place.path(), &[command, other, "--json"])
            .run()
            .code(66)
            .json();
        assert_eq!(document["kind"], "not-found");
    }
    let call = Call::new(["backup", "--only", "nothing"]).within(place.path());
    call.env("DATABASE_URL", &db.url())
        .run()
        .code(66)
        .says("no table matches");
    // What failed took nothing away.
    let listed = within(place.path(), &["list", "--json"])
        .run()
        .code(0)
        .json();
    assert_eq!(listed["backups"][0]["id"], report["id"]);
}

#[test]
fn requests_that_are_wrong() {
    let place = tempfile::tempdir().unwrap();
    for (args, words) in [
        (&["backup", "--only", "a.b.c"][..], "pattern"),
        (&["backup", "--tag", "novalue"], "KEY=VALUE"),
        (&["backup", "--type", "half"], "full, schema"),
        (&["backup", "--jobs", "0"], "--jobs"),
        (&["backup", "--format", "csv"], "parquet, pgcopy"),
        (&["backup", "--db", "shop"], "opskit.toml"),
        (
            &["verify", "latest", "--level", "deep"],
            "list, hash, decode",
        ),
    ] {
        let call = within(place.path(), args).env("DATABASE_URL", NOWHERE);
        call.run().code(64).says("error: ").says(words);
    }
    let call = within(place.path(), &["backup"]).env("DATABASE_URL", NOWHERE);
    call.run().code(69);
}

#[tokio::test]
async fn a_place_that_is_no_repository_is_not_written_to() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("mine")).unwrap();
    std::fs::write(place.path().join("mine/file"), "x").unwrap();
    std::fs::write(place.path().join("file"), "x").unwrap();
    for (repo, code) in [("mine", 74), ("file", 74), ("file/below", 74)] {
        let call = within(place.path(), &["backup", "--repo", repo]);
        call.env("DATABASE_URL", &db.url())
            .run()
            .code(code)
            .says(repo);
    }
    assert_eq!(names(&place.path().join("mine")), ["file"]);
    within(place.path(), &["list", "--repo", "mine"])
        .run()
        .code(66);
}

#[tokio::test]
async fn damage_is_65_and_names_the_object() {
    let db = sample().await;
    let (place, _) = backed_up(&db, &[]);
    let name = damage(place.path(), "public.t/part-00000.parquet");
    within(place.path(), &["verify", "latest", "--level", "list"])
        .run()
        .code(0);
    let ended = within(place.path(), &["verify", "latest"]).run().code(65);
    assert!(
        ended.out().contains(&name) && ended.out().contains("1 fault"),
        "{}",
        ended.out()
    );
    let document = within(place.path(), &["verify", "latest", "--json"])
        .run()
        .code(65)
        .json();
    assert_eq!(document["faults"].as_array().unwrap().len(), 1);
    let folder = place.path().join("backups/backups");
    let manifest = folder.join(&names(&folder)[0]).join("manifest.json");
    std::fs::write(manifest, "{").unwrap();
    within(place.path(), &["show", "latest"]).run().code(65);
    within(place.path(), &["verify", "latest"]).run().code(65);
    let listed = within(place.path(), &["list", "--json"])
        .run()
        .code(65)
        .json();
    assert!(listed["backups"][0]["error"].is_string(), "{listed}");
}

/// The names of `opskit.toml`: which repository is meant, and whether the backup there is overdue.
#[tokio::test]
async fn a_schedule_that_is_not_kept_is_told() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let file = |schedule: &str| {
        format!(
            "default_target = \"shop\"\n[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\nschedule = \"{schedule}\"\n\
             [repository.kept]\nurl = \"elsewhere\"\n"
        )
    };
    let write = |schedule: &str| std::fs::write(place.path().join("opskit.toml"), file(schedule));
    write("24h").unwrap();
    std::fs::create_dir(place.path().join("deep")).unwrap();
    let call = |args: &[&str]| {
        Call::new(args)
            .within(&place.path().join("deep"))
            .env("SHOP_URL", &db.url())
            .run()
    };
    call(&["backup", "--init"]).code(0);
    // The only repository of the file is meant.
    assert!(place.path().join("elsewhere/backups").is_dir());
    assert_eq!(call(&["list"]).code(0).err(), "");
    write("1ms").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let listed = call(&["list", "--json"]).code(0).says("overdue by").json();
    assert_eq!(listed["overdue"][0]["target"], "shop");
    // A backup that is gone protects nobody.
    std::fs::remove_dir_all(place.path().join("elsewhere/backups")).unwrap();
    write("24h").unwrap();
    let listed = call(&["list", "--json"]).code(0).says("missing").json();
    assert!(listed["overdue"][0]["overdue_seconds"].is_null());
}

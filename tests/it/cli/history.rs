//! `history`, and what it says of a repository that somebody changed.

use super::{Call, Ended, backed_up, names, sample};
use crate::made::Made;
use opskit_tests::folder_of;
use serde_json::{Value, json};
use std::path::Path;

fn call(place: &Path, args: &[&str]) -> Ended {
    Call::new(args).within(place).run()
}

/// The keys of an object in the order in which they stand in the text.
fn keys(line: &str) -> Vec<&str> {
    line.split('"').skip(1).step_by(2).collect()
}

#[tokio::test]
async fn a_line_of_the_log_has_the_shape_that_is_promised() {
    let mut made = Made::new();
    let id = made.backup("shop", 0).await;
    made.failure("shop", 1);
    std::fs::write(
        made.path().join("opskit.toml"),
        "[target.shop]\nclass = \"production\"\nurl_env = \"SHOP_URL\"\n",
    )
    .unwrap();
    let text = call(made.path(), &["history", "--format", "log"])
        .code(0)
        .out();
    let lines: Vec<&str> = text.lines().collect();
    let [success, failure] = &lines[..] else {
        panic!("{text}")
    };
    let manifest = std::fs::read(folder_of(&made.repository, &id).join("manifest.json")).unwrap();
    let expected = format!(
        r#"{{"timestamp":"2026-01-01T12:00:00Z","type":"full","status":"success","size":"1.2GB","duration":"2m5s","location":"backups/backups/{id}","checksum":"sha256:{}","metadata":{{"version":"0.1.0","environment":"production","backup_id":"{id}","migration_version":"20240215140312"}}}}"#,
        crate::made::sha256(&manifest)
    );
    assert_eq!(*success, expected);
    let failed: Value = serde_json::from_str(failure).unwrap();
    assert_eq!(failed["status"], "failed");
    assert!(
        failed["location"].is_null() && failed["checksum"].is_null(),
        "{failed}"
    );
    let last = call(made.path(), &["history", "--format", "log", "--last", "1"]).code(0);
    assert_eq!(last.out().trim_end(), *failure);
    let other = call(
        made.path(),
        &["history", "--format", "log", "--of", "other"],
    )
    .code(0);
    assert_eq!(other.out(), "");
}

/// A real backup, a look at it, a pin: the document has all that the log has, with types, and more.
#[tokio::test]
async fn the_document_has_everything_with_types() {
    let db = sample().await;
    let (place, report) = backed_up(&db, &["--tag", "environment=staging"]);
    call(place.path(), &["verify", "latest"]).code(0);
    call(
        place.path(),
        &["pin", "latest", "--reason", "before release 4"],
    )
    .code(0);
    let failing = Call::new(["backup", "--only", "nothing"]).within(place.path());
    failing.env("DATABASE_URL", &db.url()).run().code(66);
    for args in [&["history", "--json"][..], &["history", "--format", "json"]] {
        let document = call(place.path(), args).code(0).json();
        assert_eq!(document["schema"], "opskit.history/1");
        let records = document["records"].as_array().unwrap();
        let kinds: Vec<&Value> = records.iter().map(|record| &record["kind"]).collect();
        assert_eq!(kinds, ["run", "verify", "pin", "run"]);
        let run = &records[0];
        assert_eq!(run["id"], report["id"]);
        assert_eq!((&run["rows"], &run["tables"]), (&json!(1001), &json!(2)));
        assert_eq!(run["size_bytes"], report["stored_bytes"]);
        assert!(
            run["duration_ms"].is_u64() && run["is_there"] == true,
            "{run}"
        );
        assert_eq!(run["environment"], "staging");
        assert_eq!(
            (&run["location"], &run["manifest_sha256"]),
            (&report["location"], &report["manifest_sha256"])
        );
        assert_eq!(records[3]["error"]["kind"], "not-found");
        // Each names the one before.
        for (before, after) in records.iter().zip(&records[1..]) {
            assert_eq!(
                after["previous"][0],
                json!({ "name": before["name"], "sha256": before["sha256"] })
            );
        }
    }
    assert_told_to_people(place.path());
    call(place.path(), &["history", "verify"]).code(0);
}

/// The table, and the log with its shape.
fn assert_told_to_people(place: &Path) {
    let text = call(place, &["history"]).code(0).out();
    for words in [
        "backup full",
        "success",
        "verify hash",
        "sound",
        "before release 4",
        "error: ",
        "4 records",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let log = call(place, &["history", "--format", "log"]).code(0).out();
    let shape = [
        "timestamp",
        "type",
        "status",
        "size",
        "duration",
        "location",
        "checksum",
        "metadata",
        "version",
        "environment",
        "backup_id",
        "migration_version",
    ];
    for line in log.lines() {
        let keys = keys(line);
        assert!(shape.iter().all(|key| keys.contains(key)), "{line}");
    }
}

/// What a hook did after the record was written is a record of its own, and the run's all the same.
#[tokio::test]
async fn a_hook_that_fails_later_changes_no_record() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    std::fs::write(
        place.path().join("opskit.toml"),
        "[hooks]\non_success = [\"false\"]\n",
    )
    .unwrap();
    let backup = Call::new(["backup", "--repo", "backups"]).within(place.path());
    backup
        .env("DATABASE_URL", &db.url())
        .run()
        .code(0)
        .says("hook on_success failed");
    let document = call(place.path(), &["history", "--json", "--repo", "backups"])
        .code(0)
        .json();
    assert_eq!(document["records"][0]["warnings"], json!([]));
    assert_eq!(document["records"][1]["kind"], "note");
    let warning = document["records"][1]["warnings"][0].as_str().unwrap();
    assert!(warning.contains("hook on_success failed"), "{warning}");
    call(place.path(), &["history", "verify", "--repo", "backups"]).code(0);
}

#[tokio::test]
async fn an_overdue_schedule_is_in_the_history() {
    let mut made = Made::new();
    made.backup("shop", 0).await;
    let file = "[target.shop]\nclass = \"staging\"\nurl_env = \"U\"\nschedule = \"24h\"\n";
    std::fs::write(made.path().join("opskit.toml"), file).unwrap();
    let document = call(made.path(), &["history", "--json"])
        .code(0)
        .says("overdue by")
        .json();
    assert_eq!(document["overdue"][0]["target"], "shop");
    call(made.path(), &["history", "--format", "log"])
        .code(0)
        .says("overdue by");
}

#[tokio::test]
async fn a_history_that_was_changed_is_65_and_names_the_record() {
    let mut made = Made::new();
    for day in 0..3 {
        made.backup("shop", day).await;
    }
    let history = made.path().join("backups/history");
    let records = names(&history);
    let sound = call(made.path(), &["history", "verify"]).code(0).out();
    assert!(sound.contains("3 records, 3 chained: sound"), "{sound}");
    let (_, digest) = sound.split_once("sha256:").unwrap();
    let digest = digest.lines().next().unwrap();
    call(made.path(), &["history", "verify", "--knows", digest]).code(0);
    call(made.path(), &["history", "verify", "--knows", "12"]).code(64);
    let first = history.join(&records[0]);
    let text = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, text.replace("\"rows\": 4", "\"rows\": 5")).unwrap();
    let found = call(made.path(), &["history", "verify"]).code(65).out();
    assert!(
        found.contains(&format!("edited: {}", records[0])),
        "{found}"
    );
    std::fs::remove_file(&first).unwrap();
    let found = call(made.path(), &["history", "verify", "--json"])
        .code(65)
        .json();
    assert_eq!(found["schema"], "opskit.history-verify/1");
    let told = found["faults"].as_array().unwrap().iter();
    assert!(
        told.clone()
            .any(|fault| fault["record"] == records[0] && fault["kind"] == "missing"),
        "{found}"
    );
    // A history that was emptied: the backups are there, and who kept the digest knows.
    std::fs::remove_dir_all(&history).unwrap();
    call(made.path(), &["history", "verify"]).code(65);
    let emptied = call(made.path(), &["history", "verify", "--knows", digest]).code(65);
    assert!(
        emptied.out().contains("no record has this digest"),
        "{}",
        emptied.out()
    );
}

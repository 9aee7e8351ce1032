//! `forget`, `prune` and `pin`.

use super::{Call, Ended, names, program};
use crate::made::Made;
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, Selection, VerifyLevel};
use opskit_tests::folder_of;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

fn call(place: &Path, args: &[&str]) -> Ended {
    Call::new(args).within(place).run()
}

/// Backups of a target on these days.
async fn of_days(days: impl IntoIterator<Item = u64>) -> (Made, Vec<BackupId>) {
    let mut made = Made::new();
    let mut ids = Vec::new();
    for day in days {
        ids.push(made.backup("shop", day).await);
    }
    (made, ids)
}

fn there(made: &Made) -> Vec<BackupId> {
    made.repository.backups().unwrap()
}

/// The reasons of a plan for one backup, and what becomes of it.
fn decided(plan: &Value, id: &BackupId) -> (String, Vec<String>) {
    let mut all = plan["backups"].as_array().unwrap().iter();
    let one = all.find(|decision| decision["id"] == id.as_str()).unwrap();
    let reasons = one["reasons"].as_array().unwrap().iter();
    let reasons = reasons.map(|reason| reason["reason"].as_str().unwrap().to_owned());
    (
        one["action"].as_str().unwrap().to_owned(),
        reasons.collect(),
    )
}

#[tokio::test]
async fn a_plan_changes_nothing_and_yes_does_what_it_says() {
    let (made, ids) = of_days(0..5).await;
    let rules = ["forget", "--keep-last", "2", "--keep-weekly", "1"];
    let shown = call(made.path(), &rules).code(0).says("--yes");
    for words in [
        "whole backups of shop",
        "the last one; the last of week 2026-W02",
        "no rule keeps it",
        "2 backups kept, 3 to remove",
    ] {
        assert!(shown.out().contains(words), "{words}: {}", shown.out());
    }
    assert_eq!(there(&made), ids);
    let plan = call(made.path(), &[&rules[..], &["--json"]].concat())
        .code(0)
        .json();
    assert_eq!(plan["schema"], "opskit.forget-plan/1");
    assert_eq!(
        decided(&plan, &ids[0]),
        ("remove".to_owned(), vec!["not-kept".to_owned()])
    );
    assert_eq!(decided(&plan, &ids[4]).1, ["last", "last-of", "newest"]);
    assert!(plan["freed_bytes"].as_u64().unwrap() > 0);
    let done = call(made.path(), &[&rules[..], &["--yes", "--json"]].concat())
        .code(0)
        .json();
    assert_eq!(done["schema"], "opskit.forget/1");
    assert_eq!(done["removed"].as_array().unwrap().len(), 3);
    assert_eq!(done["freed_bytes"], plan["freed_bytes"]);
    assert_eq!(there(&made), ids[3..]);
    // Nothing is left of them but their records, which fit the chain.
    assert_eq!(names(&made.path().join("backups/backups")).len(), 2);
    let history = call(made.path(), &["history", "--json"]).code(0).json();
    let records = history["records"].as_array().unwrap().iter();
    let gone: Vec<&Value> = records
        .filter(|record| record["kind"] == "forget")
        .collect();
    assert_eq!(gone.len(), 3);
    assert_eq!(gone[0]["reasons"][0], "no rule keeps it");
    assert_eq!(gone[0]["database"], "shop");
    let verified = call(made.path(), &["history", "verify"]).code(0);
    assert_eq!(verified.err(), "");
    // A second time there is nothing to do.
    let again = call(made.path(), &[&rules[..], &["--yes", "--json"]].concat())
        .code(0)
        .json();
    assert_eq!(again["removed"], serde_json::json!([]));
}

#[tokio::test]
async fn a_pin_holds_until_it_ends_or_is_taken_away() {
    let (made, ids) = of_days(0..3).await;
    let id = ids[0].as_str();
    let pin = ["pin", id, "--reason", "audit 2026", "--until", "2999-01-01"];
    let told = Call::new(pin)
        .within(made.path())
        .env("USER", "ann")
        .run()
        .code(0)
        .out();
    assert!(told.contains("pinned until 2999-01-01T00:00:00Z"), "{told}");
    call(made.path(), &["pin", id])
        .code(64)
        .says("pinned already")
        .says("--remove");
    let listed = call(made.path(), &["list", "--json"]).code(0).json();
    assert_eq!(listed["backups"][0]["pin"]["by"], "ann");
    assert_eq!(listed["backups"][0]["pin"]["reason"], "audit 2026");
    assert!(
        call(made.path(), &["list"])
            .code(0)
            .out()
            .contains("pinned until 2999-01-01")
    );
    let forget = ["forget", "--keep-last", "1", "--yes"];
    let told = call(made.path(), &forget).code(0).out();
    assert!(
        told.contains("pinned by ann until 2999-01-01T00:00:00Z: audit 2026"),
        "{told}"
    );
    assert_eq!(there(&made), [ids[0].clone(), ids[2].clone()]);
    // By name neither.
    call(made.path(), &["forget", id, "--yes"])
        .code(1)
        .says("pinned by ann");
    call(made.path(), &["pin", id, "--remove"]).code(0);
    call(made.path(), &["pin", id, "--remove"])
        .code(66)
        .says("has no pin");
    call(made.path(), &["history", "verify"]).code(0);
}

#[tokio::test]
async fn a_pin_that_ended_holds_nothing_and_one_that_cannot_be_read_does() {
    let (made, ids) = of_days(0..3).await;
    let id = ids[0].as_str();
    call(made.path(), &["pin", id]).code(0);
    let ended = format!(
        r#"{{"version":1,"id":"{id}","by":"ann","at":"2026-01-01T00:00:00Z","reason":null,"until":"2026-01-02T00:00:00Z"}}"#
    );
    let file = made.path().join(format!("backups/pins/{id}.json"));
    fs::write(&file, ended).unwrap();
    let plan = call(made.path(), &["forget", "--keep-last", "1", "--json"])
        .code(0)
        .json();
    assert_eq!(decided(&plan, &ids[0]).0, "remove");
    // One that cannot be read does.
    fs::write(&file, "{").unwrap();
    let plan = call(made.path(), &["forget", "--keep-last", "1", "--json"])
        .code(0)
        .json();
    assert_eq!(decided(&plan, &ids[0]).1, ["unreadable-pin"]);
    call(made.path(), &["list"])
        .code(0)
        .says("a pin cannot be read, and holds");
    call(made.path(), &["pin", "20200101T000000Z-00000000"]).code(66);
    call(made.path(), &["pin", "latest", "--until", "yesterday"])
        .code(64)
        .says("--until");
    call(made.path(), &["pin", "latest", "--until", "2020-01-01"])
        .code(64)
        .says("before it begins");
    call(made.path(), &["history", "verify"]).code(0);
}

/// Verifications and drills count; what nobody looked at is not removed for want of them.
#[tokio::test]
async fn a_minimum_of_verified_backups_is_refused_or_kept() {
    let (made, ids) = of_days(0..5).await;
    let forget = [
        "forget",
        "--keep-last",
        "1",
        "--keep-verified",
        "2",
        "--yes",
        "--json",
    ];
    let refused = call(made.path(), &forget)
        .code(1)
        .says("2 verified backups have to stay and 0");
    assert_eq!(refused.json()["removed"], serde_json::json!([]));
    assert_eq!(there(&made), ids);
    // A look at sizes proves nothing.
    for id in [&ids[0], &ids[1]] {
        call(made.path(), &["verify", id.as_str(), "--level", "list"]).code(0);
    }
    call(made.path(), &forget).code(1);
    for id in [&ids[0], &ids[1], &ids[2]] {
        call(made.path(), &["verify", id.as_str()]).code(0);
    }
    // One that was found bad later is good no more, and stays all the same.
    let model = folder_of(&made.repository, &ids[2]).join("schema/model");
    fs::write(&model, "[]").unwrap();
    call(made.path(), &["verify", ids[2].as_str()]).code(65);
    let plan = call(made.path(), &[&forget[..5], &["--json"]].concat())
        .code(0)
        .says("found bad")
        .json();
    assert_eq!(decided(&plan, &ids[1]).1, ["verified"]);
    assert_eq!(decided(&plan, &ids[2]).1, ["refuted"]);
    let done = call(made.path(), &forget).code(0).json();
    assert_eq!(done["removed"], serde_json::json!([ids[3]]));
}

/// What was looked at is no longer what is there: it does not count.
#[tokio::test]
async fn a_manifest_that_nobody_looked_at_is_not_verified() {
    let (made, ids) = of_days(0..3).await;
    for id in [&ids[0], &ids[1]] {
        call(made.path(), &["verify", id.as_str()]).code(0);
    }
    let sealed = folder_of(&made.repository, &ids[0]).join("manifest.json");
    let text = fs::read_to_string(&sealed).unwrap();
    fs::write(
        &sealed,
        text.replace("2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z"),
    )
    .unwrap();
    call(
        made.path(),
        &["forget", "--keep-last", "1", "--keep-verified", "2"],
    )
    .code(1);
    let plan = call(
        made.path(),
        &[
            "forget",
            "--keep-last",
            "1",
            "--keep-verified",
            "3",
            "--json",
        ],
    )
    .json();
    let verified = plan["backups"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["verified"] == true);
    assert_eq!(verified.count(), 1, "{plan}");
}

#[tokio::test]
async fn nothing_goes_after_a_failed_run() {
    let (mut made, ids) = of_days(0..3).await;
    made.failure("shop", 4);
    made.backup("copy", 1).await;
    made.backup("copy", 2).await;
    let forget = ["forget", "--keep-last", "1", "--yes"];
    call(made.path(), &forget)
        .code(1)
        .says("of \"shop\" none is removed: the last run");
    let shop = |made: &Made| {
        there(made)
            .into_iter()
            .filter(|id| ids.contains(id))
            .count()
    };
    assert_eq!(
        (shop(&made), there(&made).len()),
        (3, 4),
        "the other database is another matter"
    );
    call(
        made.path(),
        &[&forget[..], &["--even-after-failure"]].concat(),
    )
    .code(0);
    assert_eq!(shop(&made), 1);
    // A record that cannot be read could be that of a failure.
    let (made, ids) = of_days(0..3).await;
    let last = names(&made.path().join("backups/history")).pop().unwrap();
    fs::write(made.path().join("backups/history").join(last), "{").unwrap();
    call(made.path(), &forget).code(1).says("cannot be told");
    assert_eq!(there(&made), ids);
}

#[tokio::test]
async fn rules_are_those_of_the_file_and_of_the_class() {
    let (made, ids) = of_days([0, 60, 75, 85, 89]).await;
    let forget = |more: &[&str]| {
        let plan = call(made.path(), &[&["forget", "--json"], more].concat())
            .code(0)
            .json();
        plan["removals"].as_array().unwrap().len()
    };
    call(made.path(), &["forget"])
        .code(64)
        .says("no rule says")
        .says("--keep-within");
    call(made.path(), &["forget", "--keep-verified", "1"])
        .code(64)
        .says("no rule says");
    let file = |text: &str| fs::write(made.path().join("opskit.toml"), text).unwrap();
    let target = |class: &str| {
        format!(
            "[target.shop]\nclass = \"{class}\"\nurl_env = \"U\"\n[repository.main]\nurl = \"backups\"\n"
        )
    };
    // By the newest one, and not by today.
    file(&target("production"));
    assert_eq!(forget(&[]), 1);
    file(&target("staging"));
    assert_eq!(forget(&[]), 3);
    file(&target("scratch"));
    call(made.path(), &["forget"]).code(64);
    file(&format!(
        "{}[retention.scratch]\nkeep_last = 2\n",
        target("scratch")
    ));
    assert_eq!(forget(&[]), 3);
    file(&format!(
        "{}[target.shop.retention]\nkeep_last = 4\n",
        target("staging")
    ));
    assert_eq!(forget(&[]), 1);
    file(&format!(
        "{}retention = {{ keep_yearly = 1 }}\n",
        target("staging")
    ));
    assert_eq!(forget(&[]), 4);
    // A directory that is typed has no rules of its own; rules that are typed stand over all.
    assert_eq!(forget(&["--repo", "./backups"]), 3);
    assert_eq!(forget(&["--keep-last", "3"]), 2);
    file("[retention.staging]\nkeep_last = 0\n");
    call(made.path(), &["forget"])
        .code(64)
        .says("line 2")
        .says("keep_last");
    assert_eq!(there(&made), ids);
}

/// Backups of several databases, of some tables, and such that cannot be read are not counted together.
#[tokio::test]
async fn what_is_not_alike_is_counted_apart() {
    let (mut made, ids) = of_days(0..2).await;
    let part = made.backup_of("shop", 5, Selection::Some).await;
    let copy = made.backup("copy", 0).await;
    let broken = made.backup("shop", 6).await;
    fs::write(
        folder_of(&made.repository, &broken).join("manifest.sealed"),
        "{",
    )
    .unwrap();
    let forget = ["forget", "--keep-last", "1", "--yes"];
    call(made.path(), &forget)
        .code(0)
        .says("cannot be read, and is kept");
    let left: BTreeSet<BackupId> = there(&made).into_iter().collect();
    assert_eq!(
        left,
        BTreeSet::from([ids[1].clone(), part, copy.clone(), broken.clone()])
    );
    // Those of one database alone.
    let plan = call(
        made.path(),
        &["forget", "--keep-last", "1", "--of", "copy", "--json"],
    )
    .code(0)
    .json();
    assert!(
        plan["backups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == copy.as_str())
    );
    assert!(
        !plan["backups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == ids[1].as_str())
    );
    // By name, what cannot be read goes.
    call(made.path(), &["forget", broken.as_str(), "--yes"]).code(0);
    assert!(!there(&made).contains(&broken));
}

#[tokio::test]
async fn named_backups_go_and_the_newest_stays() {
    let (made, ids) = of_days(0..3).await;
    call(made.path(), &["forget", ids[1].as_str(), "--yes"]).code(0);
    assert_eq!(there(&made), [ids[0].clone(), ids[2].clone()]);
    let ended = call(made.path(), &["forget", ids[2].as_str(), "--yes"]).code(1);
    ended.says("the newest whole backup of its database");
    call(made.path(), &["forget", ids[1].as_str()])
        .code(66)
        .says("has no backup");
    call(made.path(), &["forget", "latest"]).code(64);
    call(
        made.path(),
        &["forget", ids[0].as_str(), "--keep-last", "1"],
    )
    .code(64);
    assert_eq!(there(&made).len(), 2);
}

/// As kill -9 leaves a removal: no manifest, the lock file without its lock.
fn cut_down(made: &Made, id: &BackupId) {
    let folder = folder_of(&made.repository, id);
    fs::remove_file(folder.join("manifest.json")).unwrap();
    let lock = File::create(folder.join("writer.lock")).unwrap();
    lock.set_modified(SystemTime::now() - Duration::from_secs(3600))
        .unwrap();
}

#[tokio::test]
async fn prune_sweeps_what_a_killed_run_left() {
    let (made, ids) = of_days(0..3).await;
    call(made.path(), &["prune"]).code(0);
    cut_down(&made, &ids[1]);
    let listed = call(made.path(), &["list", "--json"]).code(0).json();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 2);
    let shown = call(made.path(), &["prune"]).code(0).says("--yes").out();
    assert!(
        shown.contains(ids[1].as_str()) && shown.contains("1 leftover to remove"),
        "{shown}"
    );
    let plan = call(made.path(), &["prune", "--json"]).code(0).json();
    assert_eq!(plan["schema"], "opskit.prune-plan/1");
    assert_eq!(plan["leftovers"][0]["objects"], 2);
    assert!(folder_of(&made.repository, &ids[1]).exists());
    let done = call(made.path(), &["prune", "--yes", "--json"])
        .code(0)
        .json();
    assert_eq!(
        (&done["schema"], &done["removed"]),
        (&"opskit.prune/1".into(), &plan["leftovers"])
    );
    assert!(!folder_of(&made.repository, &ids[1]).exists());
    assert_eq!(there(&made), [ids[0].clone(), ids[2].clone()]);
    // Who took the manifest away has to say; no writer left that.
    fs::remove_file(folder_of(&made.repository, &ids[0]).join("manifest.json")).unwrap();
    call(made.path(), &["prune", "--yes"])
        .code(0)
        .says("no manifest");
    assert!(
        folder_of(&made.repository, &ids[0])
            .join("schema/model")
            .exists()
    );
}

/// Killed at any moment: what the plan keeps is there and whole, nothing half is seen, and the same command ends it.
#[tokio::test]
async fn a_removal_that_is_killed_loses_nothing_that_stays() {
    for turn in 0..12_u64 {
        let (made, ids) = of_days(0..30).await;
        let forget = ["forget", "--keep-last", "3", "--keep-weekly", "2", "--yes"];
        let mut child = Command::new(program())
            .args(forget)
            .current_dir(made.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Moments from before the first removal to after the last.
        std::thread::sleep(Duration::from_millis(4 * turn));
        child.kill().unwrap();
        child.wait().unwrap();
        let left = there(&made);
        for id in &left {
            let found = made
                .repository
                .verify(&OpContext::default(), id, VerifyLevel::Decode);
            assert_eq!(found.unwrap().faults, [], "{id}");
        }
        // The last three, and the last of the week before.
        for day in [24, 27, 28, 29] {
            assert!(left.contains(&ids[day]), "{turn}: {day}");
        }
        call(made.path(), &forget).code(0);
        assert_eq!(there(&made).len(), 4, "{turn}");
        made.repository.sweep().unwrap();
        assert_eq!(
            names(&made.path().join("backups/backups")).len(),
            4,
            "{turn}"
        );
        call(made.path(), &["history", "verify"]).code(0);
    }
}

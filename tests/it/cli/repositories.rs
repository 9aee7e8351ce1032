//! Where backups are kept: a repository that is not there, who may read one, a history that is damaged.

use super::{Call, backed_up, names, sample};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A project with a repository on a disk of its own, and a hook that keeps what it is told.
fn project() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = "default_target = \"shop\"\n[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\n\
        [repository.main]\nurl = \"disk/backups\"\n[hooks]\non_failure = [\"cp\", \"/dev/stdin\", \"told.json\"]\n";
    std::fs::write(place.path().join("opskit.toml"), text).unwrap();
    place
}

fn backup(place: &Path, more: &[&str]) -> Call {
    Call::new(["backup"].iter().chain(more)).within(place)
}

fn told(place: &Path) -> Value {
    let path = place.join("told.json");
    let document = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    std::fs::remove_file(path).unwrap();
    document
}

/// A mount point without its disk is an empty directory: no backup is made there unasked.
#[tokio::test]
async fn a_repository_that_is_gone_is_not_made_anew() {
    let db = sample().await;
    let place = project();
    let call = |more: &[&str]| backup(place.path(), more).env("SHOP_URL", &db.url()).run();
    for repo in [&[][..], &["--repo", "main"]] {
        let ended = call(repo).code(66);
        ended
            .says("repository \"main\" of opskit.toml")
            .says("--init")
            .says("mounted");
        assert!(!place.path().join("disk").exists());
        let told = told(place.path());
        assert_eq!(told["schema"], "opskit.run/1");
        assert_eq!(
            (&told["status"], &told["target"]),
            (&"failed".into(), &"shop".into())
        );
        assert_eq!(told["database"], db.name());
        assert_eq!(told["error"]["kind"], "not-found");
    }
    call(&["--init"]).code(0);
    call(&[]).code(0);
    std::fs::remove_dir_all(place.path().join("disk/backups")).unwrap();
    std::fs::create_dir(place.path().join("disk/backups")).unwrap();
    call(&[]).code(66).says("--init");
    // A directory that was typed is meant.
    call(&["--repo", "elsewhere"]).code(0);
}

/// Whatever keeps a backup from beginning is told to the hook, once the hook is known.
#[tokio::test]
async fn what_keeps_a_backup_from_beginning_is_told() {
    let db = sample().await;
    let place = project();
    std::fs::write(place.path().join("file"), "x").unwrap();
    let url = db.url();
    for (args, url, code, kind) in [
        (&["--repo", "file"][..], Some(&url), 74, "storage"),
        (&["--only", "a.b.c"], Some(&url), 64, "invalid-input"),
        (&["--db", "shop"], None, 64, "invalid-input"),
        (&[], None, 64, "invalid-input"),
        (&["--db", "ship"], Some(&url), 66, "not-found"),
    ] {
        let mut call = backup(place.path(), args);
        if let Some(url) = url {
            call = call.env("SHOP_URL", url);
        }
        call.run().code(code);
        let told = told(place.path());
        assert_eq!(told["error"]["kind"], kind, "{args:?}: {told}");
        let target = if args.contains(&"ship") {
            "ship"
        } else {
            "shop"
        };
        assert_eq!(told["target"], target, "{args:?}: {told}");
    }
    // A plan is no run.
    backup(place.path(), &["--plan"]).run().code(64);
    assert!(!place.path().join("told.json").exists());
}

/// Backups hold everything that the database holds.
#[tokio::test]
async fn nobody_else_may_read_a_repository() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let script = "umask 022; exec \"$OPSKIT\" backup --repo \"$PWD/deep/kept\"";
    let made = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(place.path())
        .env("OPSKIT", super::program())
        .env("DATABASE_URL", db.url())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let mut seen = 0;
    let mut left = vec![place.path().join("deep/kept")];
    while let Some(path) = left.pop() {
        let metadata = std::fs::metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{} has {mode:o}", path.display());
        if metadata.is_dir() {
            left.extend(names(&path).iter().map(|name| path.join(name)));
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
    // What stands above it, and what is exported, is as the umask says.
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path().join("deep")), 0o755);
    let script = "umask 022; \"$OPSKIT\" export t -o t.csv && \"$OPSKIT\" export t -o all/";
    let made = std::process::Command::new("sh")
        .args(["-c", script])
        .current_dir(place.path())
        .env("OPSKIT", super::program())
        .env("DATABASE_URL", db.url())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    assert_eq!(mode(&place.path().join("t.csv")), 0o644);
    assert_eq!(mode(&place.path().join("all")), 0o755);
    assert_eq!(mode(&place.path().join("all/manifest.json")), 0o644);
}

/// One record that cannot be read takes nothing from the list.
#[tokio::test]
async fn a_damaged_history_is_a_warning_of_the_list() {
    let db = sample().await;
    let (place, report) = backed_up(&db, &[]);
    let history = place.path().join("backups/history");
    let record = names(&history).pop().unwrap();
    std::fs::write(history.join(&record), "{").unwrap();
    let file = "[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\nschedule = \"24h\"\n";
    std::fs::write(place.path().join("opskit.toml"), file).unwrap();
    let call = |args: &[&str]| Call::new(args).within(place.path()).run();
    let listed = call(&["list", "--json"])
        .code(0)
        .says("warning: ")
        .says(&record);
    let listed = listed.json();
    assert_eq!(listed["backups"][0]["id"], report["id"]);
    assert_eq!(listed["warnings"].as_array().unwrap().len(), 1);
    assert!(listed["overdue"][0]["overdue_seconds"].is_null());
    let text = call(&["list"]).code(0).out();
    assert!(text.contains(report["id"].as_str().unwrap()), "{text}");
}

/// A run of some rows, or of none, is not the backup that a schedule waits for.
#[tokio::test]
async fn only_a_whole_backup_keeps_a_schedule() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let file = "default_target = \"shop\"\n[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\nschedule = \"24h\"\n\
        exclude = ['\"Odd.Name\"']\n";
    std::fs::write(place.path().join("opskit.toml"), file).unwrap();
    let call = |args: &[&str]| {
        let call = Call::new(args).within(place.path());
        call.env("SHOP_URL", &db.url()).run()
    };
    for part in [
        &["--type", "schema"][..],
        &["--only", "t"],
        &["--exclude", "t"],
        &["--ignore-schema", "nothing"],
    ] {
        call(&[&["backup"], part].concat()).code(0);
        call(&["list"]).code(0).says("is missing");
    }
    // What the target leaves out each time is not missing.
    call(&["backup"]).code(0);
    assert_eq!(call(&["list"]).code(0).err(), "");
}

//! Repositories in object stores, as users name them.

use super::{Call, Ended, sample};
use opskit_tests::database;
use opskit_tests::stores::StoreServer;
use std::path::Path;

fn call(server: &StoreServer, args: &[&str], place: &Path) -> Call {
    let call = Call::new(args).within(place);
    let vars = server.vars().iter();
    vars.fold(call, |call, (name, value)| call.env(name, value))
}

/// The loop by commands: all take the URL, by `--repo`, the variable or `opskit.toml`.
#[tokio::test]
async fn every_command_takes_a_url() {
    let db = sample().await;
    for server in StoreServer::all() {
        let place = tempfile::tempdir().unwrap();
        let url = server.text("some/where");
        let toml = format!(
            "[repository.far]\nurl = \"{url}\"\n[repository.near]\nurl = \"copies\"\n[repository.third]\nurl = \"{}\"\n",
            server.text("third")
        );
        std::fs::write(place.path().join("opskit.toml"), toml).unwrap();
        let mut told = String::new();
        let mut run = |args: &[&str]| -> Ended {
            let ended = call(&server, args, place.path())
                .env("DATABASE_URL", &db.url())
                .run();
            told.push_str(&ended.err());
            told.push_str(&String::from_utf8_lossy(&ended.0.stdout));
            ended
        };
        run(&["list", "--repo", &url]).code(66);
        run(&["backup", "--repo", "far"]).code(66).says("--init");
        let made = run(&["backup", "--repo", "far", "--init", "--json"])
            .code(0)
            .json();
        let id = made["id"].as_str().unwrap();
        assert!(
            made["location"]
                .as_str()
                .unwrap()
                .contains(&format!("some/where/backups/{id}"))
        );
        let listed = run(&["list", "--repo", &url, "--json"]).code(0).json();
        assert_eq!(listed["backups"][0]["id"], id);
        run(&["show", id, "--repo", &url]).code(0);
        let verified = run(&[
            "verify", "latest", "--repo", "far", "--level", "decode", "--json",
        ]);
        assert_eq!(verified.code(0).json()["faults"], serde_json::json!([]));
        let near = run(&["copy", "latest", "--repo", "far", "--to", "near", "--json"])
            .code(0)
            .json();
        assert_eq!(
            (&near["schema"], &near["outcome"]),
            (&"opskit.copy/1".into(), &"copied".into())
        );
        for words in ["read again where they arrived", "there already"] {
            let copied = run(&["copy", id, "--repo", "near", "--to", "third"]).code(0);
            assert!(copied.out().contains(words), "{}", copied.out());
        }
        let target = database().await;
        run(&["restore", id, "--repo", "third", "--to", &target.url()]).code(0);
        run(&["config", "check"]).code(0);
        keep_the_last(&mut run, id);
        for secret in server.secrets() {
            assert!(!told.contains(&secret), "{}: {told}", server.name);
        }
    }
}

/// Retention and history, at the original and at a copy of it.
fn keep_the_last(run: &mut impl FnMut(&[&str]) -> Ended, first: &str) {
    let made = run(&["backup", "--repo", "far", "--json"]).code(0).json();
    let second = made["id"].as_str().unwrap();
    run(&["copy", second, "--repo", "far", "--to", "near"]).code(0);
    run(&["pin", first, "--repo", "far"]).code(0);
    for (place, held) in [("far", true), ("near", false), ("far", false)] {
        let keep = ["forget", "--repo", place, "--keep-last", "1", "--json"];
        let plan = run(&keep).code(0).json();
        assert_eq!(
            plan["removals"].as_array().unwrap().len(),
            usize::from(!held)
        );
        run(&[&keep[..], &["--yes"]].concat()).code(0);
        let left = run(&["list", "--repo", place, "--json"]).code(0).json();
        let left = left["backups"].as_array().unwrap();
        assert_eq!(left.len(), 1 + usize::from(held), "{place}: {left:?}");
        assert_eq!(left.last().unwrap()["id"], second);
        let pruned = run(&["prune", "--repo", place, "--json"]).code(0).json();
        assert_eq!(pruned["leftovers"], serde_json::json!([]), "{place}");
        run(&["history", "verify", "--repo", place]).code(0);
        let log = run(&["history", "--repo", place, "--format", "log"])
            .code(0)
            .out();
        assert_eq!(log.lines().count(), 2, "{log}");
        if held {
            run(&["pin", first, "--remove", "--repo", place]).code(0);
        }
    }
    run(&["verify", "latest", "--repo", "near", "--level", "decode"]).code(0);
}

/// Nothing of a URL that holds a password is repeated, wherever it was written.
#[test]
fn credentials_in_a_url_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let url = "s3://AKID:s3cret@box/x";
    std::fs::write(
        place.path().join("opskit.toml"),
        format!("[repository.far]\nurl = \"{url}\"\n"),
    )
    .unwrap();
    for args in [
        &["list", "--repo", url][..],
        &["list"],
        &["config", "check"],
        &["config", "show"],
        &["list", "--json"],
    ] {
        let ended = Call::new(args).within(place.path()).run();
        let told = format!("{}{}", ended.err(), ended.out());
        assert!(!told.contains("s3cret"), "{args:?}: {told}");
        if args[0] == "list" {
            assert!(told.contains("no credentials"), "{args:?}: {told}");
            ended.code(64);
        }
    }
}

//! `opskit.toml` as its users meet it.

use super::{Call, sample};
use std::path::Path;

const FILE: &str =
    "default_target = \"shop\"\n\n[target.shop]\nclass = \"production\"\nurl_env = \"SHOP_URL\"\n";

fn project(text: &str) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("opskit.toml"), text).unwrap();
    std::fs::create_dir(place.path().join("deep")).unwrap();
    place
}

fn within(place: &Path, args: &[&str]) -> Call {
    Call::new(args).within(&place.join("deep"))
}

#[tokio::test]
async fn a_target_is_found_upwards_and_by_name() {
    let db = sample().await;
    let place = project(FILE);
    for db_args in [&["--db", "shop"][..], &[]] {
        let args = [&["export", "t", "-o", "-", "--format", "csv"], db_args].concat();
        let ended = within(place.path(), &args).env("SHOP_URL", &db.url()).run();
        assert!(ended.code(0).out().starts_with("id,amount"));
    }
    let unknown = within(place.path(), &["export", "t", "--db", "ship"]).run();
    unknown.code(66).says("no target \"ship\"").says("shop");
    let unset = within(place.path(), &["export", "t"]).run();
    unset.code(64).says("SHOP_URL is not set");
}

#[tokio::test]
async fn limits_of_the_file_hold_where_nothing_is_typed() {
    let db = sample().await;
    let place = project("[limits]\njobs = 200\nmemory = \"64MiB\"\n");
    let args = ["export", "t", "-o", "-", "--format", "csv"];
    let call = |more: &[&str]| {
        let args = [&args[..], more].concat();
        within(place.path(), &args)
            .env("DATABASE_URL", &db.url())
            .run()
    };
    call(&[]).code(64).says("--memory is too small");
    call(&["--jobs", "2"]).code(0);
}

#[test]
fn check_and_show_tell_no_secret() {
    let place = project(FILE);
    let url = "postgres://ann:hunter2@db.example.com/shop";
    let show = within(place.path(), &["config", "show"])
        .env("SHOP_URL", url)
        .run()
        .code(0);
    assert!(
        show.out()
            .contains("postgresql://ann:***@db.example.com:5432/shop"),
        "{}",
        show.out()
    );
    let json = within(place.path(), &["config", "show", "--json"])
        .env("SHOP_URL", url)
        .run()
        .code(0);
    assert_eq!(json.json()["targets"]["shop"]["class"], "production");
    assert!(!format!("{}{}", json.out(), show.out()).contains("hunter2"));
    within(place.path(), &["config", "check"])
        .env("SHOP_URL", url)
        .run()
        .code(0);
    within(place.path(), &["config", "check"])
        .run()
        .code(1)
        .says("SHOP_URL");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let place = project("[target.shop]\nclass = \"prod\"\nurl_env = \"A\"\n");
    within(place.path(), &["config", "check"])
        .run()
        .code(64)
        .says("line 2");
    let nowhere = tempfile::tempdir().unwrap();
    Call::new(["config", "check"])
        .within(nowhere.path())
        .run()
        .code(66)
        .says("no opskit.toml");
}

#[test]
fn hooks_are_shown_without_their_secrets() {
    let place = project(
        "[hooks]\non_success = \"https://hooks.example.com/T0/hunter2\"\non_failure = { url_env = \"ALERT_URL\" }\n",
    );
    let call = |what: &str| within(place.path(), &["config", what]);
    let shown = call("show").run().code(0).out();
    assert!(
        shown.contains("hook on_success: a URL at hooks.example.com"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    call("check").run().code(1).says("ALERT_URL is not set");
    let set = call("check")
        .env("ALERT_URL", "https://hooks.example.com/T1")
        .run();
    set.code(0);
    let wrong = call("check").env("ALERT_URL", "hunter2").run().code(1);
    assert!(
        !wrong
            .says("ALERT_URL holds no URL")
            .err()
            .contains("hunter2")
    );
}

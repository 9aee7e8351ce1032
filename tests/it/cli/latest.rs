//! Which backup `latest` is, and which database it is of.

use super::{Call, sample};
use opskit_tests::{TestDb, database};
use serde_json::Value;
use std::path::Path;

/// Two targets with a repository for both.
const BOTH: &str = "[target.shop]\nclass = \"staging\"\nurl_env = \"SHOP_URL\"\n\
    [target.copy]\nclass = \"scratch\"\nurl_env = \"COPY_URL\"\n";

struct Project {
    place: tempfile::TempDir,
    shop: TestDb,
    copy: TestDb,
}

impl Project {
    async fn new(file: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("opskit.toml"), file).unwrap();
        let (shop, copy) = (sample().await, database().await);
        copy.psql("create table stale (id int)").await;
        Self { place, shop, copy }
    }

    fn call(&self, args: &[&str]) -> Call {
        Call::new(args)
            .within(self.place.path())
            .env("SHOP_URL", &self.shop.url())
            .env("COPY_URL", &self.copy.url())
    }

    fn backup(&self, args: &[&str]) -> String {
        let args = [&["backup", "--json"], args].concat();
        let report = self.call(&args).run().code(0).json();
        next_second();
        report["id"].as_str().unwrap().to_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        let args = [args, &["--json"]].concat();
        self.call(&args).run().code(0).json()
    }
}

/// Names of backups have seconds: two of one second have no order.
fn next_second() {
    std::thread::sleep(std::time::Duration::from_millis(1010));
}

#[tokio::test]
async fn latest_of_several_databases_has_to_be_told() {
    let project = Project::new(BOTH).await;
    let shop = project.backup(&["--db", "shop"]);
    let copy = project.backup(&["--db", "copy"]);
    let target = database().await;
    let to = target.url();
    for args in [
        &["restore", "latest", "--to", &to, "--clean"][..],
        &["drill", "latest"],
        &["verify", "latest"],
        &["show", "latest"],
    ] {
        let ended = project.call(args).run().code(64);
        ended
            .says("more than one database")
            .says("--of: copy, shop;");
    }
    assert_eq!(
        project.json(&["verify", "latest", "--of", "shop"])["id"],
        shop
    );
    let shown = project.json(&["show", "latest", "--of", "copy"]);
    assert_eq!(shown["manifest"]["id"], copy);
    // The database's own name will do.
    let own = project.copy.name();
    assert_eq!(project.json(&["verify", "latest", "--of", own])["id"], copy);
    let ended = project.call(&["verify", "latest", "--of", "nobody"]).run();
    ended.code(66).says("no backup of \"nobody\"");
    let ended = project.call(&["verify", &copy, "--of", "shop"]).run();
    ended.code(66).says("is not of \"shop\"");
    project.call(&["verify", &copy]).run().code(0);
    let plan = ["restore", "latest", "--to", &to, "--plan", "--of", "shop"];
    let document = project.json(&plan);
    assert_eq!(document["backup"], shop);
    assert_eq!(document["source"]["target"], "shop");
    assert_eq!(document["source"]["database"], project.shop.name());
    assert_eq!(document["source"]["type"], "full");
    let text = project.call(&plan).run().code(0).out();
    let words = format!(
        "full backup of target \"shop\", database \"{}\"",
        project.shop.name()
    );
    assert!(text.contains(&words), "{text}");
}

#[tokio::test]
async fn the_list_tells_what_each_backup_is_of() {
    let project = Project::new(BOTH).await;
    let shop = project.backup(&["--db", "shop"]);
    project.backup(&["--db", "copy", "--type", "schema"]);
    let listed = project.json(&["list"]);
    let [first, second] = &listed["backups"].as_array().unwrap()[..] else {
        panic!("{listed}")
    };
    assert_eq!(
        (&first["id"], &first["target"]),
        (&shop.into(), &"shop".into())
    );
    assert_eq!(first["database"], project.shop.name());
    assert_eq!(
        (&first["type"], &second["type"]),
        (&"full".into(), &"schema".into())
    );
    let text = project.call(&["list"]).run().code(0).out();
    for words in [
        "shop",
        project.shop.name(),
        "copy",
        project.copy.name(),
        "schema",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let only = project.json(&["list", "--of", "copy"]);
    assert_eq!(only["backups"].as_array().unwrap().len(), 1);
    let text = project
        .call(&["show", "latest", "--of", "copy"])
        .run()
        .out();
    assert!(
        text.contains("target     copy") && text.contains("type       schema"),
        "{text}"
    );
}

/// A backup without rows is no backup to restore or to drill, unless that is what is asked for.
#[tokio::test]
async fn latest_holds_rows() {
    let project = Project::new(BOTH).await;
    let full = project.backup(&["--db", "shop"]);
    let schema = project.backup(&["--db", "shop", "--type", "schema"]);
    let target = database().await;
    let to = target.url();
    let plan = ["restore", "latest", "--to", &to, "--plan"];
    assert_eq!(project.json(&plan)["backup"], full);
    let objects = [&plan[..], &["--schema-only"]].concat();
    assert_eq!(project.json(&objects)["backup"], schema);
    assert_eq!(project.json(&["verify", "latest"])["id"], schema);
    let drill = project.json(&["drill"]);
    assert_eq!(
        (&drill["backup"], &drill["source"]["target"]),
        (&full.into(), &"shop".into())
    );
    std::fs::remove_dir_all(project.place.path().join("backups")).unwrap();
    let schema = project.backup(&["--db", "shop", "--type", "schema"]);
    project
        .call(&["drill"])
        .run()
        .code(66)
        .says("no backup with rows yet");
    // One that is named is what it is.
    let named = ["restore", &schema, "--to", &to, "--plan"];
    assert_eq!(project.json(&named)["source"]["type"], "schema");
}

/// Whoever asks for the latest learns that it is damaged, and does not get an older one.
#[tokio::test]
async fn a_latest_that_cannot_be_read_is_no_older_one() {
    let project = Project::new(BOTH).await;
    project.backup(&["--db", "shop"]);
    let last = project.backup(&["--db", "shop"]);
    let folder = project.place.path().join("backups/backups").join(&last);
    std::fs::write(folder.join("manifest.sealed"), "{").unwrap();
    for args in [&["show", "latest"][..], &["show", "latest", "--of", "shop"]] {
        project.call(args).run().code(65).says(&last);
    }
    let listed = project.call(&["list", "--json"]).run().code(65).json();
    assert!(listed["backups"][1]["error"].is_string(), "{listed}");
}

/// What `backup` writes to without being told, the others read.
#[tokio::test]
async fn the_repository_of_the_default_target_is_meant() {
    let file = format!(
        "default_target = \"shop\"\n{}[repository.main]\nurl = \"main\"\n[repository.other]\nurl = \"other\"\n",
        BOTH.replacen("SHOP_URL\"\n", "SHOP_URL\"\nrepository = \"main\"\n", 1)
            .replacen("COPY_URL\"\n", "COPY_URL\"\nrepository = \"other\"\n", 1)
    );
    let project = Project::new(&file).await;
    let shop = project.backup(&["--init"]);
    let copy = project.backup(&["--init", "--db", "copy"]);
    assert!(Path::new(&project.place.path().join("other/backups").join(&copy)).is_dir());
    assert_eq!(project.json(&["list"])["backups"][0]["id"], shop);
    assert_eq!(
        project.json(&["list", "--of", "copy"])["backups"][0]["id"],
        copy
    );
    assert_eq!(project.json(&["show", "latest"])["manifest"]["id"], shop);
    assert_eq!(project.json(&["verify", "latest"])["id"], shop);
    assert_eq!(
        project.json(&["verify", "latest", "--of", "copy"])["id"],
        copy
    );
    assert_eq!(project.json(&["drill"])["backup"], shop);
    // By the URL of a target, as `backup` finds it.
    let by_url = project
        .call(&["list", "--json"])
        .env("DATABASE_URL", &project.copy.url());
    assert_eq!(by_url.run().code(0).json()["backups"][0]["id"], copy);
}

//! `opskit migrate`, as people and pipelines meet it.

use super::{Call, Ended, names};
use opskit_tests::TestDb;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const ORDERS: &str =
    "create table orders (id int primary key, note text);\ninsert into orders values (1, 'a');\n";

/// A project with one target, and its database.
struct Project {
    dir: TempDir,
    db: TestDb,
}

impl Project {
    async fn new(class: &str) -> Self {
        let (dir, db) = (tempfile::tempdir().unwrap(), opskit_tests::database().await);
        let text = format!(
            "default_target = \"shop\"\n[target.shop]\nclass = \"{class}\"\nurl_env = \"SHOP_URL\"\n"
        );
        fs::write(dir.path().join("opskit.toml"), text).unwrap();
        let project = Self { dir, db };
        project.file("1_orders.sql", ORDERS);
        project
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str, text: &str) {
        let folder = self.path().join("migrations");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }

    fn settings(&self, more: &str) {
        let path = self.path().join("opskit.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + more).unwrap();
    }

    fn call(&self, args: &[&str]) -> Ended {
        let args = ["migrate"].iter().chain(args);
        Call::new(args)
            .env("SHOP_URL", &self.db.url())
            .within(self.path())
            .run()
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
        self.call(&args).code(code).json()
    }
}

#[tokio::test]
async fn a_project_from_its_first_migration_to_its_status() {
    let project = Project::new("staging").await;
    let made = project
        .call(&["new", "Add totals!", "--down"])
        .code(0)
        .out();
    assert!(
        made.lines()
            .all(|line| line.starts_with("migrations/") && line.contains("_add_totals.")),
        "{made}"
    );
    assert_eq!(names(&project.path().join("migrations")).len(), 3);
    for line in made.lines() {
        let text = match line.ends_with(".up.sql") {
            true => "alter table orders add total int;",
            false => "alter table orders drop total;",
        };
        fs::write(project.path().join(line), text).unwrap();
    }
    let status = project.call(&["status"]).code(1).out();
    assert!(
        status.contains("pending") && status.contains("2 of 2 migrations need attention"),
        "{status}"
    );
    let plan = project.json(&["plan"], 0);
    assert_eq!(plan["schema"], "opskit.migrate-plan/1");
    assert_eq!(
        plan["migrations"][1]["statements"][0]["effects"][0]["lock"],
        "AccessExclusive"
    );
    let done = project.call(&["apply"]).code(0);
    assert!(
        done.out().contains("2 migrations applied"),
        "{}",
        done.out()
    );
    assert!(
        project
            .path()
            .join("backups/opskit-repository.json")
            .exists()
    );
    project.call(&["status"]).code(0);
    project.call(&["drift"]).code(0);
    assert!(
        project
            .call(&["apply"])
            .code(0)
            .out()
            .contains("nothing to do")
    );
    let tagged = project
        .db
        .psql("select count(backup_id) from opskit.migrations")
        .await;
    assert_eq!(tagged, "2");
}

#[tokio::test]
async fn drift_is_told_refused_and_accepted() {
    let project = Project::new("scratch").await;
    project.call(&["apply", "--no-backup"]).code(0);
    project.db.psql("alter table orders add by_hand int").await;
    let drift = project.json(&["drift"], 1);
    assert_eq!(drift["diff"]["objects"][0]["object"], "table public.orders");
    project.file("90000000000000_more.sql", "create table more (i int)");
    project
        .call(&["apply", "--no-backup"])
        .code(1)
        .says("--accept-drift");
    project.call(&["drift", "--accept"]).code(0);
    project.call(&["apply", "--no-backup"]).code(0);
}

#[tokio::test]
async fn a_failure_is_located_and_ends_with_the_kind_of_its_error() {
    let project = Project::new("scratch").await;
    project.file("2_bad.sql", "select 1;\ncreate table x (i int\n  j int);\n");
    let ended = project.call(&["apply", "--no-backup"]).code(64);
    for words in [
        "migration 2 failed at migrations/2_bad.sql:3:3",
        "j int",
        "was rolled back",
    ] {
        assert!(ended.err().contains(words), "{words}: {}", ended.err());
    }
    let document = project.json(&["apply", "--no-backup"], 64);
    assert_eq!(document["outcome"]["is"], "rolled-back");
    assert_eq!(document["failure"]["at"], "3:3");
    project.file("2_bad.sql", "\\set x 1\n");
    project.call(&["plan"]).code(64).says("2_bad.sql");
}

#[tokio::test]
async fn a_production_target_is_confirmed_backed_up_and_behind_the_gate() {
    let project = Project::new("production").await;
    project.call(&["apply"]).code(64).says("--confirm shop");
    project
        .call(&["apply", "--confirm", "shop", "--no-backup"])
        .code(64)
        .says("scratch");
    project.call(&["apply", "--confirm", "shop"]).code(0);
    project.file("2_drop.sql", "drop table orders;\n");
    let plan = project.call(&["plan"]).code(1).out();
    assert!(plan.contains("drop-table: orders"), "{plan}");
    project
        .call(&["apply", "--confirm", "shop"])
        .code(1)
        .says("-- opskit: allow drop-table");
    assert_eq!(project.db.psql("select count(*) from orders").await, "1");
    project.file(
        "2_drop.sql",
        "-- opskit: allow drop-table \"moved to the archive\"\ndrop table orders;\n",
    );
    project.call(&["apply", "--confirm", "shop"]).code(0);
}

#[tokio::test]
async fn production_runs_what_ran_on_staging_and_nothing_else() {
    let project = Project::new("production").await;
    let staging = opskit_tests::database().await;
    project.settings("[target.stage]\nclass = \"staging\"\nurl_env = \"STAGE_URL\"\n[migrate]\nstaging = \"stage\"\n");
    let call = |args: &[&str]| {
        let args = ["migrate"].iter().chain(args);
        let call = Call::new(args)
            .env("SHOP_URL", &project.db.url())
            .env("STAGE_URL", &staging.url());
        call.within(project.path()).run()
    };
    call(&["apply", "--confirm", "shop"])
        .code(1)
        .says("did not run on target \"stage\"");
    call(&["apply", "--db", "stage"]).code(0);
    call(&["apply", "--confirm", "shop"]).code(0);
}

#[tokio::test]
async fn tests_and_hooks_stand_around_a_run() {
    let project = Project::new("scratch").await;
    fs::create_dir(project.path().join("checks")).unwrap();
    fs::write(
        project.path().join("checks/a.sql"),
        "select 'orders are there', to_regclass('orders') is not null;",
    )
    .unwrap();
    let log = project.path().join("log");
    let hook = |word: &str| {
        format!(
            "[\"sh\", \"-c\", \"cat >> {}; echo ' {word}' >> {}\"]",
            log.display(),
            log.display()
        )
    };
    project.settings(&format!(
        "[migrate]\ntests = [\"checks\"]\nbefore = {}\nafter = {}\n",
        hook("B"),
        hook("A")
    ));
    let document = project.json(&["apply", "--no-backup"], 0);
    assert_eq!(document["tests"][0]["tests"][0]["outcome"], "passed");
    assert_eq!(document["changed_tests"][0]["before"], "failed");
    assert_eq!(document["writers"], "stopped");
    let told = fs::read_to_string(&log).unwrap();
    assert!(
        told.contains("\"event\":\"before\"") && told.contains("\"migrations\":[\"1\"]"),
        "{told}"
    );
    assert!(told.trim_end().ends_with('A'), "{told}");
    // A hook that failed may have stopped some of who writes: the other one lets them in again.
    let path = project.path().join("opskit.toml");
    let text = fs::read_to_string(&path).unwrap();
    let broken = text
        .replace(&hook("B"), "[\"false\"]")
        .replace(&hook("A"), &hook("C"));
    fs::write(&path, broken).unwrap();
    project.file("2_more.sql", "create table more (i int);\n");
    project.call(&["apply", "--no-backup"]).code(1);
    let told = fs::read_to_string(&log).unwrap();
    assert!(told.trim_end().ends_with('C'), "{told}");
    assert_eq!(
        project.db.psql("select to_regclass('more') is null").await,
        "t"
    );
    fs::write(&path, text).unwrap();
    project.call(&["verify"]).code(0);
    project.db.psql("drop table orders").await;
    let red = project.call(&["verify", "checks/a.sql"]).code(1).out();
    assert!(red.contains("not ok: a.sql: orders are there"), "{red}");
    project.call(&["verify", "nowhere"]).code(66);
}

#[tokio::test]
async fn a_table_that_has_no_room_to_be_written_anew_is_left_alone() {
    let project = Project::new("scratch").await;
    project.call(&["apply", "--no-backup"]).code(0);
    let rows =
        "create table wide as select i, repeat('x', 500) as v from generate_series(1, 20000) i";
    project.db.psql(rows).await;
    project.call(&["drift", "--accept"]).code(0);
    project.file("2_wider.sql", "alter table wide alter i type bigint;\n");
    project.settings("[health]\ndisk = \"2MB\"\n");
    project
        .call(&["apply", "--no-backup"])
        .code(1)
        .says("bytes anew");
    let kind = "select atttypid::regtype from pg_attribute where attrelid = 'wide'::regclass and attname = 'i'";
    assert_eq!(project.db.psql(kind).await, "integer");
    let path = project.path().join("opskit.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("2MB", "900GB")).unwrap();
    project.call(&["apply", "--no-backup"]).code(0);
    assert_eq!(project.db.psql(kind).await, "bigint");
}

#[tokio::test]
async fn a_rehearsal_is_what_a_run_is_held_against() {
    let project = Project::new("production").await;
    project.call(&["apply", "--confirm", "shop"]).code(0);
    // The backup of that run is from before it.
    let first = names(&project.path().join("backups/backups")).remove(0);
    project
        .db
        .psql(
            "create function wipe() returns void language sql as 'delete from orders where id > 0'",
        )
        .await;
    project.call(&["drift", "--accept"]).code(0);
    Call::new(["backup"])
        .env("SHOP_URL", &project.db.url())
        .within(project.path())
        .run()
        .code(0);
    project.file("2_wipe.sql", "select wipe();\n");
    project
        .call(&["rehearse", &first])
        .code(1)
        .says("taken before migration 1 ran");
    let rehearsal = project.call(&["rehearse", "--json", "--markdown", "rehearsal.md"]);
    fs::write(project.path().join("rehearsal.json"), rehearsal.out()).unwrap();
    let document = rehearsal.json();
    assert_eq!(
        document["harms"][0]["object"], "public.orders",
        "{document:#}"
    );
    assert!(
        fs::read_to_string(project.path().join("rehearsal.md"))
            .unwrap()
            .contains("**public.orders**")
    );
    let rehearsed = [
        "apply",
        "--confirm",
        "shop",
        "--rehearsed",
        "rehearsal.json",
    ];
    project
        .call(&rehearsed)
        .code(1)
        .says("rows are lost in the rehearsal: public.orders");
    let accepted: Vec<&str> = rehearsed
        .iter()
        .copied()
        .chain(["--accept-harm", "public.orders=they are archived"])
        .collect();
    project.file("2_wipe.sql", "select wipe(), 2;\n");
    project
        .call(&accepted)
        .code(1)
        .says("other files were rehearsed");
    project.file("2_wipe.sql", "select wipe();\n");
    project.call(&accepted).code(0);
    assert_eq!(project.db.psql("select count(*) from orders").await, "0");
}

#[tokio::test]
async fn a_replay_of_the_files_tells_what_they_do_not_explain() {
    let project = Project::new("scratch").await;
    project.call(&["apply", "--no-backup"]).code(0);
    project.call(&["drift", "--replay"]).code(0);
    project
        .db
        .psql("create index by_hand on orders (note)")
        .await;
    let drift = project.call(&["drift", "--replay"]).code(1).out();
    assert!(drift.contains("by_hand"), "{drift}");
}

#[tokio::test]
async fn wrong_input_is_told_with_the_way_out() {
    let project = Project::new("scratch").await;
    project
        .call(&["status", "--dir", "nowhere"])
        .code(66)
        .says("nowhere");
    project.call(&["apply", "--to", "x"]).code(64);
    project
        .call(&["apply", "--no-backup", "--to", "9"])
        .code(66)
        .says("there is no migration 9");
    project.call(&["new", "--", "--"]).code(64).says("letters");
    fs::create_dir_all(project.path().join("sql/migrations")).unwrap();
    project.call(&["status"]).code(64).says("--dir");
    fs::remove_dir(project.path().join("sql/migrations")).unwrap();
    project.file("seed.sql", "select 1");
    project.call(&["status"]).code(1).says("seed.sql");
    project
        .call(&["repair", "--accept", "1", "--reason", "none"])
        .code(1);
    project.call(&["drift"]).code(66);
    project.call(&["baseline", "1"]).code(0);
    project.call(&["baseline", "9"]).code(66);
}

//! What `opskit.toml` says of health: limits, what is accepted, probes of the project's own, and backups.

use super::Call;
use opskit_tests::TestDb;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use tempfile::TempDir;

/// A project of one database.
struct Project {
    folder: TempDir,
    url: String,
}

impl Project {
    fn new(db: &TestDb, config: &str) -> Self {
        let project = Self {
            folder: tempfile::tempdir().unwrap(),
            url: db.url(),
        };
        project.write(config);
        project
    }

    fn write(&self, config: &str) {
        let target = "[target.shop]\nclass = \"scratch\"\nurl_env = \"SHOP_URL\"\n";
        let text = format!("default_target = \"shop\"\n{target}{config}");
        std::fs::write(self.folder.path().join("opskit.toml"), text).unwrap();
    }

    fn call(&self, args: &[&str]) -> super::Ended {
        let call = Call::new(args).within(self.folder.path());
        let call = call.env("SHOP_URL", &self.url).env("HOME", "/nonexistent");
        call.env("API_KEY", "an0n-key").run()
    }

    /// The result of one probe, and whether the command ended well.
    fn probe(&self, id: &str) -> (Value, i32) {
        let ended = self.call(&["health", "--json", "--probe", id]);
        let out = ended.out();
        let document: Value =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("{}", ended.err()));
        let results = document["results"].as_array().unwrap();
        assert_eq!(results.len(), 1, "{out}");
        (results[0].clone(), ended.status())
    }
}

#[tokio::test]
async fn what_is_accepted_blocks_no_more_until_its_last_day() {
    let db = opskit_tests::database().await;
    db.psql("create table a (i int); create unlogged table b (i int)")
        .await;
    db.psql("create table d (i int); insert into d select generate_series(1, 9)")
        .await;
    let limit = "[[health.limit]]\nprobe = \"transactions.longest\"\nwarn = 0\nfail = 0\n";
    let accept = |object: &str, until: &str| {
        format!(
            "{limit}[[health.accept]]\nprobe = \"tables.unlogged\"\n{object}reason = \"a cache\"\nuntil = \"{until}\"\n"
        )
    };
    let project = Project::new(&db, limit);
    assert_eq!(project.probe("tables.unlogged").0["state"], "warn");
    project.write(&accept("object = \"public.b\"\n", "2999-12-31"));
    let (result, _) = project.probe("tables.unlogged");
    assert_eq!(result["state"], "pass", "{result}");
    assert_eq!(
        result["findings"][0]["detail"],
        "is unlogged (accepted until 2999-12-31: a cache)"
    );
    project.write(&accept("object = \"public.b\"\n", "2020-01-01"));
    assert_eq!(project.probe("tables.unlogged").0["state"], "warn");
    // A limit that nobody would look at is refused.
    project.write("[[health.limit]]\nprobe = \"tables.unloged\"\nwarn = 1\nfail = 2\n");
    let ended = project.call(&["health"]);
    assert_eq!(ended.status(), 64);
    assert!(
        ended.err().contains("there is no probe \"tables.unloged\""),
        "{}",
        ended.err()
    );
}

#[tokio::test]
async fn a_query_of_the_project_is_a_probe() {
    let db = opskit_tests::database().await;
    db.psql("create table orders (id int, name text); insert into orders select i, 's3cret-name' from generate_series(1, 20) i")
        .await;
    let config = |query: &str, rest: &str| {
        format!("[[probe]]\nid = \"orders.stuck\"\nquery = '''{query}'''\n{rest}")
    };
    let both = "warn = \"> 10\"\nfail = \"> 100\"\n";
    let count = config("select count(*) from orders -- all of them", both);
    let project = Project::new(&db, &count);
    let (result, status) = project.probe("orders.stuck");
    assert_eq!(
        (result["state"].as_str(), status),
        (Some("warn"), 0),
        "{result}"
    );
    assert_eq!(result["findings"][0]["detail"], "is 20");
    db.psql("insert into orders select generate_series(1, 100)")
        .await;
    assert_eq!(project.probe("orders.stuck").1, 1);
    // Nothing found is nothing known, and so is what fails.
    for query in [
        "select 1 where false",
        "select null::int",
        "select count(*) from nowhere",
    ] {
        project.write(&config(query, both));
        let (result, status) = project.probe("orders.stuck");
        assert_eq!(
            (result["state"].as_str(), status),
            (Some("unknown"), 1),
            "{query}: {result}"
        );
    }
    // A text is somebody's data.
    project.write(&config(
        "select name from orders limit 1",
        "fail = \"!= x\"\n",
    ));
    let (result, _) = project.probe("orders.stuck");
    assert_eq!(result["findings"][0]["detail"], "is not as it should be");
    // What would write, or do more than ask, does not.
    for query in [
        "select 1) as q; delete from orders; select 1 from (select 1",
        "delete from orders returning 1",
    ] {
        project.write(&config(query, both));
        assert_eq!(
            project.probe("orders.stuck").0["state"],
            "unknown",
            "{query}"
        );
    }
    assert_eq!(db.psql("select count(*) from orders").await, "120");
    project.write("[[probe]]\nid = \"locks.blocked\"\nquery = \"select 1\"\nfail = \"> 1\"\n");
    assert_eq!(project.call(&["health"]).status(), 64);
    let listed = project.call(&["health", "list"]).out();
    assert!(listed.contains("backups.age"), "{listed}");
}

/// A server of HTTP that gives this answer, as often as it is asked.
fn site(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let bytes = stream.read(&mut request).unwrap();
            let has_key = String::from_utf8_lossy(&request[..bytes]).contains("an0n-key");
            let status = if has_key { status } else { "401 Unauthorized" };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    format!("http://{address}/health")
}

#[tokio::test]
async fn a_url_of_the_project_is_a_probe() {
    let db = opskit_tests::database().await;
    let well = site("200 OK", "{\"status\": \"ok\", \"rls\": {\"policies\": 7}}");
    let ill = site(
        "503 Service Unavailable",
        "{\"status\": \"error\", \"rls\": {}}",
    );
    let probe = |url: &str, rest: &str| {
        format!(
            "[[probe]]\nid = \"site.api\"\nurl = \"{url}\"\nheaders = {{ apikey = \"API_KEY\" }}\n{rest}"
        )
    };
    let json = "json = { \"/status\" = \"== ok\", \"/rls/policies\" = \"> 0\" }\n";
    let project = Project::new(&db, &probe(&well, json));
    let (result, _) = project.probe("site.api");
    assert_eq!(result["state"], "pass", "{result}");
    project.write(&probe(&ill, json));
    let (result, status) = project.probe("site.api");
    let objects: Vec<_> = result["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["object"].as_str().unwrap())
        .collect();
    assert_eq!(
        (objects, status),
        (vec!["status", "/rls/policies", "/status"], 1)
    );
    // A dead host is a failure, and a slow one where it is said so.
    project.write(&probe("http://127.0.0.1:1/health", json));
    assert_eq!(project.probe("site.api").0["state"], "fail");
    project.write(&probe(&well, "fail = \">= 0\"\n"));
    assert_eq!(
        project.probe("site.api").0["findings"][0]["object"],
        "latency"
    );
    // A key that is not there is no reason to ask without one.
    project.write(&probe(&well, "").replace("API_KEY", "NO_SUCH_KEY"));
    let (result, _) = project.probe("site.api");
    assert_eq!(result["state"], "unknown", "{result}");
}

#[tokio::test]
async fn the_backups_of_a_project_are_looked_at() {
    let db = opskit_tests::database().await;
    db.psql("create table a as select generate_series(1, 100) i")
        .await;
    let project = Project::new(&db, "[repository.main]\nurl = \"backups\"\n");
    // Nobody made the repository: nothing is known of it.
    let (result, status) = project.probe("backups.age");
    assert_eq!(
        (result["state"].as_str(), status),
        (Some("unknown"), 1),
        "{result}"
    );
    let made = project.call(&["backup", "--init"]);
    assert_eq!(made.status(), 0, "{}", made.err());
    for id in [
        "age",
        "last",
        "completion",
        "duration",
        "present",
        "verified",
        "drilled",
    ] {
        let (result, status) = project.probe(&format!("backups.{id}"));
        assert_eq!(
            (result["state"].as_str(), status),
            (Some("pass"), 0),
            "{result}"
        );
    }
    assert_eq!(project.probe("backups.size").0["state"], "skipped");
    let backups = project.folder.path().join("backups/backups");
    let one = std::fs::read_dir(&backups)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::remove_dir_all(one.path()).unwrap();
    assert_eq!(project.probe("backups.present").1, 1);
    assert_eq!(project.probe("backups.age").1, 1);
}

#[tokio::test]
async fn an_earlier_report_must_be_of_the_same_database() {
    let (one, other) = (
        opskit_tests::database().await,
        opskit_tests::database().await,
    );
    let project = Project::new(&one, "");
    let report = project.call(&["health", "--json"]).out();
    std::fs::write(project.folder.path().join("before.json"), &report).unwrap();
    let since = [
        "health",
        "--since",
        "before.json",
        "--probe",
        "settings.drift",
        "--json",
    ];
    let ended = project.call(&since);
    assert!(
        ended.out().contains("\"pass\""),
        "{}{}",
        ended.out(),
        ended.err()
    );
    let elsewhere = Project {
        folder: project.folder,
        url: other.url(),
    };
    let ended = elsewhere.call(&since);
    assert_eq!(ended.status(), 64);
    assert!(
        ended.err().contains("of another database"),
        "{}",
        ended.err()
    );
}

//! `opskit state` and `opskit validate`.

use super::Call;
use opskit_tests::TestDb;
use serde_json::Value;
use std::path::Path;

async fn shop() -> TestDb {
    let db = opskit_tests::database().await;
    db.psql(
        "create table users (id int primary key, email text); \
         insert into users select i, 'u' || i || '@shop.example' from generate_series(1, 1000) i; \
         create table orders (id int, user_id int, amount int); \
         insert into orders select i, i, i from generate_series(1, 500) i",
    )
    .await;
    db
}

fn call(db: &TestDb, within: &Path, args: &[&str]) -> super::Ended {
    let call = Call::new(args).within(within);
    call.env("DATABASE_URL", &db.url())
        .env("HOME", "/nonexistent")
        .run()
}

#[tokio::test]
async fn what_changed_since_is_named_and_nothing_else() {
    let db = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let taken = call(&db, here, &["state", "capture", "-o", "before.json"]);
    assert_eq!(taken.status(), 0, "{}", taken.err());
    assert!(
        taken.err().contains("1500 rows of 2 tables"),
        "{}",
        taken.err()
    );
    let compare = ["state", "compare", "before.json", "--json"];
    // The same rows in another order, in other places.
    db.psql("create table x as select * from users order by random(); truncate users; insert into users select * from x; drop table x")
        .await;
    assert_eq!(call(&db, here, &compare).status(), 0);
    db.psql("update orders set amount = amount + 1 where id = 7")
        .await;
    let ended = call(&db, here, &compare);
    let diff: Value = serde_json::from_str(&ended.out()).unwrap();
    assert_eq!(ended.status(), 1);
    assert_eq!(diff["changes"][0]["change"], "other", "{diff}");
    assert_eq!(
        (diff["changes"].as_array().unwrap().len(), &diff["same"]),
        (1, &1.into())
    );
    let loss_only = |rest: &[&'static str]| {
        let args: Vec<_> = compare
            .iter()
            .chain(&["--loss-only"])
            .chain(rest)
            .copied()
            .collect();
        call(&db, here, &args).status()
    };
    assert_eq!(loss_only(&[]), 0);
    db.psql("delete from orders where id = 7; create table more (a int)")
        .await;
    assert_eq!(loss_only(&[]), 1);
    assert_eq!(loss_only(&["--allow", "public.orders"]), 0);
    let told = call(&db, here, &["state", "compare", "before.json"]).out();
    assert!(
        told.contains("fewer rows") && told.contains("public.more"),
        "{told}"
    );
    // A chosen table that is gone is a change, and no error.
    call(&db, here, &["state", "capture", "orders", "-o", "one.json"]);
    db.psql("drop table orders").await;
    let ended = call(&db, here, &["state", "compare", "one.json"]);
    assert_eq!(ended.status(), 1, "{}", ended.err());
    assert!(ended.out().contains("gone"), "{}", ended.out());
    std::fs::write(here.join("bad.json"), "{}").unwrap();
    assert_eq!(
        call(&db, here, &["state", "compare", "bad.json"]).status(),
        65
    );
}

const RULES: &str = r#"
[[rule]]
id = "users.email"
table = "public.users"
not_null = { column = "email", ratio = 0.99 }
[[rule]]
id = "users.count"
table = "public.users"
rows = { min = 1000, max = 2000 }
[[rule]]
id = "orders.users"
table = "public.orders"
references = { column = "user_id", table = "public.users", to = "id" }
[[rule]]
id = "orders.positive"
query = "select id, amount from orders where amount <= 0;"
"#;

#[tokio::test]
async fn rules_hold_or_tell_what_breaks_them_by_its_form() {
    let db = shop().await;
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let none = call(&db, here, &["validate"]);
    assert_eq!(none.status(), 64, "{}", none.err());
    std::fs::write(here.join("opskit.toml"), RULES).unwrap();
    let ended = call(&db, here, &["validate", "--json"]);
    assert_eq!(ended.status(), 0, "{}{}", ended.out(), ended.err());
    db.psql(
        "update users set email = null where id <= 11; delete from users where id > 990; \
         insert into orders values (77, 4242, -5)",
    )
    .await;
    let ended = call(&db, here, &["validate", "--json"]);
    assert_eq!(ended.status(), 1);
    let report: Value = serde_json::from_str(&ended.out()).unwrap();
    let rules = report["rules"].as_array().unwrap();
    assert!(
        rules.iter().all(|rule| rule["outcome"] == "broken"),
        "{report}"
    );
    let broken: Vec<_> = rules
        .iter()
        .map(|rule| rule["broken_rows"].as_u64())
        .collect();
    assert_eq!(broken, [Some(11), None, Some(1), Some(1)]);
    assert_eq!(
        rules[2]["samples"][0][1],
        serde_json::json!(["user_id", "9999"])
    );
    assert!(!ended.out().contains("4242"), "{}", ended.out());
    let one = call(&db, here, &["validate", "--rule", "orders.positive"]);
    assert_eq!(
        one.out().lines().next().unwrap(),
        "broken  orders.positive: 1 rows break it"
    );
    // What cannot be asked is no better than broken, and keeps the others from nothing.
    db.psql("drop table orders").await;
    let ended = call(&db, here, &["validate", "--json"]);
    let report: Value = serde_json::from_str(&ended.out()).unwrap();
    assert_eq!(report["rules"][3]["outcome"], "unknown");
    assert_eq!(report["rules"][0]["outcome"], "broken");
    assert_eq!(
        call(&db, here, &["validate", "--rule", "none"]).status(),
        64
    );
}

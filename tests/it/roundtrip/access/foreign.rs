//! What is elsewhere: foreign objects, publications, subscriptions; and large objects.

use super::{assert_carried_with, major};
use opskit_tests::database;

#[tokio::test]
async fn foreign_objects() {
    let before = "create table parent (id int, note text);
        create table parted (id int, note text) partition by list (id);
        create collation \"Odd c\" (locale = 'C');";
    let sql = r#"
create foreign data wrapper "w;1" options (debug 'it''s', "an ""option" 'b\s');
create foreign data wrapper checks validator postgresql_fdw_validator;
create server "s;1" type 'odd ''type' version '1.0' foreign data wrapper "w;1" options (host 'h', password_id '7');
create server plain foreign data wrapper "w;1";
create user mapping for public server plain;
create user mapping for "ROLE one" server plain;
create foreign table "F t" (id int options ("column name" 'ID') not null, note text collate "Odd c" default 'x',
  twice int generated always as (id * 2) stored) server "s;1" options (table_name 'o''f');
create foreign table child (extra int) inherits (parent) server plain;
alter foreign table child alter column note options (add hint 'n');
create foreign table part partition of parted for values in (1, 2) server plain options (x 'y');
alter foreign table "F t" alter column note set statistics 5;
comment on foreign table "F t" is 'far';
comment on column "F t".note is 'note';
comment on server plain is 'server';
comment on foreign data wrapper "w;1" is 'wrapper';
grant usage on foreign data wrapper "w;1" to "ROLE one" with grant option;
grant usage on foreign server plain to public;
alter server plain owner to "ROLE one";
alter foreign table "F t" owner to "ROLE one";
grant select (note), update on "F t" to public;
"#;
    assert_carried_with(&["ROLE one"], before, sql).await;
}

#[tokio::test]
async fn secrets_stay_on_the_server() {
    let db = database().await;
    db.psql(
        "create foreign data wrapper w options (api_key 'hidden1', region 'seen1'); \
         create server s foreign data wrapper w options (\"Password\" 'hidden2', vault_id 'seen2'); \
         create user mapping for public server s options (\"user\" 'hidden3', password 'hidden4'); \
         create foreign table t (a int options (token 'hidden5')) server s options (secret_access_key 'hidden6');",
    )
    .await;
    let subscription = "create subscription s connection 'host=nowhere password=hidden7' publication p \
        with (connect = false, enabled = false, create_slot = false, slot_name = none)";
    db.psql(subscription).await;
    let url = opskit_tests::export::parse(&db.url());
    let ctx = opskit_core::context::OpContext::default();
    let scope = opskit_core::catalog::Scope::default();
    let model = opskit_core::postgres::catalog::read_model(&ctx, &url, &scope)
        .await
        .unwrap();
    db.psql("drop subscription s").await;
    let text = serde_json::to_string(&model).unwrap();
    assert!(!text.contains("hidden"), "{text}");
    assert!(text.contains("seen1") && text.contains("seen2"), "{text}");
    let mut withheld: Vec<String> = model
        .withheld()
        .into_iter()
        .map(|of| format!("{}: {}", of.object, of.what))
        .collect();
    withheld.sort();
    assert_eq!(
        withheld,
        [
            "foreign data wrapper w: the values of its secret options \"api_key\"",
            "foreign table public.t: the values of its secret options \"secret_access_key\", \"token\"",
            "server s: the values of its secret options \"Password\"",
            "user mapping s: the values of its secret options \"user\", \"password\"",
        ]
    );
}

#[tokio::test]
async fn publications() {
    let before = r#"create schema "odd ""s"; create table "odd ""s"."T'é" (id int primary key, "select" text);
        create table parted (id int) partition by list (id);
        create table parted_1 partition of parted for values in (1);"#;
    let db = database().await;
    let since_15 = r#"
create publication filtered for table "odd ""s"."T'é" (id, "select") where (id > 3);
create publication "in schema" for tables in schema "odd ""s", public;"#;
    let since_18 =
        "create publication gen for all tables with (publish_generated_columns = stored);";
    let major = major(&db).await;
    let sql = format!(
        r#"
create publication "p;1" for table "odd ""s"."T'é", only parted;
create publication everything for all tables with (publish = 'insert, truncate');
create publication silent with (publish = '', publish_via_partition_root);
comment on publication silent is 'it''s';
alter publication silent owner to "ROLE one";
{}{}"#,
        if major >= 15 { since_15 } else { "" },
        if major >= 18 { since_18 } else { "" }
    );
    assert_carried_with(&["ROLE one"], before, &sql).await;
}

#[tokio::test]
async fn large_objects() {
    let sql = r#"
select lo_create(4711); select lo_create(4712);
grant select on large object 4711 to public;
grant all on large object 4711 to "ROLE one" with grant option;
alter large object 4712 owner to "ROLE one";
comment on large object 4712 is 'bl''ob';
"#;
    assert_carried_with(&["ROLE one"], "", sql).await;
}

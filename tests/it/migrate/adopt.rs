//! Databases that other tools migrated before, and will again.

use super::{applied, apply, runner, standings, told};
use opskit_core::migrate::Standing;
use opskit_tests::TestDb;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use std::fs;
use std::path::Path;

const FILES: [(&str, &str); 4] = [
    (
        "20260101000000_orders.sql",
        "create table orders (id int primary key);\r\n",
    ),
    (
        "20260102000000_add_note.sql",
        "alter table orders add note text; -- größe\n",
    ),
    (
        "20260103000000_late.sql",
        "create view late as select * from orders;",
    ),
    ("20260104000000_last.sql", "create table last (id int);"),
];

async fn sqlx_migrate(db: &TestDb, files: &[(&str, &str)]) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    let migrator = Migrator::new(dir.path())
        .await
        .map_err(|error| error.to_string())?;
    let mut connection = sqlx::PgConnection::connect(&db.url()).await.unwrap();
    let ran = migrator.run(&mut connection).await;
    connection.close().await.unwrap();
    ran.map_err(|error| error.to_string())
}

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        fs::write(dir.join(name), text).unwrap();
    }
}

#[tokio::test]
async fn what_the_other_tool_took_back_is_noticed() {
    let db = opskit_tests::database().await;
    sqlx_migrate(&db, &FILES[..2]).await.unwrap();
    applied(&runner(&db, &FILES[..3])).await;
    let all = runner(&db, &FILES);
    let pending = [
        Standing::Applied,
        Standing::Applied,
        Standing::Applied,
        Standing::Pending,
    ];
    assert_eq!(standings(&all).await, pending);
    // As `sqlx migrate revert` does: the view goes, and the line with it.
    db.psql("drop view late; delete from _sqlx_migrations where version = 20260103000000")
        .await;
    let now = [
        Standing::Applied,
        Standing::Applied,
        Standing::TakenBack,
        Standing::Pending,
    ];
    assert_eq!(standings(&all).await, now);
    let error = apply(&all).await.unwrap_err();
    assert!(
        told(&error).contains("_sqlx_migrations does not know it any more"),
        "{}",
        told(&error)
    );
    db.psql("delete from opskit.migrations where id = '20260103000000'")
        .await;
    // The schema is not what the last run left, but for what was taken back: somebody says that it is meant.
    let pending = [
        Standing::Applied,
        Standing::Applied,
        Standing::Pending,
        Standing::Pending,
    ];
    assert_eq!(standings(&all).await, pending);
}

#[tokio::test]
async fn a_project_of_sqlx_goes_on_with_opskit_and_back() {
    let db = opskit_tests::database().await;
    sqlx_migrate(&db, &FILES[..2]).await.unwrap();
    let ours = runner(&db, &FILES[..3]);
    assert_eq!(
        standings(&ours).await,
        [Standing::Applied, Standing::Applied, Standing::Pending]
    );
    assert_eq!(applied(&ours).await.applied.len(), 1);
    // sqlx compares its SHA-384 of each file, and runs what is left.
    sqlx_migrate(&db, &FILES).await.unwrap();
    let columns = "select string_agg(version || ' ' || description || ' ' || success || ' ' || length(checksum), ',' order by version) \
                   from _sqlx_migrations";
    let row = |version: &str, text: &str| format!("{version} {text} true 48");
    let rows = [
        row("20260101000000", "orders"),
        row("20260102000000", "add note"),
        row("20260103000000", "late"),
        row("20260104000000", "last"),
    ];
    assert_eq!(db.psql(columns).await, rows.join(","));
    // And opskit takes over what sqlx ran meanwhile.
    let all = runner(&db, &FILES);
    assert_eq!(standings(&all).await, [Standing::Applied; 4]);
    applied(&all).await;
    let origins =
        "select string_agg(coalesce(origin, '-'), ',' order by version) from opskit.migrations";
    assert_eq!(
        db.psql(origins).await,
        "public._sqlx_migrations,public._sqlx_migrations,-,public._sqlx_migrations"
    );
    let equal = "select count(*) from _sqlx_migrations s join opskit.migrations m on m.id = s.version::text where m.digest is not null";
    assert_eq!(db.psql(equal).await, "4");
}

#[tokio::test]
async fn a_file_that_sqlx_ran_otherwise_is_refused() {
    let db = opskit_tests::database().await;
    sqlx_migrate(&db, &FILES[..1]).await.unwrap();
    // sqlx does not forgive line ends either.
    let unix = [(FILES[0].0, "create table orders (id int primary key);\n")];
    let ours = runner(&db, &unix);
    assert_eq!(standings(&ours).await, [Standing::Changed]);
    let error = apply(&ours).await.unwrap_err();
    assert!(
        told(&error).contains("was changed since"),
        "{}",
        told(&error)
    );
    ours.accept_change(
        &opskit_core::context::OpContext::default(),
        &20260101000000.into(),
        "line ends",
    )
    .await
    .unwrap();
    assert_eq!(standings(&ours).await, [Standing::Applied]);
    applied(&ours).await;
    sqlx_migrate(&db, &unix).await.unwrap();
}

/// What the Supabase CLI makes.
const SUPABASE: &str = "create schema supabase_migrations; \
    create table supabase_migrations.schema_migrations (version text not null primary key, statements text[], name text)";

#[tokio::test]
async fn a_project_of_supabase_goes_on_with_opskit_and_back() {
    let db = opskit_tests::database().await;
    db.psql(SUPABASE).await;
    db.psql(FILES[0].1).await;
    db.psql("insert into supabase_migrations.schema_migrations values ('20260101000000', array['create table orders (id int primary key)'], 'orders')").await;
    let ours = runner(&db, &FILES[..3]);
    assert_eq!(
        standings(&ours).await,
        [Standing::Applied, Standing::Pending, Standing::Pending]
    );
    assert_eq!(applied(&ours).await.applied.len(), 2);
    let rows = "select version, name, statements from supabase_migrations.schema_migrations order by version";
    assert_eq!(
        db.psql(rows).await,
        "20260101000000|orders|{\"create table orders (id int primary key)\"}\n\
         20260102000000|add_note|{\"alter table orders add note text\"}\n\
         20260103000000|late|{\"create view late as select * from orders\"}"
    );
    // The CLI compares versions: what it would run next is what has no row.
    db.psql("insert into supabase_migrations.schema_migrations values ('20260104000000', array['create table last (id int)'], 'last')").await;
    db.psql(FILES[3].1).await;
    assert_eq!(
        standings(&runner(&db, &FILES)).await,
        [Standing::Applied; 4]
    );
}

#[tokio::test]
async fn a_history_of_refinery_is_kept_in_step() {
    let db = opskit_tests::database().await;
    let files = [
        (
            "V1__initial.sql",
            "CREATE TABLE persons (\n    id int\n);\n",
        ),
        ("V2__more.sql", "create table more (id int);"),
    ];
    db.psql("create table refinery_schema_history (version int4 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))").await;
    applied(&runner(&db, &files)).await;
    let rows = "select string_agg(version || ' ' || name || ' ' || (checksum ~ '^[0-9]+$'), ',' order by version) from refinery_schema_history";
    assert_eq!(db.psql(rows).await, "1 initial true,2 more true");
    db.psql("drop schema opskit cascade").await;
    assert_eq!(
        standings(&runner(&db, &files)).await,
        [Standing::Applied; 2]
    );
    db.psql("update refinery_schema_history set checksum = '1' where version = 2")
        .await;
    assert_eq!(
        standings(&runner(&db, &files)).await,
        [Standing::Applied, Standing::Changed]
    );
}

//! A table that was dropped by accident comes back beside what it needs, which stands and has gone on.

use super::{Stored, assert_no_login_is_left, assert_same, restore, shop};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::RestoreRequest;

#[tokio::test]
async fn a_dropped_table_comes_back_beside_what_it_needs() {
    let db = shop().await;
    let stored = Stored::of(&db, &db.url(), BackupRequest::new()).await;
    let rows = "select count(*), sum(hashtextextended(o::text, 0)) from shop.orders o";
    let wanted = db.psql(rows).await;
    let accident =
        "insert into shop.customers (name) values ('newer'); drop table shop.orders cascade";
    db.psql(accident).await;
    let only = || RestoreRequest::default().only(["shop.orders"]).unwrap();
    let report = restore(&stored, &db.url(), only()).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert_same(&report);
    assert_eq!(db.psql(rows).await, wanted);
    let newer = "select count(*) from shop.customers where name = 'newer'";
    assert_eq!(db.psql(newer).await, "1", "what stands was touched");
    let key = "select confrelid::regclass, convalidated from pg_constraint \
               where conrelid = 'shop.orders'::regclass and contype = 'f'";
    assert_eq!(db.psql(key).await, "shop.customers|t");
    let next = "insert into shop.orders (customer, total) values (1, 1) returning id";
    assert_eq!(db.psql(next).await, "5001");
    for named in [
        "table shop.customers: the target has it, and it is used as it stands",
        "view shop.sums: it needs what is restored, and was not asked for",
    ] {
        let told = report.skipped.iter().any(|it| it == named);
        assert!(told, "{named}: {:#?}", report.skipped);
    }
    assert_no_login_is_left(&db).await;
    // What was asked for is never used as it stands.
    let refused = restore(&stored, &db.url(), only()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let told = refused.to_string();
    assert!(told.contains("table shop.orders"), "{told}");
}

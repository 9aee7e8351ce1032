//! Roles and the database, carried into a second cluster. The judge is `pg_dumpall`.

use crate::roundtrip::dumped;
use opskit_core::catalog::cluster::{ClusterOptions, ClusterScript};
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_cluster;
use opskit_core::scratch::ScratchServer;
use opskit_tests::export::parse;
use sqlx::Connection as _;

const ROLES: &str = r#"
create role "R ""one" login createdb connection limit 3 valid until '2030-02-03 04:05:06+00';
create role admin noinherit createrole bypassrls;
create role member login replication; create role reader; create role "last;";
grant reader to "R ""one" with admin option;
grant admin to member;
grant pg_monitor to reader;
set role "R ""one"; grant reader to member; grant reader to "last;" with admin option; reset role;
alter role "R ""one" set search_path to "$user", 'a, b', public;
alter role "R ""one" set work_mem = '7MB';
alter role member set "my.setting" = 'it''s \ here';
alter role all set statement_timeout = '17min';
alter role member in database shop set datestyle = 'German, DMY';
alter database shop set search_path to "odd ""s", public;
alter database shop connection limit 17;
comment on role reader is 'reads; it''s';
comment on database shop is 'the shop';
revoke connect on database shop from public;
grant create, connect on database shop to "R ""one" with grant option;
alter database shop owner to admin;
"#;

async fn run(server: &ScratchServer, database: &str, sql: &str) {
    let mut connection = sqlx::PgConnection::connect(&server.url(database))
        .await
        .unwrap();
    for statement in sql.split(";\n") {
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
        done.execute(&mut connection)
            .await
            .unwrap_or_else(|e| panic!("{e}: {statement}"));
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn roles_and_database() {
    let ctx = OpContext::default();
    let source = ScratchServer::builder().start(&ctx).await.unwrap();
    let target = ScratchServer::builder().start(&ctx).await.unwrap();
    for server in [&source, &target] {
        run(server, "postgres", "create database shop").await;
    }
    run(&source, "shop", ROLES).await;
    let model = read_cluster(&ctx, &parse(&source.url("shop")))
        .await
        .unwrap();
    assert_eq!(
        serde_json::from_str::<opskit_core::catalog::cluster::ClusterModel>(
            &serde_json::to_string(&model).unwrap()
        )
        .unwrap(),
        model
    );
    let options = ClusterOptions {
        target_version: model.server_version,
        database: "shop".to_owned(),
        existing: ["postgres".to_owned()].into(),
    };
    for statement in ClusterScript::of(&model, &options).statements {
        assert_eq!(statement.as_role, None);
        run(&target, "postgres", &statement.sql).await;
    }
    let mut copy = read_cluster(&ctx, &parse(&target.url("shop")))
        .await
        .unwrap();
    let mut wanted = model;
    for model in [&mut copy, &mut wanted] {
        model.database.oid = 0;
        model.roles.iter_mut().for_each(|role| role.oid = 0);
    }
    assert_eq!(copy, wanted);
    for (program, args) in [
        ("pg_dumpall", &["--globals-only", "--no-role-passwords"][..]),
        ("pg_dump", &["--schema-only", "--create"][..]),
    ] {
        assert_eq!(
            dumped(program, args, &source.url("shop")),
            dumped(program, args, &target.url("shop"))
        );
    }
    source.stop().await.unwrap();
    target.stop().await.unwrap();
}

//! Roles that the target lacks, and what is set for the database.

use super::{Stored, assert_same, parse};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{MissingRoles, Restore, RestoreRequest, Trust};
use opskit_core::context::OpContext;
use opskit_core::scratch::ScratchServer;
use opskit_tests::{TestDb, database};
use sqlx::{Connection as _, Row as _};

/// A database whose objects belong to roles of its own: what they are, may, and have set.
async fn source() -> TestDb {
    let db = database().await;
    let name = db.name();
    for sql in [
        "create role \"NAME_app\" login createdb connection limit 3 password 'not in a backup'",
        "create role NAME_boss superuser login replication bypassrls createrole",
        "create role NAME_group",
        "create role NAME_reader nologin",
        "grant NAME_group to \"NAME_app\" with admin option",
        "grant pg_monitor to NAME_reader",
        "alter role \"NAME_app\" set work_mem = '7MB'",
        "alter role \"NAME_app\" set session_replication_role = 'replica'",
        "alter role \"NAME_app\" in database NAME set \"app.tenant\" = 'it''s'",
        "comment on role NAME_group is 'a group'",
        "alter database NAME set statement_timeout = '17min'",
        "alter database NAME set search_path = 'own', 'public'",
        "alter database NAME set \"plv8.start_proc\" = 'own.run'",
        "alter role \"NAME_app\" in database NAME set \"auto_explain.log_format\" = 'json'",
        "comment on database NAME is 'the shop'",
        "grant create, connect on database NAME to NAME_group",
        "create schema own authorization \"NAME_app\"",
        "create table own.t (i int)",
        "alter table own.t owner to \"NAME_app\"",
        "alter table own.t enable row level security",
        "create policy p on own.t to NAME_reader using (true)",
        "grant select on own.t to NAME_reader",
        "alter database NAME owner to \"NAME_app\"",
    ] {
        db.psql(&sql.replace("NAME", name)).await;
    }
    if db.version().await >= 150_000 {
        db.psql(&format!(
            "grant set on parameter log_statement to {name}_group"
        ))
        .await;
    }
    db
}

async fn ask(server: &ScratchServer, sql: &str) -> String {
    let url = server.url("postgres");
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let asked = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
    let rows = asked.fetch_all(&mut connection).await;
    let rows = rows.unwrap_or_else(|e| panic!("{e}: {sql}"));
    connection.close().await.unwrap();
    let lines = rows.iter().map(|row| row.get::<String, _>(0));
    lines.collect::<Vec<_>>().join("\n")
}

/// What the roles, and the database, became.
async fn assert_made(server: &ScratchServer, name: &str) {
    let roles = format!(
        "select rolname || ' ' || rolsuper::int || rolcreaterole::int || rolcreatedb::int || rolreplication::int || rolbypassrls::int \
           || rolcanlogin::int || rolconnlimit || coalesce(array_to_string(rolconfig, ','), '') from pg_roles where rolname like '{name}%' order by 1"
    );
    assert_eq!(
        ask(server, &roles).await,
        format!(
            "{name}_app 0010013work_mem=7MB\n{name}_boss 000001-1\n{name}_group 000000-1\n{name}_reader 000000-1"
        )
    );
    let password = format!(
        "select count(*)::text from pg_authid where rolname like '{name}%' and rolpassword is not null"
    );
    assert_eq!(ask(server, &password).await, "0");
    let members = "select r.rolname || '-' || m.rolname || a.admin_option from pg_auth_members a join pg_roles r on r.oid = a.roleid join pg_roles m on m.oid = a.member where a.roleid >= 16384 order by 1";
    let found = ask(server, members).await;
    assert!(
        found.contains(&format!("{name}_group-{name}_appt")),
        "{found}"
    );
    let set = "select string_agg(setrole::regrole || array_to_string(setconfig, ','), ' ' order by setrole) from pg_db_role_setting where setdatabase <> 0";
    let found = ask(server, set).await;
    assert!(found.contains("statement_timeout=17min"), "{found}");
    assert!(found.contains("app.tenant=it's"), "{found}");
    assert!(!found.contains("search_path"), "{found}");
    assert!(
        !found.contains("plv8") && !found.contains("auto_explain"),
        "{found}"
    );
    let database = "select pg_get_userbyid(datdba) || coalesce(shobj_description(oid, 'pg_database'), '') || datacl::text from pg_database where datname = 'postgres'";
    let found = ask(server, database).await;
    assert!(found.starts_with(&format!("{name}_appthe shop")), "{found}");
    assert!(found.contains(&format!("{name}_group=C")), "{found}");
}

#[tokio::test]
async fn roles_are_created_without_what_nobody_vouches_for() {
    let source = source().await;
    let name = source.name();
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let ctx = OpContext::default();
    let server = ScratchServer::builder().start(&ctx).await.unwrap();
    let url = parse(&server.url("postgres"));
    let refused = Restore::open(&ctx, stored.reader(), &url, RestoreRequest::default());
    let problems = refused.await.unwrap().plan().problems.join("; ");
    assert!(problems.contains("--create-roles"), "{problems}");
    assert!(problems.contains(&format!("{name}_reader")), "{problems}");

    let request = RestoreRequest::default().with_roles(MissingRoles::Create);
    let restore = Restore::open(&ctx, stored.reader(), &url, request)
        .await
        .unwrap();
    let plan = restore.plan().clone();
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    for role in ["app", "boss", "group", "reader"] {
        assert!(
            plan.roles.contains(&format!("{name}_{role}")),
            "{:?}",
            plan.roles
        );
    }
    assert!(
        plan.warnings
            .iter()
            .any(|it| it.contains("password") && it.contains("_app"))
    );
    let skipped = plan.skipped.join("; ");
    for words in [
        "SUPERUSER of role",
        "REPLICATION of role",
        "BYPASSRLS of role",
        "CREATEROLE of role",
        "in pg_monitor",
        "setting session_replication_role",
        "setting search_path of the database",
        "setting plv8.start_proc of the database: only with --trust-backup: an extension or a language",
        "setting auto_explain.log_format of role",
    ] {
        assert!(skipped.contains(words), "{words}: {skipped}");
    }
    assert_same(
        &Box::pin(restore.run(&ctx))
            .await
            .unwrap_or_else(|e| panic!("{}", e.chain().join(": "))),
    );
    assert_made(&server, name).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn a_trusted_backup_brings_its_roles_whole() {
    let source = source().await;
    let name = source.name();
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let ctx = OpContext::default();
    let server = ScratchServer::builder().start(&ctx).await.unwrap();
    let url = parse(&server.url("postgres"));
    let request = RestoreRequest::default()
        .with_roles(MissingRoles::Create)
        .with_trust(Trust::Backup);
    let restore = Restore::open(&ctx, stored.reader(), &url, request)
        .await
        .unwrap();
    let report = Box::pin(restore.run(&ctx)).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    let boss = format!(
        "select (rolsuper and rolreplication and rolbypassrls)::text from pg_roles where rolname = '{name}_boss'"
    );
    assert_eq!(ask(&server, &boss).await, "true");
    let set = "select string_agg(array_to_string(setconfig, ','), ' ') from pg_db_role_setting where setdatabase <> 0";
    let found = ask(&server, set).await;
    for words in ["search_path=own, public", "plv8.start_proc=own.run"] {
        assert!(found.contains(words), "{found}");
    }
    if source.version().await >= 150_000 {
        let parameter = "select paracl::text from pg_parameter_acl where parname = 'log_statement'";
        let found = ask(&server, parameter).await;
        assert!(found.contains(&format!("{name}_group=s")), "{found}");
    }
    server.stop().await.unwrap();
}

/// A role that creates others and is no superuser.
#[tokio::test]
async fn roles_are_created_by_a_role_that_may() {
    let source = source().await;
    let name = source.name();
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let ctx = OpContext::default();
    let server = ScratchServer::builder().start(&ctx).await.unwrap();
    ask(&server, "create role maker login createrole; create role nobody login; grant create on database postgres to maker, nobody; grant create on schema public to maker, nobody").await;
    let url = |role: &str| {
        parse(
            &server
                .url("postgres")
                .replace("user=postgres", &format!("user={role}")),
        )
    };
    let request = RestoreRequest::default().with_roles(MissingRoles::Create);
    let nobody = url("nobody");
    let refused = Restore::open(&ctx, stored.reader(), &nobody, request.clone());
    let problems = refused.await.unwrap().plan().problems.join("; ");
    assert!(problems.contains("may not create roles"), "{problems}");
    let restore = Restore::open(&ctx, stored.reader(), &url("maker"), request)
        .await
        .unwrap();
    let skipped = restore.plan().skipped.join("; ");
    assert!(skipped.contains("belongs to somebody else"), "{skipped}");
    let report = Box::pin(restore.run(&ctx)).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    // What the roles of this test were granted in the target is all that differs.
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let differs = |text: &str| text.contains("schema public differs in pg_namespace (nspacl)");
    let all = report.differences.iter().map(|it| format!("{it:?}"));
    assert!(
        all.clone().all(|it| differs(&it)),
        "{:#?}",
        report.differences
    );
    let owner = "select tableowner::text from pg_tables where tablename = 't'";
    assert_eq!(ask(&server, owner).await, format!("{name}_app"));
    server.stop().await.unwrap();
}

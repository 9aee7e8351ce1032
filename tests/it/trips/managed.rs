//! The trip of an owner who is no superuser, between two projects of a managed platform.

use super::fixture::{Objects, run_files};
use super::judge::{Place, assert_same_rows};
use super::{Cluster, DATABASE, Trip, told};
use opskit_core::ErrorKind;
use opskit_core::backup::restore::{Part, RestoreReport, RestoreRequest, Trust};
use opskit_core::backup::{Backup, BackupPlan, BackupRequest};
use opskit_core::context::OpContext;
use opskit_tests::export::parse;

/// An empty project: `postgres` owns its database and is no superuser; `supabase_admin` is.
async fn project() -> Cluster {
    let mut cluster = Cluster::start(None).await;
    // The first superuser of a cluster stays one, so it gets the platform's name.
    cluster
        .run(
            "postgres",
            "postgres",
            "create role renamer superuser login",
        )
        .await;
    let rename = "alter role postgres rename to supabase_admin";
    cluster.run("renamer", "postgres", rename).await;
    cluster.superuser = "supabase_admin";
    cluster
        .run(cluster.superuser, DATABASE, "drop role renamer")
        .await;
    run_files(&cluster, "managed", Objects::Owners, |file| {
        (!file.starts_with("20")).then_some("supabase_admin")
    })
    .await;
    cluster
}

async fn make_users_objects(cluster: &Cluster) {
    run_files(cluster, "managed", Objects::Owners, |file| {
        file.starts_with("20").then_some("postgres")
    })
    .await;
}

/// A policy of the user's on a table of the platform, as the platform lets users make it.
const POLICY: &str = "set role supabase_storage_admin; \
     create policy own_files on storage.objects for select to authenticated using (bucket_id = 'own')";

/// A backup of a project, and an empty project. `before` makes that other than the source was.
async fn packed(before: &str) -> (Trip, Cluster, Cluster) {
    let (source, target) = tokio::join!(project(), project());
    make_users_objects(&source).await;
    source.run(source.superuser, DATABASE, POLICY).await;
    // Only a superuser's restore makes roles.
    let roles = format!("create role reporting; {before}");
    target.run(target.superuser, DATABASE, &roles).await;
    let trip = told(Trip::pack(&source.url("postgres"), BackupRequest::new()).await);
    (trip, source, target)
}

/// From one project to an empty one, as the user.
async fn travel(before: &str) -> (RestoreReport, Cluster) {
    let (trip, source, target) = packed(before).await;
    let request = RestoreRequest::default();
    let report = told(trip.unpack(&target.url("postgres"), request).await);
    assert!(
        report.is_same(),
        "{:#?}\n{:#?}",
        report.failures,
        report.differences
    );
    let place = |cluster| Place {
        cluster,
        database: DATABASE,
    };
    assert_same_rows(place(&source), place(&target)).await;
    (report, target)
}

/// What `anon` and `authenticated` may do with what the user hid from them.
const LEAKS: &str = "select count(*) from pg_class c cross join unnest(array['anon', 'authenticated']) r(name) \
     where c.relname in ('secrets', 'private_numbers') and (c.relkind = 'r' and has_table_privilege(r.name, c.oid, 'SELECT, INSERT, UPDATE, DELETE') \
       or c.relkind = 'S' and has_sequence_privilege(r.name, c.oid, 'USAGE'))";

#[tokio::test]
async fn an_owners_project_comes_back_in_an_empty_one() {
    let (report, target) = travel("").await;
    let policy = "policy own_files on storage.objects: ";
    assert!(
        report.skipped.iter().any(|it| it.starts_with(policy)),
        "{:?}",
        report.skipped
    );
    // The project grants everything on what is made later to everybody who asks over the web.
    let leaks = target.run(target.superuser, DATABASE, LEAKS).await;
    assert_eq!(leaks, "0");
    let triggers = "select tgrelid::regclass from pg_trigger where tgname = 'on_auth_user_created'";
    let on = target.run(target.superuser, DATABASE, triggers).await;
    assert_eq!(on, "auth.users");
    // The rows of the platform's tables were compared like those of others; the trigger would have made profiles.
    assert!(!report.skipped.iter().any(|it| it.contains("rows of")));
    let compared = "rows and fingerprints of 7 tables of the platform".to_owned();
    assert!(report.compared.contains(&compared), "{:?}", report.compared);
    let profiles = "select convalidated, (select count(*) from profiles join auth.users using (id)) \
         from pg_constraint where conname = 'profiles_id_fkey'";
    let profiles = target.run(target.superuser, DATABASE, profiles).await;
    assert_eq!(profiles, "t|30");
}

#[tokio::test]
async fn policies_on_the_platforms_tables_come_back_where_they_may() {
    let (report, target) = travel("grant supabase_storage_admin to postgres").await;
    assert!(
        !report.skipped.iter().any(|it| it.starts_with("policy")),
        "{:?}",
        report.skipped
    );
    let policies = "select polrelid::regclass from pg_policy where polname = 'own_files'";
    let on = target.run(target.superuser, DATABASE, policies).await;
    assert_eq!(on, "storage.objects");
}

/// Whoever cannot see all rows does not read any.
#[tokio::test]
async fn a_role_that_policies_filter_fails_before_it_reads() {
    let source = project().await;
    make_users_objects(&source).await;
    let sql = "create role filtered login; grant usage on schema public, private, supabase_migrations to filtered; \
         grant select on all tables in schema public, private, supabase_migrations to filtered; \
         grant select on all sequences in schema public to filtered";
    source.run(source.superuser, DATABASE, sql).await;
    let refused = Trip::pack(&source.url("filtered"), BackupRequest::new()).await;
    let refused = refused.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let said = refused.to_string();
    assert!(said.contains("row-level security"), "{said}");
}

fn assert_named(named: &[String], wanted: &[&str]) {
    for wanted in wanted {
        let mut found = named.iter();
        assert!(
            found.any(|it| it.starts_with(wanted)),
            "{wanted}: {named:#?}"
        );
    }
}

async fn plan_of(url: &str, request: BackupRequest) -> BackupPlan {
    let opened = told(Backup::open(&OpContext::default(), &parse(url), request).await);
    opened.plan().clone()
}

/// Accounts of another project are nobody's to replace, and what refers to those of the backup cannot be.
#[tokio::test]
async fn accounts_that_are_there_stay() {
    let own = "insert into auth.users (id, email) values (md5('own')::uuid, 'own')";
    let (trip, _source, target) = packed(own).await;
    let restore = told(
        trip.plan(&target.url("postgres"), RestoreRequest::default())
            .await,
    );
    let plan = restore.plan();
    let skipped = [
        "rows of table auth.users: the table has rows of its own",
        "rows of table auth.identities: foreign key identities_user_id_fkey on auth.identities refers to auth.users, whose",
        "rows of table auth.sessions: ",
        "rows of table auth.refresh_tokens: foreign key refresh_tokens_session_id_fkey",
    ];
    assert_named(&plan.skipped, &skipped);
    let warned = "rows of table auth.users are left out: without the rows that they refer to, these fail: \
         constraint profiles_id_fkey on public.profiles";
    assert_named(&plan.warnings, &[warned]);
    let names: Vec<String> = plan.tables.iter().map(|it| it.name.to_string()).collect();
    assert!(names.contains(&"storage.objects".to_owned()), "{names:?}");
    assert!(!names.contains(&"auth.users".to_owned()), "{names:?}");
    let error = restore.run(&OpContext::default()).await.unwrap_err();
    let said = error.chain().join(": ");
    assert!(said.contains("profiles_id_fkey"), "{said}");
    let users = "select string_agg(email, ' ') from auth.users";
    assert_eq!(target.run(target.superuser, DATABASE, users).await, "own");
}

/// Another version of the platform.
#[tokio::test]
async fn tables_that_cannot_take_the_rows_are_named() {
    let older = "alter table storage.objects drop column metadata; \
         alter table auth.refresh_tokens add column needed int not null; \
         drop table auth.flow_state; revoke insert on auth.identities from postgres";
    let (trip, _source, target) = packed(older).await;
    let request = RestoreRequest::default();
    let report = told(trip.unpack(&target.url("postgres"), request).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    let skipped = [
        "rows of table storage.objects: the table has no column \"metadata\"",
        "rows of table auth.refresh_tokens: the table needs a value for column \"needed\"",
        "rows of table auth.identities: this role may not add rows",
    ];
    assert_named(&report.skipped, &skipped);
    // A table without rows is not missed.
    assert!(!report.skipped.iter().any(|it| it.contains("flow_state")));
    let rows = "select (select count(*) from auth.users), (select count(*) from storage.objects)";
    assert_eq!(target.run(target.superuser, DATABASE, rows).await, "30|0");
}

/// What a restore that was stopped loaded into the platform's tables is taken for what it is.
#[tokio::test]
async fn a_stopped_restore_finds_the_accounts_that_it_loaded() {
    let stop = "create function extensions.stop() returns event_trigger language plpgsql as $$ begin raise 'stop'; end $$; \
         create event trigger stop on ddl_command_end when tag in ('CREATE TRIGGER') execute function extensions.stop()";
    let (trip, source, target) = packed(stop).await;
    let url = target.url("postgres");
    let stopped = trip.unpack(&url, RestoreRequest::default()).await;
    stopped.unwrap_err();
    let users = "select count(*) from auth.users";
    assert_eq!(target.run(target.superuser, DATABASE, users).await, "30");
    let go = "drop event trigger stop; drop function extensions.stop()";
    target.run(target.superuser, DATABASE, go).await;
    let report = told(trip.unpack(&url, RestoreRequest::default()).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    let warned = "table auth.users of the platform has exactly the rows of the backup already";
    assert_named(&report.warnings, &[warned]);
    let place = |cluster| Place {
        cluster,
        database: DATABASE,
    };
    assert_same_rows(place(&source), place(&target)).await;
}

/// With the objects there, the trigger for new accounts would run: rows come only where that can be kept from it.
#[tokio::test]
async fn triggers_of_the_target_do_not_run_for_accounts() {
    let (trip, source, target) = packed("").await;
    let url = target.url("postgres");
    let part = |part| RestoreRequest::default().with_part(part);
    told(trip.unpack(&url, part(Part::Schema)).await);
    let plan = told(trip.plan(&url, part(Part::Data)).await);
    let skipped =
        ["rows of table auth.users: trigger \"on_auth_user_created\" on the table would run"];
    assert_named(&plan.plan().skipped, &skipped);
    assert_named(
        &plan.plan().suspends,
        &["foreign key profiles_id_fkey on public.profiles"],
    );
    assert!(
        !plan
            .plan()
            .suspends
            .iter()
            .any(|it| it.contains("on auth."))
    );
    drop(plan);
    if target.major() < 15 {
        return;
    }
    let may = "grant set on parameter session_replication_role to postgres";
    target.run(target.superuser, DATABASE, may).await;
    let report = told(trip.unpack(&url, part(Part::Data)).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    assert!(!report.skipped.iter().any(|it| it.contains("rows of")));
    let place = |cluster| Place {
        cluster,
        database: DATABASE,
    };
    assert_same_rows(place(&source), place(&target)).await;
}

/// A superuser lets nobody in because a backup says so.
#[tokio::test]
async fn a_superuser_loads_accounts_only_from_a_trusted_backup() {
    let (trip, _source, target) = packed("").await;
    let url = target.url(target.superuser);
    let plan = told(trip.plan(&url, RestoreRequest::default()).await);
    let skipped = "rows of table auth.users: only with --trust-backup";
    assert_named(&plan.plan().skipped, &[skipped]);
    drop(plan);
    let request = RestoreRequest::default().with_trust(Trust::Backup);
    let report = told(trip.unpack(&url, request).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    assert!(!report.skipped.iter().any(|it| it.contains("rows of")));
}

/// Rows of the platform that a role cannot see in full are no reason to have no backup.
#[tokio::test]
async fn what_a_role_may_not_read_of_the_platform_is_named() {
    let source = project().await;
    make_users_objects(&source).await;
    let sql = "create role reader login bypassrls; grant usage on schema public, private, supabase_migrations, storage to reader; \
         grant select on all tables in schema public, private, supabase_migrations, storage to reader; \
         grant select on all sequences in schema public to reader; create role filtered login; \
         grant usage on schema storage to filtered; grant select on all tables in schema storage to filtered";
    source.run(source.superuser, DATABASE, sql).await;
    let request = || BackupRequest::new().without_large_objects();
    let plan = plan_of(&source.url("reader"), request()).await;
    assert!(plan.obstacle().is_none(), "{:?}", plan.obstacle());
    let excluded = |plan: &BackupPlan| -> Vec<String> {
        let excluded = plan.excluded.iter();
        excluded
            .map(|it| format!("{}: {}", it.object, it.reason))
            .collect()
    };
    let named = [
        "definitions of schema auth: it belongs to the platform",
        "rows of table auth.users: the table is the platform's, and this role may not read it",
        "rows of table storage.migrations: it belongs to the platform",
    ];
    assert_named(&excluded(&plan), &named);
    let tables: Vec<String> = plan.tables.iter().map(|it| it.name.to_string()).collect();
    assert!(tables.contains(&"storage.objects".to_owned()), "{tables:?}");
    assert!(
        !tables.iter().any(|it| it.starts_with("auth.")),
        "{tables:?}"
    );
    let plan = plan_of(&source.url("filtered"), request()).await;
    let hidden =
        "rows of table storage.objects: the table is the platform's, and row-level security hides";
    assert_named(&excluded(&plan), &[hidden]);
    // As patterns say, where it may.
    let some = BackupRequest::new().only(["storage.*"]).unwrap();
    let plan = plan_of(&source.url("postgres"), some).await;
    let tables: Vec<String> = plan.tables.iter().map(|it| it.name.to_string()).collect();
    assert_eq!(tables, ["storage.buckets", "storage.objects"]);
    let others = BackupRequest::new().excluding(["auth.*"]).unwrap();
    let plan = plan_of(&source.url("postgres"), others).await;
    assert_named(
        &excluded(&plan),
        &["rows of table auth.users: excluded as asked"],
    );
}

//! Accounts and files of a managed platform: rows of the user's in tables of the platform's.

use super::judge::{Place, assert_same_rows};
use super::managed::{make_users_objects, packed, project};
use super::{Cluster, DATABASE, Trip, told};
use opskit_core::backup::drill::{DrillReport, DrillRequest, Outcome, drill};
use opskit_core::backup::restore::{Existing, Part, RestoreRequest, Transactions, Trust};
use opskit_core::backup::{Backup, BackupPlan, BackupRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::Repository;
use opskit_tests::export::parse;

fn assert_named(named: &[String], wanted: &[&str]) {
    for wanted in wanted {
        let mut found = named.iter();
        assert!(
            found.any(|it| it.starts_with(wanted)),
            "{wanted}: {named:#?}"
        );
    }
}

async fn assert_same(source: &Cluster, target: &Cluster) {
    let place = |cluster| Place {
        cluster,
        database: DATABASE,
    };
    assert_same_rows(place(source), place(target)).await;
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
    assert_same(&source, &target).await;
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
    assert_same(&source, &target).await;
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

/// Foreign keys that lead in a circle know no order: they are off meanwhile, and looked at before the commit.
#[tokio::test]
async fn keys_in_a_circle_are_checked_at_the_end() {
    let columns = "set role supabase_auth_admin; alter table auth.users add column last uuid, add column other uuid; reset role;";
    let circle = "alter table auth.users add constraint to_last foreign key (last) references auth.sessions, \
         add constraint to_other foreign key (other) references auth.sessions";
    let source = project().await;
    source.run(source.superuser, DATABASE, columns).await;
    make_users_objects(&source).await;
    // The source has no key for what refers to nothing.
    let rows = "update auth.users set other = md5('s1')::uuid, last = case when email like 'n1@%' then md5('none')::uuid end";
    source.run(source.superuser, DATABASE, rows).await;
    let target = project().await;
    let all = format!("create role reporting; {columns} {circle}");
    target.run(target.superuser, DATABASE, &all).await;
    let trip = told(Trip::pack(&source.url("postgres"), BackupRequest::new()).await);
    let url = target.url("postgres");
    let plan = told(trip.plan(&url, RestoreRequest::default()).await);
    let skipped = [
        "rows of table auth.users: foreign keys lead in a circle",
        "rows of table auth.sessions: foreign keys lead in a circle",
        "rows of table auth.identities: foreign key identities_user_id_fkey on auth.identities refers",
    ];
    assert_named(&plan.plan().skipped, &skipped);
    drop(plan);
    if target.major() < 15 {
        return;
    }
    let may = "grant set on parameter session_replication_role to postgres";
    target.run(target.superuser, DATABASE, may).await;
    let refused = trip.unpack(&url, RestoreRequest::default()).await;
    let said = refused.unwrap_err().chain().join(": ");
    assert!(said.contains("foreign key to_last on auth.users"), "{said}");
    let count = "select (select count(*) from auth.users), (select count(*) from storage.buckets)";
    assert_eq!(target.run(target.superuser, DATABASE, count).await, "0|0");
    let without = "alter table auth.users drop constraint to_last";
    target.run(target.superuser, DATABASE, without).await;
    let report = told(trip.unpack(&url, RestoreRequest::default()).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    assert_same(&source, &target).await;
}

#[tokio::test]
async fn accounts_come_with_the_one_transaction() {
    let (trip, source, target) = packed("grant supabase_storage_admin to postgres").await;
    let request = RestoreRequest::default().with_transactions(Transactions::One);
    let report = told(trip.unpack(&target.url("postgres"), request).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    assert_same(&source, &target).await;
}

/// A table of the platform's that is asked for is filled like any other time, and never replaced.
#[tokio::test]
async fn tables_of_the_platform_can_be_asked_for() {
    let (trip, _source, target) = packed("").await;
    let url = target.url("postgres");
    let request = || {
        let request = RestoreRequest::default().only(["auth.users"]).unwrap();
        request.with_existing(Existing::Drop)
    };
    let report = told(trip.unpack(&url, request()).await);
    assert!(report.is_same(), "{:#?}", report.differences);
    let counts = "select (select count(*) from auth.users), (select count(*) from auth.identities), \
         (select count(*) from pg_constraint where confrelid = 'auth.users'::regclass)";
    assert_eq!(
        target.run(target.superuser, DATABASE, counts).await,
        "30|0|2"
    );
    let newer = "insert into auth.users (id, email) values (md5('own')::uuid, 'own')";
    target.run(target.superuser, DATABASE, newer).await;
    let plan = told(trip.plan(&url, request()).await);
    assert_named(
        &plan.plan().skipped,
        &["rows of table auth.users: the table has rows"],
    );
    assert!(plan.plan().drops.is_empty(), "{:?}", plan.plan().drops);
}

async fn drilled(trip: &Trip, request: DrillRequest) -> DrillReport {
    let repository = Repository::open(trip.place.path().join("repo")).unwrap();
    let id = repository.find("latest").unwrap();
    told(drill(&OpContext::default(), &repository, &id, request).await)
}

#[tokio::test]
async fn a_drill_in_an_empty_project_proves_the_accounts() {
    let (trip, _source, target) = packed("grant supabase_storage_admin to postgres").await;
    let mut request = DrillRequest::default();
    request.to = Some(parse(&target.url("postgres")));
    let report = drilled(&trip, request).await;
    assert_eq!(report.outcome, Outcome::Passed, "{:?}", report.unproven);
    let compared = "rows and fingerprints of 7 tables of the platform".to_owned();
    assert!(report.restore.compared.contains(&compared));
}

/// A scratch server has no platform.
#[tokio::test]
async fn a_drill_on_a_scratch_server_names_the_accounts() {
    let source = Cluster::start(None).await;
    let sql = "create role supabase_admin; create schema auth authorization supabase_admin; \
         create table auth.users (id int primary key); insert into auth.users values (1); create table public.t (i int)";
    source.run(source.superuser, DATABASE, sql).await;
    let trip = told(Trip::pack(&source.url(source.superuser), BackupRequest::new()).await);
    let report = drilled(&trip, DrillRequest::default()).await;
    let differences = &report.restore.differences;
    assert_eq!(report.outcome, Outcome::Partial, "{differences:#?}");
    let named = "rows of table auth.users: the target's platform has no such table";
    assert_named(&report.unproven, &[named]);
}

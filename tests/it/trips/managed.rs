//! The trip of an owner who is no superuser, between two projects of a managed platform.

use super::fixture::{Objects, run_files};
use super::judge::{Place, assert_same_rows};
use super::{Cluster, DATABASE, Trip, told};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::drill::{DrillRequest, Outcome, drill};
use opskit_core::backup::restore::{Carry, OnError, RestoreReport, RestoreRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::Repository;

/// An empty project: `postgres` owns its database and is no superuser; `supabase_admin` is.
pub(super) async fn project() -> Cluster {
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

pub(super) async fn make_users_objects(cluster: &Cluster) {
    run_files(cluster, "managed", Objects::Owners, |file| {
        file.starts_with("20").then_some("postgres")
    })
    .await;
}

/// A policy of the user's on a table of the platform, as the platform lets users make it.
const POLICY: &str = "set role supabase_storage_admin; \
     create policy own_files on storage.objects for select to authenticated using (bucket_id = 'own')";

/// A backup of a project, and an empty project. `before` makes that other than the source was.
pub(super) async fn packed(before: &str) -> (Trip, Cluster, Cluster) {
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

/// A plain server has nothing of the platform's: what needs that is named, and all else is proven.
#[tokio::test]
async fn a_drill_of_a_project_proves_what_a_plain_server_can() {
    let source = project().await;
    make_users_objects(&source).await;
    let trip = told(Trip::pack(&source.url("postgres"), BackupRequest::new()).await);
    let repository = Repository::open(trip.place.path().join("repo")).unwrap();
    let id = repository.find("latest").unwrap();
    let ctx = OpContext::default();
    let report = told(drill(&ctx, &repository, &id, DrillRequest::default()).await);
    let restore = &report.restore;
    assert!(
        restore.is_same(),
        "{:#?}\n{:#?}",
        restore.failures,
        restore.differences
    );
    assert_eq!(report.outcome, Outcome::Partial);
    for missing in [
        "policy own on public.notes: it needs function auth.uid(), which this database does not have",
        "trigger on_auth_user_created on auth.users: it needs table auth.users, which this database does not have",
    ] {
        let is_told = report.unproven.iter().any(|it| it == missing);
        assert!(is_told, "{missing}: {:#?}", report.unproven);
    }
    let key = "constraint profiles_id_fkey on public.profiles: it needs ";
    assert!(
        report.unproven.iter().any(|it| it.starts_with(key)),
        "{:#?}",
        report.unproven
    );
    // What needs nothing of the platform's is not among them.
    for proven in ["policy readable", "table ", "extension citext", "view "] {
        let is_told = report.unproven.iter().any(|it| it.starts_with(proven));
        assert!(!is_told, "{proven}: {:#?}", report.unproven);
    }
}

/// A restore that would stop halfway for want of the platform's objects does not start.
#[tokio::test]
async fn a_plan_names_what_the_target_lacks_of_the_platform() {
    let source = project().await;
    make_users_objects(&source).await;
    let trip = told(Trip::pack(&source.url("postgres"), BackupRequest::new()).await);
    let target = Cluster::start(None).await;
    let roles = "create role anon; create role authenticated; create role service_role; create role reporting";
    target.run("postgres", DATABASE, roles).await;
    let request = RestoreRequest::default().with_owners(Carry::Leave);
    let plan = told(trip.plan(&target.url("postgres"), request.clone()).await);
    let lacks = "the target lacks what objects of the backup need and no backup brings";
    let problems = &plan.plan().problems;
    let problem = problems.iter().find(|it| it.starts_with(lacks));
    let problem = problem.unwrap_or_else(|| panic!("{problems:#?}"));
    assert!(problem.contains("function auth.uid()"), "{problem}");
    plan.close().await;
    let going = request.with_on_error(OnError::KeepGoing);
    let plan = told(trip.plan(&target.url("postgres"), going).await);
    let problems = &plan.plan().problems;
    assert!(
        !problems.iter().any(|it| it.starts_with(lacks)),
        "{problems:#?}"
    );
}

//! What a target grants by itself, and what a restore leaves out.

use super::{Stored, assert_same, restore};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Carry, Existing, RestoreRequest, Trust};
use opskit_tests::{TestDb, database};

/// Routines whose names are declared in ways of their own.
const ROUTINES: &str = "create schema s; \
    create aggregate s.cnt(*) (sfunc = int8inc, stype = int8, initcond = '0'); \
    create aggregate s.ordered(p float8 order by x anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra); \
    create aggregate s.hypothetical(variadic \"any\" order by variadic \"any\") (sfunc = ordered_set_transition_multi, stype = internal, finalfunc = rank_final, finalfunc_extra, hypothetical); \
    create procedure s.p(x int, inout y text) language sql as 'select y'; ";
const OUT_ONLY: &str = "create procedure s.out_only(a int, out b int) language sql as 'select 1'; \
    create procedure s.out_only(a int, b int) language sql as 'select 1'";

async fn routines() -> TestDb {
    let db = database().await;
    db.psql(ROUTINES).await;
    if db.version().await >= 140_000 {
        db.psql(OUT_ONLY).await;
    }
    db
}

#[tokio::test]
async fn routines_of_every_kind_are_dropped_and_made_again() {
    let source = routines().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let target = routines().await;
    for _ in 0..2 {
        let request = RestoreRequest::default()
            .with_existing(Existing::Drop)
            .with_trust(Trust::Backup);
        let report = restore(&stored, &target.url(), request).await;
        assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    }
}

#[tokio::test]
async fn grants_by_default_are_taken_back_from_routines_of_every_kind() {
    let (source, target) = (routines().await, database().await);
    let grantee = target.name();
    target
        .psql(&format!(
            "create role {grantee}; alter default privileges grant execute on functions to {grantee}"
        ))
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let request = RestoreRequest::default().with_trust(Trust::Backup);
    let report = restore(&stored, &target.url(), request).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    let granted = format!(
        "select count(*) from pg_proc p cross join lateral aclexplode(p.proacl) x where pronamespace = 's'::regnamespace and x.grantee = '{grantee}'::regrole"
    );
    assert_eq!(target.psql(&granted).await, "0");
}

/// What a superuser makes for the login to work in is the login's when the grants are taken back.
#[tokio::test]
async fn a_schema_that_the_target_grants_by_default_has_no_grant_of_the_superusers() {
    let (source, target) = (database().await, database().await);
    let (owner, grantee) = (source.name(), target.name());
    source
        .psql(&format!(
            "create role {owner}; create schema s authorization {owner}; create table s.t (i int); alter table s.t owner to {owner}"
        ))
        .await;
    target
        .psql(&format!(
            "create role {grantee}; alter default privileges grant usage on schemas to {grantee}"
        ))
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let report = restore(&stored, &target.url(), RestoreRequest::default()).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    let acl =
        "select coalesce(nspacl, acldefault('n', nspowner)) from pg_namespace where nspname = 's'";
    assert_eq!(target.psql(acl).await, format!("{{{owner}=UC/{owner}}}"));
    // The target's default is not the backup's.
    let told = report.differences.iter().map(|it| format!("{it:?}"));
    let others: Vec<String> = told
        .filter(|it| !it.contains("default privileges"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn without_privileges_their_defaults_are_not_missed() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create table t (i int); alter default privileges grant select on tables to public; grant select on t to public")
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let request = RestoreRequest::default()
        .with_privileges(Carry::Leave)
        .with_trust(Trust::Backup);
    let report = restore(&stored, &target.url(), request).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    let made = "select count(*) from pg_default_acl";
    assert_eq!(target.psql(made).await, "0");
}

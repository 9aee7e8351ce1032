//! The faults, one per probe.

use super::{GREEN, Patient, RED};
use opskit_core::health::probes;

/// What breaks a thing, and what mends it.
struct Fault {
    id: &'static str,
    broken: &'static str,
    mended: &'static str,
}

const fn fault(id: &'static str, broken: &'static str, mended: &'static str) -> Fault {
    Fault { id, broken, mended }
}

const FAULTS: [Fault; 19] = [
    fault(
        "replication.slots",
        "select pg_create_physical_replication_slot('s')",
        "select pg_drop_replication_slot('s')",
    ),
    fault(
        "archiver.failing",
        "alter system set archive_command = 'false'; select pg_reload_conf(); create table w (a int); select pg_switch_wal()",
        "alter system set archive_command = 'true'; select pg_reload_conf(); insert into w values (1); select pg_switch_wal()",
    ),
    fault(
        "vacuum.dead_rows",
        "create table e with (autovacuum_enabled = off) as select generate_series(1, 2000) as a; delete from e",
        "vacuum e",
    ),
    fault(
        "indexes.invalid",
        "create table i (a int); create index ii on i (a); update pg_index set indisvalid = false where indexrelid = 'ii'::regclass",
        "reindex index ii",
    ),
    fault(
        "indexes.duplicate",
        "create table u (a int); create index u1 on u (a); create index u2 on u (a)",
        "drop index u2",
    ),
    fault(
        "foreign_keys.unindexed",
        "create table p (a int primary key); create table c (a int references p)",
        "create index on c (a)",
    ),
    fault(
        "constraints.not_valid",
        "create table n (a int); alter table n add constraint k check (a > 0) not valid",
        "alter table n validate constraint k",
    ),
    fault(
        "triggers.disabled",
        "create table g1 (a int primary key); create table g2 (a int primary key references g1); alter table g2 disable trigger all",
        "alter table g2 enable trigger all",
    ),
    // The sequence has room for ever; the column it feeds has none.
    fault(
        "sequences.exhaustion",
        "create sequence big as bigint start 2147480500; create table q (a int default nextval('big')); select nextval('big')",
        "alter table q alter a type bigint",
    ),
    fault(
        "settings.unsafe",
        "alter system set full_page_writes = off; select pg_reload_conf()",
        "alter system reset full_page_writes; select pg_reload_conf()",
    ),
    fault(
        "settings.pending_restart",
        "alter system set max_connections = 77; select pg_reload_conf()",
        "alter system reset max_connections; select pg_reload_conf()",
    ),
    fault(
        "transactions.prepared",
        "begin; create table x (a int); prepare transaction 'x'",
        "rollback prepared 'x'",
    ),
    fault(
        "collations.drift",
        "update pg_collation set collversion = '0' where oid = (select min(oid) from pg_collation where pg_collation_actual_version(oid) is not null)",
        "update pg_collation set collversion = pg_collation_actual_version(oid) where collversion = '0'",
    ),
    fault(
        "extensions.outdated",
        "update pg_extension set extversion = '0' where extname = 'plpgsql'",
        "update pg_extension set extversion = '1.0' where extname = 'plpgsql'",
    ),
    fault(
        "roles.dangerous",
        "create role d login bypassrls",
        "drop role d",
    ),
    fault(
        "rls.exposed",
        "create role anon; grant usage on schema public to anon; create table r (a int); grant select on r to anon",
        "alter table r enable row level security",
    ),
    fault(
        "rls.always_true",
        "create policy y on r for all using (true)",
        "drop policy y on r",
    ),
    fault(
        "functions.definer",
        "create function f() returns int language sql security definer as 'select 1'",
        "revoke execute on function f() from public",
    ),
    fault(
        "connections.saturation",
        "create role one login connection limit 1",
        "alter role one connection limit -1",
    ),
];

/// Broken in sessions, below.
const BY_SESSIONS: [&str; 3] = ["transactions.idle", "transactions.longest", "locks.blocked"];
/// No fault yet: they need a network, a second server, time or broken storage. The last has a
/// test of its `judge`.
const WITHOUT: [&str; 6] = [
    "connections.latency",
    "replication.lag",
    "vacuum.wraparound",
    "storage.checksums",
    "connections.tls",
    "locks.deadlocks",
];

#[test]
fn every_probe_has_its_fault_or_says_why_not() {
    let mut named: Vec<_> = FAULTS.iter().map(|fault| fault.id).collect();
    named.extend(BY_SESSIONS.into_iter().chain(WITHOUT));
    named.sort_unstable();
    let probes = probes();
    let mut all: Vec<_> = probes.iter().map(|probe| probe.id()).collect();
    all.sort_unstable();
    assert_eq!(named, all);
}

#[tokio::test]
async fn each_probe_is_red_on_its_fault_and_green_after() {
    let patient = Patient::new().await;
    for fault in FAULTS {
        let needs_15 = fault.id == "collations.drift";
        if needs_15 && patient.server.version().major < 15 {
            println!("{}: this server does not tell", fault.id);
            continue;
        }
        patient.becomes(fault.id, &GREEN, "before its fault").await;
        patient.sql(fault.broken).await;
        let held = match fault.id {
            "connections.saturation" => Some(patient.session_as("one").await),
            _ => None,
        };
        patient.becomes(fault.id, &RED, "with its fault").await;
        patient.sql(fault.mended).await;
        patient.becomes(fault.id, &GREEN, "after its fault").await;
        drop(held);
    }
}

#[tokio::test]
async fn sessions_that_idle_and_wait_are_seen() {
    let patient = Patient::new().await;
    patient.sql("create table t (a int)").await;
    for id in BY_SESSIONS {
        patient.becomes(id, &GREEN, "before its fault").await;
    }
    let mut holder = patient.session().await;
    holder
        .execute("begin; lock table t in access exclusive mode")
        .await
        .unwrap();
    let mut waiter = patient.session().await;
    let waiting = tokio::spawn(async move { waiter.execute("select * from t").await });
    for id in BY_SESSIONS {
        if id == "locks.blocked" && patient.server.version().major < 14 {
            // The server does not tell since when, and the probe says so.
            patient
                .becomes(id, &[opskit_core::health::State::Unknown], "blind")
                .await;
            continue;
        }
        patient.becomes(id, &RED, "with its fault").await;
    }
    holder.execute("rollback").await.unwrap();
    waiting.await.unwrap().unwrap();
    for id in BY_SESSIONS {
        patient.becomes(id, &GREEN, "after its fault").await;
    }
}

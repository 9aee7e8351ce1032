//! The faults, one per probe.

use super::backups::Damage;
use super::fault::{Fault, How, other, sql, steps};

pub(super) fn all() -> impl Iterator<Item = Fault> {
    let parts: [&[Fault]; 5] = [&ACTIVITY, &LOG, &TABLES, &SERVER, &BACKUPS];
    parts.into_iter().flatten().copied()
}

const LOCKED: How = How::Held(
    &[
        "create table if not exists held (a int)",
        "begin",
        "lock table held in access exclusive mode",
    ],
    Some("select * from held"),
);

const ACTIVITY: [Fault; 10] = [
    other("connections.latency", "a slow wire", How::SlowWire),
    other(
        "connections.saturation",
        "a role with its last connection",
        How::LastConnection,
    ),
    other(
        "transactions.idle",
        "a session that idles in a transaction",
        LOCKED,
    ),
    other(
        "transactions.longest",
        "a transaction that does not end",
        LOCKED,
    ),
    other("locks.blocked", "a session that waits for a table", LOCKED),
    other(
        "locks.deadlocks",
        "two sessions that wait for each other",
        How::Deadlock,
    ),
    sql(
        "transactions.prepared",
        "a prepared transaction that nobody ends",
        steps(
            &[
                "begin",
                "create table px (a int)",
                "prepare transaction 'px'",
            ],
            &["rollback prepared 'px'"],
        ),
    ),
    other(
        "transactions.xmin",
        "a snapshot that is kept while others write",
        How::Held(&["begin isolation level repeatable read", "select 1"], None),
    ),
    sql(
        "transactions.rollbacks",
        "200 transactions that are rolled back",
        steps(
            &["do $$ begin for i in 1..200 loop rollback; end loop; end $$"],
            &["do $$ begin for i in 1..200 loop commit; end loop; end $$"],
        )
        .counted(),
    ),
    other(
        "cache.hits",
        "nothing: it informs, and is never red",
        How::Answer(&[]),
    ),
];

const LOG: [Fault; 5] = [
    sql(
        "replication.slots",
        "a slot that nobody reads",
        steps(
            &["select pg_create_physical_replication_slot('lonely')"],
            &["select pg_drop_replication_slot('lonely')"],
        ),
    ),
    sql(
        "archiver.failing",
        "an archive command that fails",
        steps(
            &[
                "alter system set archive_command = 'false'",
                "select pg_reload_conf()",
            ],
            &[
                "alter system set archive_command = 'true'",
                "select pg_reload_conf()",
            ],
        )
        .after(&["create table archived (a int)"])
        .nudged(&["insert into archived values (1)", "select pg_switch_wal()"]),
    ),
    sql(
        "archiver.backlog",
        "an archive that takes nothing",
        steps(
            &[
                "alter system set archive_command = 'false'",
                "select pg_reload_conf()",
            ],
            &[
                "alter system set archive_command = 'true'",
                "select pg_reload_conf()",
            ],
        )
        .after(&["create table queued (a int)"])
        .nudged(&["insert into queued values (1)", "select pg_switch_wal()"]),
    ),
    sql(
        "storage.wal",
        "a slot that holds the log above max_wal_size",
        steps(
            &[
                "alter system set max_wal_size = '32MB'",
                "select pg_reload_conf()",
                "select pg_create_physical_replication_slot('keeper', true)",
            ],
            &[
                "select pg_drop_replication_slot('keeper')",
                "alter system reset max_wal_size",
                "select pg_reload_conf()",
                "checkpoint",
            ],
        )
        .after(&["create table logged (a int)"])
        .nudged(&["insert into logged values (1)", "select pg_switch_wal()"]),
    ),
    other(
        "replication.lag",
        "a subscriber that cannot apply",
        How::StuckSubscriber,
    ),
];

const TABLES: [Fault; 19] = [
    sql(
        "vacuum.dead_rows",
        "2000 rows that were deleted",
        steps(&["delete from dead"], &["vacuum dead"]).after(&[
            "create table dead with (autovacuum_enabled = off) as select generate_series(1, 2000) as a",
        ]),
    ),
    sql(
        "vacuum.disabled",
        "a table without autovacuum",
        steps(
            &["alter table dusty set (autovacuum_enabled = off)"],
            &["alter table dusty reset (autovacuum_enabled)"],
        )
        .after(&["drop table if exists dead", "create table dusty (a int)"]),
    ),
    sql(
        "vacuum.bloat",
        "a table of which nine rows in ten are gone",
        steps(
            &["delete from airy where a % 10 <> 0", "vacuum airy", "analyze airy"],
            &["vacuum full airy", "analyze airy"],
        )
        .after(&[
            "create table airy as select a, repeat('x', 100) as b from generate_series(1, 250000) as a",
            "analyze airy",
        ])
        .nudged(&["analyze airy"]),
    ),
    sql(
        "vacuum.wraparound",
        "a database that was not frozen for 1.5 billion transactions",
        steps(
            &["update pg_database set datfrozenxid = ((pg_current_xact_id()::text::numeric + 4294967296 - 1500000000) % 4294967296)::bigint::text::xid where datname = 'template1'"],
            &["update pg_database set datfrozenxid = (select datfrozenxid from pg_database where datname = 'postgres') where datname = 'template1'"],
        ),
    ),
    sql(
        "indexes.invalid",
        "an index that is not valid",
        steps(
            &["update pg_index set indisvalid = false where indexrelid = 'half_a'::regclass"],
            &["reindex index half_a"],
        )
        .after(&["create table half (a int)", "create index half_a on half (a)"]),
    ),
    sql(
        "indexes.duplicate",
        "two indexes that are the same",
        steps(&["create index twice_2 on twice (a)"], &["drop index twice_2"])
            .after(&["create table twice (a int)", "create index twice_1 on twice (a)"]),
    ),
    sql(
        "indexes.unused",
        "an index that nobody reads",
        steps(
            &["create index idle_a on idle (a)"],
            &["set enable_seqscan = off", "set enable_bitmapscan = off", "select a from idle where a = 5"],
        )
        .after(&[
            "create table idle as select generate_series(1, 100000) as a",
            "analyze idle",
        ]),
    ),
    sql(
        "foreign_keys.unindexed",
        "a foreign key without an index",
        steps(
            &["create table child (a int references parent)"],
            &["create index on child (a)"],
        )
        .after(&["create table parent (a int primary key)"]),
    ),
    sql(
        "constraints.not_valid",
        "a check that was never checked",
        steps(
            &["alter table loose add constraint above check (a > 0) not valid"],
            &["alter table loose validate constraint above"],
        )
        .after(&["create table loose (a int)"]),
    ),
    sql(
        "triggers.disabled",
        "a foreign key that is switched off",
        steps(
            &["alter table off_child disable trigger all"],
            &["alter table off_child enable trigger all"],
        )
        .after(&[
            "create table off_parent (a int primary key)",
            "create table off_child (a int primary key references off_parent)",
        ]),
    ),
    sql(
        "tables.unlogged",
        "a table that a crash empties",
        steps(&["create unlogged table fleeting (a int)"], &["alter table fleeting set logged"]),
    ),
    sql(
        "sequences.exhaustion",
        "a sequence without end for a column with one",
        steps(
            &["select setval('big', 2147480500)"],
            &["alter table narrow alter a type bigint"],
        )
        .after(&[
            "create sequence big as bigint",
            "create table narrow (a int default nextval('big'))",
        ]),
    ),
    other("storage.checksums", "a page with a wrong byte", How::Torn),
    other(
        "storage.size",
        "a disk that fills",
        How::SmallDisk(
            steps(
                &["create table filler as select repeat('x', 1000) from generate_series(1, 50000)"],
                &["drop table filler", "checkpoint"],
            ),
        ),
    ),
    sql(
        "rls.exposed",
        "a table that anon reads without row security",
        steps(
            &["alter table open_table disable row level security"],
            &["alter table open_table enable row level security"],
        )
        .after(&[
            "create role anon",
            "grant usage on schema public to anon",
            "create table open_table (a int)",
            "grant select on open_table to anon",
            "alter table open_table enable row level security",
        ]),
    ),
    sql(
        "rls.always_true",
        "a policy that holds for everything",
        steps(
            &["create policy all_of_it on ruled for all using (true)"],
            &["drop policy all_of_it on ruled"],
        )
        .after(&["create table ruled (a int)"]),
    ),
    sql(
        "rls.matrix",
        "a right that nobody had before",
        steps(
            &["grant insert on granted to authenticated"],
            &["revoke insert on granted from authenticated"],
        )
        .after(&["create role authenticated", "create table granted (a int)"]),
    ),
    sql(
        "functions.definer",
        "a function that runs with its owner's rights for anon",
        steps(
            &["create function f() returns int language sql security definer as 'select 1'"],
            &["revoke execute on function f() from public"],
        )
        .after(&[
            "do $$ begin if to_regrole('anon') is null then create role anon; end if; end $$",
            "grant usage on schema public to anon",
        ]),
    ),
    sql(
        "buckets.policies",
        "a policy that lets everybody write to every bucket",
        steps(
            &["create policy loose on storage.objects for insert with check (true)"],
            &["drop policy loose on storage.objects"],
        )
        .after(&[
            "create schema storage",
            "create table storage.buckets (id text, public boolean)",
            "create table storage.objects (bucket_id text)",
            "alter table storage.objects enable row level security",
            "create policy own on storage.objects for insert with check (bucket_id = 'own')",
        ]),
    ),
];

const SERVER: [Fault; 8] = [
    other(
        "server.clock",
        "a clock that is ten seconds off",
        How::Clock,
    ),
    sql(
        "settings.unsafe",
        "full_page_writes that are off",
        steps(
            &[
                "alter system set full_page_writes = off",
                "select pg_reload_conf()",
            ],
            &[
                "alter system reset full_page_writes",
                "select pg_reload_conf()",
            ],
        ),
    ),
    sql(
        "settings.pending_restart",
        "a setting that waits for a restart",
        steps(
            &[
                "alter system set max_connections = 77",
                "select pg_reload_conf()",
            ],
            &[
                "alter system reset max_connections",
                "select pg_reload_conf()",
            ],
        ),
    ),
    sql(
        "settings.drift",
        "a setting that somebody changed",
        steps(
            &[
                "alter system set work_mem = '5MB'",
                "select pg_reload_conf()",
            ],
            &["alter system reset work_mem", "select pg_reload_conf()"],
        ),
    ),
    sql(
        "collations.drift",
        "a collation of another version of its library",
        steps(
            &[
                "update pg_collation set collversion = '0' where oid = (select min(oid) from pg_collation where pg_collation_actual_version(oid) is not null)",
            ],
            &[
                "update pg_collation set collversion = pg_collation_actual_version(oid) where collversion = '0'",
            ],
        ),
    ),
    sql(
        "extensions.outdated",
        "an extension of an old version",
        steps(
            &["update pg_extension set extversion = '0' where extname = 'plpgsql'"],
            &["update pg_extension set extversion = '1.0' where extname = 'plpgsql'"],
        ),
    ),
    other(
        "connections.tls",
        "a connection in the clear from another machine",
        How::Answer(&[&["this connection", "fail", "is not encrypted"]]),
    ),
    sql(
        "roles.dangerous",
        "a role that passes row security by",
        steps(
            &["create role passer login bypassrls"],
            &["drop role passer"],
        ),
    ),
];

const BACKUPS: [Fault; 8] = [
    other(
        "backups.age",
        "no backup for three days",
        How::Backups(Damage::Old),
    ),
    other(
        "backups.last",
        "a run that failed",
        How::Backups(Damage::Failed),
    ),
    other(
        "backups.completion",
        "a day without a backup",
        How::Backups(Damage::Gap),
    ),
    other(
        "backups.size",
        "a backup of a tenth of the usual size",
        How::Backups(Damage::Small),
    ),
    other(
        "backups.duration",
        "a backup that took two hours",
        How::Backups(Damage::Slow),
    ),
    other(
        "backups.present",
        "a backup that somebody removed",
        How::Backups(Damage::Removed),
    ),
    other(
        "backups.verified",
        "nothing verified for 40 days",
        How::Backups(Damage::Unverified),
    ),
    other(
        "backups.drilled",
        "no drill for 100 days",
        How::Backups(Damage::Undrilled),
    ),
];

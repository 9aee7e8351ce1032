//! The tables of the history, and how they came to be what they are.

/// The schema of the history. It is outside of the facts that migrations are judged by.
pub(crate) const SCHEMA: &str = "opskit";

/// The version of the layout that this code reads and writes.
pub(super) const VERSION: u32 = 1;

/// Whether the schema is there, and the version of the layout, which is NULL where there is no history yet. The table
/// is read in a function of the server's, since a query that names a table that there is not fails.
pub(super) const FIND: &str = "\
select pg_catalog.to_regnamespace('opskit')::pg_catalog.text, \
       pg_catalog.to_regclass('opskit.migration_layout')::pg_catalog.text";

pub(super) const READ_VERSION: &str =
    "select max(version)::pg_catalog.text from opskit.migration_layout";

/// Makes the schema. A statement of its own: a role may be allowed to use one that somebody else made for it.
pub(super) const MAKE_SCHEMA: &str = "create schema opskit";

/// Makes the tables of layout 1.
pub(super) const MAKE: &str = "\
create table opskit.migration_layout (version pg_catalog.int4 not null);
create table opskit.migrations (
  id pg_catalog.text primary key,
  sequence pg_catalog.int8 generated always as identity,
  version pg_catalog.text,
  name pg_catalog.text not null,
  digest pg_catalog.text,
  text_digest pg_catalog.text,
  state pg_catalog.text not null check (state in ('incomplete', 'applied', 'baseline')),
  started_at pg_catalog.timestamptz not null,
  finished_at pg_catalog.timestamptz,
  duration_ms pg_catalog.int8,
  role pg_catalog.text not null default session_user,
  host pg_catalog.text,
  tool pg_catalog.text not null,
  backup_id pg_catalog.text,
  facts_before pg_catalog.text,
  facts_after pg_catalog.text,
  origin pg_catalog.text
);
create table opskit.migration_steps (
  id pg_catalog.text not null,
  step pg_catalog.int4 not null,
  digest pg_catalog.text not null,
  state pg_catalog.text not null check (state in ('begun', 'done')),
  begun_at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
  done_at pg_catalog.timestamptz,
  primary key (id, step)
);
create table opskit.migration_repairs (
  at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
  role pg_catalog.text not null default session_user,
  id pg_catalog.text not null,
  old_digest pg_catalog.text,
  new_digest pg_catalog.text,
  reason pg_catalog.text not null
);
create table opskit.migration_facts (
  digest pg_catalog.text primary key,
  id pg_catalog.text,
  taken_at pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
  document pg_catalog.bytea not null
);
insert into opskit.migration_layout values (1);";

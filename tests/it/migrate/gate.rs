//! The gate over statements that hurt and statements that do not.

use opskit_core::migrate::{Danger, Migrations, findings};

/// Rules that meet a migration, those that are no danger to rows or access marked by `~`.
fn rules(text: &str) -> Vec<String> {
    let migrations = Migrations::embedded([("1_x.sql", text)]).unwrap();
    let found = findings(migrations.iter().next().unwrap()).unwrap();
    found.iter().map(|found| found.rule.id.to_owned()).collect()
}

/// Statements, and the rule that must meet each.
const RISKY: &[(&str, &str)] = &[
    ("drop table orders", "drop-table"),
    ("drop table if exists a, b cascade", "drop-cascade"),
    ("drop schema app cascade", "drop-schema"),
    ("drop database shop", "drop-database"),
    ("alter table orders drop column note", "drop-column"),
    ("alter table orders drop note", "drop-column"),
    (
        "alter table only s.orders add a int, drop column if exists b",
        "drop-column",
    ),
    ("drop view v", "drop-object"),
    ("drop materialized view v", "drop-object"),
    ("drop function f(int)", "drop-object"),
    ("drop type mood", "drop-object"),
    ("drop sequence s", "drop-object"),
    ("drop extension hstore", "drop-object"),
    ("drop policy p on t", "drop-policy"),
    ("drop trigger tr on t", "drop-trigger"),
    ("drop owned by app", "drop-owned"),
    ("drop role app", "drop-role"),
    ("drop publication p", "drop-object"),
    ("alter table t drop constraint c", "drop-constraint"),
    ("truncate orders", "truncate"),
    ("truncate table only a, b restart identity", "truncate"),
    ("delete from orders", "delete-all"),
    ("delete from only orders where true", "delete-all"),
    (
        "with gone as (delete from orders returning *) insert into archive select * from gone",
        "delete-all",
    ),
    ("explain analyze delete from orders", "delete-all"),
    ("update orders set note = null", "update-all"),
    (
        "update only orders o set note = upper(note) from (select 1 where true) x",
        "update-all",
    ),
    (
        "merge into t using s on t.i = s.i when matched then delete",
        "delete-all",
    ),
    ("do $$ begin delete from orders; end $$", "delete-all"),
    (
        "do $x$ begin if true then truncate orders; end if; end $x$",
        "truncate",
    ),
    ("do 'begin drop table orders; end'", "drop-table"),
    (
        "do $$ begin execute 'drop table orders'; end $$",
        "drop-table",
    ),
    (
        "do $$ begin execute format('truncate %I', 'orders'); end $$",
        "truncate",
    ),
    (
        "do $$ declare s text := 'x'; begin execute s; end $$",
        "dynamic-sql",
    ),
    (
        "create function wipe() returns void language sql as $$ delete from orders $$; select wipe()",
        "delete-all",
    ),
    (
        "create function wipe() returns void language plpgsql as $$ begin for i in 1..2 loop update orders set n = 1; end loop; end $$",
        "update-all",
    ),
    (
        "create function wipe() returns void begin atomic delete from orders; end",
        "delete-all",
    ),
    ("alter table t disable row level security", "rls-off"),
    ("alter table t no force row level security", "rls-off"),
    ("create policy p on t using (true)", "policy-open"),
    (
        "create policy p on t for insert to anon with check (true)",
        "policy-open",
    ),
    ("alter policy p on t using (owner = 'x')", "policy-changed"),
    ("grant select on orders to anon", "grant-wide"),
    (
        "grant all on all tables in schema public to public",
        "grant-wide",
    ),
    (
        "alter default privileges in schema public grant select on tables to anon",
        "grant-wide",
    ),
    ("alter role app superuser", "role-strong"),
    ("create role app bypassrls", "role-strong"),
    (
        "create function f() returns int language sql security definer as 'select 1'",
        "definer-search-path",
    ),
    ("alter function f() security definer", "definer-search-path"),
    (
        "create view public.u as select * from auth.users",
        "view-of-auth",
    ),
    ("alter table t owner to app", "owner-changed"),
    ("set session_replication_role = replica", "replication-role"),
    (
        "select set_config('session_replication_role', 'replica', false)",
        "replication-role",
    ),
    ("alter table t disable trigger all", "trigger-off"),
    ("alter event trigger e disable", "trigger-off"),
    ("alter table t set unlogged", "unlogged"),
    ("create unlogged table u (i int)", "unlogged"),
    ("alter table t detach partition p", "detach-partition"),
    ("copy t from program 'curl x'", "copy-file"),
    ("copy t to '/tmp/x'", "copy-file"),
    ("alter system set fsync = off", "alter-system"),
    ("vacuum full t", "vacuum-full"),
    ("vacuum (full, analyze) t", "vacuum-full"),
    ("cluster t using i", "cluster"),
    ("lock table t in access exclusive mode", "lock-table"),
    ("refresh materialized view v", "refresh-blocks"),
    ("create index i on t (a)", "index-blocks"),
    ("drop index i", "index-drop-blocks"),
    ("reindex table t", "reindex-blocks"),
    ("alter table t alter column a type bigint", "column-type"),
    ("alter table t alter a set data type text", "column-type"),
    ("alter table t alter a set not null", "set-not-null"),
    (
        "alter table t add constraint c check (a > 0)",
        "constraint-blocks",
    ),
    (
        "alter table t add foreign key (a) references u",
        "constraint-blocks",
    ),
    ("alter table t add constraint u unique (a)", "unique-blocks"),
    (
        "alter table t add column u uuid default gen_random_uuid()",
        "volatile-default",
    ),
    ("alter table t add column i bigserial", "volatile-default"),
    ("alter table t set tablespace fast", "tablespace"),
    ("alter table t rename to u", "rename"),
    ("alter table t rename column a to b", "rename"),
    ("alter table t set schema s", "set-schema"),
    ("revoke select on t from app", "revoke"),
];

/// Migrations that hurt nobody.
const HARMLESS: &[&str] = &[
    "create table t (id bigint generated always as identity primary key, a int unique, b text not null default 'x' check (b <> ''))",
    "create table t (id int references u on delete cascade on update set null)",
    "create table t (i int); create index on t (i); insert into t values (1); update t set i = 2; delete from t; truncate t",
    "create table t (i int); alter table t add constraint c check (i > 0); alter table t alter i set not null",
    "create table if not exists s.t (i int); alter table s.t add unique (i)",
    "create temp table x (i int); truncate x; drop table x",
    "alter table t add column a int",
    "alter table t add a int default 7 not null",
    "alter table t add column if not exists a text collate \"C\"",
    "alter table t alter a set default 1",
    "alter table t alter a drop default",
    "alter table t alter a drop not null",
    "alter table t alter a set statistics 500",
    "alter table t alter a set storage external",
    "alter table t add constraint c check (a > 0) not valid",
    "alter table t validate constraint c",
    "alter table t add constraint u unique using index i",
    "alter table t add foreign key (a) references u not valid",
    "alter table t enable row level security",
    "alter table t force row level security",
    "alter table t enable trigger tr",
    "alter table t rename constraint a to b",
    "alter table t set (fillfactor = 80)",
    "alter table t attach partition p for values in (1)",
    "alter table t replica identity full",
    "create index concurrently i on t (a)",
    "create unique index concurrently if not exists i on t (lower(a)) where a is not null",
    "drop index concurrently i",
    "reindex index concurrently i",
    "create policy p on t for select to authenticated using (owner = auth.uid())",
    "create policy p on t to service_role using (true)",
    "create policy p on t for select to authenticated using (true)",
    "drop policy if exists p on t; create policy p on t using (owner = current_user)",
    "drop function if exists f(int); create function f(int) returns int language sql as 'select 1'",
    "drop trigger if exists tr on t; create trigger tr before insert on t for each row execute function f()",
    "drop view if exists v; create view v as select 1",
    "create or replace view v as select * from t where deleted is null",
    "create view v with (security_invoker = true) as select id from auth.users",
    "create function f() returns int language sql security definer set search_path = '' as 'select 1'",
    "create function f() returns trigger language plpgsql as $$ begin new.updated_at := now(); return new; end $$",
    "create function f(i int) returns void language sql as $$ delete from t where id = i $$",
    "create trigger tr after update on t for each row when (old.* is distinct from new.*) execute function f()",
    "create trigger tr before update of a, b on t for each row execute function f()",
    "grant select, insert on t to authenticated",
    "grant usage on schema app to anon",
    "grant execute on function f(int) to service_role",
    "alter default privileges in schema app grant select on tables to app_reader",
    "create role app_reader nologin",
    "comment on table t is 'delete from it with care; truncate never'",
    "insert into t values (1, 'drop table t') on conflict (id) do update set b = excluded.b where t.b is null",
    "insert into t select * from u on conflict do nothing",
    "update t set b = 'x' where id = 1",
    "delete from t where created < now() - interval '1 year'",
    "delete from t using u where t.id = u.id",
    "with x as (select 1) update t set a = 1 where id in (select * from x)",
    "select * from t for update",
    "create type mood as enum ('sad', 'ok')",
    "alter type mood add value 'happy'",
    "create extension if not exists pgcrypto",
    "create sequence s; select setval('s', 100)",
    "do $$ begin if not exists (select from pg_roles where rolname = 'x') then create role x; end if; end $$",
    "do $$ begin create type m as enum ('a'); exception when duplicate_object then null; end $$",
    "refresh materialized view concurrently v",
    "vacuum (analyze) t",
    "analyze t",
    "set lock_timeout = '2s'",
    "create publication p for table t",
    "copy t from stdin;\n1\tdelete from t\n\\.\n",
    "create rule r as on delete to v do instead delete from t where id = old.id",
];

#[test]
fn what_hurts_is_found_by_its_rule() {
    let missed: Vec<_> = RISKY
        .iter()
        .map(|(text, rule)| (text, rule, rules(text)))
        .filter(|(_, rule, found)| !found.iter().any(|found| found == *rule))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
    println!("{} statements that hurt, all found", RISKY.len());
}

#[test]
fn what_is_harmless_passes() {
    let stopped: Vec<_> = HARMLESS
        .iter()
        .map(|text| (text, rules(text)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    assert!(stopped.is_empty(), "{stopped:#?}");
    println!("{} harmless migrations, none stopped", HARMLESS.len());
}

#[test]
fn a_reason_allows_a_rule_and_a_wrong_name_is_an_error() {
    let migrations = Migrations::embedded([(
        "1_x.sql",
        "-- opskit: allow drop-table \"nobody reads it since May\"\n-- and more\ndrop table old",
    )])
    .unwrap();
    let found = findings(migrations.iter().next().unwrap()).unwrap();
    assert_eq!(
        found[0].allowed.as_deref(),
        Some("nobody reads it since May")
    );
    assert_eq!(found[0].rule.danger, Danger::Loses);
    for text in [
        "-- opskit: allow drop-tabel \"x\"\ndrop table old",
        "-- opskit: allow drop-table\ndrop table old",
    ] {
        let migrations = Migrations::embedded([("1_x.sql", text)]).unwrap();
        assert!(
            findings(migrations.iter().next().unwrap()).is_err(),
            "{text}"
        );
    }
}

/// What stands behind the first name goes as well, and what may have been there before was not made here.
#[test]
fn neither_lists_nor_maybes_nor_names_of_another_kind_hide_what_goes() {
    for (text, rule, times) in [
        (
            "create table tmp (i int); drop table tmp, orders;",
            "drop-table",
            1,
        ),
        (
            "create table tmp (i int); truncate tmp, orders, users;",
            "truncate",
            2,
        ),
        (
            "create table if not exists users (i int); delete from users;",
            "delete-all",
            1,
        ),
        (
            "create or replace view v as select 1; drop view v;",
            "drop-object",
            1,
        ),
        ("create schema orders; drop table orders;", "drop-table", 1),
    ] {
        let found = rules(text);
        let met = found.iter().filter(|one| *one == rule).count();
        assert_eq!(met, times, "{text}: {found:?}");
    }
    assert_eq!(rules("create table tmp (i int); drop table tmp;"), [""; 0]);
}

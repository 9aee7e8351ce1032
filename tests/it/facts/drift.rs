//! One change of the catalog at a time, each in a copy of its own: every one is seen and named, and upkeep is none.

use super::{facts, facts_like, objects, version};
use opskit_core::catalog::diff::{Compared, FactsDiff};
use opskit_tests::{TestDb, database, database_with};

/// A change, and what the name of the object that it is told of holds.
type Change = (&'static str, &'static str);

#[rustfmt::skip] // a table
const CHANGES: &[Change] = &[
    ("create schema extra", "schema extra"),
    ("alter schema shop rename to store", "schema store"),
    ("alter schema shop owner to pg_monitor", "schema shop"),
    ("grant create on schema shop to public", "schema shop"),
    ("comment on schema public is null", "schema public"),
    ("create table \"Odd Table\" ()", "Odd Table"),
    ("drop table shop.typed", "table shop.typed"),
    ("alter table shop.customer rename to clients", "table shop.clients"),
    ("alter table shop.customer set schema public", "table public.customer"),
    ("alter table shop.orders owner to pg_monitor", "table shop.orders"),
    ("alter table shop.orders replica identity using index orders_pkey", "orders"),
    ("alter table shop.orders reset (fillfactor)", "table shop.orders"),
    ("create table shop.child () inherits (shop.customer)", "table shop.child"),
    ("alter table shop.inheriting no inherit shop.referring", "table shop.inheriting"),
    ("alter table shop.typed not of", "table shop.typed"),
    ("create table shop.part2 partition of shop.part for values from (10) to (20)", "table shop.part2"),
    ("alter table shop.part detach partition shop.part_rest", "table shop.part_rest"),
    ("alter table shop.customer add column extra int", "table shop.customer"),
    ("alter table shop.customer drop column many", "table shop.customer"),
    ("alter table shop.inheriting alter extra type bigint", "table shop.inheriting"),
    ("alter table shop.part alter v type text collate \"POSIX\"", "table shop.part"),
    ("alter table shop.customer alter name set default 'somebody'", "table shop.customer"),
    ("alter table shop.customer alter mood set not null", "table shop.customer"),
    ("alter table shop.customer alter id drop identity", "table shop.customer"),
    ("alter table shop.customer alter id set increment by 3", "customer"),
    ("alter table shop.orders alter id drop default", "table shop.orders"),
    ("alter table shop.orders alter twice drop expression", "table shop.orders"),
    ("alter table shop.orders alter amount reset (n_distinct)", "table shop.orders"),
    ("alter table shop.orders rename at to moment", "table shop.orders"),
    ("alter table shop.orders drop column during cascade", "table shop.orders"),
    ("revoke insert on shop.orders from public", "table shop.orders"),
    ("revoke select (note) on shop.orders from public", "table shop.orders"),
    ("alter table shop.customer drop constraint once", "constraint once on shop.customer"),
    ("alter table shop.customer rename constraint once to twice", "constraint twice on shop.customer"),
    ("alter table shop.customer add constraint named check (name <> '')", "constraint named on shop.customer"),
    ("alter table shop.orders drop constraint orders_customer_fkey", "constraint orders_customer_fkey on shop.orders"),
    ("alter table shop.orders alter constraint orders_customer_fkey deferrable initially deferred", "constraint orders_customer_fkey on shop.orders"),
    ("comment on constraint once on shop.customer is null", "constraint once on shop.customer"),
    ("drop index shop.by_note", "index shop.by_note"),
    ("create index fresh on shop.customer (price)", "index shop.fresh"),
    ("create unique index lone on shop.customer (name) where price > 5", "index shop.lone"),
    ("alter index shop.by_note rename to by_notes", "index shop.by_notes"),
    ("alter index shop.by_note set (fillfactor = 50)", "index shop.by_note"),
    ("comment on index shop.by_note is 'x'", "index shop.by_note"),
    ("update pg_index set indisvalid = false where indexrelid = 'shop.by_note'::regclass", "index shop.by_note"),
    ("drop trigger on_note on shop.orders", "trigger on_note on shop.orders"),
    ("create trigger another before delete on shop.orders for each row execute function shop.fire()", "trigger another on shop.orders"),
    ("alter trigger later on shop.orders rename to sooner", "trigger sooner on shop.orders"),
    ("alter table shop.orders enable always trigger on_note", "trigger on_note on shop.orders"),
    ("drop policy small on shop.orders", "policy small on shop.orders"),
    ("create policy big on shop.orders for all using (true)", "policy big on shop.orders"),
    ("create policy strict on shop.orders as restrictive for update using (amount > 1) with check (amount > 2)", "policy strict on shop.orders"),
    ("alter policy small on shop.orders rename to tiny", "policy tiny on shop.orders"),
    ("drop view shop.v", "view shop.v"),
    ("alter view shop.v rename to v2", "view shop.v2"),
    ("alter view shop.v alter column name set default 'x'", "shop.v"),
    ("alter view shop.v set (security_barrier = false)", "view shop.v"),
    ("drop rule nothing on shop.v", "nothing"),
    ("create rule another as on delete to shop.v do instead nothing", "another"),
    ("create materialized view shop.mv2 as select 2 as y", "materialized view shop.mv2"),
    ("drop materialized view shop.mv", "materialized view shop.mv"),
    ("alter materialized view shop.mv rename x to z", "shop.mv"),
    ("create function shop.g() returns int language sql as 'select 2'", "function shop.g()"),
    ("create function shop.f(text) returns int language sql as 'select 2'", "function shop.f(pg_catalog.text)"),
    ("drop procedure shop.p()", "shop.p()"),
    ("create or replace procedure shop.p() language plpgsql as 'begin null; end'", "shop.p()"),
    ("alter function shop.f(int, text, int[]) volatile", "function shop.f("),
    ("alter function shop.f(int, text, int[]) strict", "function shop.f("),
    ("alter function shop.f(int, text, int[]) leakproof", "function shop.f("),
    ("alter function shop.f(int, text, int[]) cost 7", "function shop.f("),
    ("alter function shop.f(int, text, int[]) parallel safe", "function shop.f("),
    ("alter function shop.f(int, text, int[]) reset search_path", "function shop.f("),
    ("alter function shop.f(int, text, int[]) rename to h", "function shop.h("),
    ("alter function shop.fire() owner to pg_monitor", "function shop.fire()"),
    ("comment on function shop.fire() is 'x'", "function shop.fire()"),
    ("create aggregate shop.total2(int) (sfunc = int4pl, stype = int)", "shop.total2("),
    ("alter aggregate shop.total(int) rename to totals", "shop.totals("),
    ("alter type shop.mood add value 'wild'", "type shop.mood"),
    ("alter type shop.mood add value 'wild' before 'sad'", "type shop.mood"),
    ("alter type shop.mood rename to humour", "type shop.humour"),
    ("comment on type shop.mood is 'm'", "type shop.mood"),
    ("create type shop.colour as enum ('r')", "type shop.colour"),
    ("alter type shop.pair add attribute c int cascade", "shop.pair"),
    ("alter type shop.pair rename attribute a to z cascade", "shop.pair"),
    ("drop type shop.span", "shop.span"),
    ("create domain shop.word as text", "shop.word"),
    ("alter domain shop.price add constraint little check (value < 1000)", "little"),
    ("alter domain shop.price drop constraint positive", "positive"),
    ("alter domain shop.price rename to cost", "shop.cost"),
    ("create collation shop.other from \"C\"", "collation shop.other"),
    ("alter collation shop.same rename to alike", "collation shop.alike"),
    ("create operator shop.<=> (leftarg = int, rightarg = int, procedure = int4ne)", "shop.<=>"),
    ("drop operator shop.=== (int, int)", "shop.==="),
    ("drop operator class shop.cls using btree", "shop.cls"),
    ("create operator family shop.fam2 using hash", "shop.fam2"),
    ("drop cast (shop.pair as text)", "shop.pair"),
    ("drop conversion shop.cv", "conversion shop.cv"),
    ("create text search dictionary shop.d2 (template = simple)", "shop.d2"),
    ("alter text search dictionary shop.dict (accept = false)", "shop.dict"),
    ("drop text search configuration shop.cfg", "shop.cfg"),
    ("create publication everything for all tables", "publication everything"),
    ("alter publication pub rename to bup", "publication bup"),
    ("alter publication pub set (publish_via_partition_root)", "publication pub"),
    ("drop foreign table shop.far", "foreign table shop.far"),
    ("alter foreign table shop.far options (set z '2')", "foreign table shop.far"),
    ("drop server s cascade", "server s"),
    ("grant usage on foreign server s to public", "server s"),
    ("alter foreign data wrapper w options (add a 'b')", "wrapper w"),
    ("alter user mapping for postgres server s options (set password 'other')", "user mapping for postgres"),
    ("drop user mapping for postgres server s", "user mapping for postgres"),
    ("alter event trigger et rename to te", "event trigger te"),
    ("alter event trigger et enable replica", "event trigger et"),
    ("create sequence shop.fresh", "sequence shop.fresh"),
    ("alter sequence shop.numbers cycle", "sequence shop.numbers"),
    ("alter sequence shop.numbers maxvalue 100", "sequence shop.numbers"),
    ("alter sequence shop.numbers as int", "sequence shop.numbers"),
    ("grant usage on sequence shop.numbers to public", "sequence shop.numbers"),
    ("drop statistics shop.together", "shop.together"),
    ("alter statistics shop.together set statistics 7", "shop.together"),
    ("create statistics shop.another (mcv) on at, note from shop.orders", "shop.another"),
    ("select lo_create(4712)", "large object 4712"),
    ("select lo_unlink(4711)", "large object 4711"),
    ("alter large object 4711 owner to pg_monitor", "large object 4711"),
    ("comment on large object 4711 is null", "large object 4711"),
    ("alter default privileges grant select on sequences to public", "default privileges"),
    ("create access method heap2 type table handler heap_tableam_handler", "access method heap2"),
];

/// What keeps a database in good order and says nothing of its schema.
const UPKEEP: &[&str] = &[
    "vacuum full",
    "analyze",
    "vacuum (freeze)",
    "reindex schema shop",
    "cluster",
    "alter table shop.customer add column passing int; alter table shop.customer drop column passing",
    "insert into shop.part values (1, 'a'), (50, 'b')",
    "select nextval('shop.numbers')",
    "checkpoint",
];

/// A database with one of nearly everything, that nobody is connected to.
async fn template() -> TestDb {
    let db = database().await;
    db.psql(&objects::sql(version(&db).await)).await;
    db
}

#[tokio::test]
async fn each_of_a_hundred_changes_is_seen_and_named() {
    let template = template().await;
    let before = facts(&template).await;
    let copy = format!("template {}", template.name());
    let mut missed = Vec::new();
    for (change, object) in CHANGES {
        let db = database_with(&copy).await;
        if let Err(error) = db.try_psql(change).await {
            missed.push((change, error));
            continue;
        }
        let after = facts_like(&db, &before).await;
        let diff = FactsDiff::between(&before, &after, Compared::Objects);
        let named: Vec<&str> = diff.objects.iter().map(|diff| &*diff.object).collect();
        if before.digest() == after.digest() || !named.iter().any(|name| name.contains(object)) {
            missed.push((change, named.join(", ")));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(CHANGES.len() >= 100);
    println!("{} changes, all seen and named", CHANGES.len());
}

#[tokio::test]
async fn a_copy_and_upkeep_are_no_changes() {
    let template = template().await;
    let before = facts(&template).await;
    let db = database_with(&format!("template {}", template.name())).await;
    for upkeep in UPKEEP {
        db.psql(upkeep).await;
        let after = facts_like(&db, &before).await;
        let diff = FactsDiff::between(&before, &after, Compared::Objects);
        assert!(diff.is_empty(), "after {upkeep}:\n{diff}");
    }
}

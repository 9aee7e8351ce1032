//! Each single change of a schema is a difference, and the difference names the object.

use super::{facts, facts_like, objects, version};
use opskit_core::catalog::diff::{Compared, FactsDiff};
use opskit_tests::database;

/// A change, how it is undone, and the object that the difference must name.
type Change = (&'static str, &'static str, &'static str);

#[rustfmt::skip] // a table
const CHANGES: &[Change] = &[
    ("alter table shop.orders alter at set default now() + '1 day'", "alter table shop.orders alter at set default now()", "table shop.orders"),
    ("alter table shop.orders alter at drop default", "alter table shop.orders alter at set default now()", "table shop.orders"),
    ("alter policy small on shop.orders using (amount < 101)", "alter policy small on shop.orders using (amount < 100)", "policy small on shop.orders"),
    ("alter policy small on shop.orders to postgres", "alter policy small on shop.orders to public", "policy small on shop.orders"),
    ("grant update on shop.orders to public", "revoke update on shop.orders from public", "table shop.orders"),
    ("grant update (note) on shop.orders to public", "revoke update (note) on shop.orders from public", "table shop.orders"),
    ("grant execute on function shop.f(int, text, int[]) to public", "revoke execute on function shop.f(int, text, int[]) from public", "function shop.f(pg_catalog.int4, pg_catalog.text, pg_catalog.int4[])"),
    ("revoke usage on schema shop from public", "grant usage on schema shop to public", "schema shop"),
    ("revoke usage on type shop.mood from public", "grant usage on type shop.mood to public", "type shop.mood"),
    ("alter default privileges in schema shop grant insert on tables to public", "alter default privileges in schema shop revoke insert on tables from public", "default privileges of postgres in shop on tables"),
    ("comment on table shop.orders is 'others'", "comment on table shop.orders is 'all orders'", "table shop.orders"),
    ("comment on column shop.orders.note is null", r"comment on column shop.orders.note is E'two\nlines'", "table shop.orders"),
    ("alter table shop.orders disable trigger on_note", "alter table shop.orders enable trigger on_note", "trigger on_note on shop.orders"),
    ("alter table shop.part1 disable trigger on_part", "alter table shop.part1 enable trigger on_part", "trigger on_part on shop.part1"),
    ("alter table shop.referring disable trigger all", "alter table shop.referring enable trigger all", "constraint referring_k_fkey on shop.referring"),
    ("alter event trigger et enable", "alter event trigger et disable", "event trigger et"),
    ("alter type shop.mood rename value 'meh' to 'neutral'", "alter type shop.mood rename value 'neutral' to 'meh'", "type shop.mood"),
    ("create or replace function shop.fire() returns trigger language plpgsql as 'begin return old; end'", "create or replace function shop.fire() returns trigger language plpgsql as 'begin return new; end'", "function shop.fire()"),
    ("alter function shop.fire() security definer", "alter function shop.fire() security invoker", "function shop.fire()"),
    ("alter function shop.fire() set work_mem = '1MB'", "alter function shop.fire() reset work_mem", "function shop.fire()"),
    ("alter table shop.orders set (fillfactor = 71)", "alter table shop.orders set (fillfactor = 70)", "table shop.orders"),
    ("alter table shop.orders reset (toast.autovacuum_enabled)", "alter table shop.orders set (toast.autovacuum_enabled = false)", "table shop.orders"),
    ("alter table shop.orders alter note set statistics 56", "alter table shop.orders alter note set statistics 55", "table shop.orders"),
    ("alter index shop.by_note alter column 1 set statistics 301", "alter index shop.by_note alter column 1 set statistics 300", "index shop.by_note"),
    ("alter table shop.orders alter note set storage main", "alter table shop.orders alter note set storage external", "table shop.orders"),
    ("alter table shop.orders set without cluster", "alter table shop.orders cluster on orders_pkey", "index shop.orders_pkey"),
    ("alter table shop.orders replica identity full", "alter table shop.orders replica identity default", "table shop.orders"),
    ("alter table shop.orders disable row level security", "alter table shop.orders enable row level security", "table shop.orders"),
    ("alter table shop.orders force row level security", "alter table shop.orders no force row level security", "table shop.orders"),
    ("alter table shop.customer alter name drop not null", "alter table shop.customer alter name set not null", "table shop.customer"),
    ("alter table shop.customer alter constraint once_fk deferrable", "alter table shop.customer alter constraint once_fk not deferrable", "constraint once_fk on shop.customer"),
    ("alter table shop.customer rename name to named", "alter table shop.customer rename named to name", "table shop.customer"),
    ("alter table shop.customer alter id set generated always", "alter table shop.customer alter id set generated by default", "table shop.customer"),
    ("alter table shop.fast set logged", "alter table shop.fast set unlogged", "table shop.fast"),
    ("alter table shop.orders add check (id > 0) not valid", "alter table shop.orders drop constraint orders_id_check", "constraint orders_id_check on shop.orders"),
    ("alter table shop.part detach partition shop.part1", "alter table shop.part attach partition shop.part1 for values from (1) to (10)", "table shop.part1"),
    ("alter domain shop.price set default 1", "alter domain shop.price set default 0", "domain shop.price"),
    ("alter domain shop.price drop not null", "alter domain shop.price set not null", "domain shop.price"),
    ("alter sequence shop.numbers increment 6", "alter sequence shop.numbers increment 5", "sequence shop.numbers"),
    ("alter sequence shop.numbers owned by none", "alter sequence shop.numbers owned by shop.customer.price", "sequence shop.numbers"),
    ("create or replace view shop.v with (security_barrier) as select c.name, o.amount from shop.customer c left join shop.orders o on o.customer = c.id", "create or replace view shop.v with (security_barrier) as select c.name, o.amount from shop.customer c join shop.orders o on o.customer = c.id", "query of shop.v"),
    ("alter view shop.v reset (security_barrier)", "alter view shop.v set (security_barrier)", "view shop.v"),
    ("refresh materialized view shop.mv", "refresh materialized view shop.mv with no data", "materialized view shop.mv"),
    ("alter publication pub drop table shop.customer", "alter publication pub add table shop.customer", "publication pub"),
    ("alter publication pub set (publish = 'insert')", "alter publication pub set (publish = 'insert, update, delete, truncate')", "publication pub"),
    ("alter text search configuration shop.cfg alter mapping for word with simple, shop.dict", "alter text search configuration shop.cfg alter mapping for word with shop.dict, simple", "text search configuration shop.cfg"),
    ("alter server s options (set host 'i')", "alter server s options (set host 'h')", "server s"),
    ("alter foreign table shop.far alter a options (set x 'z')", "alter foreign table shop.far alter a options (set x 'y')", "foreign table shop.far"),
    ("grant select on large object 4711 to public", "revoke select on large object 4711 from public", "large object 4711"),
    ("alter trigger on_note on shop.orders no depends on extension plpgsql", "alter trigger on_note on shop.orders depends on extension plpgsql", "trigger on_note on shop.orders"),
    ("alter statistics shop.together rename to apart", "alter statistics shop.apart rename to together", "statistics shop.apart"),
    ("create table shop.more ()", "drop table shop.more", "table shop.more"),
];

#[tokio::test]
async fn each_change_is_seen_and_named() {
    let db = database().await;
    db.psql(&objects::sql(version(&db).await)).await;
    db.psql("alter table shop.customer add constraint once_fk foreign key (id) references shop.customer").await;
    let before = facts(&db).await;
    for (change, undo, object) in CHANGES {
        db.psql(change).await;
        let after = facts_like(&db, &before).await;
        assert_ne!(before.digest(), after.digest(), "{change}");
        let diff = FactsDiff::between(&before, &after, Compared::Objects);
        let named: Vec<&str> = diff.objects.iter().map(|diff| &*diff.object).collect();
        assert!(named.contains(object), "{change}: {named:?}\n{diff}");
        assert!(diff.to_string().contains(object), "{change}: {diff}");
        db.psql(undo).await;
        let again = facts_like(&db, &before).await;
        let diff = FactsDiff::between(&before, &again, Compared::Objects);
        assert!(diff.is_empty(), "after {undo}:\n{diff}");
        assert_eq!(before.digest(), again.digest(), "{undo}");
    }
}

#[tokio::test]
async fn changes_of_the_database_and_of_roles_are_of_the_cluster() {
    let db = database().await;
    let (name, role) = (db.name(), format!("{}_role", db.name()));
    let before = facts(&db).await;
    for (change, undo, object) in [
        (
            format!("alter database {name} set work_mem = '1MB'"),
            format!("alter database {name} reset all"),
            "database".to_owned(),
        ),
        (
            format!("comment on database {name} is 'mine'"),
            format!("comment on database {name} is null"),
            "database".to_owned(),
        ),
        (
            format!("revoke connect on database {name} from public"),
            format!("grant connect on database {name} to public"),
            "database".to_owned(),
        ),
        (
            format!(
                "create role {role}; alter role {role} in database {name} set jit = off; grant pg_monitor to {role}"
            ),
            format!("drop owned by {role}; drop role {role}"),
            format!("role {role}"),
        ),
    ] {
        db.psql(&change).await;
        let after = facts_like(&db, &before).await;
        db.psql(&undo).await;
        assert_eq!(before.digest(), after.digest(), "{change}");
        let diff = FactsDiff::between(&before, &after, Compared::ObjectsAndCluster);
        assert!(
            diff.cluster.iter().any(|diff| diff.object == object),
            "{change}: {diff}"
        );
        assert!(
            FactsDiff::between(&before, &after, Compared::Objects).is_empty(),
            "{change}"
        );
    }
}

//! Tables that are odd as tables: shapes, kinds and names.

use crate::database::TestDb;

/// A table's name that has everything that a path must not have.
pub const ODD_NAME: &str = "../a/b \"c\"\n'd'\\é%.Z";

/// Rows in each of the tables of [`make`], by the path component of its folder.
pub const ROWS: [(&str, u64); 17] = [
    ("public.zero", 3),
    ("public.zero_empty", 0),
    ("public.wide", 40),
    ("public.dropped", 2),
    ("public.generated", 2),
    ("public.parted", 5),
    ("public.unparted", 0),
    ("public.parent", 1),
    ("public.child", 2),
    ("public.fast", 4),
    ("public.matview", 10),
    ("public.looked_at", 3),
    ("public.empty", 0),
    ("public.long", 1),
    ("public.twin", 1),
    ("public.%54win", 1),
    (
        "public.%2E%2E%2Fa%2Fb%20%22c%22%0A%27d%27%5C%C3%A9%25%2E%5A",
        1,
    ),
];

/// Statements that every server knows.
const TABLES: &str = r#"
create table zero ();
insert into zero select from generate_series(1, 3);
create table zero_empty ();
do $$ begin
  execute (select 'create table wide (' || string_agg(format('"c%s" %s', i,
    (array['int4','text','bool','int8','float8','timestamp','numeric(9,2)','int2'])[1 + i % 8]), ', ') || ')' from generate_series(1, 1600) i);
  execute (select 'insert into wide select ' || string_agg(format('case when (i + %s) %% 3 = 0 then %s end', i,
    (array['i','''x'' || i','true','i','i / 7.0','timestamp ''2000-01-01''','1.1','i'])[1 + i % 8]), ', ')
    || ' from generate_series(1, 40) i' from generate_series(1, 1600) i);
end $$;
create table dropped (a int, gone text, b text, gone_too int);
insert into dropped values (1, 'g', 'b1', 5);
alter table dropped drop column gone, drop column gone_too, add column c numeric(9,2) default 1.5;
insert into dropped values (2, 'b2');
create table generated (a int, g int generated always as (a * 2) stored, i int generated always as identity);
insert into generated (a) values (1), (null);
create table parted (a int, b text, c timestamptz) partition by list (a);
create table parted_1 (c timestamptz, gone int, b text, a int);
alter table parted_1 drop column gone;
alter table parted attach partition parted_1 for values in (1);
create table parted_2 partition of parted for values in (2, 3) partition by list (b);
create table parted_2_x partition of parted_2 for values in ('x', 'y');
insert into parted values (1, 'one', '2026-01-01 00:00:00+00'), (1, null, null), (2, 'x', 'infinity'), (3, 'y', null), (3, 'x', null);
create table unparted (a int, b text) partition by range (a);
create table parent (a int, b text);
create table child (extra int) inherits (parent);
insert into parent values (1, 'p');
insert into child values (2, 'c', 3), (3, 'c', 4);
create unlogged table fast as select i from generate_series(1, 4) i;
create materialized view matview as select i, 'm' || i as t from generate_series(1, 10) i;
create view looked_at as select i as a, i::text as "B" from generate_series(1, 3) i;
create table empty (a int, b numeric(12,2)[], c timestamptz);
create table long (a text);
insert into long values (repeat('long ', 200000));
create table twin (a int, "A" int, "a b" int, "" || '' int);
"#;

/// Makes the tables in `db`.
///
/// # Panics
///
/// When the server refuses one.
pub async fn make(db: &TestDb) {
    let tables = TABLES.replace(
        "\"\" || '' int",
        "\"a\"\"/../b\n\" int, \"éééééééééééééééééééééééééééééé\" int",
    );
    let odd = opskit_core::name::quote_ident(ODD_NAME);
    let script = format!(
        "{tables} insert into twin values (1, 2, 3, 4, 5); create table \"Twin\" as select 1 as a; create table {odd} as select 7 as \"x/..\""
    );
    db.psql(&script).await;
}

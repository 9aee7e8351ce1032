//! Functions, aggregates, operators and what is made of them.

use super::{assert_round_trip, model_of};
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::catalog::model::Object;
use opskit_tests::database;
use sqlx::Connection as _;

#[tokio::test]
async fn function_bodies_come_back_as_they_were() {
    assert_round_trip(
        r#"create schema "S";
        create function public.hard(a text default E'it''s \\ ; --', "B c" int default 1) returns text language plpgsql as $body$
-- a line that starts with two dashes
declare x text := $x$dollar $function$ inside$x$; /* ü */
begin
CREATE TABLE "looks like a statement" ();
  return E'\\n' || 'é日本語' || ';' || $$;$$;
end $body$;
        create function public.quoted() returns text language sql as 'select ''it''''s'' || E''\\t'' -- end';
        create function public.empty() returns void language sql as '';
        create function "S"."F ""x"""() returns setof int language sql as 'select 1; select 2' "#,
    )
    .await;
}

#[tokio::test]
async fn functions_keep_their_attributes() {
    assert_round_trip(
        r#"create schema "S";
        create type "S".t as (a int);
        create function public.a(int, out x int, inout y "S".t, variadic z text[]) immutable strict security definer
          parallel safe cost 7.5 leakproof language sql as 'select 1, $2' set search_path = "S", pg_temp set "my.value" = 'it''s';
        create function public.many(a int) returns table (b int, "C" text) stable rows 12 parallel restricted
          language sql as 'select 1, ''x''';
        create function public.many(a text) returns int language sql as 'select 1';
        create function public.w(int) returns bigint language internal window immutable as 'window_row_number';
        create function public.support(int) returns int language sql support generate_series_int4_support as 'select $1';
        create procedure public.p(inout a int, b text default 'x') language plpgsql as 'begin commit; end';
        create procedure "S".q() language sql security definer set work_mem = '3MB' as 'select 1';
        create function public.trig() returns trigger language plpgsql as 'begin return new; end';
        create function public.poly(anyelement, anyarray) returns anyelement language sql as 'select $1';
        create function public.evt() returns event_trigger language plpgsql as 'begin end' "#,
    )
    .await;
}

#[tokio::test]
async fn what_a_superuser_must_create_is_known() {
    let db = assert_round_trip(
        r#"create function public.plain() returns int language sql as 'select 1' set work_mem = '1MB';
        create function public.leak() returns int language sql leakproof as 'select 1';
        create function public.supported(int) returns int language sql support generate_series_int4_support as 'select $1';
        create function public.reserved() returns int language sql set log_statement = 'none' as 'select 1';
        create function public.inside(int) returns int language internal as 'int4abs' "#,
    )
    .await;
    let model = model_of(&db).await;
    let reason = |name: &str| {
        let found = model.objects.iter().find(|object| object.name == name);
        Object::needs_superuser(found.unwrap())
    };
    assert_eq!(reason("plain"), None);
    assert_eq!(reason("leak"), Some("it is declared LEAKPROOF"));
    assert_eq!(reason("supported"), Some("it has a support function"));
    assert_eq!(
        reason("reserved"),
        Some("it sets a parameter that only a superuser may set")
    );
    assert_eq!(
        reason("inside"),
        Some("it calls code on the server's machine")
    );
}

#[tokio::test]
async fn bodies_in_standard_sql() {
    if database().await.version().await < 140_000 {
        println!("skipped: the server has no such bodies");
        return;
    }
    assert_round_trip(
        r#"create schema "S";
        create function "S".one() returns int language sql return 1;
        create function public.two(x int) returns text language sql stable begin atomic
          select 'a;b' || x::text; select 'é' || "S".one(); end;
        create procedure public.nothing() language sql begin atomic end "#,
    )
    .await;
}

#[tokio::test]
async fn aggregates() {
    assert_round_trip(
        r#"create schema "S";
        create function "S".add(int, int) returns int language sql immutable as 'select $1 + $2';
        create function "S".sub(int, int) returns int language sql immutable as 'select $1 - $2';
        create function "S".fin(int, int) returns text language sql immutable as 'select $1::text';
        create function "S".add3(int8, int, int) returns int8 language sql as 'select $1 + $2 + $3';
        create aggregate "S"."Sum"(int) (sfunc = "S".add, stype = int, sspace = 8, finalfunc = "S".fin, finalfunc_extra,
          finalfunc_modify = shareable, combinefunc = "S".add, initcond = '0', msfunc = "S".add, minvfunc = "S".sub,
          mstype = int, msspace = 4, mfinalfunc = "S".fin, mfinalfunc_extra, mfinalfunc_modify = read_write,
          minitcond = '1', parallel = safe);
        create aggregate public.smallest(int) (sfunc = int4smaller, stype = int, sortop = operator(pg_catalog.<), parallel = restricted);
        create aggregate public.counts(*) (sfunc = int8inc, stype = int8, initcond = '0');
        create aggregate public.named(a int, "B b" int) (sfunc = "S".add3, stype = int8);
        create aggregate public.percentile(float8 order by anyelement) (sfunc = ordered_set_transition, stype = internal,
          finalfunc = percentile_disc_final, finalfunc_extra, finalfunc_modify = read_only);
        create aggregate public.ranks(variadic "any" order by variadic "any") (sfunc = ordered_set_transition_multi,
          stype = internal, finalfunc = rank_final, finalfunc_extra, hypothetical);
        create aggregate public.avg2(numeric) (sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg,
          combinefunc = numeric_avg_combine, serialfunc = numeric_avg_serialize, deserialfunc = numeric_avg_deserialize) "#,
    )
    .await;
}

#[tokio::test]
async fn operators_in_circles() {
    assert_round_trip(
        r#"create schema "S";
        create type "S".t as (a int);
        create function "S".lt("S".t, "S".t) returns bool language sql immutable as 'select ($1).a < ($2).a';
        create function "S".ge("S".t, "S".t) returns bool language sql immutable as 'select ($1).a >= ($2).a';
        create function "S".eq("S".t, "S".t) returns bool language sql immutable as 'select ($1).a = ($2).a';
        create function "S".neg("S".t) returns "S".t language sql immutable as 'select row(-($1).a)::"S".t';
        create operator "S".< (function = "S".lt, leftarg = "S".t, rightarg = "S".t, commutator = operator("S".>),
          negator = operator("S".>=), restrict = scalarltsel, join = scalarltjoinsel);
        create operator "S".>= (function = "S".ge, leftarg = "S".t, rightarg = "S".t, negator = operator("S".<));
        create operator "S".> (function = "S".ge, leftarg = "S".t, rightarg = "S".t, commutator = operator("S".<));
        create operator "S".= (function = "S".eq, leftarg = "S".t, rightarg = "S".t, commutator = operator("S".=), hashes, merges);
        create operator public.-+-~ (function = "S".neg, rightarg = "S".t) "#,
    )
    .await;
}

#[tokio::test]
async fn operator_classes_and_families() {
    let db = assert_round_trip(
        r#"create schema "S";
        create function "S".lt(int, int) returns bool language sql immutable as 'select $1 < $2';
        create operator "S".<< (function = "S".lt, leftarg = int, rightarg = int);
        create function "S".cmp(int, int) returns int language sql immutable as 'select btint4cmp($1, $2)';
        create function "S".cmp8(int, int8) returns int language sql immutable as 'select 1';
        create operator family "S"."Fam" using btree;
        create operator class "S"."Class" for type int using btree family "S"."Fam" as
          operator 1 "S".<<, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 "S".cmp(int, int);
        alter operator family "S"."Fam" using btree add operator 1 < (int, int8), function 1 (int, int8) "S".cmp8(int, int8);
        create operator class public.alone for type text using hash as operator 1 =, function 1 hashtext(text);
        create operator class public.points for type point using gist as operator 15 <-> (point, point) for order by float_ops,
          function 1 gist_point_consistent(internal, point, smallint, oid, internal), storage box;
        create type public.colour as enum ('red');
        create operator class public.bare default for type public.colour using brin as storage public.colour "#,
    )
    .await;
    let model = model_of(&db).await;
    let class = model.objects.iter().find(|object| object.name == "Class");
    assert!(Object::needs_superuser(class.unwrap()).is_some());
    assert_eq!(
        class.unwrap().describe(),
        "operator class S.Class USING \"btree\""
    );
}

#[tokio::test]
async fn transforms() {
    assert_round_trip(
        r#"create type public.t as (a int);
        create function public.into_pl(internal) returns internal language internal immutable as 'int4in';
        create function public.out_of_pl(internal) returns public.t language internal immutable as 'int4out';
        create transform for public.t language plpgsql (from sql with function public.into_pl(internal), to sql with function public.out_of_pl(internal));
        create function public.uses(x public.t) returns int transform for type public.t language plpgsql as 'begin return 1; end' "#,
    )
    .await;
}

#[tokio::test]
async fn what_needs_each_other_comes_in_order() {
    let atomic = if database().await.version().await < 140_000 {
        ""
    } else {
        "create table public.t (id int primary key, name text, d public.self);
         create function public.z_of_table() returns bigint language sql begin atomic select count(*) from public.t; end;
         create function public.grouped() returns setof text language sql
           begin atomic select t.name from public.t group by t.id; end;
         alter table public.t add check (public.z_of_table() >= 0)"
    };
    if atomic.is_empty() {
        println!("skipped: the server has no bodies with dependencies");
    }
    let sql = format!(
        "create domain public.self as int;
         create function public.check_self(public.self) returns bool language sql immutable as 'select true';
         alter domain public.self add constraint by_itself check (public.check_self(value));
         create type public.z as (a int);
         create type public.a as (z public.z[], s public.self);
         create function public.f(public.a[]) returns public.z language sql as 'select null::public.z';
         create function public.b(int default 1) returns int language sql as 'select 1';
         create domain public.by_function as int default public.b();
         {atomic}"
    );
    assert_round_trip(&sql).await;
}

#[tokio::test]
async fn every_statement_is_one() {
    let (source, target) = (database().await, database().await);
    source
        .psql(
            r#"create function public.f() returns text language plpgsql as 'begin return '';''; end; -- ;';
            create procedure public."p;"() language sql as 'select 1; select 2;';
            create domain public.d as text default ';--' check (value <> ';');
            create aggregate public.a(text) (sfunc = textcat, stype = text, initcond = ';') "#,
        )
        .await;
    let model = model_of(&source).await;
    let script = Script::of(&model, &DdlOptions::new(model.server_version)).unwrap();
    let mut connection = sqlx::PgConnection::connect(&target.url()).await.unwrap();
    for statement in &script.statements {
        // Prepared: the extended protocol takes no second statement.
        let sql = sqlx::AssertSqlSafe(statement.sql.clone());
        sqlx::query(sql).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
    let copied = Script::of(
        &model_of(&target).await,
        &DdlOptions::new(model.server_version),
    );
    assert_eq!(copied.unwrap().to_string(), script.to_string());
}

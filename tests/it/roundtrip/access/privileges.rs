//! Owners, privileges, default privileges, comments.

use super::{assert_carried_with, major};
use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{Action, DdlOptions, Grants, Owners, Script};
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;
use opskit_tests::database;
use opskit_tests::export::parse;

const ROLES: &[&str] = &["ROLE one", "ROLE \"\"two", "ROLE;three"];

/// One object of each class that has privileges.
const OBJECTS: &str = r#"
create schema "odd ""s";
create table "odd ""s"."T'é" (id int, "select" text, "a ""b" int);
create table plain (id serial, big bigint generated always as identity);
create sequence "odd ""s"."Seq";
create function "odd ""s"."f x"(a int, variadic b text[] default '{}', out c int) language sql as 'select 1';
create procedure proc(inout a "odd ""s"."T'é") language sql as 'select a';
create aggregate total(int) (sfunc = int4pl, stype = int);
create aggregate hypo(text, int order by float8) (sfunc = ordered_set_transition_hypo, stype = internal);
create type mood as enum ('a', 'b');
create type "Comp" as (a int, b text);
create domain positive as int constraint "po s" check (value > 0);
create type span as range (subtype = int);
create operator "odd ""s".=== (leftarg = int, rightarg = int, function = int4eq);
create operator !!! (rightarg = int, function = int4um);
create cast (mood as "Comp") with inout;
create collation "Co l" (locale = 'C');
create text search dictionary "di ct" (template = simple);
create text search configuration "co nf" (parser = default);
create statistics "st at" on id, "a ""b" from "odd ""s"."T'é";
create index "i x" on plain (id);
alter table plain add constraint "c k" check (id > 0);
"#;

#[tokio::test]
async fn comments_on_everything() {
    let before = OBJECTS.replace("create aggregate hypo(text, int order by float8) (sfunc = ordered_set_transition_hypo, stype = internal);\n", "");
    let sql = r#"
comment on schema "odd ""s" is 'schema';
comment on schema public is 'other';
comment on table "odd ""s"."T'é" is E'two\nlines; ''quoted'' \\ back';
comment on column "odd ""s"."T'é"."a ""b" is 'column';
comment on column "Comp".b is 'attribute';
comment on sequence "odd ""s"."Seq" is 's';
comment on function "odd ""s"."f x"(int, text[]) is 'f';
comment on procedure proc("odd ""s"."T'é") is 'p';
comment on aggregate total(int) is 'a';
comment on type mood is 'm'; comment on type "Comp" is 'c'; comment on domain positive is 'd'; comment on type span is 'r';
comment on constraint "po s" on domain positive is 'dc';
comment on constraint "c k" on plain is 'c';
comment on operator "odd ""s".=== (int, int) is 'o';
comment on operator !!! (none, int) is 'prefix';
comment on cast (mood as "Comp") is 'cast';
comment on collation "Co l" is 'co';
comment on text search dictionary "di ct" is 'd';
comment on text search configuration "co nf" is 'c';
comment on statistics "st at" is 's';
comment on index "i x" is 'i';
comment on language sql is 'server''s own, and left alone';
comment on language sql is null;
"#;
    assert_carried_with(&[], &before, sql).await;
}

#[tokio::test]
async fn privileges() {
    let before = OBJECTS.replace("create aggregate hypo(text, int order by float8) (sfunc = ordered_set_transition_hypo, stype = internal);\n", "");
    let sql = r#"
grant all on schema "odd ""s" to "ROLE one" with grant option;
grant usage on schema "odd ""s" to "ROLE ""two", public;
grant select, insert on "odd ""s"."T'é" to "ROLE ""two" with grant option;
grant select, delete on "odd ""s"."T'é" to public;
grant update ("select", "a ""b"), select (id) on "odd ""s"."T'é" to "ROLE;three";
grant references (id) on "odd ""s"."T'é" to "ROLE ""two" with grant option;
set role "ROLE ""two";
grant select on "odd ""s"."T'é" to "ROLE;three";
grant references (id) on "odd ""s"."T'é" to "ROLE;three";
reset role;
revoke insert, truncate on plain from current_user;
grant usage on sequence "odd ""s"."Seq" to "ROLE one";
grant all on sequence plain_id_seq to public;
revoke all on function "odd ""s"."f x"(int, text[]) from public;
revoke all on procedure proc("odd ""s"."T'é") from public;
grant execute on procedure proc("odd ""s"."T'é") to "ROLE one";
grant execute on procedure proc("odd ""s"."T'é") to public;
revoke all on function total(int) from public, current_user;
revoke usage on type mood from public;
grant usage on type positive to "ROLE one" with grant option;
revoke usage on language plpgsql from public;
revoke execute on function pg_catalog.pg_sleep(float8) from public;
grant execute on function pg_catalog.pg_reload_conf() to "ROLE one";
grant select on pg_catalog.pg_authid to "ROLE one";
grant select (rolname) on pg_catalog.pg_authid to public;
revoke select on information_schema.tables from public;
"#;
    assert_carried_with(ROLES, &before, sql).await;
}

#[tokio::test]
async fn the_schema_public_as_somebody_left_it() {
    for sql in [
        "revoke all on schema public from public",
        "grant all on schema public to public",
        "grant usage on schema public to \"ROLE one\"; alter schema public owner to \"ROLE one\"",
        "drop schema public; create schema public",
    ] {
        assert_carried_with(&["ROLE one"], "", sql).await;
    }
}

#[tokio::test]
async fn default_privileges() {
    let sql = r#"
alter default privileges grant select on tables to public;
alter default privileges revoke execute on functions from public;
alter default privileges for role "ROLE one" revoke usage on types from public;
alter default privileges for role "ROLE one" in schema "odd ""s" grant usage, select on sequences to "ROLE ""two";
alter default privileges for role "ROLE one" in schema "odd ""s" grant all on tables to "ROLE ""two" with grant option;
alter default privileges for role "ROLE one" grant usage on schemas to public;
"#;
    let db = database().await;
    let since_18 = "alter default privileges grant select on large objects to public;";
    let sql = format!(
        "{sql}{}",
        if major(&db).await >= 18 { since_18 } else { "" }
    );
    assert_carried_with(ROLES, "create schema \"odd \"\"s\"", &sql).await;
}

#[tokio::test]
async fn owners() {
    let sql = r#"
create schema "o ""s" authorization "ROLE one";
create view "o ""s"."v w" as select 1 as a;
alter view "o ""s"."v w" owner to "ROLE ""two";
grant select on "o ""s"."v w" to "ROLE;three";
create materialized view m as select 1 as a;
alter materialized view m owner to "ROLE ""two";
create publication p;
"#;
    let (source, _) = assert_carried_with(ROLES, "", sql).await;
    let model = read_model(
        &OpContext::default(),
        &parse(&source.url()),
        &Scope::default(),
    )
    .await;
    let model = model.unwrap();
    let without = DdlOptions::new(model.server_version)
        .owners(Owners::OfSession)
        .privileges(Grants::None);
    let script = Script::of(&model, &without).unwrap();
    let of = |action| {
        script
            .statements
            .iter()
            .filter(|s| s.action == action)
            .count()
    };
    assert_eq!((of(Action::Owner), of(Action::Grant)), (0, 0));
}

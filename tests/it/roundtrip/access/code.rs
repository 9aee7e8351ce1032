//! What runs: views, rules, triggers, event triggers, policies.

use super::{assert_carried_with, major};
use opskit_core::catalog::Scope;
use opskit_core::catalog::model::{Definition, TableOwner};
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;
use opskit_tests::database;
use opskit_tests::export::parse;

/// A table with a name that needs its quotes, and functions for triggers.
const TABLES: &str = r#"
create schema "odd ""s";
create table "odd ""s"."T'é;--" (id int primary key, "select" text collate "C", owner name, made timestamptz);
create table plain (id int, note text);
create function "odd ""s"."fire!"() returns trigger language plpgsql as $$ begin return new; end $$;
"#;

#[tokio::test]
async fn views() {
    let sql = r#"
create view "odd ""s"."V
w" with (security_barrier) as select id, "select" as "Sel", made::date as d from "odd ""s"."T'é;--" where id > 0;
create view checked as select * from plain where id > 0 with local check option;
create view cascaded as select * from checked where id < 10 with cascaded check option;
alter view checked alter column note set default 'it''s \ here';
create view nothing as select;
create view joined as select p.id, q.note as other from plain p left join lateral
  (select note from plain where plain.id = p.id limit 1) q on true;
create recursive view up_to(n) as values (1) union all select n + 1 from up_to where n < 5;
create materialized view filled with (fillfactor = 70, toast.autovacuum_enabled = off) as select * from plain;
create materialized view "empty one" as select count(*) as n from filled with no data;
create materialized view second as select n.n from (select count(*) as n from filled) n;
alter materialized view filled alter column note set storage external;
alter materialized view filled alter column note set statistics 17;
alter materialized view filled alter column id set (n_distinct = -0.5);
comment on view checked is 'it''s; "quoted" \ text';
comment on column "odd ""s"."V
w"."Sel" is 'a column';
comment on materialized view filled is 'full';
"#;
    let (source, _) = assert_carried_with(&[], TABLES, sql).await;
    if major(&source).await >= 15 {
        let sql = "create view invoked with (security_invoker = true) as select * from plain";
        assert_carried_with(&[], TABLES, sql).await;
    }
}

#[tokio::test]
async fn views_that_need_each_other() {
    let sql = r#"
create view one as select 1 as a, 'x'::text collate "C" as b;
create view two as select a + 1 as a, b from one;
create or replace view one as select a, b from (select 1 as a, 'x'::text collate "C" as b) x
  where exists (select from pg_catalog.pg_class where relname = 'two');
create rule other as on insert to one do instead insert into plain select new.a from two;
create table t (id int primary key, a text);
create view grouped as select id, a from t group by id;
"#;
    assert_carried_with(&[], TABLES, sql).await;
}

#[tokio::test]
async fn rules_and_triggers() {
    let tables = format!(
        "{TABLES}
create table parted (id int, at date) partition by range (at);
create table parted_1 partition of parted for values from ('2020-01-01') to ('2021-01-01');
create table parted_2 partition of parted for values from ('2021-01-01') to ('2023-01-01') partition by range (at);
create table parted_2a partition of parted_2 for values from ('2021-01-01') to ('2022-01-01');
create view seen as select * from plain;"
    );
    let sql = r#"
create trigger "fire; now" before insert or update of "select", made on "odd ""s"."T'é;--" for each row
  when (new.id > 3 and new."select" = 'a''b') execute function "odd ""s"."fire!"('arg', 'o''ne', E'b\\s', '');
create trigger late after insert on plain referencing new table as fresh for each statement
  execute function "odd ""s"."fire!"();
create trigger moved after update on plain referencing old table as before new table as after for each statement
  execute function "odd ""s"."fire!"();
create constraint trigger checked after insert on plain deferrable initially deferred for each row
  execute function "odd ""s"."fire!"();
create trigger off before delete on plain for each row execute function "odd ""s"."fire!"();
alter table plain disable trigger off;
create trigger repl before delete on plain for each row execute function "odd ""s"."fire!"();
alter table plain enable replica trigger repl;
create trigger always before truncate on plain execute function "odd ""s"."fire!"();
alter table plain enable always trigger always;
create trigger instead instead of insert on seen for each row execute function "odd ""s"."fire!"();
create trigger part after insert on parted for each row execute function "odd ""s"."fire!"();
alter table parted_1 disable trigger part;
alter table parted_2 enable always trigger part;
alter table parted_2a enable replica trigger part;
create trigger part_off after delete on parted for each row execute function "odd ""s"."fire!"();
alter table parted disable trigger part_off;
alter table parted_2a enable trigger part_off;
comment on trigger off on plain is 'it''s off';
create rule "r;1" as on update to seen do instead (insert into plain values (1); delete from plain where id = 1;);
create rule r2 as on insert to plain do also notify heard;
alter table plain disable rule r2;
create rule r3 as on delete to plain do instead nothing;
alter table plain enable always rule r3;
comment on rule r3 on plain is 'r';
"#;
    assert_carried_with(&[], &tables, sql).await;
}

#[tokio::test]
async fn event_triggers() {
    let before = "create function audit() returns event_trigger language plpgsql as $$ begin \
        raise notice '%', tg_tag; end $$;
        create function deny() returns event_trigger language plpgsql as $$ begin \
        raise exception 'no %', tg_tag; end $$;";
    let sql = r#"
create event trigger "e;1" on ddl_command_end when tag in ('CREATE TABLE', 'ALTER TABLE') execute function audit();
create event trigger gone on sql_drop execute function audit();
alter event trigger gone disable;
create event trigger copies on table_rewrite execute function audit();
alter event trigger copies enable always;
comment on event trigger gone is 'gone';
"#;
    // One that refuses everything comes last and sees nothing.
    let denying = format!(
        "{sql}\ncreate event trigger z on ddl_command_start when tag in ('COMMENT', 'GRANT') execute function deny();"
    );
    assert_carried_with(&[], before, &denying).await;
}

#[tokio::test]
async fn policies() {
    let before = format!(
        "{TABLES} create table parted (id int) partition by list (id); \
         create table parted_1 partition of parted for values in (1);"
    );
    let sql = r#"
create policy "p; 1" on "odd ""s"."T'é;--" using (owner = current_user and "select" <> 'it''s');
create policy own on plain as restrictive for update to "ROLE one", "ROLE ""two" using (id > 0) with check (id > 1);
create policy adds on plain for insert with check (exists (select from "odd ""s"."T'é;--" t where t.id = plain.id));
create policy gone on plain for delete to current_user using (true);
create policy none on plain for select to public using (false);
create policy part on parted_1 using (id = 1);
alter table plain enable row level security;
alter table "odd ""s"."T'é;--" enable row level security, force row level security;
alter table parted_1 force row level security;
comment on policy own on plain is 'own''s';
"#;
    assert_carried_with(&["ROLE one", "ROLE \"\"two"], &before, sql).await;
}

#[tokio::test]
async fn what_users_put_on_platform_tables_is_theirs() {
    let db = database().await;
    let platform = format!("supabase_admin_{}", db.name());
    db.psql(&format!(
        "create role {platform}; create schema auth authorization {platform}; \
         set role {platform}; create table auth.users (id int); \
         create function auth.own() returns trigger language plpgsql as $$ begin return new; end $$; \
         create trigger theirs before insert on auth.users for each row execute function auth.own(); \
         reset role; \
         create function welcome() returns trigger language plpgsql as $$ begin return new; end $$; \
         create trigger ours after insert on auth.users for each row execute function welcome(); \
         comment on trigger ours on auth.users is 'ours'; comment on trigger theirs on auth.users is 'theirs'; \
         create policy ours on auth.users using (true); alter table auth.users enable row level security;"
    ))
    .await;
    let model = read_model(&OpContext::default(), &parse(&db.url()), &Scope::default()).await;
    let model = model.unwrap();
    let mut found = Vec::new();
    for object in &model.objects {
        let whose = match &object.definition {
            Definition::Trigger(trigger) => trigger.table_owner,
            Definition::Policy(policy) => policy.table_owner,
            _ => continue,
        };
        assert_eq!(whose, TableOwner::Platform);
        found.push(object.describe());
    }
    found.sort();
    assert_eq!(
        found,
        ["policy ours on auth.users", "trigger ours on auth.users"]
    );
    let on_triggers = model
        .access
        .comments
        .iter()
        .filter(|about| about.target.kind == "trigger");
    let comments: Vec<&str> = on_triggers.map(|about| about.is.text.as_str()).collect();
    assert_eq!(comments, ["ours"]);
    assert_eq!(model.access.row_security, []);
}

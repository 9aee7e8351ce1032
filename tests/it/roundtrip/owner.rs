//! What the owner of a database may create, and what only a superuser may: the model says it, the server
//! is the judge.

use super::{assert_round_trip, model_of};
use opskit_core::catalog::ddl::{Action, DdlOptions, Script, Statement};
use opskit_core::catalog::model::{Definition, Model, Object};
use opskit_tests::{TestDb, database};

/// Objects of every class that has to do with functions, some for owners and some not.
const OBJECTS: &str = r#"
    create schema s;
    create type s.e as enum ('a', 'b');
    create type s.c as (a int);
    create domain s.d as int constraint small check (value < 10) default 3 not null;
    create collation s.plain (locale = 'C');
    create type s.shell;
    create type s.celsius;
    create function s.celsius_in(cstring) returns s.celsius language internal immutable strict as 'int4in';
    create function s.celsius_out(s.celsius) returns cstring language internal immutable strict as 'int4out';
    create type s.celsius (input = s.celsius_in, output = s.celsius_out, internallength = 4, passedbyvalue);
    create type s.range as range (subtype = float8);
    create function s.plain(int) returns int language sql immutable as 'select $1' set work_mem = '1MB';
    create function s.secure() returns void language plpgsql security definer as 'begin end' set search_path = 's';
    create procedure s.p() language plpgsql as 'begin end';
    create function s.leak() returns int language sql leakproof as 'select 1';
    create function s.supported(int) returns int language sql support generate_series_int4_support as 'select $1';
    create function s.reserved() returns int language sql set log_statement = 'none' as 'select 1';
    create function s.eq(s.c, s.c) returns bool language sql immutable as 'select ($1).a = ($2).a';
    create function s.guess(internal, oid, internal, int) returns float8 language internal as 'eqsel';
    create operator s.= (function = s.eq, leftarg = s.c, rightarg = s.c, commutator = operator(s.=), restrict = eqsel);
    create operator s.== (function = s.eq, leftarg = s.c, rightarg = s.c, restrict = s.guess);
    create aggregate s.total(int) (sfunc = int4pl, stype = int, initcond = '0');
    create aggregate s.mean(numeric) (sfunc = numeric_avg_accum, stype = internal, finalfunc = numeric_avg);
    create operator family s.fam using btree;
    create operator class s.class for type int using hash as operator 1 =, function 1 hashint4(int);
    create function s.c_of(int) returns s.c language sql as 'select row($1)::s.c';
    create cast (int as s.c) with function s.c_of(int);
    create cast (s.c as text) with inout;
    create cast (s.celsius as int) without function;
    create function s.yes(text) returns bool language sql as 'select true';
    create cast (text as bool) with function s.yes(text);
    create conversion s.conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
    create language mine handler plpgsql_call_handler;
    create function s.in_mine() returns int language mine as '';
    create function s.into_pl(internal) returns internal language internal immutable as 'int4in';
    create transform for s.c language plpgsql (from sql with function s.into_pl(internal));
    create access method bt type index handler bthandler;
    create text search parser s.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, lextypes = prsd_lextype);
    create text search template s.template (lexize = dsimple_lexize);
    create text search dictionary s.dict (template = simple);
    create text search configuration s.config (parser = "default");
    alter text search configuration s.config add mapping for word with s.dict
"#;

#[tokio::test]
async fn what_needs_a_superuser_is_what_the_server_refuses_to_others() {
    let (source, target) = (database().await, database().await);
    source.psql(OBJECTS).await;
    let extensions = ["citext", "pageinspect", "dblink"];
    for extension in extensions {
        let made = source
            .try_psql(&format!("create extension {extension} schema s"))
            .await;
        if made.is_err() {
            println!("skipped: the server has no extension {extension}");
        }
    }
    let role = format!("owner_of_{}", target.name());
    let owns = format!(
        "create role {role}; alter database {} owner to {role}; grant create on schema public to {role}",
        target.name()
    );
    target.psql(&owns).await;
    let model = model_of(&source).await;
    let script = Script::of(&model, &DdlOptions::new(model.server_version)).unwrap();
    let mut wrong = Vec::new();
    let mut refused = Vec::new();
    // Owners and privileges come at the end of a restore, and are given by others.
    let made = |it: &&Statement| it.action == Action::Create;
    for statement in script.statements.iter().filter(made) {
        let object = object_of(&model, statement);
        let needs = object.needs_superuser().is_some();
        match (create_as(&target, &role, statement, object).await, needs) {
            (Ok(()), _) => {}
            (Err(_), true) => refused.push(object.address),
            (Err(said), false) => wrong.push(format!("{}: {said}", statement.object)),
        }
    }
    for object in &model.objects {
        if let Some(reason) = object.needs_superuser()
            && !refused.contains(&object.address)
            // Here its functions were given to the role, which a restore does at the very end.
            && !matches!(object.definition, Definition::Transform(_))
            // Up to 13 the server lets everyone do it, and nothing newer lets in what was made there.
            && !(model.server_version < 140_000 && reason.contains("selectivity"))
        {
            wrong.push(format!(
                "{} can be made although {reason}",
                object.describe()
            ));
        }
    }
    target
        .psql(&format!(
            "drop owned by {role} cascade; alter database {} owner to postgres; drop role {role}",
            target.name()
        ))
        .await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Tries a statement as `role`, and runs it as the superuser if that is said to be needed, as `role`
/// otherwise. What was made is `role`'s.
async fn create_as(
    db: &TestDb,
    role: &str,
    statement: &Statement,
    object: &Object,
) -> Result<(), String> {
    let settings = "set check_function_bodies = false; set search_path = ''";
    let sql = &statement.sql;
    if object.needs_superuser().is_none() {
        let sql = format!("{settings}; set role {role}; {sql}");
        return db.try_psql(&sql).await.map(drop);
    }
    let tried = format!("{settings}; begin; set role {role}; {sql}; rollback");
    let tried = db.try_psql(&tried).await;
    db.psql(&format!("{settings}; {sql}")).await;
    // A type that is a name so far is whose it will be.
    if object.owner.is_some() && !statement.sql.ends_with('"') {
        let (class, name) = (object.definition.sql_class(), object.sql_identity());
        let sql = format!("{settings}; alter {class} {name} owner to {role}");
        db.psql(&sql).await;
    }
    tried.map(drop)
}

fn object_of<'m>(model: &'m Model, statement: &Statement) -> &'m Object {
    let found = model
        .objects
        .iter()
        .find(|object| object.address == statement.about);
    found.unwrap()
}

#[tokio::test]
async fn names_in_sql_find_their_objects() {
    let db = assert_round_trip(OBJECTS).await;
    for object in &model_of(&db).await.objects {
        let (class, name) = (object.definition.sql_class(), object.sql_identity());
        let sql = format!("set search_path = ''; comment on {class} {name} is 'seen'");
        db.psql(&sql).await;
    }
}

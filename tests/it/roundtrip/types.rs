//! Types, extensions, collations, text search, and what only a superuser may create.

use super::{assert_round_trip, model_of};
use opskit_core::catalog::model::{Definition, Object};
use opskit_tests::{TestDb, database};

/// A name that needs its quotes, and one of 63 bytes.
const HARD: &str = "\"Odd \"\"name'\n-- not a comment\"";
const LONG: &str = "\"ééééééééééééééééééééééééééééééé!\"";

#[tokio::test]
async fn enums_keep_their_order() {
    assert_round_trip(&format!(
        "create schema {HARD};
         create type {HARD}.{LONG} as enum ('b', 'a', 'it''s', E'back\\\\slash', E'two\\nlines', 'é');
         alter type {HARD}.{LONG} add value 'first' before 'b';
         alter type {HARD}.{LONG} add value 'middle' after 'b';
         create type public.none as enum ();
         create type public.mood as enum ('sad', 'ok');
         alter type public.mood add value 'so-so' before 'ok'"
    ))
    .await;
}

#[tokio::test]
async fn composite_types() {
    assert_round_trip(&format!(
        "create schema {HARD};
         create type public.empty as ();
         create type {HARD}.inner as (a numeric(10,2), b text collate \"C\", c timestamp(3)[]);
         create type public.gone as (a int, b int, c int);
         alter type public.gone drop attribute b;
         create type public.{LONG} as ({HARD} {HARD}.inner, \"select\" varchar(7) collate \"POSIX\")"
    ))
    .await;
}

#[tokio::test]
async fn domains() {
    assert_round_trip(&format!(
        "create schema {HARD};
         create function public.is_even(int) returns bool language sql as 'select $1 % 2 = 0';
         create domain public.even as int constraint {HARD} check (public.is_even(value))
           constraint second check (value < 1000 or value is null);
         create domain public.named as varchar(20) collate \"C\" default 'x''y' || E'\\\\n' not null;
         create domain {HARD}.{LONG} as public.even default 4 not null;
         create domain public.list as numeric(5,1)[] check (cardinality(value) < 3);
         create domain public.late as text;
         alter domain public.late add constraint later check (value <> '') not valid"
    ))
    .await;
}

#[tokio::test]
async fn ranges() {
    assert_round_trip(
        "create schema s;
         create type s.plain as range (subtype = timetz);
         create function s.minus(float8, float8) returns float8 language sql immutable as 'select $1 - $2';
         create type s.\"Floats\" as range (subtype = float8, subtype_diff = s.minus);
         create type s.texts as range (subtype = text, collation = \"C\", subtype_opclass = text_pattern_ops)",
    )
    .await;
}

#[tokio::test]
async fn multiranges_have_names_of_their_own() {
    if database().await.version().await < 140_000 {
        println!("skipped: the server has no multiranges");
        return;
    }
    assert_round_trip(
        "create schema s;
         create type s.r as range (subtype = date, multirange_type_name = s.\"Many\");
         create type s.uses as (a s.\"Many\", b s.r[])",
    )
    .await;
}

#[tokio::test]
async fn types_that_need_their_own_functions() {
    let db = assert_round_trip(
        "create type public.shell;
         create type public.celsius;
         create function public.celsius_in(cstring) returns public.celsius language internal immutable strict as 'int4in';
         create function public.celsius_out(public.celsius) returns cstring language internal immutable strict as 'int4out';
         create type public.celsius (input = public.celsius_in, output = public.celsius_out,
           internallength = 4, passedbyvalue, alignment = int4, storage = plain, category = 'Q',
           preferred = true, default = '7', delimiter = ';');
         create type public.blob;
         create function public.blob_in(cstring) returns public.blob language internal immutable strict as 'byteain';
         create function public.blob_out(public.blob) returns cstring language internal immutable strict as 'byteaout';
         create function public.blob_recv(internal) returns public.blob language internal immutable strict as 'bytearecv';
         create function public.blob_send(public.blob) returns bytea language internal immutable strict as 'byteasend';
         create type public.blob (input = public.blob_in, output = public.blob_out, receive = public.blob_recv,
           send = public.blob_send, storage = extended, collatable = true);
         create type public.span;
         create function public.span_canonical(public.span) returns public.span language internal immutable strict as 'int4range_canonical';
         create type public.span as range (subtype = int4, canonical = public.span_canonical, subtype_diff = int4range_subdiff);
         create cast (int4 as public.celsius) without function;
         create cast (public.celsius as text) with inout as assignment",
    )
    .await;
    let model = model_of(&db).await;
    assert_eq!(
        reason(&model.objects, "celsius"),
        Some("its functions decide how memory is read")
    );
    assert_eq!(
        reason(&model.objects, "celsius_in"),
        Some("it calls code on the server's machine")
    );
    assert_eq!(
        reason(&model.objects, "(integer AS public.celsius)"),
        Some("it takes the bytes of one type for another")
    );
    assert_eq!(reason(&model.objects, "(public.celsius AS text)"), None);
}

#[tokio::test]
async fn casts() {
    assert_round_trip(
        "create type public.pair as (a int, b int);
         create function public.pair_of(int) returns public.pair language sql as 'select row($1, $1)::public.pair';
         create cast (int as public.pair) with function public.pair_of(int) as implicit;
         create cast (public.pair as text) with inout",
    )
    .await;
}

#[tokio::test]
async fn collations() {
    let db = database().await;
    let mut sql = "create collation public.\"Plain\" (locale = 'C');
         create collation public.mixed (lc_collate = 'C', lc_ctype = 'POSIX')"
        .to_owned();
    let icu = "create collation public.icu (provider = icu, locale = 'de-u-co-phonebk');
         create collation public.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)";
    if can(&db, icu).await {
        sql = format!("{sql}; {icu}");
    } else {
        println!("skipped: the server has no ICU");
    }
    let rules = "create collation public.ruled (provider = icu, locale = 'und', rules = '&a < g')";
    if can(&db, rules).await {
        sql = format!("{sql}; {rules}");
    } else {
        println!("skipped: the server has no rules for ICU");
    }
    let builtin = "create collation public.own (provider = builtin, locale = 'C.UTF-8')";
    if can(&db, builtin).await {
        sql = format!("{sql}; {builtin}");
    } else {
        println!("skipped: the server has no collations of its own");
    }
    let system = "create collation public.system (provider = libc, locale = 'C.UTF-8')";
    if can(&db, system).await {
        sql = format!("{sql}; {system}");
    } else {
        println!("skipped: the system has no C.UTF-8");
    }
    assert_round_trip(&sql).await;
}

#[tokio::test]
async fn conversions() {
    assert_round_trip(
        "create conversion public.\"My conversion\" for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
         create schema s;
         create default conversion s.d for 'UTF8' to 'LATIN1' from utf8_to_iso8859_1",
    )
    .await;
}

#[tokio::test]
async fn text_search() {
    let db = assert_round_trip(
        "create schema s;
         create text search dictionary s.\"Plain\" (template = simple, stopwords = 'english', accept = false);
         create text search dictionary public.stem (template = snowball, language = 'german');
         create text search configuration s.\"Cfg\" (parser = pg_catalog.default);
         alter text search configuration s.\"Cfg\" add mapping for asciiword, word with public.stem, s.\"Plain\", simple;
         alter text search configuration s.\"Cfg\" add mapping for url_path with simple;
         create text search configuration public.copied (copy = english);
         create text search parser public.p (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end,
           headline = prsd_headline, lextypes = prsd_lextype);
         create text search template public.t (init = dsimple_init, lexize = dsimple_lexize);
         create text search configuration public.own (parser = public.p);
         alter text search configuration public.own add mapping for word with simple",
    )
    .await;
    let model = model_of(&db).await;
    assert!(reason(&model.objects, "p").is_some());
    assert!(reason(&model.objects, "t").is_some());
    assert_eq!(reason(&model.objects, "copied"), None);
}

#[tokio::test]
async fn access_methods_and_languages() {
    let db = assert_round_trip(
        "create access method \"Heap 2\" type table handler heap_tableam_handler;
         create access method bt type index handler bthandler;
         create language mine handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator;
         create trusted language \"Plain\" handler plpgsql_call_handler;
         create function public.says() returns int language mine as 'begin return 1; end'",
    )
    .await;
    let model = model_of(&db).await;
    assert_eq!(
        reason(&model.objects, "says"),
        Some("its language is not trusted")
    );
    assert!(reason(&model.objects, "mine").is_some());
    assert!(reason(&model.objects, "bt").is_some());
    assert_eq!(reason(&model.objects, "plpgsql"), None);
}

#[tokio::test]
async fn extensions_and_their_tables() {
    let source = database().await;
    if !can(&source, "create extension hstore").await {
        println!("skipped: the server has no extensions");
        return;
    }
    let db = assert_round_trip(
        "create schema \"Ext\";
         create extension hstore with schema \"Ext\";
         create extension pg_trgm with schema \"Ext\";
         create extension pageinspect;
         create domain public.tags as \"Ext\".hstore check (value is not null)",
    )
    .await;
    let model = model_of(&db).await;
    assert_eq!(reason(&model.objects, "hstore"), None);
    assert_eq!(
        reason(&model.objects, "pageinspect"),
        Some("the extension is not trusted")
    );
    // What an extension brings is its own.
    assert!(!model.objects.iter().any(|object| object.name == "akeys"));
}

#[tokio::test]
async fn an_extensions_configuration_is_known() {
    let db = database().await;
    if !can(&db, "create extension tcn").await {
        println!("skipped: the server has no extensions");
        return;
    }
    // An ordinary extension has none; what its script would do is done to one.
    db.psql(
        "create extension tcn;
         create table public.\"Settings\" (id int, own bool);
         alter extension tcn add table public.\"Settings\";
         update pg_extension set extconfig = array['public.\"Settings\"'::regclass::oid], extcondition = '{WHERE own}'
         where extname = 'tcn'",
    )
    .await;
    let model = model_of(&db).await;
    let tables = model
        .objects
        .iter()
        .find_map(|object| match &object.definition {
            Definition::Extension(it) if object.name == "tcn" => Some(it.configuration.clone()),
            _ => None,
        });
    let tables = tables.unwrap();
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].name.to_string(), "public.Settings");
    assert_eq!(
        (tables[0].kind, tables[0].condition.as_str()),
        ('r', "WHERE own")
    );
}

/// Why the object of this name needs a superuser.
fn reason(objects: &[Object], name: &str) -> Option<&'static str> {
    let mut found = objects
        .iter()
        .filter(|object| object.name == name)
        .peekable();
    assert!(found.peek().is_some(), "there is no {name}");
    found.find_map(Object::needs_superuser)
}

/// Whether the server can do this, tried and undone.
async fn can(db: &TestDb, sql: &str) -> bool {
    let tried = db.try_psql(&format!("begin; {sql}; rollback")).await;
    tried.is_ok()
}

//! Backups whose every byte is an attacker's: the documents lie, and their digests are right.

use super::{Stored, parse, restore};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::drill::{DrillRequest, drill};
use opskit_core::backup::restore::{OnError, Restore, RestoreRequest, Trust};
use opskit_core::context::OpContext;
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::wire;
use opskit_tests::{TestDb, database};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::path::Path;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Rewrites a document of the latest backup, and all digests above it.
fn forge(stored: &Stored, document: &str, change: impl FnOnce(&mut Value)) {
    let id = stored.repository().find("latest").unwrap();
    let folder = stored.place.path().join("repo/backups").join(id.as_str());
    let path = folder.join(document);
    let mut value = read(&path);
    change(&mut value);
    let bytes = serde_json::to_vec(&value).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let manifest = folder.join("manifest.json");
    let mut value = read(&manifest);
    let fix = |object: &mut Value| {
        if object["name"] == document {
            object["bytes"] = json!(bytes.len());
            object["sha256"] = json!(sha256(&bytes));
        }
    };
    fix(&mut value["sealed"]);
    value["objects"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .for_each(fix);
    std::fs::write(manifest, serde_json::to_vec(&value).unwrap()).unwrap();
}

fn model(stored: &Stored, change: impl FnOnce(&mut Value)) {
    forge(stored, "schema/model", change);
}

/// A backup of what a role without rights has made, in a database whose name is that role's too.
async fn authored(sql: &str) -> (TestDb, Stored) {
    let source = database().await;
    let author = source.name().to_owned();
    source
        .psql(&format!("create role {author} login; grant create on schema public to {author}; grant create on database {author} to {author}"))
        .await;
    let mut session = wire(&source.url_for(&author)).await;
    session.execute(sql).await.unwrap();
    let stored = Stored::of(&source, &source.url_for(&author), BackupRequest::new()).await;
    (source, stored)
}

/// Restores whatever happens, as a superuser that trusts nobody.
async fn attempt(stored: &Stored, target: &TestDb) -> Vec<Result<()>> {
    let mut said = Vec::new();
    for on_error in [OnError::Stop, OnError::KeepGoing] {
        let request = RestoreRequest::default().with_on_error(on_error);
        said.push(restore(stored, &target.url(), request).await.map(|_| ()));
    }
    said
}

async fn problems(stored: &Stored, target: &TestDb) -> String {
    let (ctx, url) = (OpContext::default(), parse(&target.url()));
    let opened = Restore::open(&ctx, stored.reader(), &url, RestoreRequest::default()).await;
    opened.unwrap().plan().problems.join("; ")
}

/// What is the target's own, and secret.
async fn target() -> TestDb {
    let db = database().await;
    db.psql("create schema private; create table private.secrets (s text); insert into private.secrets values ('x'); create sequence private.numbers; select setval('private.numbers', 50); create function private.f() returns int language sql as 'select 1'").await;
    db
}

async fn assert_untouched(target: &TestDb, attacker: &str) {
    let state = format!(
        "select has_table_privilege('{attacker}', 'private.secrets', 'select'), has_schema_privilege('{attacker}', 'private', 'usage'), \
           (select tableowner from pg_tables where tablename = 'secrets'), (select last_value from private.numbers), has_sequence_privilege('{attacker}', 'private.numbers', 'usage'), \
           (select count(*) from private.secrets), (select rolsuper from pg_roles where rolname = '{attacker}'), \
           (select rolname from pg_roles r join pg_namespace n on n.nspowner = r.oid where nspname = 'private')"
    );
    assert_eq!(target.psql(&state).await, "f|f|postgres|50|f|1|f|postgres");
}

const DEFINER: &str = "create function public.f() returns text language sql security definer as 'select current_user::text'; \
    create table public.t (i int primary key); insert into public.t values (1)";

async fn assert_no_power(target: &TestDb) {
    let owned = "select count(*) from pg_proc p join pg_roles r on r.oid = p.proowner where p.prosecdef and r.rolsuper and p.oid >= 16384";
    assert_eq!(target.psql(owned).await, "0");
}

#[tokio::test]
async fn code_given_to_a_superuser_is_a_problem_of_the_plan() {
    let (source, target) = (database().await, target().await);
    source.psql(DEFINER).await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let said = problems(&stored, &target).await;
    assert!(
        said.contains("function public.f()") && said.contains("--trust-backup"),
        "{said}"
    );
    assert!(!said.contains("table public.t"), "{said}");
    // It is the same without owners: all would be the superuser's.
    let request = RestoreRequest::default().with_owners(opskit_core::backup::restore::Carry::Leave);
    let refused = restore(&stored, &target.url(), request).await.unwrap_err();
    assert!(
        refused.to_string().contains("function public.f()"),
        "{refused}"
    );
    assert_no_power(&target).await;
}

/// What `ANALYZE` would run with the rights of the table's owner: the difference of a range type however deep
/// in the type of a column, and statistics that run a text.
const ANALYSED: &str = "create function public.tried() returns text language sql as 'select 1::text'; \
    create function public.apart(bigint, bigint) returns float8 language plpgsql immutable as $f$ begin perform public.tried(); return $1 - $2; end $f$; \
    create type public.span as range (subtype = bigint, subtype_diff = public.apart); \
    create domain public.named as public.span; create type public.pair as (a int, b public.named[]); \
    create domain public.plain as text check (value like '%@%'); \
    create table public.ranges (a public.span); create table public.deep (a public.pair[]); \
    create table public.rows (a public.ranges); \
    create table public.t (i serial, at timestamptz default now(), u uuid default gen_random_uuid(), p public.plain check (p <> '')); ";
const TEXTS: &str = "create table public.counted (i int, j int); \
    create statistics public.wise on (query_to_xml('select public.tried()', true, true, '')::text), i from public.counted; ";

#[tokio::test]
async fn what_analyze_runs_is_code_of_the_tables_owner() {
    let source = database().await;
    source.psql(ANALYSED).await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let target = target().await;
    let said = problems(&stored, &target).await;
    for table in ["public.ranges", "public.deep"] {
        assert!(said.contains(&format!("table {table}")), "{table}: {said}");
    }
    assert!(!said.contains("table public.t"), "{said}");
}

/// The plan believes that all is its author's; the target's catalog knows better than that it is harmless.
#[tokio::test]
async fn what_analyze_runs_is_given_to_no_superuser() {
    let source = database().await;
    let texts = source.version().await >= 140_000;
    let sql = format!("{ANALYSED}{}", if texts { TEXTS } else { "" });
    let (_source, stored) = authored(&sql).await;
    model(&stored, |model| {
        let owners = model["access"]["owners"].as_array_mut().unwrap();
        owners
            .iter_mut()
            .for_each(|owner| owner["is"]["role"] = json!("postgres"));
    });
    let target = target().await;
    attempt(&stored, &target).await;
    let owned = "select string_agg(c.relname, ',' order by 1) from pg_class c join pg_roles r on r.oid = c.relowner \
        where rolsuper and relnamespace = 'public'::regnamespace and relkind = 'r'";
    assert_eq!(target.psql(owned).await, "t");
}

/// The model says that nothing of it is code, or that nobody owns it.
#[tokio::test]
async fn a_model_that_lies_about_owners_gives_no_power() {
    for hidden in [true, false] {
        let (_source, stored) = authored(DEFINER).await;
        model(&stored, |model| {
            for object in model["objects"].as_array_mut().unwrap() {
                if let Some(text) = object.pointer_mut("/definition/function/text") {
                    // The plan looks for the words, and any blank will do for the server.
                    *text = json!(
                        text.as_str()
                            .unwrap()
                            .replace(" SECURITY DEFINER", " SECURITY\tDEFINER")
                    );
                }
            }
            let owners = model["access"]["owners"].as_array_mut().unwrap();
            if hidden {
                owners.clear();
            } else {
                owners
                    .iter_mut()
                    .for_each(|owner| owner["is"]["role"] = json!("postgres"));
            }
        });
        let target = target().await;
        for said in attempt(&stored, &target).await {
            if let Err(error) = said {
                let kinds = [ErrorKind::PermissionDenied, ErrorKind::Unsupported];
                assert!(
                    kinds.contains(&error.kind()),
                    "{}",
                    error.chain().join(": ")
                );
            }
        }
        assert_no_power(&target).await;
    }
}

/// Privileges, owners and comments name what the restore did not make.
#[tokio::test]
async fn nothing_is_said_about_what_was_there() {
    let (source, stored) = authored(
        "create table public.t (i int generated always as identity); grant select on public.t to public; comment on table public.t is 'mine'; \
         grant usage on sequence public.t_i_seq to public; \
         create schema s; create sequence s.n; create function s.f() returns int language sql as 'select 1'; grant execute on function s.f() to public",
    )
    .await;
    let attacker = source.name();
    for list in ["owners", "privileges", "comments"] {
        let target = target().await;
        model(&stored, |model| {
            for about in model["access"][list].as_array_mut().unwrap() {
                let kind = about["target"]["kind"].as_str().unwrap().to_owned();
                about["target"]["names"] = match kind.as_str() {
                    "schema" => json!(["private"]),
                    "function" => json!(["private", "f"]),
                    "sequence" => json!(["private", "numbers"]),
                    _ => json!(["private", "secrets"]),
                };
            }
        });
        attempt(&stored, &target).await;
        assert_untouched(&target, attacker).await;
        let comment =
            "select count(*) from pg_description where objoid = 'private.secrets'::regclass";
        assert_eq!(target.psql(comment).await, "0");
    }
}

#[tokio::test]
async fn sequences_of_others_stay() {
    let (source, stored) =
        authored("create sequence public.numbers; select nextval('public.numbers')").await;
    forge(&stored, "manifest.sealed", |contents| {
        contents["sequences"][0]["name"] = json!({"schema": "private", "name": "numbers"});
    });
    let target = target().await;
    attempt(&stored, &target).await;
    assert_untouched(&target, source.name()).await;
}

/// Rows that are said to be an extension's are loaded by the superuser.
#[tokio::test]
async fn rows_of_extensions_are_theirs() {
    for (schema, name) in [("private", "secrets"), ("pg_catalog", "pg_authid")] {
        let (source, stored) =
            authored("create table public.t (s text); insert into public.t values ('y')").await;
        forge(&stored, "manifest.sealed", |contents| {
            let table = &mut contents["tables"][0];
            table["name"] = json!({"schema": schema, "name": name});
            table["holds"] = json!({"extension_table": {"extension": "plpgsql"}});
        });
        let target = target().await;
        for said in attempt(&stored, &target).await {
            assert!(said.is_err() || name == "secrets");
        }
        assert_untouched(&target, source.name()).await;
    }
}

/// Rows come into tables that the backup makes, and would empty others.
#[tokio::test]
async fn rows_of_a_table_that_is_not_made_are_refused() {
    let (source, stored) =
        authored("create table public.t (s text); insert into public.t values ('y')").await;
    forge(&stored, "manifest.sealed", |contents| {
        contents["tables"][0]["name"] = json!({"schema": "private", "name": "secrets"});
    });
    let target = target().await;
    for said in attempt(&stored, &target).await {
        let said = said.unwrap_err().to_string();
        assert!(said.contains("does not make that table"), "{said}");
    }
    assert_untouched(&target, source.name()).await;
}

/// Rows that are said to be for a table of a platform's go nowhere else, whoever is trusted.
#[tokio::test]
async fn rows_of_a_platform_are_for_its_tables() {
    let (source, stored) =
        authored("create table public.t (s text); insert into public.t values ('y')").await;
    forge(&stored, "manifest.sealed", |contents| {
        let table = &mut contents["tables"][0];
        table["name"] = json!({"schema": "private", "name": "secrets"});
        table["holds"] = json!("platform_table");
    });
    let target = target().await;
    let request = RestoreRequest::default().with_trust(Trust::Backup);
    let report = restore(&stored, &target.url(), request).await.unwrap();
    let named = "rows of table private.secrets: the target's platform has no such table";
    assert!(
        report.skipped.contains(&named.to_owned()),
        "{:?}",
        report.skipped
    );
    assert_untouched(&target, source.name()).await;
}

/// An address of another class would send a statement over the superuser's session.
#[tokio::test]
async fn an_object_is_of_the_class_of_its_address() {
    for (class, text) in [
        (3079, "CREATE EXTENSION file_fdw"),
        (2615, "CREATE SCHEMA \"x\" CREATE TABLE y (i int)"),
        (
            826,
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC",
        ),
    ] {
        let (_source, stored) = authored(DEFINER).await;
        model(&stored, |model| {
            let objects = model["objects"].as_array_mut().unwrap();
            let is_function = |it: &&mut Value| it.pointer("/definition/function").is_some();
            let function = objects.iter_mut().find(is_function).unwrap();
            function["address"] = json!([class, 99999]);
            function["definition"]["function"]["text"] = json!(text);
        });
        let target = target().await;
        for said in attempt(&stored, &target).await {
            assert_eq!(said.unwrap_err().kind(), ErrorKind::Damaged, "{text}");
        }
        let made = "select count(*) from pg_extension where extname = 'file_fdw'";
        assert_eq!(target.psql(made).await, "0");
    }
}

/// An object that needs what comes last is made last, and still not by the superuser.
#[tokio::test]
async fn a_late_object_is_not_the_superusers() {
    let (source, stored) = authored(
        "create function public.f() returns int language sql as 'select 1'; alter default privileges grant select on tables to public",
    )
    .await;
    model(&stored, |model| {
        let objects = model["objects"].as_array_mut().unwrap();
        let at = |objects: &[Value], class: &str| {
            let found = objects
                .iter()
                .position(|it| it["definition"].get(class).is_some());
            found.unwrap()
        };
        let acl = objects[at(objects, "default_acl")]["address"].clone();
        let function = at(objects, "function");
        objects[function]["definition"]["function"]["text"] = json!("CREATE EXTENSION file_fdw");
        let address = objects[function]["address"].clone();
        let needs = model["needs"].as_array_mut().unwrap();
        needs.push(json!({"object": address, "on": acl}));
    });
    let target = target().await;
    attempt(&stored, &target).await;
    let made = "select count(*) from pg_extension where extname = 'file_fdw'";
    assert_eq!(target.psql(made).await, "0");
    assert_untouched(&target, source.name()).await;
}

#[tokio::test]
async fn the_servers_own_schemas_are_closed() {
    let (_source, stored) = authored(
        "create schema s; create function s.count(name) returns int language sql as 'select 1'",
    )
    .await;
    model(&stored, |model| {
        for object in model["objects"].as_array_mut().unwrap() {
            if object["schema"] == "s" {
                object["schema"] = json!("pg_catalog");
            }
        }
    });
    for said in attempt(&stored, &target().await).await {
        assert_eq!(said.unwrap_err().kind(), ErrorKind::Damaged);
    }
}

#[tokio::test]
async fn what_reaches_out_needs_trust() {
    let source = database().await;
    source
        .psql(
            "create extension file_fdw; create extension dblink; create extension hstore; create extension pg_stat_statements; \
             create server files foreign data wrapper file_fdw; create user mapping for public server files; \
             create foreign table public.passwords (line text) server files options (filename '/etc/passwd'); \
             alter default privileges grant all on tables to public",
        )
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let said = problems(&stored, &target().await).await;
    for words in [
        "extension file_fdw",
        "extension dblink",
        "server files",
        "user mapping",
        "default privileges",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(
        !said.contains("hstore") && !said.contains("pg_stat_statements"),
        "{said}"
    );
}

#[tokio::test]
async fn a_name_cannot_end_a_statement() {
    for name in [
        "a\0b",
        "a\"; create role x superuser; --",
        "x\u{1}\u{7f}\n*/ y",
    ] {
        let (_source, stored) = authored("create schema s; create table s.t (i int)").await;
        model(&stored, |model| {
            for object in model["objects"].as_array_mut().unwrap() {
                if object["name"] == "s" {
                    object["name"] = json!(name);
                }
                if object["schema"] == "s" {
                    object["schema"] = json!(name);
                }
            }
        });
        let target = target().await;
        attempt(&stored, &target).await;
        let roles = "select count(*) from pg_roles where rolname = 'x'";
        assert_eq!(target.psql(roles).await, "0");
    }
}

/// A mark that somebody planted is not read: it could be a view.
#[tokio::test]
async fn a_planted_mark_runs_nothing() {
    let (source, stored) = authored("create table public.t (i int)").await;
    let target = target().await;
    let attacker = source.name();
    target
        .psql(&format!(
            "create schema opskit_restore authorization {attacker}; set role {attacker}; \
             create function opskit_restore.f() returns text language plpgsql as $$ begin execute 'alter role {attacker} superuser'; return 'x'; end $$; \
             create view opskit_restore.run as select opskit_restore.f() as backup, 'x'::text as started_at, 'objects'::text as part"
        ))
        .await;
    let said = problems(&stored, &target).await;
    assert!(
        said.contains(&format!("belongs to role \"{attacker}\"")),
        "{said}"
    );
    attempt(&stored, &target).await;
    assert_untouched(&target, attacker).await;
}

/// In a drill the superuser is the operating system's user too.
#[tokio::test]
async fn a_drill_runs_no_program() {
    let (source, place) = (database().await, tempfile::tempdir().unwrap());
    let file = place.path().join("mark");
    source
        .psql(&format!(
            "create function public.run() returns int language plpgsql security definer immutable as $f$ begin \
               begin execute 'copy (select 1) to program ''touch {file}'''; exception when others then null; end; \
               begin execute 'copy (select 1) to ''{file}'''; exception when others then null; end; return 1; end $f$; \
             create table public.t (id serial primary key, a int); \
             create view public.v as select public.run() as x",
            file = "/dev/null"
        ))
        .await;
    // As if by an author whose function had not run while its index was made.
    source
        .psql("create index late on public.t ((a + public.run()))")
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    model(&stored, |model| {
        for object in model["objects"].as_array_mut().unwrap() {
            if let Some(text) = object.pointer_mut("/definition/function/text") {
                let path = file.display().to_string();
                *text = json!(text.as_str().unwrap().replace("/dev/null", &path));
            }
        }
    });
    // Whoever runs the server could write there.
    let mut open = std::fs::metadata(place.path()).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut open, 0o777);
    std::fs::set_permissions(place.path(), open).unwrap();
    let repository = stored.repository();
    let id = repository.find("latest").unwrap();
    let mut request = DrillRequest::default();
    request
        .checks
        .push("select 'v', x = 1 from public.v".to_owned());
    let report = drill(&OpContext::default(), &repository, &id, request).await;
    report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert!(!file.exists(), "a program was run");
}

/// Rows only, into tables that a stranger's backup made: to look whether they fit a foreign key, the server runs
/// functions of their indexes.
#[tokio::test]
async fn foreign_keys_are_checked_with_the_rights_of_their_owner() {
    let sql = "create table public.a (id int primary key); \
        create function public.who(int) returns int language plpgsql immutable as $f$ begin \
          begin execute 'alter role MARK superuser'; exception when others then null; end; return $1; end $f$; \
        create table public.b (id int references public.a); create index on public.b ((id + public.who(1))); \
        create index on public.a ((id + public.who(1))); \
        insert into public.a values (1), (2); insert into public.b values (1), (2), (2)";
    let source = database().await;
    let author = source.name().to_owned();
    source
        .psql(&format!(
            "create role {author} login; grant create on schema public to {author}"
        ))
        .await;
    let mut session = wire(&source.url_for(&author)).await;
    session
        .execute(&sql.replace("MARK", &author))
        .await
        .unwrap();
    let stored = Stored::of(&source, &source.url_for(&author), BackupRequest::new()).await;
    let target = database().await;
    for part in [
        opskit_core::backup::restore::Part::Schema,
        opskit_core::backup::restore::Part::Data,
    ] {
        let request = RestoreRequest::default().with_part(part);
        let report = restore(&stored, &target.url(), request).await;
        super::assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    }
    let valid = "select count(*) from pg_constraint where contype = 'f' and convalidated";
    assert_eq!(target.psql(valid).await, "1");
    let power = format!("select rolsuper from pg_roles where rolname = '{author}'");
    assert_eq!(target.psql(&power).await, "f");
}

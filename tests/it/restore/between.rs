//! Rows only, into tables that exist: what stands in their way, and is there again at the end.

use super::{Stored, assert_same, restore};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{OnError, Part, RestoreRequest, Trust};
use opskit_tests::database;

/// A partitioned table that refers to another, and writes down what comes into it. More rows than those that
/// they refer to, so that they are loaded first.
const PARTITIONED: &str = "create table keys (k int primary key) partition by range (k); \
    create table keys_1 partition of keys for values from (0) to (100); \
    create table noted (k int); \
    create table uses (k int, what text) partition by range (k); \
    create table uses_1 partition of uses for values from (0) to (50); \
    create table uses_2 partition of uses for values from (50) to (100) partition by range (k); \
    create table uses_21 partition of uses_2 for values from (50) to (100); \
    create function note() returns trigger language plpgsql as $$ begin insert into public.noted values (new.k); return new; end $$; \
    insert into keys select generate_series(0, 99); \
    insert into uses select i % 100, repeat('x', 100) from generate_series(1, 5000) i; \
    create trigger noted after insert on uses for each row execute function note(); \
    create trigger quiet after insert on uses_1 for each row execute function note(); alter table uses_1 disable trigger quiet; \
    alter table uses add constraint known foreign key (k) references keys; \
    comment on constraint known on uses is 'it''s known'; \
    create table plain (k int references keys); comment on constraint plain_k_fkey on plain is 'plainly'; insert into plain select generate_series(0, 99);";

/// All triggers of users and keys, with what is said of them.
const STATE: &str = "select string_agg(x, ';' order by x) from ( \
    select tgrelid::regclass || ' ' || tgname || tgenabled::text from pg_trigger where tgname in ('noted', 'quiet') \
    union all select conrelid::regclass || ' ' || conname || convalidated::text || obj_description(oid, 'pg_constraint') \
      from pg_constraint where contype = 'f' and conparentid = 0) s(x)";

#[tokio::test]
async fn rows_of_partitions_come_without_their_triggers_and_before_their_keys() {
    for trust in [Trust::Nobody, Trust::Backup] {
        let (source, target) = (database().await, database().await);
        let owner = source.name();
        source
            .psql(&format!("create role {owner}; grant create on schema public to {owner}; set role {owner}; {PARTITIONED}"))
            .await;
        let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
        let request = |part| RestoreRequest::default().with_part(part).with_trust(trust);
        for part in [Part::Schema, Part::Data] {
            let report = restore(&stored, &target.url(), request(part)).await;
            assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
        }
        let rows = "select (select count(*) from uses), (select count(*) from noted), (select count(*) from plain)";
        assert_eq!(target.psql(rows).await, "5000|0|100");
        assert_eq!(target.psql(STATE).await, source.psql(STATE).await);
    }
}

/// A trigger of the target's own refuses a row, and says which.
#[tokio::test]
async fn what_a_trigger_says_of_a_row_is_not_repeated() {
    let (source, target) = (database().await, database().await);
    let table = "create table people (email text check (public.fits(email)))";
    let function = |body: &str| {
        format!(
            "create or replace function public.fits(text) returns bool language plpgsql as $$ begin {body} return true; end $$"
        )
    };
    source
        .psql(&format!(
            "{}; {table}; insert into people values ('a@example.org')",
            function("")
        ))
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    for raise in ["", "using errcode = 'check_violation'"] {
        let body = format!("raise exception 'bad email %', $1 {raise};");
        target
            .psql(&format!(
                "drop table if exists people; {}; {table}",
                function(&body)
            ))
            .await;
        let request = RestoreRequest::default()
            .with_part(Part::Data)
            .with_on_error(OnError::Stop);
        let error = restore(&stored, &target.url(), request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let said = format!("{} {:?}", error.chain().join(": "), error.hint());
        assert!(!said.contains("a@example.org"), "{said}");
        assert!(
            said.contains("a function of the database raised an error"),
            "{said}"
        );
        target
            .psql("drop schema if exists opskit_restore cascade")
            .await;
    }
}

//! Migrations that fail, and what they leave.

use super::{advisory_locks, applied, apply, runner, standings, told};
use opskit_core::ErrorKind;
use opskit_core::catalog::Scope;
use opskit_core::catalog::facts::FactsOptions;
use opskit_core::context::OpContext;
use opskit_core::migrate::{Left, MigrationRunner as _, Outcome, Standing, Wanted};
use opskit_core::postgres::facts::read_facts;
use opskit_tests::TestDb;
use opskit_tests::export::parse;

const BASE: (&str, &str) = (
    "1_base.sql",
    "create table t (id int primary key, v text not null);\ninsert into t select i, 'v' || i from generate_series(1, 100) i;",
);

/// The facts of the database, and its rows.
pub(super) async fn state(db: &TestDb) -> (String, String) {
    let options = FactsOptions::new(Scope::default().ignoring(["opskit"]));
    let facts = read_facts(&OpContext::default(), &parse(&db.url()), options)
        .await
        .unwrap();
    // The digest has a salt; the text has not.
    let objects: Vec<String> = facts
        .objects
        .iter()
        .map(|fact| {
            format!(
                "{} {} {:?} {:?}",
                fact.object, fact.catalog, fact.part, fact.attributes
            )
        })
        .collect();
    let rows = db
        .psql("select md5(string_agg(x::text, '' order by id)) from t x")
        .await;
    (objects.join("\n"), rows)
}

/// Migrations that fail: the text, where, and the server's code.
const CASES: [(&str, &str, &str); 7] = [
    (
        "insert into t values (1000, 'x');\ninsert into t values (1, 'twice');",
        "2:1",
        "23505",
    ),
    (
        "alter table t add j int;\nupdate t set v = null where id = 3;",
        "2:1",
        "23502",
    ),
    (
        "delete from t where id > 50;\nselect 1;\nselect nothing\n  from t;",
        "3:8",
        "42703",
    ),
    (
        "create table u (i int);\ncreate tabel w (i int);",
        "2:8",
        "42601",
    ),
    (
        "alter table t add constraint c check (id < 50);",
        "1:1",
        "23514",
    ),
    (
        "delete from t where id = 1;\ndo $$ begin raise exception 'no'; end $$;",
        "2:1",
        "P0001",
    ),
    (
        "create table c (i int references t deferrable initially deferred);\ninsert into c values (-1);",
        "",
        "23503",
    ),
];

#[tokio::test]
async fn what_fails_in_a_transaction_leaves_nothing_and_is_located() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[BASE])).await;
    let before = state(&db).await;
    for (text, at, sqlstate) in CASES {
        let report = apply(&runner(&db, &[BASE, ("2_bad.sql", text)]))
            .await
            .unwrap();
        let failure = report.failure.unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{text}");
        assert_eq!(failure.sqlstate.as_deref(), Some(sqlstate), "{text}");
        assert_eq!(failure.at.unwrap_or_default(), at, "{text}");
        assert_eq!(state(&db).await, before, "{text}");
        assert_eq!(advisory_locks(&db).await, "0");
    }
    let report = apply(&runner(
        &db,
        &[BASE, ("2_bad.sql", "select 1;\nselect nothing\n  from t;")],
    ))
    .await
    .unwrap();
    let error = report.failure.unwrap().to_error();
    assert_eq!(error.to_string(), "migration 2 failed at 2_bad.sql:2:8");
    assert!(
        told(&error).contains("select nothing\n"),
        "{}",
        told(&error)
    );
}

#[tokio::test]
async fn a_password_in_the_line_is_not_shown() {
    let db = opskit_tests::database().await;
    let text = "create role postgres password 'hunter2-secret'";
    let report = apply(&runner(&db, &[("1_role.sql", text)])).await.unwrap();
    let error = report.failure.unwrap().to_error();
    assert!(
        !format!("{} {error:?}", told(&error)).contains("hunter2"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_procedure_that_commits_runs_where_the_file_asks_for_no_transaction() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[BASE])).await;
    let text = "-- opskit: no-transaction\ncreate table batches (i int);\n\
                create procedure work() language plpgsql as $$ begin for i in 1..3 loop insert into batches values (i); commit; end loop; end $$;\n\
                call work();\ndo $$ begin insert into batches values (4); commit; end $$;\n\
                create procedure plain() language sql as $$ insert into batches values (5) $$;\ncall plain();";
    applied(&runner(&db, &[BASE, ("2_batches.sql", text)])).await;
    assert_eq!(
        db.psql("select string_agg(i::text, ',' order by i) from batches")
            .await,
        "1,2,3,4,5"
    );
}

#[tokio::test]
async fn what_cannot_be_in_a_transaction_goes_on_where_it_failed() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[BASE])).await;
    db.psql("update t set v = 'same' where id in (7, 8)").await;
    let text = "set statement_timeout = '30s';\ncreate table log (i int);\ninsert into log values (1);\n\
                create unique index concurrently t_v on t (v);\ninsert into log values (2);";
    let files = [BASE, ("2_index.sql", text)];
    let report = apply(&runner(&db, &files)).await.unwrap();
    assert_eq!(report.outcome, Outcome::ResumeHere { done: 3, of: 5 });
    let failure = report.failure.unwrap();
    assert_eq!(
        (failure.sqlstate.as_deref(), failure.at.as_deref()),
        (Some("23505"), Some("4:1"))
    );
    assert_eq!(
        standings(&runner(&db, &files)).await[1],
        Standing::Incomplete
    );
    // The index that nobody could use is gone.
    assert_eq!(db.psql("select to_regclass('t_v') is null").await, "t");
    // A statement that ran must stay what it was; those behind it may be mended.
    let other = text.replace("values (1)", "values (3)");
    let report = apply(&runner(&db, &[BASE, ("2_index.sql", &other)]))
        .await
        .unwrap();
    let error = report.failure.unwrap().to_error();
    assert!(
        told(&error).contains("was changed since"),
        "{}",
        told(&error)
    );
    db.psql("update t set v = 'other' where id = 8").await;
    let report = applied(&runner(&db, &files)).await;
    assert_eq!(report.applied[0].skipped, 3);
    assert_eq!(
        db.psql("select string_agg(i::text, ',' order by i) from log")
            .await,
        "1,2"
    );
    assert_eq!(
        db.psql("select indisvalid from pg_index where indexrelid = 't_v'::regclass")
            .await,
        "t"
    );
}

#[tokio::test]
async fn an_index_that_somebody_left_invalid_is_built_again() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[BASE])).await;
    db.psql("update t set v = 'same' where id in (7, 8)").await;
    assert!(
        db.try_psql("create unique index concurrently t_v on t (v)")
            .await
            .is_err()
    );
    db.psql("update t set v = 'other' where id = 8").await;
    let files = [
        BASE,
        (
            "2_i.sql",
            "create unique index concurrently if not exists t_v on t (v)",
        ),
    ];
    // The index by hand is drift, which is not what this is about.
    let mut safety = opskit_core::migrate::Safety::default();
    safety.drift = opskit_core::migrate::OnGap::Accept;
    applied(&runner(&db, &files).with_safety(safety)).await;
    assert_eq!(
        db.psql("select indisvalid from pg_index where indexrelid = 't_v'::regclass")
            .await,
        "t"
    );
}

#[tokio::test]
async fn transactions_of_a_file_are_refused_before_anything_runs() {
    let db = opskit_tests::database().await;
    let error = apply(&runner(
        &db,
        &[(
            "1_x.sql",
            "create table a (i int);\ncommit;\nbegin;\ncreate table b (i int);",
        )],
    ))
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "\"COMMIT\" at 1_x.sql:2:1 is refused");
    assert_eq!(db.psql("select to_regclass('a') is null").await, "t");
    applied(&runner(
        &db,
        &[("1_x.sql", "begin;\ncreate table a (i int);\ncommit;")],
    ))
    .await;
}

#[tokio::test]
async fn a_label_that_is_used_where_it_is_added_is_explained() {
    let db = opskit_tests::database().await;
    applied(&runner(
        &db,
        &[(
            "1_e.sql",
            "create type mood as enum ('sad'); create table m (m mood);",
        )],
    ))
    .await;
    let files = [
        (
            "1_e.sql",
            "create type mood as enum ('sad'); create table m (m mood);",
        ),
        (
            "2_v.sql",
            "alter type mood add value 'ok'; insert into m values ('ok');",
        ),
    ];
    let report = apply(&runner(&db, &files)).await.unwrap();
    let failure = report.failure.unwrap();
    assert_eq!(
        (failure.sqlstate.as_deref(), &failure.left),
        (Some("55P04"), &Left::RolledBack)
    );
    assert!(failure.hint.unwrap().contains("migration of its own"));
}

const DUPLICATES: &str = "create table t (i int);\ninsert into t values (1), (1);\ncreate unique index concurrently u on t (i);\n";

#[tokio::test]
async fn a_file_that_was_mended_between_two_tries_is_as_it_ran() {
    for mended in [
        DUPLICATES.replace("create unique", "delete from t;\ncreate unique"),
        // Nothing of it needs to be outside of a transaction any more.
        DUPLICATES.replace(
            "create unique index concurrently",
            "delete from t;\ncreate unique index",
        ),
    ] {
        let db = opskit_tests::database().await;
        let report = apply(&runner(&db, &[("1_u.sql", DUPLICATES)]))
            .await
            .unwrap();
        assert!(matches!(report.outcome, Outcome::ResumeHere { .. }));
        let again = runner(&db, &[("1_u.sql", mended.as_str())]);
        applied(&again).await;
        assert_eq!(super::standings(&again).await, [Standing::Applied]);
    }
}

#[tokio::test]
async fn the_role_that_a_file_takes_does_not_write_the_journal() {
    let db = opskit_tests::database().await;
    db.psql(
        "do $$ begin create role suite_user; exception when duplicate_object then null; end $$",
    )
    .await;
    db.psql("grant create, usage on schema public to suite_user")
        .await;
    let file =
        "set role suite_user;\ncreate table t (i int);\ncreate index concurrently i on t (i);\n";
    applied(&runner(&db, &[("1_r.sql", file)])).await;
    assert_eq!(
        db.psql("select relowner::regrole from pg_class where relname = 'i'")
            .await,
        "suite_user"
    );
}

#[tokio::test]
async fn the_server_watches_its_client_while_files_run() {
    let db = opskit_tests::database().await;
    let file = "create table seen as select setting from pg_settings where name = 'client_connection_check_interval'";
    applied(&runner(&db, &[("1_s.sql", file)])).await;
    let wanted = match db
        .psql("select current_setting('server_version_num')::int / 10000 >= 14")
        .await
        .as_str()
    {
        "t" => "1000",
        _ => "",
    };
    assert_eq!(db.psql("select setting from seen").await, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cancelled_does_not_happen_later() {
    let db = opskit_tests::database().await;
    let file = "create table t (i int); select pg_advisory_lock_shared(7); select pg_sleep(60);";
    let sleeping = runner(&db, &[("1_s.sql", file)]);
    let (stop, cancel) = opskit_core::cancel::Cancel::pair();
    let ctx = OpContext::new(cancel);
    let plan = sleeping.plan(&ctx, &Wanted::default()).await.unwrap();
    let run = Box::pin(sleeping.apply(&ctx, &plan));
    let watch = async {
        let asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'";
        while db.psql(asleep).await == "0" {}
        stop.cancel();
    };
    let (done, ()) = tokio::join!(run, watch);
    let is_cancelled = match &done {
        Err(error) => error.kind() == ErrorKind::Cancelled,
        Ok(report) => !report.is_done(),
    };
    assert!(is_cancelled, "{done:?}");
    let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    assert_eq!(db.psql(others).await, "0");
    assert_eq!(super::standings(&sleeping).await, [Standing::Pending]);
}

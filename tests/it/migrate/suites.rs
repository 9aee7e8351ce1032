//! Tests of the database around a run.

use super::{applied, apply, runner};
use opskit_core::context::OpContext;
use opskit_core::migrate::{Outcome, Safety, Suite, TestOutcome};

const TABLE: (&str, &str) = (
    "1_t.sql",
    "create table t (id int primary key, owner text); alter table t enable row level security; \
     create policy own on t to public using (owner = current_setting('request.jwt.claims', true)::json ->> 'sub'); \
     grant select on t to public; insert into t values (1, 'ann'), (2, 'bob');",
);

fn safety(suites: &[(&str, &str)]) -> Safety {
    let mut safety = Safety::default();
    safety.suites = suites
        .iter()
        .map(|(name, text)| Suite::new(*name, text).unwrap())
        .collect();
    safety
}

#[tokio::test]
async fn rows_lines_of_tap_and_roles_with_claims_are_understood() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[TABLE])).await;
    db.psql(
        "do $$ begin create role suite_user; exception when duplicate_object then null; end $$",
    )
    .await;
    let suites = safety(&[
        (
            "a_rows.sql",
            "select 'has rows', count(*) = 2, 'counted' from t; insert into t values (3, 'eve'); select 'and one more', count(*) = 3 from t;",
        ),
        (
            "b_tap.sql",
            "begin; select '1..2'; select 'ok 1 - one'; select E'not ok 2 - two\\n# why'; rollback;",
        ),
        (
            "c_rls.sql",
            "-- opskit: as suite_user {\"sub\": \"ann\"}\nselect 'sees its own', array_agg(owner) = '{ann}' from t;",
        ),
        ("d_none.sql", "select 1;"),
        ("e_error.sql", "select 'before', true; select nothing;"),
    ]);
    let reports = runner(&db, &[TABLE])
        .with_safety(suites)
        .verify(&OpContext::default())
        .await
        .unwrap();
    let green: Vec<bool> = reports
        .iter()
        .map(opskit_core::migrate::SuiteReport::is_green)
        .collect();
    assert_eq!(green, [true, false, true, false, false], "{reports:#?}");
    assert_eq!(reports[1].tests[1].detail, "why");
    assert_eq!(
        reports[4].tests.last().unwrap().outcome,
        TestOutcome::Failed
    );
    assert_eq!(db.psql("select count(*) from t").await, "2");
}

#[tokio::test]
async fn tests_that_fail_are_taken_back_by_scripts_and_proven() {
    let db = opskit_tests::database().await;
    let files = [
        (
            "1_t.up.sql",
            "create table t (id int primary key); insert into t values (1), (2)",
        ),
        ("1_t.down.sql", "drop table t"),
    ];
    applied(&runner(&db, &files)).await;
    let before = super::failing::state(&db).await;
    let more = [
        files[0],
        files[1],
        ("2_j.up.sql", "alter table t add j int"),
        ("2_j.down.sql", "alter table t drop j"),
    ];
    let suites = safety(&[(
        "a.sql",
        "select 'no column j', not exists (select from pg_attribute where attrelid = 't'::regclass and attname = 'j')",
    )]);
    let report = apply(&runner(&db, &more).with_safety(suites))
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::DownScript);
    assert_eq!(report.changed_tests[0].test, "a.sql: no column j");
    assert_eq!(super::failing::state(&db).await, before);
    assert_eq!(db.psql("select count(*) from opskit.migrations").await, "1");
}

#[tokio::test]
async fn no_red_check_is_passed_over() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[TABLE])).await;
    db.psql(
        "do $$ begin create role suite_user; exception when duplicate_object then null; end $$",
    )
    .await;
    let suites = safety(&[
        ("a_bool.sql", "select true; select false;"),
        ("b_bare.sql", "select 'ok'; select 'not ok';"),
        (
            "c_as.sql",
            "\u{feff}-- Who sees what.\n\n-- opskit: as suite_user\nselect 'is somebody', current_user = 'suite_user';",
        ),
    ]);
    let reports = runner(&db, &[TABLE])
        .with_safety(suites)
        .verify(&OpContext::default())
        .await
        .unwrap();
    let counts: Vec<(usize, bool)> = reports
        .iter()
        .map(|report| (report.tests.len(), report.is_green()))
        .collect();
    assert_eq!(counts, [(2, false), (2, false), (1, true)], "{reports:#?}");
}

const DOWN: [(&str, &str); 4] = [
    (
        "1_t.up.sql",
        "create table t (id int primary key); insert into t values (1), (2)",
    ),
    ("1_t.down.sql", "drop table t"),
    (
        "2_c.up.sql",
        "alter table t add constraint big check (id > 0), add j int",
    ),
    ("2_c.down.sql", "alter table t drop constraint big, drop j"),
];

#[tokio::test]
async fn a_copy_that_fails_in_a_test_is_a_red_test_and_the_way_back_is_gone() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &DOWN[..2])).await;
    let before = super::failing::state(&db).await;
    let suites = safety(&[("a.sql", "copy t (id) from stdin;\n-1\n\\.\n")]);
    let report = apply(&runner(&db, &DOWN).with_safety(suites))
        .await
        .unwrap();
    assert_eq!(report.outcome, Outcome::DownScript);
    assert_eq!(super::failing::state(&db).await, before);
    assert_eq!(super::advisory_locks(&db).await, "0");
}

#[tokio::test]
async fn scripts_take_nothing_back_while_others_are_connected() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &DOWN[..2])).await;
    let mut writer = opskit_tests::export::wire(&db.url()).await;
    writer
        .execute("set application_name = 'shop'")
        .await
        .unwrap();
    let suites = safety(&[("a.sql", "select 'red', false;")]);
    let report = apply(&runner(&db, &DOWN).with_safety(suites))
        .await
        .unwrap();
    assert!(
        matches!(report.outcome, Outcome::NeedsDecision { .. }),
        "{:?}",
        report.outcome
    );
    assert_eq!(db.psql("select count(j) from t").await, "0");
    writer.close().await;
}

#[tokio::test]
async fn a_script_that_leaves_other_rows_is_no_way_back() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &DOWN[..2])).await;
    let repository = opskit_core::repository::Repository::create(place.path().join("b")).unwrap();
    let request = opskit_core::backup::BackupRequest::new();
    let files = [
        DOWN[0],
        DOWN[1],
        ("2_d.up.sql", "delete from t where id = 2"),
        ("2_d.down.sql", "insert into t values (3)"),
    ];
    let mut safety = safety(&[("a.sql", "select 'rows stay', count(*) = 2 from t;")]);
    safety.backup = Some(opskit_core::migrate::BackupFirst::new(repository, request));
    let report = apply(&runner(&db, &files).with_safety(safety))
        .await
        .unwrap();
    let Outcome::NeedsDecision { why, .. } = &report.outcome else {
        panic!("{:?}", report.outcome);
    };
    assert!(why.contains("other rows"), "{why}");
}

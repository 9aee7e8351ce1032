//! The way back by the backup that was taken before.

use super::failing::state;
use super::{advisory_locks, applied, apply, runner, standings};
use opskit_core::backup::BackupRequest;
use opskit_core::migrate::{BackupFirst, Outcome, Safety, Standing, Suite, WayBack, Writers};
use opskit_core::repository::{Repository, VerifyLevel};
use opskit_tests::export::wire;

const BASE: (&str, &str) = (
    "1_base.sql",
    "create table t (id int primary key, v text);\ninsert into t select i, 'v' || i from generate_series(1, 1000) i;\ncreate view w as select * from t;",
);
/// What nobody can take back by hand.
const BAD: (&str, &str) = (
    "2_bad.sql",
    "delete from t where id > 10;\nalter table t add j int;\ncreate schema made; create table made.u (i int);",
);
const RED: &str = "select 'rows stay', (select count(*) from t) = 1000";

fn safety(dir: &std::path::Path, writers: Writers) -> Safety {
    let repository = Repository::create(dir.join("backups")).unwrap();
    let mut safety = Safety::default();
    safety.backup = Some(BackupFirst::new(repository, BackupRequest::new()));
    safety.suites = vec![Suite::new("rows.sql", RED).unwrap()];
    safety.writers = writers;
    safety
}

#[tokio::test(flavor = "multi_thread")]
async fn with_writers_stopped_the_backup_is_restored_in_place_and_proven() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    let before = state(&db).await;
    let stopped = runner(&db, &[BASE, BAD]).with_safety(safety(place.path(), Writers::Stopped));
    let report = apply(&stopped).await.unwrap();
    assert_eq!(
        report.outcome,
        Outcome::InPlaceRestore,
        "{:?}",
        report.outcome
    );
    let taken = report.backup.unwrap();
    assert_eq!(taken.verified, VerifyLevel::Decode);
    assert_eq!(state(&db).await, before);
    assert_eq!(
        standings(&stopped).await,
        [Standing::Applied, Standing::Pending]
    );
    // Mended, it goes on.
    let good = runner(&db, &[BASE, ("2_good.sql", "alter table t add j int")])
        .with_safety(safety(&place.path().join("2"), Writers::Stopped));
    let report = applied(&good).await;
    let id = report.backup.unwrap().id;
    assert_eq!(
        db.psql("select backup_id from opskit.migrations where id = '2'")
            .await,
        id.to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_may_have_written_the_decision_is_left_to_people() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    let running = runner(&db, &[BASE, BAD]).with_safety(safety(place.path(), Writers::Running));
    let report = apply(&running).await.unwrap();
    let Outcome::NeedsDecision { choices, .. } = &report.outcome else {
        panic!("{:?}", report.outcome);
    };
    let id = report.backup.as_ref().unwrap().id.to_string();
    assert!(
        choices.iter().any(|choice| choice
            .command
            .contains(&format!("{id} --repo {}", place.path().display()))),
        "{choices:?}"
    );
    // Nothing was taken back behind anybody's back.
    assert_eq!(db.psql("select count(*) from t").await, "10");
    assert_eq!(standings(&running).await, [Standing::Applied; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_still_there_refutes_that_writers_were_stopped() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    let mut writer = wire(&db.url()).await;
    writer
        .execute("set application_name = 'shop'; insert into t values (5000, 'late')")
        .await
        .unwrap();
    let stopped = runner(&db, &[BASE, BAD]).with_safety(safety(place.path(), Writers::Stopped));
    let report = apply(&stopped).await.unwrap();
    assert!(
        matches!(report.outcome, Outcome::NeedsDecision { .. }),
        "{:?}",
        report.outcome
    );
    writer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_taken_stops_the_run_before_it_begins() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    let before = state(&db).await;
    let safety = safety(place.path(), Writers::Running);
    std::fs::remove_dir_all(place.path().join("backups")).unwrap();
    std::fs::write(place.path().join("backups"), "no folder").unwrap();
    apply(&runner(&db, &[BASE, BAD]).with_safety(safety))
        .await
        .unwrap_err();
    assert_eq!(state(&db).await, before);
    assert_eq!(advisory_locks(&db).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_database_takes_the_name_and_the_migrated_one_is_kept() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    let before = state(&db).await;
    let mut safety = safety(place.path(), Writers::Stopped);
    safety.way_back = WayBack::Swap;
    let swapping = runner(&db, &[BASE, BAD]).with_safety(safety);
    let report = apply(&swapping).await.unwrap();
    let Outcome::SwapDatabase { kept } = &report.outcome else {
        panic!("{:?}", report.outcome);
    };
    assert_eq!(state(&db).await, before);
    assert_eq!(
        standings(&swapping).await,
        [Standing::Applied, Standing::Pending]
    );
    assert_eq!(advisory_locks(&db).await, "0");
    let url = db.url().replace(db.name(), kept);
    assert_eq!(
        opskit_tests::try_psql(&url, "select count(*) from t")
            .await
            .unwrap(),
        "10"
    );
    db.psql(&format!("drop database {kept}")).await;
}

/// What a runner that was killed left of an index would keep the backup from being taken.
#[tokio::test(flavor = "multi_thread")]
async fn half_an_index_of_a_killed_run_is_cleared_before_the_backup() {
    let db = opskit_tests::database().await;
    let place = tempfile::tempdir().unwrap();
    applied(&runner(&db, &[BASE])).await;
    db.psql("update t set v = 'same' where id in (7, 8)").await;
    let files = [
        BASE,
        ("2_i.sql", "create unique index concurrently t_v on t (v);"),
    ];
    let failed = apply(&runner(&db, &files)).await.unwrap();
    assert!(matches!(failed.outcome, Outcome::ResumeHere { .. }));
    let by_hand = db
        .try_psql("create unique index concurrently t_v on t (v)")
        .await;
    assert!(by_hand.is_err());
    db.psql("update t set v = 'other' where id = 8").await;
    let report =
        applied(&runner(&db, &files).with_safety(safety(place.path(), Writers::Running))).await;
    assert!(report.backup.is_some());
    assert_eq!(
        db.psql("select indisvalid from pg_index where indexrelid = 't_v'::regclass")
            .await,
        "t"
    );
}

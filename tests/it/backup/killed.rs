//! What a killed run leaves is no backup; what a killed restore leaves, the same command makes whole.

use super::damage::{Dice, sampled};
use super::{Place, place, sample};
use crate::roundtrip::pg_dump;
use opskit_core::backup::BackupRequest;
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, Keyring, VerifyLevel};
use opskit_core::seal::Identity;
use opskit_tests::{TestDb, database, helper};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The program under test.
pub(super) fn program() -> PathBuf {
    std::env::var_os("OPSKIT_BIN").map_or_else(|| helper("opskit"), PathBuf::from)
}

/// Keys for half of the tests.
fn sealed(place: Place) -> (Place, String) {
    let (identity, _) = Identity::generate();
    let recipient = identity.recipient().to_string();
    let keyring = Keyring::new()
        .sealing_for([identity.recipient()])
        .opening_with([identity]);
    let repository = place.repository.clone().with_keyring(keyring);
    (
        Place {
            repository,
            ..place
        },
        recipient,
    )
}

/// The complete backups, each of which must be whole.
fn complete(place: &Place) -> Vec<BackupId> {
    let ids = place.repository.backups().unwrap();
    for id in &ids {
        let ctx = OpContext::default();
        let found = place.repository.verify(&ctx, id, VerifyLevel::Decode);
        assert_eq!(found.unwrap().faults, [], "{id}");
    }
    ids
}

#[tokio::test]
async fn a_killed_run_is_no_backup() {
    nothing_is_left_of_killed_runs(place(), &[]).await;
}

#[tokio::test]
async fn a_killed_run_that_seals_is_no_backup() {
    let (place, recipient) = sealed(place());
    nothing_is_left_of_killed_runs(place, &["--recipient", &recipient]).await;
}

async fn nothing_is_left_of_killed_runs(place: Place, more: &[&str]) {
    let db = sample().await;
    let run = || {
        let mut command = Command::new(program());
        command
            .args(["backup", "--repo"])
            .arg(place.repository.directory().unwrap())
            .args(more)
            .env("DATABASE_URL", db.url())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let started = Instant::now();
    assert!(run().wait().unwrap().success());
    let took = started.elapsed();
    let (mut dice, mut ended) = (Dice(11), 1);
    for _ in 0..sampled(12, 50) {
        let mut child = run();
        let moment = took.as_millis() as usize + 20;
        std::thread::sleep(Duration::from_millis(dice.roll(moment) as u64));
        child.kill().unwrap();
        ended += usize::from(child.wait().unwrap().success());
        let complete = complete(&place).len();
        assert!(complete >= ended, "{complete} of {ended}");
        ended = complete;
    }
    // The next run removes what is left of them.
    assert!(run().wait().unwrap().success());
    let folders = fs::read_dir(place.repository.directory().unwrap().join("backups")).unwrap();
    assert_eq!(folders.count(), complete(&place).len());
}

/// Enough of everything that a restore does for each of its phases to be hit.
const MORE: &str = "create table big (id int primary key, v text); insert into big select i, md5(i::text) from generate_series(1, 60000) i; \
    create index on big (v); create table refers (id int references big, w text); insert into refers select i, 'w' || i from generate_series(1, 30000) i; \
    create index on refers (w); select lo_from_bytea(0, convert_to(repeat('large', 99999), 'UTF8')); \
    create view looks as select * from big; create function f() returns trigger language plpgsql as 'begin return new; end'; \
    create trigger fires before insert on refers for each row execute function f(); grant select on big to public; comment on table big is 'big'";

async fn left(db: &TestDb) -> String {
    db.psql(
        "select (select count(*) from pg_roles where rolname like 'opskit_restore_' || (select oid from pg_database where datname = current_database()) || '\\_%'), \
           (select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid())",
    )
    .await
}

#[tokio::test]
async fn a_killed_restore_can_be_run_again() {
    let (db, place) = (sample().await, place());
    db.psql(MORE).await;
    let request = BackupRequest::new().with_part_bytes(1 << 20);
    place.back_up(&db, request).await.unwrap();
    let command = |target: &TestDb| {
        let mut command = Command::new(program());
        // The source is a superuser's own.
        let trusting = ["restore", "latest", "--trust-backup"];
        command
            .args(trusting)
            .args(["--to", &target.url(), "--repo"]);
        command
            .arg(place.repository.directory().unwrap())
            .stdin(Stdio::null());
        command
    };
    let run = |target: &TestDb, may_be_done: bool| {
        let output = command(target).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        // Killed after all was done, it finds what it made itself.
        if may_be_done && said.contains("the target has already") {
            return;
        }
        assert!(output.status.success(), "{said}");
        let compared = [
            "the same by rows and fingerprints of",
            "facts about objects",
        ];
        assert!(compared.iter().all(|words| said.contains(words)), "{said}");
    };
    let (wanted, first) = (pg_dump(&db), database().await);
    let started = Instant::now();
    run(&first, false);
    let moment = started.elapsed().as_millis() as usize;
    let (mut dice, mut killed) = (Dice(13), 0);
    for _ in 0..sampled(6, 50) {
        let target = database().await;
        let mut child = command(&target);
        let child = child.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let after = dice.roll(moment);
        std::thread::sleep(Duration::from_millis(after as u64));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            continue;
        }
        killed += 1;
        println!("killed after {after} of {moment} ms");
        run(&target, true);
        assert_eq!(wanted, pg_dump(&target));
        let count = "select count(*), sum(hashtextextended(v, 0)) from big";
        assert_eq!(db.psql(count).await, target.psql(count).await);
        let started = Instant::now();
        while left(&target).await != "0|0" {
            let rest = left(&target).await;
            assert!(started.elapsed() < Duration::from_secs(20), "{rest}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(killed > 0);
}

//! The example of a service that embeds the library.

use rustix::process::{Pid, Signal, kill_process};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn service() -> Command {
    let mut command = Command::new(opskit_tests::helper("examples/embed_service"));
    command
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn the_service_shows_two_rounds() {
    let output = service().output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert_eq!(
        told.matches("public.orders: 1000 rows").count(),
        2,
        "{told}"
    );
    assert_eq!(
        told.matches(": verified, 1000 rows decoded").count(),
        2,
        "{told}"
    );
    assert_eq!(told.matches("there is no backup yet").count(), 1, "{told}");
    let history = told.lines().filter(|line| line.starts_with("history: "));
    assert_eq!(
        history.filter(|line| line.contains("success")).count(),
        2,
        "{told}"
    );
}

/// A service that serves ends in order when it is told to, and its backups are there.
#[tokio::test]
async fn the_service_ends_when_it_is_told() {
    let db = super::sample().await;
    let place = tempfile::tempdir().unwrap();
    let repository = place.path().join("kept");
    let mut command = service();
    command
        .env("DATABASE_URL", db.url())
        .env("BACKUP_REPO", &repository)
        .env("BACKUP_EVERY", "1h");
    let child = command.spawn().unwrap();
    let start = Instant::now();
    let complete = || {
        let opened = opskit_core::repository::Repository::open(&repository);
        opened.is_ok_and(|repository| repository.backups().is_ok_and(|found| found.len() == 1))
    };
    while !complete() {
        assert!(start.elapsed() < Duration::from_secs(60), "no backup");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .unwrap();
    let output = output.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(
        told.contains("stopping") && told.contains("history: "),
        "{told}"
    );
}

//! A healthy server under load: nothing turns red.

use super::{Patient, parse};
use opskit_core::context::OpContext;
use opskit_core::health::{HealthReport, HealthRequest, State, check, probes};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const GREEN: [State; 2] = [State::Pass, State::Skipped];

/// For how long; `make test-full` takes five minutes.
fn length() -> Duration {
    match std::env::var("OPSKIT_TEST_FULL").as_deref() {
        Ok("1") => Duration::from_secs(300),
        _ => Duration::from_secs(10),
    }
}

/// `pgbench` of the server, else of the system: server packages for tests have none.
fn pgbench(patient: &Patient) -> PathBuf {
    let own = patient.server.binaries().dir().join("pgbench");
    let usual = PathBuf::from("/usr/lib/postgresql/15/bin/pgbench");
    let candidates = [own, usual];
    let found = candidates.into_iter().find(|path| path.exists());
    found.unwrap_or_else(|| PathBuf::from("pgbench"))
}

fn run(patient: &Patient, args: &[&str]) -> Child {
    let mut command = Command::new(pgbench(patient));
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.arg("-h").arg(patient.server.socket_dir());
    command.args(["-p", &patient.server.port().to_string()]);
    command.args(["-U", patient.server.user(), "shop"]);
    command.spawn().unwrap()
}

/// What is red, without what is so by the nature of a scratch server.
fn red(report: &HealthReport) -> Vec<String> {
    let is_red = |it: &&opskit_core::health::ProbeResult| !GREEN.contains(&it.verdict.state);
    let red = report.results.iter().filter(is_red);
    red.map(|it| format!("{}: {:?}", it.id, it.verdict))
        .collect()
}

#[tokio::test]
async fn a_healthy_server_under_load_is_never_red() {
    let patient = Patient::new().await;
    assert!(
        run(&patient, &["-i", "-q", "-s", "5"])
            .wait()
            .unwrap()
            .success()
    );
    let seconds = length().as_secs().to_string();
    let mut load = run(&patient, &["-c", "8", "-j", "2", "-T", &seconds]);
    let url = parse(&patient.url());
    let (mut request, ctx) = (HealthRequest::default(), OpContext::default());
    let end = Instant::now() + length();
    let mut runs = 0;
    while Instant::now() < end {
        let report = check(&ctx, &url, &probes(), &request).await.unwrap();
        let red = red(&report);
        assert!(red.is_empty(), "after {runs} runs: {red:#?}");
        runs += 1;
        request.before = Some(report);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(load.wait().unwrap().success(), "the load itself failed");
    println!("{runs} runs, none red");
}

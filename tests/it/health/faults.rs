//! Each probe turns red on its fault, and green after: what `opskit health self-test` does is a test, too.

use opskit_core::context::OpContext;
use opskit_core::health::{SelfTestRequest, TrialOutcome, self_test};

#[tokio::test]
async fn each_probe_is_red_on_its_fault_and_green_after() {
    let mut failed = Vec::new();
    let tell = |trial: &opskit_core::health::Trial| {
        println!("{trial:?}");
        if trial.outcome == TrialOutcome::Failed {
            failed.push(format!("{}: {}", trial.probe, trial.detail));
        }
    };
    let request = SelfTestRequest::default();
    let report = self_test(&OpContext::default(), &request, tell)
        .await
        .unwrap();
    assert!(report.is_sound(), "{failed:#?}");
    let skipped = |trial: &&opskit_core::health::Trial| trial.outcome == TrialOutcome::Skipped;
    let skipped: Vec<_> = report
        .trials
        .iter()
        .filter(skipped)
        .map(|it| &*it.probe)
        .collect();
    assert_eq!(skipped, ["cache.hits"]);
}

#[tokio::test]
async fn a_probe_that_is_not_there_cannot_be_tried() {
    let mut request = SelfTestRequest::default();
    request.only.push("nothing".to_owned());
    let error = self_test(&OpContext::default(), &request, |_| {})
        .await
        .unwrap_err();
    assert_eq!(error.kind(), opskit_core::ErrorKind::InvalidInput);
}

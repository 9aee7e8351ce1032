//! `opskit health self-test`.

use crate::App;
use crate::args::HealthSelfTestArgs;
use crate::exit::Stop;
use crate::runtime;
use opskit_core::context::OpContext;
use opskit_core::health::{SelfTestRequest, Trial, TrialOutcome, self_test};

pub(super) fn run(args: &HealthSelfTestArgs, app: &App) -> Result<(), Stop> {
    let mut request = SelfTestRequest::default();
    request.only.clone_from(&args.probes);
    request.bin_dir.clone_from(&args.pg_bin);
    // Each line as it comes: the whole takes a while.
    let tell = |trial: &Trial| {
        if !app.printer.is_json() {
            // Who closed the pipe reads no more lines; the status still tells.
            let _ = app.printer.result(&line(trial));
        }
    };
    let report = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        Ok(Box::pin(self_test(&ctx, &request, tell)).await?)
    })?;
    if app.printer.is_json() {
        app.printer.json(&report)?;
    }
    match report.is_sound() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

fn line(trial: &Trial) -> String {
    let word = match trial.outcome {
        TrialOutcome::Passed => "passed",
        TrialOutcome::Skipped => "skipped",
        _ => "FAILED",
    };
    let (probe, fault, detail) = (&trial.probe, trial.fault, &trial.detail);
    let red = trial.red.map_or("", |state| state.as_str());
    format!(
        "{word:<8} {probe:<26} {red:<5} {fault}\n{:41}{detail}\n",
        ""
    )
}

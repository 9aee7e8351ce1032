//! Reports of health for people, tickets and Nagios.

use crate::printer::Printer;
use crate::summary::aligned;
use opskit_core::Error;
use opskit_core::health::{HealthProbe, HealthReport, ProbeResult, State, Threshold};
use serde::Serialize;
use std::cmp::Reverse;
use std::fmt::Write as _;

/// Findings of one probe that are shown to people; JSON has all of them.
const SHOWN: usize = 10;

/// A probe, as documents tell it.
#[derive(Debug, Serialize)]
pub(super) struct Listed<'p> {
    id: &'p str,
    about: &'p str,
    remedy: &'p str,
    threshold: Option<Threshold>,
}

pub(super) fn listed(probes: &[Box<dyn HealthProbe>]) -> Vec<Listed<'_>> {
    let listed = probes.iter().map(|probe| Listed {
        id: probe.id(),
        about: probe.about(),
        remedy: probe.remedy(),
        threshold: probe.threshold(),
    });
    listed.collect()
}

pub(super) fn list(probes: &[Box<dyn HealthProbe>]) -> String {
    let row = |probe: Listed<'_>| {
        let limits = probe.threshold.map_or_else(String::new, |threshold| {
            format!("{} / {}", threshold.warn, threshold.fail)
        });
        vec![probe.id.to_owned(), limits, probe.about.to_owned()]
    };
    aligned(&listed(probes).into_iter().map(row).collect::<Vec<_>>())
}

fn worst_first(report: &HealthReport) -> Vec<&ProbeResult> {
    let mut results: Vec<_> = report.results.iter().collect();
    results.sort_by_key(|result| Reverse(result.verdict.state));
    results
}

pub(super) fn table(report: &HealthReport, printer: &Printer) -> String {
    let mut out = String::new();
    for result in worst_first(report) {
        let verdict = &result.verdict;
        let because = verdict.because.as_deref().unwrap_or_default();
        let word = format!("{:<8}", verdict.state.as_str());
        let colour = match verdict.state {
            State::Pass => "32",
            State::Warn => "33",
            State::Skipped => "2",
            _ => "31",
        };
        let word = printer.plain_or(&word, &format!("\x1b[{colour}m{word}\x1b[0m"));
        let _ = writeln!(
            out,
            "{}",
            format!("{word}{:<26}{because}", result.id).trim_end()
        );
        for finding in verdict.findings.iter().take(SHOWN) {
            let (object, detail) = (&finding.object, &finding.detail);
            let _ = writeln!(
                out,
                "          {}: {object}: {detail}",
                finding.state.as_str()
            );
        }
        if verdict.findings.len() > SHOWN {
            let _ = writeln!(out, "          and {} more", verdict.findings.len() - SHOWN);
        }
        for cure in verdict
            .cure
            .iter()
            .flat_map(|cure| cure.lines())
            .take(SHOWN)
        {
            let _ = writeln!(out, "          cure: {cure}");
        }
        // A probe of opskit.toml may name none.
        let is_red = matches!(verdict.state, State::Warn | State::Fail);
        if is_red && !result.remedy.is_empty() {
            let _ = writeln!(out, "          what to do: {}", result.remedy);
        }
    }
    let _ = writeln!(out, "{}", summary(report));
    out
}

fn summary(report: &HealthReport) -> String {
    let count = |state| {
        let results = report.results.iter();
        results
            .filter(|result| result.verdict.state == state)
            .count()
    };
    format!(
        "{} fail, {} unknown, {} warn, {} pass, {} skipped: database {} as {}, Postgres {}, {} ms",
        count(State::Fail),
        count(State::Unknown),
        count(State::Warn),
        count(State::Pass),
        count(State::Skipped),
        report.server.database,
        report.server.role,
        report.server.version_num / 10_000,
        report.elapsed_ms
    )
}

pub(super) fn markdown(report: &HealthReport) -> String {
    let mut out = "| state | probe | object | detail |\n|---|---|---|---|\n".to_owned();
    for result in worst_first(report) {
        let verdict = &result.verdict;
        let state = verdict.state.as_str();
        if verdict.findings.is_empty() {
            let because = verdict.because.as_deref().unwrap_or_default();
            let _ = writeln!(out, "| {state} | {} | | {} |", result.id, cell(because));
        }
        for finding in &verdict.findings {
            let (state, object) = (finding.state.as_str(), cell(&finding.object));
            let detail = cell(&finding.detail);
            let _ = writeln!(out, "| {state} | {} | {object} | {detail} |", result.id);
        }
    }
    let _ = writeln!(out, "\n{}", cell(&summary(report)));
    out
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

pub(super) fn nagios(report: &HealthReport) -> String {
    let word = match report.worst() {
        State::Pass | State::Skipped => "OK",
        State::Warn => "WARNING",
        State::Fail => "CRITICAL",
        _ => "UNKNOWN",
    };
    let bad = worst_first(report)
        .into_iter()
        .filter(|result| result.verdict.state >= State::Warn);
    let names: Vec<_> = bad.map(|result| result.id.as_str()).collect();
    let line = format!("OPSKIT {word} - {} {}", summary(report), names.join(" "));
    // The bar begins the figures: a name must not.
    let line = line.trim_end().replace(['|', '\n', '\r'], " ");
    format!("{line} | time={}ms\n", report.elapsed_ms)
}

pub(super) fn nagios_error(error: &Error) -> String {
    let text = error.chain().join(": ").replace(['|', '\n', '\r'], " ");
    format!(
        "OPSKIT {} - {text}\n",
        if error.kind() == opskit_core::ErrorKind::Connection {
            "CRITICAL"
        } else {
            "UNKNOWN"
        }
    )
}

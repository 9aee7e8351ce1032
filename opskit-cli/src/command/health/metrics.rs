//! Reports of health as OpenMetrics.

use opskit_core::Error;
use opskit_core::health::{HealthReport, ProbeResult, State};
use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const STATES: [State; 5] = [
    State::Pass,
    State::Warn,
    State::Fail,
    State::Unknown,
    State::Skipped,
];

/// The document, names of objects left out: they are for reports. Where there is no report, it says that and no more, so
/// that nothing old looks new.
pub(crate) fn open_metrics(report: Result<&HealthReport, &Error>) -> String {
    let mut out = String::new();
    family(
        &mut out,
        "opskit_health_up",
        "gauge",
        "",
        "Whether the database could be asked.",
    );
    let _ = writeln!(out, "opskit_health_up {}", u8::from(report.is_ok()));
    if let Ok(report) = report {
        run(&mut out, report);
        probes(&mut out, &report.results);
    }
    out.push_str("# EOF\n");
    out
}

fn family(out: &mut String, name: &str, kind: &str, unit: &str, help: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}");
    if !unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    let _ = writeln!(out, "# HELP {name} {help}");
}

fn run(out: &mut String, report: &HealthReport) {
    if let Ok(started) = OffsetDateTime::parse(&report.started_at, &Rfc3339) {
        let name = "opskit_health_run_timestamp_seconds";
        family(out, name, "gauge", "seconds", "When the probes were asked.");
        let _ = writeln!(out, "{name} {}", started.unix_timestamp());
        let name = "opskit_health_run_age_seconds";
        family(out, name, "gauge", "seconds", "How long ago that was.");
        let age = (OffsetDateTime::now_utc() - started)
            .as_seconds_f64()
            .max(0.0);
        let _ = writeln!(out, "{name} {age:.3}");
    }
    let name = "opskit_health_run_duration_seconds";
    family(out, name, "gauge", "seconds", "How long it took.");
    let _ = writeln!(out, "{name} {}", seconds(report.elapsed_ms));
    let name = "opskit_health_server";
    family(out, name, "info", "", "The server that was asked.");
    let server = &report.server;
    let _ = writeln!(
        out,
        "{name}_info{{database={},version=\"{}\",system_identifier={},timeline={}}} 1",
        quoted(&server.database),
        server.version_num,
        quoted(server.system_identifier.as_deref().unwrap_or_default()),
        quoted(server.timeline.as_deref().unwrap_or_default()),
    );
}

fn probes(out: &mut String, results: &[ProbeResult]) {
    let name = "opskit_health_probe";
    family(out, name, "stateset", "", "The state of each probe.");
    for result in results {
        for state in STATES {
            let _ = writeln!(
                out,
                "{name}{{probe={},{name}=\"{}\"}} {}",
                quoted(&result.id),
                state.as_str(),
                u8::from(result.verdict.state == state)
            );
        }
    }
    let name = "opskit_health_findings";
    family(
        out,
        name,
        "gauge",
        "",
        "How many things each probe found, by how bad they are.",
    );
    for result in results {
        for state in [State::Warn, State::Fail, State::Unknown] {
            let found = result.verdict.findings.iter();
            let count = found.filter(|finding| finding.state == state).count();
            let _ = writeln!(
                out,
                "{name}{{probe={},state=\"{}\"}} {count}",
                quoted(&result.id),
                state.as_str()
            );
        }
    }
    let name = "opskit_health_probe_duration_seconds";
    family(out, name, "gauge", "seconds", "How long each probe took.");
    for result in results {
        let took = seconds(result.elapsed_ms);
        let _ = writeln!(out, "{name}{{probe={}}} {took}", quoted(&result.id));
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// A value of a label.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opskit_core::ErrorKind;

    #[test]
    fn a_database_that_cannot_be_asked_has_no_other_metric() {
        let error = Error::new(ErrorKind::Connection, "cannot connect");
        let text = open_metrics(Err(&error));
        assert!(text.ends_with("opskit_health_up 0\n# EOF\n"), "{text}");
        assert!(!text.contains("probe"));
    }

    #[test]
    fn what_a_database_is_called_ends_no_label() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}

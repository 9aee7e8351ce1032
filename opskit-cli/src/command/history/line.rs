//! One line of JSON per run, as other tools of the kind write their logs.

use super::Told;
use crate::exit::Stop;
use opskit_core::repository::{BackupId, BackupType, HistoryEvent, RunRecord, RunStatus};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::time::Duration;

/// The line. Its fields, their names and their order are promised.
#[derive(Debug, Serialize)]
struct Line<'a> {
    timestamp: String,
    #[serde(rename = "type")]
    backup_type: BackupType,
    status: RunStatus,
    size: String,
    duration: String,
    location: Option<&'a str>,
    checksum: Option<String>,
    metadata: Metadata<'a>,
}

#[derive(Debug, Serialize)]
struct Metadata<'a> {
    version: &'a str,
    environment: Option<&'a str>,
    backup_id: &'a BackupId,
    migration_version: Option<&'a str>,
}

/// The runs among the records.
pub(super) fn lines(records: &[Told]) -> Result<String, Stop> {
    let mut out = String::new();
    for told in records {
        let HistoryEvent::Run(run) = &told.entry.event else {
            continue;
        };
        let line = serde_json::to_string(&line(told, run)).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write a line of the history")
                .with_source(source)
        })?;
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

fn line<'a>(told: &'a Told, run: &'a RunRecord) -> Line<'a> {
    let digest = run.manifest_sha256.as_ref();
    Line {
        timestamp: to_the_second(&run.started_at),
        backup_type: run.backup_type,
        status: run.status,
        size: size(run.size_bytes),
        duration: duration(Duration::from_millis(run.duration_ms)),
        location: told.location.as_deref(),
        checksum: digest.map(|digest| format!("sha256:{digest}")),
        metadata: Metadata {
            version: &run.opskit_version,
            environment: told.environment.as_deref(),
            backup_id: &run.id,
            migration_version: run.migration_version.as_deref(),
        },
    }
}

/// A time in UTC without its fraction.
pub(super) fn to_the_second(at: &str) -> String {
    match at.split_once('.') {
        Some((second, rest)) if rest.ends_with('Z') => format!("{second}Z"),
        _ => at.to_owned(),
    }
}

/// `1.2GB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// `15m`, `1h5m`, `2m5s`, `42s`, `300ms`.
fn duration(time: Duration) -> String {
    let of = |large: u64, unit: &str, small: u64, part: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit}{small}{part}"),
    };
    match time.as_secs() {
        0 => format!("{}ms", time.as_millis()),
        seconds @ 1..60 => format!("{seconds}s"),
        seconds @ 60..3600 => of(seconds / 60, "m", seconds % 60, "s"),
        seconds => of(seconds / 3600, "h", seconds % 3600 / 60, "m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (999, "999B"),
            (27_104, "27.1KB"),
            (999_960, "1.0MB"),
            (1_200_000_000, "1.2GB"),
            (5_000_000_000_000_000, "5000.0TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (ms, text) in [
            (0, "0ms"),
            (242, "242ms"),
            (5_900, "5s"),
            (900_000, "15m"),
            (125_000, "2m5s"),
            (3_900_000, "1h5m"),
            (90_000_000, "25h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn times_have_seconds() {
        assert_eq!(
            to_the_second("2026-11-21T14:55:18.650475942Z"),
            "2026-11-21T14:55:18Z"
        );
        assert_eq!(
            to_the_second("2026-11-21T14:55:18Z"),
            "2026-11-21T14:55:18Z"
        );
        assert_eq!(
            to_the_second("2026-11-21T14:55:18.5+01:00"),
            "2026-11-21T14:55:18.5+01:00"
        );
    }

    /// The shape that is promised, to the letter.
    #[test]
    fn a_line_has_its_shape() {
        let id: BackupId = "20240101T000000Z-7f3a9c2e".parse().unwrap();
        let line = Line {
            timestamp: to_the_second("2024-01-01T00:00:00.25Z"),
            backup_type: BackupType::Full,
            status: RunStatus::Success,
            size: size(1_200_000_000),
            duration: duration(Duration::from_secs(900)),
            location: Some("s3://bucket/2024-01-01/"),
            checksum: Some("sha256:00".to_owned()),
            metadata: Metadata {
                version: "1.0.0",
                environment: Some("production"),
                backup_id: &id,
                migration_version: Some("20240215140312"),
            },
        };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            r#"{"timestamp":"2024-01-01T00:00:00Z","type":"full","status":"success","size":"1.2GB","duration":"15m","location":"s3://bucket/2024-01-01/","checksum":"sha256:00","metadata":{"version":"1.0.0","environment":"production","backup_id":"20240101T000000Z-7f3a9c2e","migration_version":"20240215140312"}}"#
        );
    }
}

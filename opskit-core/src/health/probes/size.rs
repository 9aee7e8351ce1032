//! `storage.size`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::against;
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, State, Verdict};
use super::growth::{Fill, urgency};
use crate::error::Result;
use async_trait::async_trait;

/// How large all databases of the server are, of the disk that it was said to have. No server tells how large its disk
/// is.
#[derive(Debug)]
pub(super) struct Size;

const THRESHOLD: Threshold = Threshold {
    warn: 80.0,
    fail: 90.0,
};

/// Bytes, and now. Databases that may not be looked at make it NULL.
const SQL: &str = "\
select 'server', case when bool_and(has_database_privilege(oid, 'CONNECT') or pg_has_role('pg_read_all_stats', 'USAGE')) then \
sum(case when has_database_privilege(oid, 'CONNECT') or pg_has_role('pg_read_all_stats', 'USAGE') then pg_database_size(oid) end)::text end, \
extract(epoch from clock_timestamp())::text from pg_database";

const GIB: f64 = 1_073_741_824.0;

#[async_trait]
impl HealthProbe for Size {
    fn id(&self) -> &str {
        "storage.size"
    }

    fn about(&self) -> &str {
        "how much of the disk ([health] disk) the databases take, in percent; with an earlier report, in how many days it is full"
    }

    fn remedy(&self) -> &str {
        "Get a larger disk, or remove what is not needed."
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 13,
            needs: Needs::Nothing,
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(THRESHOLD)
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let rows = server.ask(SQL).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, before: Option<&Sample>, limits: &Limits) -> Verdict {
        let Some(disk) = limits.disk else {
            return Verdict::skipped("how large the disk is was not said ([health] disk)");
        };
        let Some(fill) = fill_of(now, disk) else {
            let because = "some databases may not be looked at";
            return Verdict::unknown(Reason::Privilege, because);
        };
        let finding = |state, detail| Finding {
            object: "server".to_owned(),
            state,
            detail,
        };
        let percent = 100.0 * fill.value / fill.top;
        let state = against(percent, limits.of(self.id()).unwrap_or(THRESHOLD));
        let mut findings = vec![finding(
            state.unwrap_or(State::Pass),
            format!(
                "{percent:.1} % of the disk, with {:.1} GiB",
                fill.value / GIB
            ),
        )];
        let days = before.and_then(|before| fill.days_left(fill_of(before, disk)?));
        if let Some((days, state)) = days.and_then(|days| Some((days, urgency(days)?))) {
            findings.push(finding(state, format!("is full in {days:.1} days")));
        }
        Verdict::found(findings)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a disk")]
fn fill_of(sample: &Sample, disk: u64) -> Option<Fill> {
    let row = sample.rows.first()?;
    Some(Fill {
        value: Sample::field(row, 1)?.parse().ok()?,
        top: disk as f64,
        at: Sample::field(row, 2)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(bytes: &str, at: &str) -> Sample {
        let row = ["server", bytes, at].map(|field| Some(field.to_owned()));
        Sample {
            rows: vec![row.to_vec()],
        }
    }

    #[test]
    fn a_disk_is_full_by_share_or_by_speed() {
        let mut limits = Limits::default();
        let now = sample("50", "86400");
        assert_eq!(Size.judge(&now, None, &limits).state, State::Skipped);
        limits.disk = Some(100);
        assert_eq!(Size.judge(&now, None, &limits).state, State::Pass);
        let before = sample("40", "0");
        assert_eq!(Size.judge(&now, Some(&before), &limits).state, State::Fail);
        limits.disk = Some(55);
        assert_eq!(Size.judge(&now, None, &limits).state, State::Fail);
    }
}

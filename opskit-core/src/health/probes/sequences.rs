//! `sequences.exhaustion`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::judge_numbers;
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, Verdict};
use super::growth::{Fill, urgency};
use crate::error::Result;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// How much of a sequence is used up, by what its column can hold, and how long the rest lasts.
#[derive(Debug)]
pub(super) struct Sequences;

const THRESHOLD: Threshold = Threshold {
    warn: 70.0,
    fail: 85.0,
};

/// Sequence, percent, its column, value, top, and now. Above a hundredth only: the others are far from any end.
const SQL: &str = "\
with feeds as (select d.objid as seq, d.refobjid as rel, d.refobjsubid as att from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' \
where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0 \
union select d.refobjid, a.adrelid, a.adnum from pg_attrdef a join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid \
and d.refclassid = 'pg_class'::regclass join pg_class s on s.oid = d.refobjid and s.relkind = 'S'), \
found as (select q.seqrelid, q.seqincrement, q.seqmin, has_sequence_privilege(q.seqrelid, 'USAGE, SELECT') as seen, s.last_value, q.seqstart, \
f.rel, a.attname, least(q.seqmax, case coalesce(nullif(t.typbasetype, 0), a.atttypid) \
when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else q.seqmax end) as top \
from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace \
left join pg_sequences s on s.schemaname = n.nspname and s.sequencename = c.relname \
left join feeds f on f.seq = q.seqrelid left join pg_attribute a on a.attrelid = f.rel and a.attnum = f.att \
left join pg_type t on t.oid = a.atttypid where not q.seqcycle and q.seqincrement > 0 and c.relpersistence <> 't' and {user}) \
select seqrelid::regclass::text, case when seen then (100.0 * (coalesce(last_value, seqstart)::numeric - least(seqmin, 0)) / greatest(top::numeric - least(seqmin, 0), 1))::text end, \
case when seen then coalesce('of ' || rel::regclass || '.' || quote_ident(attname), '') \
else format('GRANT SELECT ON SEQUENCE %s TO %I;', seqrelid::regclass, current_user) end, \
coalesce(last_value, seqstart)::text, top::text, extract(epoch from clock_timestamp())::text \
from found where not seen or coalesce(last_value, seqstart) > 0.01 * top";

#[async_trait]
impl HealthProbe for Sequences {
    fn id(&self) -> &str {
        "sequences.exhaustion"
    }

    fn about(&self) -> &str {
        "how much of a sequence is used up, in percent of what its column can hold; with an earlier report, in how many days it ends"
    }

    fn remedy(&self) -> &str {
        "Widen the column to bigint before it ends."
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
        let verdict = judge_numbers(now, self.id(), limits, THRESHOLD, ("%", Reason::Privilege));
        let soon = before.map_or_else(Vec::new, |before| ending(now, before));
        verdict.and(soon)
    }
}

/// Sequences that end soon, whatever their share is.
fn ending(now: &Sample, before: &Sample) -> Vec<Finding> {
    let fill =
        |row: &Vec<Option<String>>| Some((Sample::field(row, 0)?.to_owned(), Fill::of(row, 3)?));
    let old: BTreeMap<String, Fill> = before.rows.iter().filter_map(fill).collect();
    let rows = now.rows.iter().filter_map(fill);
    let ends = rows.filter_map(|(object, fill)| {
        let days = fill.days_left(*old.get(&object)?)?;
        let state = urgency(days)?;
        let detail = format!("ends in {days:.1} days, as it grew since the earlier report");
        Some(Finding {
            object,
            state,
            detail,
        })
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State;

    fn sample(value: &str, at: &str) -> Sample {
        let row = ["public.s", "47", "", value, "2147483647", at];
        Sample {
            rows: vec![row.map(|field| Some(field.to_owned())).to_vec()],
        }
    }

    #[test]
    fn one_that_grows_fast_is_told_before_its_share_is_high() {
        let judge = |now: &Sample, before| Sequences.judge(now, before, &Limits::default());
        let before = sample("900000000", "0");
        let now = sample("1000000000", "86400");
        assert_eq!(judge(&now, None).state, State::Pass);
        let verdict = judge(&now, Some(&before));
        assert_eq!(verdict.state, State::Warn, "{verdict:?}");
        assert!(verdict.findings[0].detail.starts_with("ends in 11.5 days"));
    }
}

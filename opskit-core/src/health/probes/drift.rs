//! `settings.drift` and `rls.matrix`: what is not as it was at an earlier run.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample};
use super::super::server::Server;
use super::super::verdict::{Finding, State, Verdict};
use crate::error::Result;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// A query of objects and digests, which are compared with those of an earlier report. The values themselves may be
/// secrets and stay where they are.
#[derive(Debug)]
pub(super) struct Drift {
    id: &'static str,
    about: &'static str,
    remedy: &'static str,
    needs: Needs,
    /// How bad a change is.
    state: State,
    sql: &'static str,
}

pub(super) const SETTINGS: Drift = Drift {
    id: "settings.drift",
    about: "settings of the server that are not as they were at an earlier report",
    remedy: "Find who changed it; take a new report where the change was meant.",
    needs: Needs::Monitor,
    state: State::Warn,
    sql: "\
select name, left(encode(sha256(convert_to(name || '=' || coalesce(setting, ''), 'UTF8')), 'hex'), 32) from pg_settings \
where source not in ('client', 'session', 'override') and name <> 'application_name' \
and context <> 'internal'",
};

pub(super) const ROW_SECURITY: Drift = Drift {
    id: "rls.matrix",
    about: "tables on which somebody's rights or policies are not as they were at an earlier report",
    remedy: "Review what changed; take a new report where the change was meant.",
    needs: Needs::Nothing,
    state: State::Fail,
    // Per table: what anon, authenticated and everybody may do, whether row security is on, and all policies.
    sql: "\
with reached as (select c.oid, c.relrowsecurity, c.relforcerowsecurity, r.oid as role, r.rolname, concat_ws(',', \
case when has_table_privilege(r.oid, c.oid, 'SELECT') or has_any_column_privilege(r.oid, c.oid, 'SELECT') then 'r' end, \
case when has_table_privilege(r.oid, c.oid, 'INSERT') or has_any_column_privilege(r.oid, c.oid, 'INSERT') then 'a' end, \
case when has_table_privilege(r.oid, c.oid, 'UPDATE') or has_any_column_privilege(r.oid, c.oid, 'UPDATE') then 'w' end, \
case when has_table_privilege(r.oid, c.oid, 'DELETE') then 'd' end) as may \
from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join pg_roles r where r.rolname in ('anon', 'authenticated') \
and c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema') \
select oid::regclass::text, left(encode(sha256(convert_to(relrowsecurity || ' ' || relforcerowsecurity || ' ' \
|| string_agg(rolname || '=' || may, ' ' order by rolname) || ' ' || coalesce((select string_agg(concat_ws('|', polname, polcmd, polpermissive, \
polroles::regrole[]::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), ' ' order by polname) \
from pg_policy where polrelid = oid), ''), 'UTF8')), 'hex'), 32) from reached group by oid, relrowsecurity, relforcerowsecurity \
union all select 'the server', 'skipped' where not exists (select 1 from pg_roles where rolname in ('anon', 'authenticated'))",
};

#[async_trait]
impl HealthProbe for Drift {
    fn id(&self) -> &str {
        self.id
    }

    fn about(&self) -> &str {
        self.about
    }

    fn remedy(&self) -> &str {
        self.remedy
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 13,
            needs: self.needs,
        }
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let rows = server.ask(self.sql).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, before: Option<&Sample>, _limits: &Limits) -> Verdict {
        let (now, before) = (digests(now), before.map(digests));
        if now.values().any(|digest| *digest == "skipped") {
            return Verdict::skipped("there is no role anon or authenticated");
        }
        let Some(before) = before else {
            return Verdict::skipped("there is no earlier report to compare with");
        };
        let finding = |object: &str, detail: &str| Finding {
            object: object.to_owned(),
            state: self.state,
            detail: detail.to_owned(),
        };
        let mut findings = Vec::new();
        for (object, digest) in &now {
            match before.get(object) {
                None => findings.push(finding(object, "is new")),
                Some(old) if old != digest => findings.push(finding(object, "is not as it was")),
                Some(_) => {}
            }
        }
        let gone = before.keys().filter(|object| !now.contains_key(*object));
        findings.extend(gone.map(|object| finding(object, "is gone")));
        Verdict::found(findings)
    }
}

fn digests(sample: &Sample) -> BTreeMap<&str, &str> {
    let rows = sample.rows.iter();
    rows.filter_map(|row| Some((Sample::field(row, 0)?, Sample::field(row, 1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(pairs: &[(&str, &str)]) -> Sample {
        let row = |(a, b): &(&str, &str)| vec![Some((*a).to_owned()), Some((*b).to_owned())];
        Sample {
            rows: pairs.iter().map(row).collect(),
        }
    }

    #[test]
    fn what_is_new_changed_or_gone_is_named() {
        let before = sample(&[("same", "1"), ("other", "1"), ("gone", "1")]);
        let now = sample(&[("same", "1"), ("other", "2"), ("new", "1")]);
        let verdict = ROW_SECURITY.judge(&now, Some(&before), &Limits::default());
        let found = |finding: &Finding| (finding.object.clone(), finding.detail.clone());
        let found: Vec<_> = verdict.findings.iter().map(found).collect();
        let told = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found,
            [
                told("new", "is new"),
                told("other", "is not as it was"),
                told("gone", "is gone")
            ]
        );
        assert_eq!(verdict.state, State::Fail);
        let quiet = SETTINGS.judge(&now, Some(&now), &Limits::default());
        assert_eq!(quiet.state, State::Pass);
        let first = SETTINGS.judge(&now, None, &Limits::default());
        assert_eq!(first.state, State::Skipped);
    }
}

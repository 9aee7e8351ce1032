//! Asking the rules.

use super::redact::redacted;
use super::sql::{broken, counts};
use crate::config::{Rule, RuleCheck};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use serde::Serialize;
use std::time::Duration;

/// What is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ValidateRequest {
    /// The rules.
    pub rules: Vec<Rule>,
    /// How many rows that break a rule are shown, by their form: 3 at first.
    pub samples: u32,
    /// How long one question may take: a minute at first.
    pub statement_timeout: Duration,
}

impl ValidateRequest {
    /// These rules, with the defaults.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self {
            rules,
            samples: 3,
            statement_timeout: Duration::from_secs(60),
        }
    }
}

/// Whether a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RuleOutcome {
    /// It does.
    Holds,
    /// It does not.
    Broken,
    /// It could not be asked, which is no better.
    Unknown,
}

/// What became of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RuleResult {
    /// Of the rule.
    pub id: String,
    /// Whether it holds.
    pub outcome: RuleOutcome,
    /// What was found, in one sentence without values of rows.
    pub detail: String,
    /// Rows that break it, where it is rows that do.
    pub broken_rows: Option<u64>,
    /// Some of them: each column with the form of its value. Letters are `x` and digits `9`.
    pub samples: Vec<Vec<(String, String)>>,
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ValidateReport {
    /// `opskit.validate/1`.
    pub schema: &'static str,
    /// The instant, as `pg_current_snapshot()` tells it.
    pub snapshot: String,
    /// The rules, in their order.
    pub rules: Vec<RuleResult>,
}

impl ValidateReport {
    /// Whether each rule holds. Where there are none, nothing is known.
    #[must_use]
    pub fn holds(&self) -> bool {
        let holds = |rule: &RuleResult| rule.outcome == RuleOutcome::Holds;
        !self.rules.is_empty() && self.rules.iter().all(holds)
    }
}

/// Asks each rule, all in one snapshot. A rule that is broken is part of the report, not an `Err`.
///
/// Cancelled, it returns an error of kind `Cancelled`, and the server stops what it does for it.
///
/// ```no_run
/// use opskit_core::config::Config;
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::validate::{ValidateRequest, validate};
/// # async fn example() -> opskit_core::Result<()> {
/// let config = Config::parse(r#"
///     [[rule]]
///     id = "users.email"
///     table = "public.users"
///     not_null = { column = "email", ratio = 0.99 }
/// "#)?;
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let request = ValidateRequest::new(config.rules);
/// assert!(validate(&OpContext::default(), &url, &request).await?.holds());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidInput` without rules; else where the server cannot be reached, or the connection is lost.
pub async fn validate(
    ctx: &OpContext,
    url: &DatabaseUrl,
    request: &ValidateRequest,
) -> Result<ValidateReport> {
    if request.rules.is_empty() {
        let error = Error::new(ErrorKind::InvalidInput, "there are no rules");
        return Err(error.with_hint("Declare some in opskit.toml, as [[rule]]."));
    }
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    let millis = request.statement_timeout.as_millis();
    let begin = format!(
        "begin transaction isolation level repeatable read read only; \
         set local statement_timeout = {millis}; set local lock_timeout = 2000; \
         select pg_current_snapshot()::text"
    );
    let snapshot = one(&session.query(&begin).await?);
    let mut rules = Vec::new();
    for rule in &request.rules {
        rules.push(asked(&mut session, rule, request).await?);
    }
    session.execute("rollback").await?;
    session.close().await;
    Ok(ValidateReport {
        schema: "opskit.validate/1",
        snapshot,
        rules,
    })
}

fn one(sets: &[crate::postgres::wire::ResultSet]) -> String {
    let rows = sets.iter().flat_map(|set| &set.rows);
    let field = rows.last().and_then(|row| row.first().cloned().flatten());
    field.unwrap_or_default()
}

/// A rule whose question fails is unknown; the transaction, and the snapshot with it, stays.
async fn asked(
    session: &mut WireConnection,
    rule: &Rule,
    request: &ValidateRequest,
) -> Result<RuleResult> {
    session.execute("savepoint rule").await?;
    match look(session, rule, request).await {
        Ok(result) => {
            session.execute("release savepoint rule").await?;
            Ok(result)
        }
        Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Connection) => {
            Err(error)
        }
        Err(error) => {
            session.execute("rollback to savepoint rule").await?;
            Ok(RuleResult {
                id: rule.id.clone(),
                outcome: RuleOutcome::Unknown,
                detail: error.chain().join(": "),
                broken_rows: None,
                samples: Vec::new(),
            })
        }
    }
}

async fn look(
    session: &mut WireConnection,
    rule: &Rule,
    request: &ValidateRequest,
) -> Result<RuleResult> {
    let answer = session.query_one(&counts(rule)).await?;
    let number = |at: usize| -> u64 {
        let row = answer.rows.first();
        let field = row.and_then(|row| row.get(at)?.as_deref()?.parse().ok());
        field.unwrap_or_default()
    };
    let (all, wrong) = (number(0), number(1));
    let (holds, detail) = judged(&rule.check, all, wrong);
    let samples = match broken(rule) {
        Some(sql) if !holds && request.samples > 0 => {
            let sql = format!(
                "select * from ({sql}) as broken_rows limit {}",
                request.samples
            );
            forms(&session.query_one(&sql).await?)
        }
        _ => Vec::new(),
    };
    Ok(RuleResult {
        id: rule.id.clone(),
        outcome: if holds {
            RuleOutcome::Holds
        } else {
            RuleOutcome::Broken
        },
        detail,
        broken_rows: broken(rule).map(|_| wrong),
        samples,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share of rows")]
fn judged(check: &RuleCheck, all: u64, wrong: u64) -> (bool, String) {
    match check {
        RuleCheck::NotNullRatio { column, ratio, .. } => {
            let is = match all {
                0 => 1.0,
                _ => (all - wrong) as f64 / all as f64,
            };
            let detail =
                format!("{column} is set in {is:.4} of {all} rows, and must be in {ratio}");
            (is >= *ratio, detail)
        }
        RuleCheck::Rows { min, max, .. } => {
            let fits = min.is_none_or(|min| all >= min) && max.is_none_or(|max| all <= max);
            let bound = |bound: &Option<u64>| bound.map_or_else(String::new, |it| it.to_string());
            let detail = format!(
                "{all} rows, and there must be {}..{}",
                bound(min),
                bound(max)
            );
            (fits, detail)
        }
        RuleCheck::Orphans { parent, .. } => {
            let detail = format!("{wrong} of {all} rows lead to no row of {parent}");
            (wrong == 0, detail)
        }
        RuleCheck::Query { .. } => (wrong == 0, format!("{wrong} rows break it")),
    }
}

fn forms(answer: &crate::postgres::wire::ResultSet) -> Vec<Vec<(String, String)>> {
    let row = |row: &Vec<Option<String>>| {
        let columns = answer.columns.iter();
        columns
            .zip(row)
            .map(|(column, value)| (column.name.clone(), redacted(value.as_deref())))
            .collect()
    };
    answer.rows.iter().map(row).collect()
}

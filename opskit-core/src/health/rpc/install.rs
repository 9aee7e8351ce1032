//! Carrying the statements out.

use super::settings::RpcSettings;
use super::sql::{MARK, install_sql, uninstall_sql};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::quote_literal;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use serde::Serialize;
use std::collections::BTreeSet;

/// What there was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Installed {
    /// Nothing.
    New,
    /// A function of ours, which was replaced.
    Replaced,
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InstallReport {
    /// The form of this document.
    pub schema: &'static str,
    /// The database.
    pub database: String,
    /// What there was before.
    pub installed: Installed,
    /// Who may call it.
    pub callers: Vec<String>,
    /// Who was to be allowed, and is no role of this server.
    pub missing_callers: Vec<String>,
    /// What the function answers now.
    pub answer: serde_json::Value,
}

/// Installs `public.health_check`, or brings it up to date, takes the numbers that it tells, and calls it once.
///
/// It is one transaction: cancelled or failed, everything is as before.
///
/// # Errors
/// `InvalidInput` where a function of that name is somebody else's; `PermissionDenied` where the role may not create in
/// schema `public` or make a schema; `CheckFailed` where the numbers could not be taken.
pub async fn install(
    ctx: &OpContext,
    url: &DatabaseUrl,
    settings: &RpcSettings,
) -> Result<InstallReport> {
    let mut connection = WireConnection::connect(url, ctx.cancel()).await?;
    let installed = match ours(&mut connection).await? {
        None => Installed::New,
        Some(true) => Installed::Replaced,
        Some(false) => return Err(foreign()),
    };
    let there = roles(&mut connection).await?;
    let mut known = settings.clone();
    known.callers.retain(|role| there.contains(role));
    let missing = settings.callers.iter().filter(|it| !there.contains(*it));
    let missing_callers = missing.cloned().collect();
    whole(&mut connection, &install_sql(&known)).await?;
    if known.keeps() {
        refreshed(&mut connection).await?;
    }
    let answer = value(&mut connection, "select public.health_check()").await?;
    connection.close().await;
    Ok(InstallReport {
        schema: "opskit.health-install/1",
        database: url.dbname().to_owned(),
        installed,
        callers: known.callers,
        missing_callers,
        answer,
    })
}

/// Takes the numbers anew that the function tells; what it tells of rows is as old as the last time.
///
/// # Errors
/// `NotFound` where nothing is installed; `CheckFailed`, naming the tables, where something could not be read.
pub async fn refresh(ctx: &OpContext, url: &DatabaseUrl) -> Result<()> {
    let mut connection = WireConnection::connect(url, ctx.cancel()).await?;
    if ours(&mut connection).await? != Some(true) {
        let error = Error::new(
            ErrorKind::NotFound,
            "function \"public.health_check\" is not installed",
        );
        return Err(error.with_hint("Install it: opskit health install."));
    }
    refreshed(&mut connection).await?;
    connection.close().await;
    Ok(())
}

/// Takes the function away, and all that it needs.
///
/// # Errors
/// `InvalidInput` where the function is somebody else's. What others put into schema `opskit_health` stops it.
pub async fn uninstall(ctx: &OpContext, url: &DatabaseUrl) -> Result<()> {
    let mut connection = WireConnection::connect(url, ctx.cancel()).await?;
    if ours(&mut connection).await? == Some(false) {
        return Err(foreign());
    }
    whole(&mut connection, &uninstall_sql()).await?;
    connection.close().await;
    Ok(())
}

/// Whether the function is there, and one of ours.
async fn ours(connection: &mut WireConnection) -> Result<Option<bool>> {
    let start = MARK.split(',').next().unwrap_or(MARK);
    let sql = format!(
        "select coalesce(pg_catalog.starts_with(pg_catalog.obj_description(p.oid, 'pg_proc'), {}), false)::pg_catalog.text \
         from pg_catalog.pg_proc p where p.proname = 'health_check' and p.pronargs = 0 \
         and p.pronamespace = pg_catalog.to_regnamespace('public')",
        quote_literal(start)
    );
    let answer = connection.query_one(&sql).await?;
    let found = answer.rows.first().and_then(|row| row.first());
    Ok(found.map(|marked| marked.as_deref() == Some("true")))
}

fn foreign() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "function \"public.health_check\" was not made by opskit",
    )
    .with_hint("Rename it: alter function public.health_check() rename to …")
}

async fn roles(connection: &mut WireConnection) -> Result<BTreeSet<String>> {
    let answer = connection
        .query_one("select rolname from pg_catalog.pg_roles")
        .await?;
    Ok(answer.rows.into_iter().flatten().flatten().collect())
}

/// All of it, or nothing.
async fn whole(connection: &mut WireConnection, sql: &str) -> Result<()> {
    let done = connection.execute(sql).await;
    if done.is_err() {
        let _ = connection.execute("rollback").await;
    }
    done.map(drop)
}

async fn refreshed(connection: &mut WireConnection) -> Result<()> {
    let answer = value(connection, "select opskit_health.refresh()").await?;
    let problems = answer["problems"].as_array().into_iter().flatten();
    let problems: Vec<&str> = problems.filter_map(|one| one.as_str()).collect();
    if problems.is_empty() {
        return Ok(());
    }
    let error = Error::new(
        ErrorKind::CheckFailed,
        format!(
            "the numbers for \"public.health_check\" could not be taken: {}",
            problems.join("; ")
        ),
    );
    Err(error.with_hint("Until they can be, the function answers \"error\" and 503. Look at the tables' names and at the role's rights."))
}

async fn value(connection: &mut WireConnection, sql: &str) -> Result<serde_json::Value> {
    let answer = connection.query_one(sql).await?;
    let text = answer.rows.into_iter().flatten().flatten().next();
    serde_json::from_str(&text.unwrap_or_default()).map_err(|source| {
        Error::new(
            ErrorKind::Internal,
            "a function of opskit gave no JSON document",
        )
        .with_source(source)
    })
}

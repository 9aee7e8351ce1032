//! The mark that a restore leaves in its target until it is done, so that one that was stopped can be run
//! again: which backup, since when, and what was there before.
//!
//! What is not in that list and is an object of the backup was made by the restore, which refuses to start
//! where the target has one of them: so it may be dropped. The mark is a schema that only its owner can
//! use, outside of what backups and comparisons cover.
//!
//! A killed restore has sessions that live for a moment more. All sessions of a restore share an advisory
//! lock, and the next one starts when it can have that lock alone.

use super::present;
use super::request::Part;
use super::target::{Bracket, field, rows};
use crate::catalog::scope::MARK_SCHEMA;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::wire::WireConnection;
use crate::repository::BackupId;
use std::time::Duration;

/// The key of the advisory lock that the sessions of a restore share: the bytes of `restore` as a number.
const LOCK_KEY: i64 = 0x72_6573_746f_7265;
/// How often it is asked for.
const LOCK_ASKED: Duration = Duration::from_millis(50);

/// What a restore that was stopped wrote down.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) backup: String,
    pub(super) started_at: String,
    /// Whether only rows were to be restored.
    pub(super) is_rows: bool,
    /// What it took away from tables that it loads rows into.
    pub(super) brackets: Vec<Bracket>,
    /// Tables that were there and had no rows when it started.
    pub(super) empty: Vec<QualifiedName>,
}

/// What stands where the mark would.
#[derive(Debug, Clone)]
pub(super) enum Found {
    Nothing,
    Mark(Box<Mark>),
    /// Something of the same name that is not to be trusted.
    Foreign {
        owner: String,
    },
}

/// Waits until no session of another restore is left, and keeps others out while `admin` lives.
pub(super) async fn keep_others_out(admin: &mut WireConnection, wait: Duration) -> Result<()> {
    let ask = format!("select pg_catalog.pg_try_advisory_lock({LOCK_KEY})::pg_catalog.text");
    let mut asked = 0;
    while rows(admin, &ask).await?.first().map(|row| field(row, 0)) != Some("true".to_owned()) {
        if asked >= wait.as_millis() / LOCK_ASKED.as_millis() {
            return Err(Error::new(
                ErrorKind::Busy,
                "another restore into this database is going on, or the server is still ending one",
            )
            .with_hint("Try again when it is done, or wait longer with --lock-timeout."));
        }
        asked += 1;
        tokio::time::sleep(LOCK_ASKED).await;
    }
    share(admin).await?;
    let alone = format!("select pg_catalog.pg_advisory_unlock({LOCK_KEY})");
    rows(admin, &alone).await.map(drop)
}

/// Tells others that this session belongs to a restore.
pub(super) async fn share(session: &mut WireConnection) -> Result<()> {
    let sql = format!("select pg_catalog.pg_advisory_lock_shared({LOCK_KEY})");
    rows(session, &sql).await.map(drop)
}

/// Looks for a mark. A table of somebody else's could run code when it is read, so only one that the role made
/// itself, with nothing on it, is.
pub(super) async fn find(admin: &mut WireConnection) -> Result<Found> {
    let schema = quote_literal(MARK_SCHEMA);
    let sql = format!(
        "select pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text, \
           (r.rolname = current_user and (select pg_catalog.count(*) from pg_catalog.pg_class c where c.relnamespace = n.oid \
             and c.relowner = n.nspowner and c.relkind = 'r' and not c.relhasindex and not c.relhasrules and not c.relhastriggers \
             and not c.relrowsecurity and c.relname in ('run', 'before', 'brackets', 'empty')) = 4)::pg_catalog.text \
         from pg_catalog.pg_namespace n join pg_catalog.pg_roles r on r.oid = n.nspowner where n.nspname = {schema}"
    );
    let Some(row) = rows(admin, &sql).await?.into_iter().next() else {
        return Ok(Found::Nothing);
    };
    if field(&row, 1) != "true" {
        return Ok(Found::Foreign {
            owner: field(&row, 0),
        });
    }
    let ours = quote_ident(MARK_SCHEMA);
    let run = format!("select backup, started_at, part from {ours}.run");
    let Some(row) = rows(admin, &run).await?.into_iter().next() else {
        return Ok(Found::Nothing);
    };
    let brackets = format!(
        "select object, before, after, owner, validate from {ours}.brackets order by object"
    );
    let brackets = rows(admin, &brackets).await?;
    let empty = format!(
        "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text from {ours}.empty e \
         join pg_catalog.pg_class c on c.oid = e.relation join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    );
    let empty = rows(admin, &empty).await?;
    Ok(Found::Mark(Box::new(Mark {
        backup: field(&row, 0),
        started_at: field(&row, 1),
        is_rows: field(&row, 2) == "rows",
        brackets: brackets.iter().map(Bracket::from_row).collect(),
        empty: empty
            .iter()
            .map(|row| QualifiedName::new(field(row, 0), field(row, 1)))
            .collect(),
    })))
}

/// What is written down before the first change.
#[derive(Debug)]
pub(super) struct Beginning<'a> {
    pub(super) backup: &'a BackupId,
    pub(super) part: Part,
    pub(super) brackets: &'a [Bracket],
    /// The tables that are there and get rows.
    pub(super) tables: Vec<&'a QualifiedName>,
}

/// Leaves the mark, whole or not at all.
pub(super) async fn leave(admin: &mut WireConnection, start: &Beginning<'_>) -> Result<()> {
    let schema = quote_ident(MARK_SCHEMA);
    let part = match start.part {
        Part::Data => "rows",
        _ => "objects",
    };
    let text = "pg_catalog.text NOT NULL";
    let mut statements = vec![
        "BEGIN".to_owned(),
        format!("CREATE SCHEMA {schema}"),
        format!("REVOKE ALL ON SCHEMA {schema} FROM PUBLIC"),
        format!("CREATE TABLE {schema}.run (backup {text}, started_at {text}, part {text})"),
        format!("CREATE TABLE {schema}.before (class pg_catalog.oid, object pg_catalog.oid)"),
        format!(
            "CREATE TABLE {schema}.brackets (object {text}, before {text}, after {text}, owner {text}, validate {text})"
        ),
        format!("CREATE TABLE {schema}.empty (relation pg_catalog.oid)"),
        format!(
            "INSERT INTO {schema}.run VALUES ({}, pg_catalog.now()::pg_catalog.text, {})",
            quote_literal(start.backup.as_str()),
            quote_literal(part)
        ),
        present::remember_sql(),
    ];
    for bracket in start.brackets {
        let check = bracket.check.as_deref().unwrap_or_default();
        let (object, owner) = (bracket.object.as_str(), bracket.owner.as_str());
        let fields = [object, &bracket.before, &bracket.after, owner, check];
        let fields: Vec<String> = fields.iter().map(|it| quote_literal(it)).collect();
        let fields = fields.join(", ");
        statements.push(format!("INSERT INTO {schema}.brackets VALUES ({fields})"));
    }
    // A table without a page has no rows, and to know that runs nobody's code.
    for table in &start.tables {
        statements.push(format!(
            "INSERT INTO {schema}.empty SELECT c.oid FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {} AND c.relname = {} AND pg_catalog.pg_relation_size(c.oid) = 0",
            quote_literal(&table.schema),
            quote_literal(&table.name)
        ));
    }
    statements.push("COMMIT".to_owned());
    for sql in statements {
        let done = admin.query_one(&sql).await;
        done.map_err(|error| error.while_doing("cannot leave the mark of a restore"))?;
    }
    Ok(())
}

/// Keeps event triggers of the database from running when a superuser takes the mark away.
pub(super) async fn quiet(session: &mut WireConnection) -> Result<()> {
    let quiet = "SET session_replication_role = replica";
    session.query_one(quiet).await.map(drop)
}

/// Takes the mark away.
pub(super) async fn remove(session: &mut WireConnection) -> Result<()> {
    let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", quote_ident(MARK_SCHEMA));
    let done = session.query_one(&sql).await;
    done.map(drop)
        .map_err(|error| error.while_doing("cannot take away the mark of a restore"))
}

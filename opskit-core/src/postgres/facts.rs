//! Reading facts over a session.

use super::catalog::open;
use super::pair::{Pair, Question};
use super::session::Session;
use super::url::DatabaseUrl;
use crate::catalog::facts::{Facts, FactsOptions, FactsReader};
use crate::context::OpContext;
use crate::error::Result;

/// Reads the facts of everything in scope over a connection of its own.
///
/// Rows come from one snapshot. Text that the server spells out (`pg_get_viewdef` and its like) is of
/// the moment it is asked for, so facts that were read while somebody changed the schema may hold some
/// of both. Whoever needs to know reads them again: equal digests mean that nothing changed.
///
/// ```no_run
/// use opskit_core::catalog::{Scope, facts::FactsOptions};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::{facts::read_facts, url::{ConnectEnv, DatabaseUrl}};
///
/// # async fn example() -> opskit_core::Result<()> {
/// let env = ConnectEnv::from_process();
/// let source = DatabaseUrl::parse("postgres://app@localhost/shop", &env)?;
/// let copy = DatabaseUrl::parse("postgres://app@localhost/shop_restored", &env)?;
/// let ctx = OpContext::default();
/// let wanted = read_facts(&ctx, &source, FactsOptions::new(Scope::default())).await?;
/// let found = read_facts(&ctx, &copy, FactsOptions::like(&wanted)).await?;
/// assert_eq!(wanted.digest(), found.digest());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of kind `Connection`, `PermissionDenied`, `Timeout`, `Cancelled`; `Unsupported` behind a pooler in
/// transaction mode.
pub async fn read_facts(
    ctx: &OpContext,
    url: &DatabaseUrl,
    options: FactsOptions,
) -> Result<Facts> {
    let (mut session, server_version) = open(ctx, url).await?;
    let facts = read_facts_in(&mut session, server_version, options).await?;
    session.close().await;
    Ok(facts)
}

/// Reads the facts within the transaction of `session`, whose search path is empty.
pub(crate) async fn read_facts_in(
    session: &mut Session,
    server_version: u32,
    options: FactsOptions,
) -> Result<Facts> {
    let mut reader = FactsReader::new(options, server_version);
    let mut pair = Pair::over(session).await?;
    let named = questions("cannot read the names of objects", reader.opening());
    pair.ask(named, |_, row| reader.take_opening(&row)).await?;
    let walks = questions("cannot read the facts", reader.walks());
    pair.ask(walks, |_, row| reader.take_walk(row)).await?;
    pair.close().await;
    Ok(reader.finish())
}

fn questions(doing: &str, statements: impl IntoIterator<Item = String>) -> Vec<Question> {
    let question = |(at, sql)| (at, doing.to_owned(), sql);
    statements.into_iter().enumerate().map(question).collect()
}

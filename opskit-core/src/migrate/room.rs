//! Whether what a run writes anew has room beside what is there.

use super::effects::{Effect, Work};
use super::plan::Plan;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;

/// What the databases take that the role may look at: at least so much is used.
const USED: &str = "select coalesce(pg_catalog.sum(pg_catalog.pg_database_size(oid)), 0)::pg_catalog.text \
    from pg_catalog.pg_database where pg_catalog.has_database_privilege(oid, 'CONNECT')";

/// What statements write beside what is there until it goes, in bytes. Each table counts once: what one statement wrote
/// anew is gone before the next file is, but not before its transaction ends.
pub(super) fn needed(plan: &Plan) -> u64 {
    let of_file = |effects: &mut dyn Iterator<Item = &Effect>| -> u64 {
        effects
            .filter(|effect| matches!(effect.work, Work::Rewrites | Work::Builds))
            .filter_map(|effect| effect.bytes)
            .sum()
    };
    let files = plan.migrations.iter().map(|file| {
        let effects = file.statements.iter().flat_map(|one| &one.effects);
        of_file(&mut { effects })
    });
    files.max().unwrap_or(0)
}

/// Refuses what would fill a disk of this size: a server without room stops for everybody.
pub(super) async fn check(
    connection: &mut WireConnection,
    plan: &Plan,
    disk: Option<u64>,
) -> Result<()> {
    let needed = needed(plan);
    let Some(disk) = disk.filter(|_| needed > 0) else {
        return Ok(());
    };
    let answer = connection.query_one(USED).await?;
    let used = answer.rows.first().and_then(|row| row.first()?.as_deref());
    let used: u64 = used.and_then(|text| text.parse().ok()).unwrap_or(0);
    if used.saturating_add(needed) <= disk {
        return Ok(());
    }
    let message = format!(
        "the migrations write up to {needed} bytes anew, and of the disk's {disk} bytes {used} are used"
    );
    Err(Error::new(ErrorKind::CheckFailed, message)
        .with_hint("Get a larger disk and say so in opskit.toml ([health] disk), or do it in steps that rewrite less."))
}

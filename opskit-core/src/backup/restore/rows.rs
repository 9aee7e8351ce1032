//! Rows: the largest first, over several sessions, each table or part in a transaction of its own.

use super::pages;
use super::rehearsal;
use super::report::Failure;
use super::request::{Acting, OnError, RestoreRequest};
use super::sessions::Opener;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::export::ColumnMap;
use crate::name::{QualifiedName, quote_literal};
use crate::postgres::load::{LoadTable, PartJob, PartRows, Transaction, load_part};
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupReader, DataFormat, Holds, PartEntry, TableEntry};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// The rows of a backup, and how to load them.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) ctx: OpContext,
    pub(super) reader: Arc<BackupReader>,
    pub(super) format: DataFormat,
    pub(super) request: RestoreRequest,
    pub(super) tables: Vec<TableEntry>,
    /// The transaction of tables that are loaded whole.
    pub(super) transaction: Transaction,
    /// A permit for each column of a Parquet file that is being read.
    pub(super) columns: Semaphore,
}

/// How many columns of Parquet files are read at a time: each has a decompressor of about 100 KB. More than a table
/// can have.
pub(super) const COLUMNS_AT_ONCE: u32 = 1664;

/// How much of a session's share of all rows a table may have and still be loaded whole by one session, in
/// halves.
const WHOLE_HALVES: u64 = 3;

/// One part on its way.
#[derive(Debug)]
pub(super) struct Load<'a> {
    table: &'a TableEntry,
    part: &'a PartEntry,
    transaction: Transaction,
    committing: Arc<AtomicBool>,
}

impl<'a> Load<'a> {
    pub(super) fn new(
        table: &'a TableEntry,
        part: &'a PartEntry,
        transaction: Transaction,
    ) -> Self {
        Self {
            table,
            part,
            transaction,
            committing: Arc::default(),
        }
    }
}

/// What is loaded in one transaction: a table's place, and the places of its parts.
type Place = (usize, Range<usize>);

/// What becomes of a table that a check refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// It is tried again.
    UntilOthersAreThere,
    /// It fails.
    None,
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a check, of a table or a domain, ends with: it refuses the row, raises an error of its own, waits too long
/// for a table that another session is loading, or for one that waits for this.
const CHECKED: [&str; 4] = ["23514", "P0001", "55P03", "40P01"];

/// Whether a row may be taken once other tables are there.
fn is_check(error: &Error) -> bool {
    let chain = error.chain();
    let is = |state: &str| {
        let end = format!("(SQLSTATE {state})");
        chain.iter().any(|message| message.ends_with(&end))
    };
    CHECKED.into_iter().any(is)
}

impl Rows {
    /// Loads all tables of the user's, over sessions of their own.
    ///
    /// A check or a domain may call a function that reads other tables, and the server does not know which.
    /// So what a check refuses is tried again when the others are there, for as long as that helps; at last one
    /// after the other, so that none waits for what another session is loading.
    pub(super) async fn load(self: &Arc<Self>, opener: &Opener) -> Result<Vec<Failure>> {
        let mut places = self.queue();
        let mut all = Vec::new();
        let mut patience = Patience::UntilOthersAreThere;
        let mut jobs = self.request.jobs.max(1);
        loop {
            let before = places.len();
            let (failures, refused) = self.round(opener, places, (jobs, patience)).await?;
            all.extend(failures);
            if refused.is_empty() {
                return Ok(all);
            }
            match (refused.len() == before, jobs) {
                (true, 1) => patience = Patience::None,
                (true, _) => jobs = 1,
                (false, _) => {}
            }
            places = refused;
        }
    }

    /// Loads tables once. Gives those that a check refused.
    async fn round(
        self: &Arc<Self>,
        opener: &Opener,
        places: VecDeque<Place>,
        (jobs, patience): (usize, Patience),
    ) -> Result<(Vec<Failure>, VecDeque<Place>)> {
        let queue = Arc::new(Mutex::new(places));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let refused = Arc::new(Mutex::new(VecDeque::new()));
        let mut workers = JoinSet::new();
        for _ in 0..jobs {
            let (rows, opener) = (Arc::clone(self), opener.clone());
            let (queue, failures) = (Arc::clone(&queue), Arc::clone(&failures));
            let refused = Arc::clone(&refused);
            workers.spawn(async move {
                let refused = (patience == Patience::UntilOthersAreThere).then_some(&*refused);
                rows.worker(&opener, &queue, &failures, refused).await
            });
        }
        while let Some(ended) = workers.join_next().await {
            ended.unwrap_or_else(|source| {
                Err(Error::new(ErrorKind::Internal, "a worker stopped").with_source(source))
            })?;
        }
        let failures = std::mem::take(&mut *locked(&failures));
        let refused = std::mem::take(&mut *locked(&refused));
        Ok((failures, refused))
    }

    /// Loads all tables of the user's over one session, in the transaction that it is in.
    pub(super) async fn load_over(&self, mut session: WireConnection) -> Result<WireConnection> {
        for (table, parts) in self.queue() {
            let table = &self.tables[table];
            for part in &table.parts[parts] {
                let load = Load::new(table, part, Transaction::Callers);
                session = self.part(&load, session).await?;
            }
        }
        Ok(session)
    }

    /// Loads the rows of the user's in the tables of extensions.
    pub(super) async fn load_extensions(
        &self,
        mut session: WireConnection,
        transaction: Transaction,
    ) -> Result<WireConnection> {
        for table in &self.tables {
            let Holds::ExtensionTable { extension } = &table.holds else {
                continue;
            };
            is_configuration(&mut session, &table.name, extension).await?;
            let stop = match self.request.acting {
                Acting::Disabled => rehearsal::stop_jobs(&table.name),
                Acting::AsStored => None,
            };
            session = match (stop, transaction) {
                // Nobody sees jobs before they are stopped.
                (Some(stop), Transaction::Own) => {
                    session.execute("BEGIN").await?;
                    session = self.table(table, session, Transaction::Callers).await?;
                    session.query_one(&stop).await?;
                    session.execute("COMMIT").await?;
                    session
                }
                (Some(stop), _) => {
                    session = self.table(table, session, transaction).await?;
                    session.query_one(&stop).await?;
                    session
                }
                (None, _) => self.table(table, session, transaction).await?,
            };
        }
        Ok(session)
    }

    /// Loads a table, part after part.
    pub(super) async fn table(
        &self,
        table: &TableEntry,
        mut session: WireConnection,
        transaction: Transaction,
    ) -> Result<WireConnection> {
        for part in &table.parts {
            let load = Load::new(table, part, transaction);
            session = self.part(&load, session).await?;
        }
        Ok(session)
    }

    /// Loads the large objects.
    pub(super) async fn load_large_objects(
        &self,
        mut session: WireConnection,
        transaction: Transaction,
    ) -> Result<WireConnection> {
        for table in &self.tables {
            if let Holds::LargeObjects { page_bytes, .. } = table.holds {
                session = pages::load(self, table, page_bytes, session, transaction).await?;
            }
        }
        Ok(session)
    }

    fn queue(&self) -> VecDeque<Place> {
        let tables = self.tables.iter().enumerate();
        let tables = tables.filter(|(_, table)| table.holds == Holds::Table);
        let bytes = |parts: &[PartEntry]| parts.iter().map(|part| part.wire_bytes).sum::<u64>();
        let total: u64 = tables.clone().map(|(_, table)| bytes(&table.parts)).sum();
        let share = total / self.request.jobs.max(1) as u64;
        let mut places: Vec<Place> = Vec::new();
        for (at, table) in tables {
            let count = table.parts.len();
            // Rows of a transaction that emptied the table are frozen, and no log is written where the
            // server keeps the least. Only a table that would keep one session at work for long after
            // the others are done is shared among them.
            let is_whole = self.transaction == Transaction::Truncating
                && bytes(&table.parts).saturating_mul(2) <= share.saturating_mul(WHOLE_HALVES);
            if is_whole && count > 1 {
                places.push((at, 0..count));
            } else {
                places.extend((0..count).map(|part| (at, part..part + 1)));
            }
        }
        places.sort_by_key(|(table, parts)| {
            std::cmp::Reverse(bytes(&self.tables[*table].parts[parts.clone()]))
        });
        places.into()
    }

    async fn worker(
        &self,
        opener: &Opener,
        queue: &Mutex<VecDeque<Place>>,
        failures: &Mutex<Vec<Failure>>,
        refused: Option<&Mutex<VecDeque<Place>>>,
    ) -> Result<()> {
        let mut session = None;
        loop {
            let next = locked(queue).pop_front();
            let Some(place) = next else { break };
            let (table, parts) = place.clone();
            let table = &self.tables[table];
            match self
                .with_retries(opener, session.take(), table, &table.parts[parts])
                .await
            {
                Ok(open) => session = Some(open),
                Err(error) => match refused.filter(|_| is_check(&error)) {
                    Some(refused) => locked(refused).push_back(place),
                    None if self.is_passed_over(&error) => {
                        let failure = Failure::new(format!("table {}", table.name), &error);
                        locked(failures).push(failure);
                    }
                    None => return Err(error),
                },
            }
        }
        if let Some(session) = session {
            session.close().await;
        }
        Ok(())
    }

    fn is_passed_over(&self, error: &Error) -> bool {
        self.request.on_error == OnError::KeepGoing
            && !matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Connection)
    }

    /// Loads parts in one transaction, again when its connection is lost before it could commit: it is
    /// rolled back then.
    async fn with_retries(
        &self,
        opener: &Opener,
        mut session: Option<WireConnection>,
        table: &TableEntry,
        parts: &[PartEntry],
    ) -> Result<WireConnection> {
        let mut tries = 0;
        loop {
            let open = match session.take() {
                Some(open) => open,
                None => opener.open().await?,
            };
            let committing = Arc::new(AtomicBool::new(false));
            let error = match self.parts(table, parts, open, &committing).await {
                Ok(open) => return Ok(open),
                Err(error) => error,
            };
            tries += 1;
            let is_undone = !committing.load(Ordering::Relaxed);
            if error.kind() != ErrorKind::Connection || !is_undone || tries > self.request.retries {
                return Err(error);
            }
            self.ctx.emit(Event::PartRetried {
                table: table.name.clone(),
                part: parts.first().map_or(0, |part| part.part),
                rows_discarded: 0,
                wire_bytes_discarded: 0,
                reason: error.to_string(),
            });
        }
    }

    async fn parts(
        &self,
        table: &TableEntry,
        parts: &[PartEntry],
        session: WireConnection,
        committing: &Arc<AtomicBool>,
    ) -> Result<WireConnection> {
        let [part] = parts else {
            let work = self.whole(table, parts, session, committing);
            return work.await.map_err(|error| cannot_load(table, error));
        };
        let transaction = match table.parts.len() {
            1 => self.transaction,
            _ => Transaction::Own,
        };
        let load = Load {
            committing: Arc::clone(committing),
            ..Load::new(table, part, transaction)
        };
        self.part(&load, session).await
    }

    /// Loads a table of several parts in one transaction, which empties it first.
    async fn whole(
        &self,
        table: &TableEntry,
        parts: &[PartEntry],
        mut session: WireConnection,
        committing: &AtomicBool,
    ) -> Result<WireConnection> {
        let target = LoadTable::find(&mut session, &table.name).await?;
        session.execute("BEGIN").await?;
        target.empty(&mut session).await?;
        for part in parts {
            let load = Load::new(table, part, Transaction::Emptied);
            session = self.load_into(&load, &target, session).await?;
        }
        committing.store(true, Ordering::Relaxed);
        session.execute("COMMIT").await?;
        Ok(session)
    }

    async fn part(&self, load: &Load<'_>, mut session: WireConnection) -> Result<WireConnection> {
        let work = async {
            let target = LoadTable::find(&mut session, &load.table.name).await?;
            self.load_into(load, &target, session).await
        };
        work.await.map_err(|error| cannot_load(load.table, error))
    }

    /// Loads a part into a table that was looked up.
    pub(super) async fn load_into(
        &self,
        load: &Load<'_>,
        target: &LoadTable,
        session: WireConnection,
    ) -> Result<WireConnection> {
        let (table, part) = (load.table, load.part);
        self.ctx.emit(Event::PartStarted {
            table: table.name.clone(),
            part: part.part,
            heap_bytes: part.wire_bytes,
        });
        let columns = match self.format {
            DataFormat::Parquet => u32::try_from(table.row_type.columns.len()).unwrap_or(u32::MAX),
            _ => 0,
        };
        let room = self.columns.acquire_many(columns.min(COLUMNS_AT_ONCE));
        let _room = room.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "the restore ended").with_source(source)
        })?;
        let rows = self.open(part.clone()).await?;
        let job = PartJob {
            part: part.part,
            map: ColumnMap::new(&table.row_type, target.row_type())?,
            rows: part.rows,
            transaction: load.transaction,
            committing: Arc::clone(&load.committing),
        };
        let session = load_part(&self.ctx, session, target, &job, rows).await?;
        self.ctx.emit(Event::PartFinished {
            table: table.name.clone(),
            part: part.part,
            rows: part.rows,
            heap_bytes: part.wire_bytes,
        });
        Ok(session)
    }

    /// Opens a part. Its digest is checked here, before the first row is sent.
    async fn open(&self, part: PartEntry) -> Result<PartRows> {
        let (reader, format) = (Arc::clone(&self.reader), self.format);
        let opening = tokio::task::spawn_blocking(move || match format {
            DataFormat::Parquet => reader
                .open_part(&part)
                .map(|part| PartRows::Parquet(Box::new(part))),
            _ => reader
                .open_frames(&part)
                .map(|frames| PartRows::Frames(Box::new(frames))),
        });
        opening.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "the reader of a part stopped").with_source(source)
        })?
    }
}

/// Fails unless the table is one whose rows the extension leaves to backups: what a backup calls so may be any
/// table, and these rows are loaded with the rights of the target's role.
async fn is_configuration(
    session: &mut WireConnection,
    table: &QualifiedName,
    extension: &str,
) -> Result<()> {
    let sql = format!(
        "select 1 from pg_catalog.pg_extension x join pg_catalog.pg_class c on c.oid = any (x.extconfig) \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where x.extname = {} and n.nspname = {} and c.relname = {}",
        quote_literal(extension),
        quote_literal(&table.schema),
        quote_literal(&table.name)
    );
    if session.query_one(&sql).await?.rows.is_empty() {
        let what = format!(
            "table \"{table}\" is none of those that extension \"{extension}\" leaves to backups"
        );
        return Err(Error::new(ErrorKind::Damaged, what));
    }
    Ok(())
}

fn cannot_load(table: &TableEntry, error: Error) -> Error {
    error.while_doing(format!("cannot load table \"{}\"", table.name))
}

//! After the rows: indexes, constraints and the rest over several sessions, each statement as soon as
//! what it needs is there, those of the largest tables first.

use super::graph::Graph;
use super::sessions::Opener;
use super::steps::{Steps, Who};
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::{Address, CatalogId};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use tokio::task::JoinSet;

/// How often a statement is tried when locks of another one stand in its way.
const TRIES: usize = 5;

/// The sizes of tables, as far as they are known.
pub(super) type Sizes = HashMap<Address, u64>;

/// Runs statements over up to `jobs` sessions, and those that are the superuser's over `admin`.
pub(super) async fn run(
    steps: &mut Steps,
    admin: &mut WireConnection,
    opener: &Opener,
    (graph, statements, sizes): (&Graph, &[Statement], &Sizes),
    jobs: usize,
) -> Result<()> {
    let mut queue = Queue::new(graph, statements, sizes);
    let mut idle = Vec::new();
    let mut running = JoinSet::new();
    loop {
        while running.len() < jobs.max(1)
            && let Some(at) = queue.next()
        {
            let statement = &statements[at];
            if steps.who(statement) == Who::Admin {
                let alone = std::slice::from_ref(statement);
                steps.batch(admin, Who::Admin, alone).await?;
                queue.finish(at);
                continue;
            }
            let session = match idle.pop() {
                Some(session) => session,
                None => opener.open().await?,
            };
            running.spawn(patiently(at, session, statement.sql.clone()));
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (at, session, result) = ended.map_err(|source| {
            Error::new(ErrorKind::Internal, "a worker stopped").with_source(source)
        })?;
        queue.finish(at);
        idle.push(session);
        match result {
            Ok(()) => steps.done += 1,
            Err(error) => steps.failed_at(&statements[at], error)?,
        }
    }
    for session in idle {
        session.close().await;
    }
    Ok(())
}

/// Runs a statement, again when it met the locks of another one.
async fn patiently(
    at: usize,
    mut session: WireConnection,
    sql: String,
) -> (usize, WireConnection, Result<()>) {
    let mut tries = 1;
    loop {
        match session.query_one(&sql).await {
            Ok(_) => return (at, session, Ok(())),
            Err(error) if error.kind() == ErrorKind::Busy && tries < TRIES => tries += 1,
            Err(error) => return (at, session, Err(error)),
        }
    }
}

/// Statements that wait, and the tables that those which run have locked.
struct Queue<'a> {
    statements: &'a [Statement],
    ranks: Vec<u8>,
    /// How many statements of each rank are not done.
    open: [usize; 4],
    /// How many statements each waits for, and which wait for each.
    waits: Vec<usize>,
    waiting: Vec<Vec<usize>>,
    /// The heaviest first.
    ready: BTreeSet<(Reverse<u64>, usize)>,
    /// The sizes of the tables of each.
    weights: Vec<u64>,
    tables: Vec<HashSet<Address>>,
    locked: HashMap<Address, Lock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lock {
    Shared(usize),
    Exclusive,
}

impl<'a> Queue<'a> {
    fn new(graph: &Graph, statements: &'a [Statement], sizes: &Sizes) -> Self {
        let mut queue = Self {
            statements,
            ranks: Vec::new(),
            open: [0; 4],
            waits: vec![0; statements.len()],
            waiting: vec![Vec::new(); statements.len()],
            ready: BTreeSet::new(),
            weights: Vec::new(),
            tables: Vec::new(),
            locked: HashMap::new(),
        };
        let mut earlier: HashMap<Address, Vec<usize>> = HashMap::new();
        for (at, statement) in statements.iter().enumerate() {
            let needs = graph.closure([statement.about]);
            let before: BTreeSet<usize> = needs
                .iter()
                .flat_map(|need| earlier.get(need))
                .flatten()
                .copied()
                .collect();
            // What it needs may have a later turn than it would have itself.
            let rank = before
                .iter()
                .map(|on| queue.ranks[*on])
                .fold(rank(statement), u8::max);
            queue.ranks.push(rank);
            queue.open[usize::from(rank)] += 1;
            queue.waits[at] = before.len();
            for on in before {
                queue.waiting[on].push(at);
            }
            earlier.entry(statement.about).or_default().push(at);
            let direct = graph
                .needs(statement.about)
                .iter()
                .chain([&statement.about]);
            let is_table = |address: &&Address| address.catalog == CatalogId::CLASS;
            let tables: HashSet<Address> = direct.filter(is_table).copied().collect();
            let size = tables.iter().filter_map(|table| sizes.get(table)).sum();
            queue.weights.push(size);
            queue.tables.push(tables);
        }
        let ready = (0..statements.len()).filter(|at| queue.waits[*at] == 0);
        queue.ready = ready.map(|at| (Reverse(queue.weights[at]), at)).collect();
        queue
    }

    /// A statement that can run now. It holds its tables until it is finished.
    fn next(&mut self) -> Option<usize> {
        let turn = self.open.iter().position(|open| *open > 0)? as u8;
        let fits = |(_, at): &&(_, usize)| self.ranks[*at] <= turn && self.is_free(*at);
        let found = *self.ready.iter().find(fits)?;
        self.ready.remove(&found);
        let (_, at) = found;
        let shared = is_index(&self.statements[at]);
        for table in &self.tables[at] {
            let lock = match self.locked.get(table) {
                Some(Lock::Shared(held)) if shared => Lock::Shared(held + 1),
                _ if shared => Lock::Shared(1),
                _ => Lock::Exclusive,
            };
            self.locked.insert(*table, lock);
        }
        Some(at)
    }

    /// Whether no statement that runs has locks that this one would wait for, or meet halfway.
    fn is_free(&self, at: usize) -> bool {
        let shared = is_index(&self.statements[at]);
        self.tables[at]
            .iter()
            .all(|table| match self.locked.get(table) {
                None => true,
                Some(Lock::Shared(_)) => shared,
                Some(Lock::Exclusive) => false,
            })
    }

    fn finish(&mut self, at: usize) {
        self.open[usize::from(self.ranks[at])] -= 1;
        for table in &self.tables[at] {
            match self.locked.get_mut(table) {
                Some(Lock::Shared(held)) if *held > 1 => *held -= 1,
                _ => drop(self.locked.remove(table)),
            }
        }
        for next in std::mem::take(&mut self.waiting[at]) {
            self.waits[next] -= 1;
            if self.waits[next] == 0 {
                self.ready.insert((Reverse(self.weights[next]), next));
            }
        }
    }
}

/// Its turn: first what makes tables whole, then foreign keys, then what is computed from rows, then what
/// reacts to changes.
fn rank(statement: &Statement) -> u8 {
    match (statement.about.catalog, statement.action) {
        (_, Action::Populate) => 2,
        (
            CatalogId::TRIGGER
            | CatalogId::POLICY
            | CatalogId::EVENT_TRIGGER
            | CatalogId::PUBLICATION
            | CatalogId::PUBLICATION_TABLE
            | CatalogId::PUBLICATION_SCHEMA
            | CatalogId::SUBSCRIPTION,
            _,
        ) => 3,
        // Where a definition merely has these words in it, it waits for no reason and no harm is done.
        (CatalogId::CONSTRAINT, _) if statement.sql.contains(" FOREIGN KEY ") => 1,
        _ => 0,
    }
}

/// Indexes of one table can be built at the same time.
fn is_index(statement: &Statement) -> bool {
    statement.action == Action::Create
        && statement.about.catalog == CatalogId::CLASS
        && (statement.sql.starts_with("CREATE INDEX ")
            || statement.sql.starts_with("CREATE UNIQUE INDEX "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ddl::Section;
    use crate::catalog::model::Need;

    fn statement(catalog: CatalogId, oid: u32, sql: &str) -> Statement {
        Statement {
            about: Address::new(catalog, oid),
            object: String::new(),
            section: Section::PostData,
            action: Action::Create,
            as_role: None,
            on: None,
            sql: sql.to_owned(),
        }
    }

    #[test]
    fn what_is_needed_is_finished_first() {
        let table = Address::new(CatalogId::CLASS, 1);
        let statements = [
            statement(CatalogId::TRIGGER, 9, "CREATE TRIGGER"),
            statement(CatalogId::CLASS, 2, "CREATE INDEX a"),
            statement(CatalogId::CLASS, 3, "CREATE UNIQUE INDEX b"),
            statement(CatalogId::CONSTRAINT, 4, "ALTER TABLE ADD PRIMARY KEY"),
            statement(CatalogId::CONSTRAINT, 5, "ALTER TABLE ADD FOREIGN KEY (a)"),
        ];
        let mut needs: Vec<Need> = statements
            .iter()
            .map(|statement| Need {
                object: statement.about,
                on: table,
            })
            .collect();
        needs.push(Need {
            object: statements[4].about,
            on: statements[3].about,
        });
        let graph = Graph::new(&needs, &[]);
        let mut queue = Queue::new(&graph, &statements, &Sizes::new());
        // Two indexes at once; the constraint waits for the table.
        assert_eq!(
            (queue.next(), queue.next(), queue.next()),
            (Some(1), Some(2), None)
        );
        queue.finish(1);
        assert_eq!(queue.next(), None);
        queue.finish(2);
        assert_eq!((queue.next(), queue.next()), (Some(3), None));
        queue.finish(3);
        assert_eq!((queue.next(), queue.next()), (Some(4), None));
        queue.finish(4);
        assert_eq!(queue.next(), Some(0));
        queue.finish(0);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn statements_of_large_tables_come_first() {
        let tables = [1, 2].map(|oid| Address::new(CatalogId::CLASS, oid));
        let statements = [3, 4].map(|oid| statement(CatalogId::CLASS, oid, "CREATE INDEX i"));
        let needs = [0, 1].map(|at| Need {
            object: statements[at].about,
            on: tables[at],
        });
        let graph = Graph::new(&needs, &[]);
        let sizes = Sizes::from([(tables[0], 10), (tables[1], 20)]);
        let mut queue = Queue::new(&graph, &statements, &sizes);
        assert_eq!((queue.next(), queue.next()), (Some(1), Some(0)));
    }
}

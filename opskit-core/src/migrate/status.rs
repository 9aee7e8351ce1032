//! Files and history side by side.

use super::files::{Migration, MigrationId, Migrations, Version};
use super::history::{History, Record, State, check_foreign};
use super::ledger::{Ledger, LedgerRow};
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Standing {
    /// It did not run.
    Pending,
    /// It did not run, and one with a later version did.
    OutOfOrder,
    /// A repeatable one that was changed since it ran.
    Again,
    /// Some of its statements ran.
    Incomplete,
    /// It ran.
    Applied,
    /// It was declared to be done.
    Baseline,
    /// It ran, and its file is another one now.
    Changed,
    /// It ran, and there is no file of it.
    FileGone,
    /// Another tool says that it failed.
    Failed,
    /// It ran, and another tool whose history is kept in step does not know it any more.
    TakenBack,
}

/// A migration, and how it stands.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct MigrationStatus {
    /// Which.
    pub id: MigrationId,
    /// Its name.
    pub name: String,
    /// Its file, where there is one.
    pub file: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// What the history says.
    pub record: Option<Record>,
    /// The history table of another tool: where only that knows it, and `apply` takes it over; or where that does not know
    /// it any more.
    pub known_to: Option<String>,
}

/// The migrations of a project and of a database.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The form of this document.
    pub schema: &'static str,
    /// The database.
    pub database: String,
    /// All that there is a file or a row of: those with a version first.
    pub migrations: Vec<MigrationStatus>,
    /// The history tables of other tools that are kept in step.
    pub ledgers: Vec<Ledger>,
    /// Files that are no migrations by their names.
    pub ignored: Vec<String>,
    /// What identifies the history that was read.
    pub history_digest: String,
}

/// The form of [`Status`].
pub(super) const STATUS_SCHEMA: &str = "opskit.migrate-status/1";

/// What to do about gaps between files and history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnGap {
    /// Fail.
    #[default]
    Refuse,
    /// Go on.
    Accept,
}

/// Which of the pending migrations are wanted.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Wanted {
    /// The last version to run; all when not said.
    pub to: Option<Version>,
    /// Migrations with a lower version than one that ran.
    pub out_of_order: OnGap,
    /// Versions in the history without a file.
    pub file_gone: OnGap,
}

impl Status {
    pub(super) fn of(database: &str, migrations: &Migrations, history: &History) -> Self {
        let mut all: BTreeMap<MigrationId, MigrationStatus> = BTreeMap::new();
        for migration in migrations.iter() {
            all.insert(migration.id.clone(), pending(migration));
        }
        for record in &history.records {
            let mut status = recorded(record, migrations.get(&record.id));
            if let Some(ledger) = history.taken_back(record) {
                status.standing = Standing::TakenBack;
                status.known_to = Some(ledger.table.to_string());
            }
            all.insert(record.id.clone(), status);
        }
        for (at, row) in &history.foreign {
            let id = MigrationId::Versioned(row.version.clone());
            let status = foreign(&history.ledgers[*at], row, &id, migrations.get(&id));
            all.insert(id, status);
        }
        let mut migrations_now: Vec<_> = all.into_values().collect();
        mark_out_of_order(&mut migrations_now);
        Self {
            schema: STATUS_SCHEMA,
            database: database.to_owned(),
            migrations: migrations_now,
            ledgers: history.ledgers.clone(),
            ignored: migrations.ignored().to_vec(),
            history_digest: history.digest(),
        }
    }

    /// The migrations that would run.
    ///
    /// # Errors
    /// Of kind `CheckFailed` where files and history contradict each other, with the way out; `NotFound` where the
    /// wanted version is none of them.
    pub fn pending(&self, wanted: &Wanted) -> Result<Vec<&MigrationStatus>> {
        for one in &self.migrations {
            obstacle(one, wanted).map_or(Ok(()), Err)?;
        }
        if let Some(to) = &wanted.to {
            let is = |one: &&MigrationStatus| one.id.version() == Some(to);
            if !self.migrations.iter().any(|one| is(&one)) {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("there is no migration {to}"),
                ));
            }
        }
        let up_to = |one: &&MigrationStatus| match (&wanted.to, &one.id) {
            (None, _) => true,
            (Some(to), MigrationId::Versioned(version)) => version <= to,
            (Some(_), MigrationId::Repeatable(_)) => false,
        };
        let runs = |one: &&MigrationStatus| {
            matches!(
                one.standing,
                Standing::Pending | Standing::OutOfOrder | Standing::Again | Standing::Incomplete
            )
        };
        Ok(self.migrations.iter().filter(up_to).filter(runs).collect())
    }

    /// Whether nothing is to be done and nothing is wrong.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        let fine =
            |one: &MigrationStatus| matches!(one.standing, Standing::Applied | Standing::Baseline);
        self.migrations.iter().all(fine)
    }
}

fn pending(migration: &Migration) -> MigrationStatus {
    MigrationStatus {
        id: migration.id.clone(),
        name: migration.name.clone(),
        file: Some(migration.file.clone()),
        standing: Standing::Pending,
        record: None,
        known_to: None,
    }
}

fn recorded(record: &Record, file: Option<&Migration>) -> MigrationStatus {
    let same = |file: &Migration| {
        let digests = record.digests.as_ref();
        digests.is_none_or(|digests| digests.is_same_text(&file.digests))
    };
    let standing = match (record.state, file) {
        (State::Incomplete, Some(_)) => Standing::Incomplete,
        (State::Baseline, _) => Standing::Baseline,
        (_, None) => Standing::FileGone,
        (_, Some(file)) if same(file) => Standing::Applied,
        (_, Some(_)) if record.id.version().is_none() => Standing::Again,
        (_, Some(_)) => Standing::Changed,
    };
    MigrationStatus {
        id: record.id.clone(),
        name: record.name.clone(),
        file: file.map(|file| file.file.clone()),
        standing,
        record: Some(record.clone()),
        known_to: None,
    }
}

fn foreign(
    ledger: &Ledger,
    row: &LedgerRow,
    id: &MigrationId,
    file: Option<&Migration>,
) -> MigrationStatus {
    let standing = match (check_foreign(ledger, row, file), file) {
        (Err(_), _) if !row.success => Standing::Failed,
        (Err(_), _) => Standing::Changed,
        (Ok(()), None) => Standing::FileGone,
        (Ok(()), Some(_)) => Standing::Applied,
    };
    MigrationStatus {
        id: id.clone(),
        name: file.map_or_else(|| row.name.clone(), |file| file.name.clone()),
        file: file.map(|file| file.file.clone()),
        standing,
        record: None,
        known_to: Some(ledger.table.to_string()),
    }
}

fn mark_out_of_order(all: &mut [MigrationStatus]) {
    let ran = |one: &MigrationStatus| {
        !matches!(
            one.standing,
            Standing::Pending | Standing::Again | Standing::Incomplete
        )
    };
    let latest = all
        .iter()
        .filter(|one| ran(one))
        .filter_map(|one| one.id.version().cloned())
        .max();
    for one in all {
        if one.standing == Standing::Pending
            && one.id.version().is_some()
            && one.id.version() < latest.as_ref()
        {
            one.standing = Standing::OutOfOrder;
        }
    }
}

/// Why nothing can run.
fn obstacle(one: &MigrationStatus, wanted: &Wanted) -> Option<Error> {
    let id = &one.id;
    let name = one.file.as_deref().unwrap_or(&one.name);
    let (message, hint) = match one.standing {
        Standing::Changed => (
            format!("\"{name}\" was changed since it ran"),
            format!(
                "Bring it back as it ran and put the change into a new migration; or accept it as it is: opskit migrate repair --accept {id} --reason TEXT."
            ),
        ),
        Standing::FileGone if wanted.file_gone == OnGap::Refuse => (
            format!("migration {id} ({name}) ran here, and there is no file of it"),
            "Fetch the file from where it was written; or go on without: --allow-missing."
                .to_owned(),
        ),
        Standing::OutOfOrder if wanted.out_of_order == OnGap::Refuse => (
            format!("\"{name}\" did not run, and a later migration did"),
            "Give it a version behind the last; or run it now: --allow-out-of-order.".to_owned(),
        ),
        Standing::Failed => (
            format!(
                "{} says that migration {id} failed",
                one.known_to.as_deref().unwrap_or_default()
            ),
            "Finish or remove it with the tool that ran it, then try again.".to_owned(),
        ),
        Standing::TakenBack => {
            let table = one.known_to.as_deref().unwrap_or_default();
            let key = crate::name::quote_literal(&id.key());
            (
                format!("migration {id} ({name}) ran, and {table} does not know it any more"),
                format!(
                    "If it was taken back, tell opskit: delete from opskit.migrations where id = {key}; then it is pending again. If not, put its line into {table} again."
                ),
            )
        }
        _ => return None,
    };
    Some(Error::new(ErrorKind::CheckFailed, message).with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(files: &[(&str, &str)], records: Vec<Record>) -> Status {
        let history = History {
            records,
            ..History::default()
        };
        let migrations = Migrations::embedded(files.iter().copied()).unwrap();
        Status::of("d", &migrations, &history)
    }

    fn record(id: MigrationId, text: &str, state: State) -> Record {
        let name = format!(
            "{}_x.sql",
            id.version()
                .map_or_else(|| "1".to_owned(), ToString::to_string)
        );
        let file = Migrations::embedded([(name, text)]).unwrap();
        let digests = file.iter().next().map(|file| file.digests.clone());
        Record {
            id,
            name: "x".to_owned(),
            digests,
            state,
            started_at: String::new(),
            duration_ms: None,
            role: String::new(),
            host: None,
            tool: String::new(),
            backup_id: None,
            facts_before: None,
            facts_after: None,
            origin: None,
        }
    }

    fn version(number: i64) -> MigrationId {
        MigrationId::Versioned(number.into())
    }

    fn standings(status: &Status) -> Vec<Standing> {
        status.migrations.iter().map(|one| one.standing).collect()
    }

    #[test]
    fn every_standing_is_told() {
        let files = [
            ("1_a.sql", "select 1"),
            ("2_b.sql", "select 2"),
            ("3_c.sql", "select 3"),
            ("5_e.sql", "select 5"),
            ("R__r.sql", "select 0"),
        ];
        let records = vec![
            record(version(1), "select 1", State::Applied),
            record(version(2), "select 22", State::Applied),
            record(version(4), "select 4", State::Applied),
            record(
                MigrationId::Repeatable("r".to_owned()),
                "select 'old'",
                State::Applied,
            ),
        ];
        let status = status(&files, records);
        use Standing::{Again, Applied, Changed, FileGone, OutOfOrder, Pending};
        assert_eq!(
            standings(&status),
            [Applied, Changed, OutOfOrder, FileGone, Pending, Again]
        );
        assert!(!status.is_up_to_date());
    }

    #[test]
    fn contradictions_stop_a_run_unless_they_are_accepted() {
        let files = [("1_a.sql", "select 1"), ("3_c.sql", "select 3")];
        let gone = status(&files, vec![record(version(2), "select 2", State::Applied)]);
        let error = gone.pending(&Wanted::default()).unwrap_err();
        assert!(
            error.to_string().contains("a later migration did"),
            "{error}"
        );
        let wanted = Wanted {
            out_of_order: OnGap::Accept,
            ..Wanted::default()
        };
        assert!(
            gone.pending(&wanted)
                .unwrap_err()
                .to_string()
                .contains("no file of it")
        );
        let wanted = Wanted {
            file_gone: OnGap::Accept,
            ..wanted
        };
        let ids: Vec<String> = gone
            .pending(&wanted)
            .unwrap()
            .iter()
            .map(|one| one.id.to_string())
            .collect();
        assert_eq!(ids, ["1", "3"]);
        let to = Wanted {
            to: Some(1.into()),
            ..wanted.clone()
        };
        assert_eq!(gone.pending(&to).unwrap().len(), 1);
        let to = Wanted {
            to: Some(9.into()),
            ..wanted
        };
        assert_eq!(gone.pending(&to).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

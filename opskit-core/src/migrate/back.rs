//! The way back when the tests do not hold.

use super::apply::in_one;
use super::files::{DownScript, Migration};
use super::history::{History, SCHEMA, deleted_sql};
use super::outcome::{Choice, Outcome};
use super::report::ApplyReport;
use super::run::{Locked, undo};
use super::runner::PgMigrationRunner;
use super::safety::{WayBack, Writers};
use super::traffic::Traffic;
use crate::backup::restore::{Comparison, compare_rows};
use crate::backup::restore::{
    Existing, Restore, RestoreReport, RestoreRequest, Transactions, Trust,
};
use crate::catalog::diff::{Compared, FactsDiff};
use crate::catalog::facts::{Facts, FactsOptions};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::facts::read_facts;
use crate::postgres::url::DatabaseUrl;
use crate::repository::{BackupId, HistoryEvent, Repository, apart};

/// All that the way back is chosen by.
pub(super) struct Back<'a> {
    pub(super) ctx: &'a OpContext,
    pub(super) runner: &'a PgMigrationRunner,
    pub(super) history: &'a History,
    pub(super) files: &'a [&'a Migration],
    pub(super) before: &'a Facts,
    pub(super) traffic: &'a Traffic,
}

impl Back<'_> {
    /// Takes the migrations of the run back, where that loses nothing of anybody's; else says what can be done.
    pub(super) async fn go(&self, report: &ApplyReport, locked: &mut Locked) -> Result<Outcome> {
        let traffic = self.traffic.clone().since(locked.connection()?).await?;
        let others = (!self.traffic.is_still() || traffic.clients() > 0).then(|| {
            format!(
                "{} other clients are connected, or rows changed since the backup",
                traffic.clients()
            )
        });
        // A script that drops what others may have filled since discards it just as a restore does.
        let downs = self.downs().filter(|_| others.is_none());
        if let Some(downs) = downs {
            return self.by_scripts(&downs, report, locked).await;
        }
        let why = match &report.backup {
            None => others.unwrap_or_else(|| "the run took no backup".to_owned()),
            Some(_) if report.writers == Writers::Running => {
                "others may have written since the backup".to_owned()
            }
            Some(taken) => match others {
                Some(others) => others,
                None => return Box::pin(self.to_backup(&taken.id, report, locked)).await,
            },
        };
        Ok(self.needs_decision(why, report, &traffic))
    }

    /// The scripts that take all migrations of the run back, the last first.
    fn downs(&self) -> Option<Vec<(&Migration, &DownScript)>> {
        let downs = self
            .files
            .iter()
            .rev()
            .map(|file| Some((*file, file.down.as_ref()?)));
        downs.collect()
    }

    async fn by_scripts(
        &self,
        downs: &[(&Migration, &DownScript)],
        report: &ApplyReport,
        locked: &mut Locked,
    ) -> Result<Outcome> {
        for (migration, down) in downs {
            if let Err(error) = undo(self.ctx, locked, migration, down, &self.history.ledgers).await
            {
                let why = format!("{} failed: {}", down.file, error.chain().join(": "));
                return Ok(self.needs_decision(why, report, self.traffic));
            }
        }
        let difference = match self.difference().await? {
            Some(difference) => Some(difference),
            None => Box::pin(self.different_rows(report)).await?,
        };
        Ok(match difference {
            None => Outcome::DownScript,
            Some(difference) => {
                let why = format!(
                    "the scripts that take the migrations back leave something different: {difference}"
                );
                self.needs_decision(why, report, self.traffic)
            }
        })
    }

    /// Which tables hold other rows than the backup of before the run, where there is one.
    async fn different_rows(&self, report: &ApplyReport) -> Result<Option<String>> {
        let (Some(first), Some(taken)) = (&self.runner.safety.backup, &report.backup) else {
            return Ok(None);
        };
        let (from, wanted) = (first.repository.clone(), taken.id.clone());
        let backup = apart(move || from.read(&wanted)).await?;
        let contents = apart(move || backup.contents()).await?;
        // The history is not what it was, and it should not be.
        let tables = contents.tables.into_iter();
        let tables: Vec<_> = tables.filter(|it| it.name.schema != SCHEMA).collect();
        let mut found = Comparison::default();
        let jobs = first.request.jobs();
        Box::pin(compare_rows(
            self.ctx,
            &self.runner.url,
            &tables,
            jobs,
            &mut found,
        ))
        .await?;
        let lines = found.differences.iter().take(5).map(ToString::to_string);
        let lines = lines.collect::<Vec<_>>().join("; ");
        Ok((!lines.is_empty()).then_some(lines))
    }

    /// What is different from before the run.
    async fn difference(&self) -> Result<Option<String>> {
        let now = read_facts(self.ctx, &self.runner.url, FactsOptions::like(self.before)).await?;
        let diff = FactsDiff::between(self.before, &now, Compared::Objects);
        Ok((!diff.is_empty()).then(|| {
            diff.to_string()
                .lines()
                .take(5)
                .collect::<Vec<_>>()
                .join("; ")
        }))
    }

    /// Goes back to the backup, in place or by a second database, and holds both against each other.
    async fn to_backup(
        &self,
        id: &BackupId,
        report: &ApplyReport,
        locked: &mut Locked,
    ) -> Result<Outcome> {
        let Some(first) = &self.runner.safety.backup else {
            return Ok(self.needs_decision(
                "the run took no backup".to_owned(),
                report,
                self.traffic,
            ));
        };
        self.ctx.emit(Event::Warning {
            message: format!("tests failed: going back to backup {id}"),
        });
        let gone = match self.runner.safety.way_back {
            WayBack::InPlace => Box::pin(self.in_place(id, &first.repository, locked)).await,
            WayBack::Swap => Box::pin(self.swap(id, &first.repository, locked)).await,
        };
        match gone {
            Ok(outcome) => Ok(outcome),
            Err(error) => {
                self.ctx.cancel().check()?;
                let why = format!("going back failed: {}", error.chain().join(": "));
                Ok(self.needs_decision(why, report, self.traffic))
            }
        }
    }

    /// Restores the backup over what is there, in one transaction.
    async fn in_place(
        &self,
        id: &BackupId,
        repository: &Repository,
        locked: &mut Locked,
    ) -> Result<Outcome> {
        let url = &self.runner.url;
        // Before anything is dropped: whether the restore could be done at all.
        let plan = Box::pin(self.open_restore(repository, id, url, Existing::Drop)).await?;
        let checked = plan.plan().check();
        plan.close().await;
        // None of what it would tell comes from the schemas that the run made.
        checked?;
        let new = self.drop_new_schemas().await?;
        in_one(locked, &new).await?;
        let restore = Box::pin(self.open_restore(repository, id, url, Existing::Drop)).await?;
        let restored = Box::pin(restore.run(self.ctx)).await?;
        if !restored.is_same() {
            return Err(different(
                "the restored database is not what the backup says",
            ));
        }
        // Where the history was not there when the backup was taken, the restore left it alone.
        in_one(locked, &self.forget()).await?;
        match self.difference().await? {
            None => Ok(Outcome::InPlaceRestore),
            Some(difference) => Err(different(&format!(
                "the restored schema is different: {difference}"
            ))),
        }
    }

    /// Restores into an empty database.
    pub(super) async fn restore_to(
        &self,
        repository: &Repository,
        id: &BackupId,
        url: &DatabaseUrl,
    ) -> Result<RestoreReport> {
        let restore = Box::pin(self.open_restore(repository, id, url, Existing::Refuse)).await?;
        Box::pin(restore.run(self.ctx)).await
    }

    /// What the backup holds is the code of this very database, of minutes ago, so it needs no login of less rights.
    async fn open_restore(
        &self,
        repository: &Repository,
        id: &BackupId,
        url: &DatabaseUrl,
        existing: Existing,
    ) -> Result<Restore> {
        let (from, wanted) = (repository.clone(), id.clone());
        let backup = apart(move || from.read(&wanted)).await?;
        let request = RestoreRequest::default()
            .with_existing(existing)
            .with_transactions(Transactions::One)
            .with_trust(Trust::Backup);
        Box::pin(Restore::open(self.ctx, backup, url, request)).await
    }

    /// Schemas that the run made: a restore knows nothing of them.
    async fn drop_new_schemas(&self) -> Result<Vec<String>> {
        let now = read_facts(self.ctx, &self.runner.url, FactsOptions::like(self.before)).await?;
        let before = schemas(self.before);
        let new = schemas(&now)
            .into_iter()
            .filter(|name| !before.contains(name));
        Ok(new
            .map(|name| format!("drop schema {name} cascade"))
            .collect())
    }

    /// Takes the migrations of the run out of all histories.
    fn forget(&self) -> Vec<String> {
        let sql = |file: &&Migration| {
            let ours = deleted_sql(&file.id);
            let theirs = self
                .history
                .ledgers
                .iter()
                .filter_map(|ledger| ledger.delete_sql(&file.id));
            std::iter::once(ours).chain(theirs).collect::<Vec<_>>()
        };
        self.files.iter().flat_map(sql).collect()
    }

    /// How long the last drill took, in minutes, at least one.
    fn measured_minutes(&self) -> Option<u64> {
        let first = self.runner.safety.backup.as_ref()?;
        let history = first.repository.read_history().ok()?;
        let measured = history
            .entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.event {
                HistoryEvent::Drill(record) => record.recovery_ms,
                _ => None,
            });
        measured.map(|time| time.div_ceil(60_000))
    }

    fn needs_decision(&self, why: String, report: &ApplyReport, traffic: &Traffic) -> Outcome {
        let mut choices = vec![Choice::new(
            "Keep what was migrated, and mend what the tests found with a new migration.",
            "opskit migrate new NAME",
        )];
        if let Some(taken) = &report.backup {
            let name = self.runner.url.dbname();
            choices.push(Choice::new(
                "Go back to the backup beside the database, compare, and switch over: nothing is lost before you decide.",
                format!("opskit restore {} --repo {} --to URL_OF_A_NEW_DATABASE", taken.id, taken.repository),
            ));
            choices.push(Choice::new(
                "Go back to the backup in place. What was written since is lost.",
                format!(
                    "opskit restore {} --repo {} --to URL_OF_{name} --clean --single-transaction",
                    taken.id, taken.repository
                ),
            ));
        }
        let minutes = self.measured_minutes();
        choices
            .iter_mut()
            .skip(1)
            .for_each(|choice| choice.minutes = minutes);
        let changed = traffic.changed.iter().map(ToString::to_string).collect();
        Outcome::NeedsDecision {
            why,
            changed,
            choices,
        }
    }
}

/// The schemas, as the server quotes their names.
fn schemas(facts: &Facts) -> Vec<String> {
    let named = |fact: &crate::catalog::facts::Fact| {
        let of_schema = fact.catalog.as_ref() == "pg_namespace";
        of_schema
            .then(|| fact.object.strip_prefix("schema ").map(str::to_owned))
            .flatten()
    };
    facts.objects.iter().filter_map(named).collect()
}

fn different(what: &str) -> Error {
    Error::new(ErrorKind::CheckFailed, what)
}

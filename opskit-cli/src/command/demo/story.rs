//! The steps: a backup, an accident, and the proof that all of it comes back.

use super::Places;
use super::proof::{self, Proof};
use super::sample::Sample;
use super::teller::{Teller, Verdict, took};
use crate::command::{backup, drill, list, restore, verify};
use crate::exit::Stop;
use crate::summary;
use crate::units;
use opskit_core::backup::drill::{DrillReport, DrillRequest, Outcome};
use opskit_core::backup::restore::{Restore, RestoreReport, RestoreRequest};
use opskit_core::backup::{BackupReport, BackupRequest};
use opskit_core::catalog::diff::{Compared, FactsDiff, Side};
use opskit_core::catalog::facts::{Facts, FactsOptions};
use opskit_core::context::OpContext;
use opskit_core::export::Exactness;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::postgres::facts::read_facts;
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::postgres::wire::WireConnection;
use opskit_core::repository::{Among, Repository, VerifyLevel, VerifyReport};
use opskit_core::sink::{DirectorySink, FileFormat};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// What gets lost.
const ACCIDENT: &str = "DROP TABLE customers CASCADE";
/// The rows of that table in the server's own words.
const ROWS: &str =
    "SELECT pg_catalog.md5(pg_catalog.string_agg(c::text, ',' ORDER BY id)) FROM customers c";
/// What is exported, and in parts of which size: small, so that there are several.
const PATTERN: &str = "public.*";
const PART_BYTES: u64 = 1 << 20;

/// What the document has of each part of the story.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    backup: BackupReport,
    verify: VerifyReport,
    /// What the accident took away.
    lost: Vec<String>,
    restore: RestoreReport,
    /// What differs between the database before the accident and the restored one.
    differences: FactsDiff,
    drill: DrillReport,
    export: ExportReport,
    proof: Proof,
    /// What reads a table of the backup with a tool of somebody else's.
    duckdb: String,
}

impl Told {
    pub(super) fn duckdb(&self) -> &str {
        &self.duckdb
    }
}

/// What all steps use.
pub(super) struct Story<'a> {
    pub(super) ctx: &'a OpContext,
    pub(super) sample: &'a Sample,
    pub(super) places: &'a Places,
    pub(super) pg_bin: Option<&'a Path>,
}

impl Story<'_> {
    pub(super) async fn tell(&self, teller: &mut Teller) -> Result<Told, Stop> {
        let url = &self.sample.url;
        teller.say(&format!("\n$ export DATABASE_URL='{url}'\n"))?;
        let before = Box::pin(self.snapshot(teller)).await?;
        let repository = Repository::create(&self.places.backups)?;
        let backup = Box::pin(self.backup(teller, &repository)).await?;
        let verify = self.verify(teller, &repository).await?;
        let rows = self.ask(url, ROWS).await?;
        let lost = Box::pin(self.accident(teller, &before)).await?;
        let (restore, differences) =
            Box::pin(self.restore_all(teller, &repository, (&before, &rows))).await?;
        let drill = Box::pin(self.drill(teller, &repository)).await?;
        let (export, proof) = Box::pin(self.export(teller)).await?;
        let duckdb = self.duckdb(&repository, &backup);
        Ok(Told {
            backup,
            verify,
            lost,
            restore,
            differences,
            drill,
            export,
            proof,
            duckdb,
        })
    }

    async fn snapshot(&self, teller: &mut Teller) -> Result<Facts, Stop> {
        let file = self.places.root.join("before.json");
        let command = format!("opskit schema snapshot -o {}", file.display());
        let begun = teller.begin("Write down what there is", command)?;
        let facts = self
            .facts(&self.sample.url, FactsOptions::default())
            .await?;
        write(&file, &facts.to_json()?)?;
        let proof = format!(
            "{} about tables, views, functions, policies, privileges and all else that is not rows",
            units::counted(facts.objects.len() as u64, "fact")
        );
        teller.end(begun, "", Verdict::Holds, proof)?;
        Ok(facts)
    }

    async fn backup(
        &self,
        teller: &mut Teller,
        repository: &Repository,
    ) -> Result<BackupReport, Stop> {
        let command = format!("opskit backup --repo {}", self.repo());
        let begun = teller.begin("Back it up, as its owner, who is no superuser", command)?;
        let request = BackupRequest::new().with_part_bytes(PART_BYTES);
        let work = opskit_core::backup::backup(self.ctx, &self.sample.url, repository, request);
        let report = Box::pin(work).await?;
        let proof = "one instant; each row counted against the server; definitions the same before and after";
        teller.end(begun, &backup::text(&report), Verdict::Holds, proof)?;
        let command = format!("opskit list --repo {}", self.repo());
        let begun = teller.begin("See what is there", command)?;
        let listed = list::ListDocument::of(repository, &Among::all())?;
        let holds = Verdict::from(listed.is_sound());
        let proof = "a backup is listed when it is complete, and not before";
        teller.end(begun, &list::text(&listed), holds, proof)?;
        Ok(report)
    }

    async fn verify(
        &self,
        teller: &mut Teller,
        repository: &Repository,
    ) -> Result<VerifyReport, Stop> {
        let command = format!("opskit verify latest --level decode --repo {}", self.repo());
        let begun = teller.begin("Check the files, down to each value", command)?;
        let id = repository.find("latest")?;
        let report = verify::on_a_thread(self.ctx, repository, id, VerifyLevel::Decode).await?;
        let holds = Verdict::from(report.is_sound());
        let proof = "every digest; every value decoded; counts and fingerprints taken again";
        teller.end(begun, &verify::text(&report), holds, proof)?;
        Ok(report)
    }

    async fn accident(&self, teller: &mut Teller, before: &Facts) -> Result<Vec<String>, Stop> {
        let command = format!("psql \"$DATABASE_URL\" -c '{ACCIDENT}'");
        let begun = teller.begin("An accident", command)?;
        self.execute(ACCIDENT).await?;
        let after = self
            .facts(&self.sample.url, FactsOptions::like(before))
            .await?;
        let diff = FactsDiff::between(before, &after, Compared::Objects);
        let lost = only_in_a(&diff);
        let printed: String = lost
            .iter()
            .map(|object| format!("gone: {object}\n"))
            .collect();
        let holds = Verdict::from(lost.iter().any(|object| object == "table public.customers"));
        let proof = format!(
            "{} went with one statement",
            units::counted(lost.len() as u64, "object")
        );
        teller.end(begun, &printed, holds, proof)?;
        Ok(lost)
    }

    async fn restore_all(
        &self,
        teller: &mut Teller,
        repository: &Repository,
        (before, rows): (&Facts, &str),
    ) -> Result<(RestoreReport, FactsDiff), Stop> {
        let url = self.sample.empty("shop_restored", self.ctx).await?;
        teller.say(&format!(
            "\n$ createdb shop_restored; export RESTORED='{url}'\n"
        ))?;
        let command = format!(
            "opskit restore latest --repo {} --to \"$RESTORED\"",
            self.repo()
        );
        let begun = teller.begin("Bring everything back, into an empty database", command)?;
        let report = Box::pin(self.restore(repository, &url, RestoreRequest::default())).await?;
        let same_rows = self.ask(&url, ROWS).await? == rows;
        let holds = Verdict::from(report.is_same() && same_rows);
        let proof = "every object and every row compared with the backup; and in the server's own words, the lost rows read as before";
        teller.end(begun, &restore::text(&report), holds, proof)?;
        let command = format!(
            "opskit schema diff --objects-only {} \"$RESTORED\"",
            self.places.root.join("before.json").display()
        );
        let begun = teller.begin("Compare it with what was written down", command)?;
        let after = self.facts(&url, FactsOptions::like(before)).await?;
        let diff = FactsDiff::between(before, &after, Compared::Objects);
        let printed = match diff.is_empty() {
            true => "no difference\n".to_owned(),
            false => diff.to_string(),
        };
        let proof =
            "read from the system catalogs by code that knows nothing of how objects are made";
        teller.end(begun, &printed, Verdict::from(diff.is_empty()), proof)?;
        Ok((report, diff))
    }

    async fn drill(
        &self,
        teller: &mut Teller,
        repository: &Repository,
    ) -> Result<DrillReport, Stop> {
        let command = format!("opskit drill latest --repo {}", self.repo());
        let title = "Know that it works before it is needed: a drill on a second throw-away server";
        let begun = teller.begin(title, command)?;
        let id = repository.find("latest")?;
        let mut request = DrillRequest::default();
        request.bin_dir = self.pg_bin.map(Path::to_owned);
        request.jobs = 2;
        let work = opskit_core::backup::drill::drill(self.ctx, repository, &id, request);
        let report = Box::pin(work).await?;
        let holds = Verdict::from(report.outcome == Outcome::Passed);
        let proof = format!(
            "measured: this database is back within {}; the record is in {}",
            took(report.recovery_ms),
            self.places.backups.join("history").display()
        );
        teller.end(begun, &drill::text(&report), holds, proof)?;
        Ok(report)
    }

    async fn export(&self, teller: &mut Teller) -> Result<(ExportReport, Proof), Stop> {
        let command = format!(
            "opskit export '{PATTERN}' --part-size 1MiB -o {}",
            self.places.export.display()
        );
        let begun = teller.begin("Get tables out, for other tools, and bit for bit", command)?;
        let parquet = FileFormat::Parquet(ParquetOptions::default());
        let report = Box::pin(self.export_to(&self.places.export, parquet)).await?;
        let copies = &self.places.copies;
        let copied = Box::pin(self.export_to(copies, FileFormat::PgCopy(0))).await?;
        let proof = proof::prove((&self.places.export, &report), (copies, &copied)).await?;
        let target = self.places.export.display().to_string();
        let printed = summary::export(&report, Exactness::Exact, &target);
        teller.end(begun, &printed, Verdict::Holds, proof.to_string())?;
        Ok((report, proof))
    }

    /// What shows that nothing of ours is needed to read a backup.
    fn duckdb(&self, repository: &Repository, report: &BackupReport) -> String {
        let place = repository.location(&report.id);
        format!(
            "duckdb -c \"select state, count(*), sum(total) from '{place}/data/public.orders_*/*.parquet' group by state\"",
        )
    }

    async fn restore(
        &self,
        repository: &Repository,
        url: &DatabaseUrl,
        request: RestoreRequest,
    ) -> Result<RestoreReport, Error> {
        let backup = repository.read(&repository.find("latest")?)?;
        let restore = Box::pin(Restore::open(self.ctx, backup, url, request)).await?;
        Box::pin(restore.run(self.ctx)).await
    }

    async fn export_to(&self, target: &Path, format: FileFormat) -> Result<ExportReport, Error> {
        let request = ExportRequest::tables([PATTERN])?.with_part_bytes(PART_BYTES);
        let sink = DirectorySink::create(target, format)?;
        let export = Box::pin(Export::open(self.ctx, &self.sample.url, request)).await?;
        Box::pin(export.run(self.ctx, Arc::new(sink))).await
    }

    async fn facts(&self, url: &DatabaseUrl, options: FactsOptions) -> Result<Facts, Error> {
        Box::pin(read_facts(self.ctx, url, options)).await
    }

    async fn execute(&self, sql: &str) -> Result<(), Error> {
        let mut session = WireConnection::connect(&self.sample.url, self.ctx.cancel()).await?;
        session.execute(sql).await?;
        session.close().await;
        Ok(())
    }

    /// The one value that a query gives.
    async fn ask(&self, url: &DatabaseUrl, sql: &str) -> Result<String, Error> {
        let mut session = WireConnection::connect(url, self.ctx.cancel()).await?;
        let answer = session.query_one(sql).await?;
        session.close().await;
        let value = answer.rows.into_iter().next();
        let value = value.and_then(|row| row.into_iter().next().flatten());
        value.ok_or_else(|| Error::new(ErrorKind::Internal, "the server told no value"))
    }

    fn repo(&self) -> std::path::Display<'_> {
        self.places.backups.display()
    }
}

/// The objects that are gone.
fn only_in_a(diff: &FactsDiff) -> Vec<String> {
    let gone = diff.objects.iter();
    let gone = gone.filter(|object| object.only_in == Some(Side::A));
    let names = gone.map(|object| object.object.clone());
    // A view and its query are one to a person.
    names
        .filter(|name| !name.starts_with("query of "))
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| {
        Error::new(
            ErrorKind::Storage,
            format!("cannot write \"{}\"", path.display()),
        )
        .with_source(source)
    })
}

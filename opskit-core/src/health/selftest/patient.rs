//! The server that is broken, and how it is looked at.

use super::fault::{Fault, How, Statements};
use super::slow::SlowWire;
use super::{PATIENCE, the_probe};
use crate::context::{Clock, OpContext};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::health::{
    HealthReport, HealthRequest, Limits, State, Threshold, Verdict, check, probes,
};
use crate::postgres::url::{ConnectEnv, DatabaseUrl};
use crate::postgres::wire::WireConnection;
use crate::scratch::ScratchServer;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A server of its own: faults are about the whole of it.
pub(super) struct Patient {
    ctx: OpContext,
    server: ScratchServer,
}

/// How it is looked at.
#[derive(Default)]
pub(super) struct Looks {
    limits: Limits,
    before: Option<HealthReport>,
    wire: Option<SlowWire>,
    is_off: bool,
    /// Before each look.
    nudge: Option<Statements>,
}

/// What stays until it is mended.
#[derive(Default)]
pub(super) struct Broken {
    held: Vec<WireConnection>,
    waiting: Option<JoinHandle<Result<()>>>,
}

/// A clock that is off.
#[derive(Debug)]
struct Off(OpContext);

impl Clock for Off {
    fn now(&self) -> OffsetDateTime {
        self.0.clock().now() + Duration::from_secs(10)
    }

    fn elapsed(&self) -> Duration {
        self.0.clock().elapsed()
    }
}

/// The database that is broken; another one has what copies it.
const DATABASE: &str = "patient";

impl Patient {
    pub(super) async fn start(ctx: &OpContext, bin_dir: Option<PathBuf>) -> Result<Self> {
        let settings = [
            ("max_prepared_transactions", "5"),
            ("archive_mode", "on"),
            ("archive_command", "true"),
            ("wal_level", "logical"),
            // What is broken is not mended by itself meanwhile.
            ("autovacuum_naptime", "1h"),
            ("deadlock_timeout", "100ms"),
        ];
        let builder = ScratchServer::builder()
            .bin_dir(bin_dir)
            .durable()
            .data_checksums();
        let builder = settings
            .into_iter()
            .fold(builder, |builder, (name, value)| {
                builder.option(name, value)
            });
        let server = Box::pin(builder.start(ctx)).await?;
        let patient = Self {
            ctx: ctx.clone(),
            server,
        };
        let make = format!("create database {DATABASE}");
        patient.in_database("postgres", &[&make]).await?;
        Ok(patient)
    }

    pub(super) fn version_num(&self) -> u32 {
        self.server.version().num()
    }

    fn url(&self, database: &str) -> Result<DatabaseUrl> {
        let url = format!("{}&application_name=patient", self.server.url(database));
        DatabaseUrl::parse(&url, &ConnectEnv::default())
    }

    async fn session(&self, url: &DatabaseUrl) -> Result<WireConnection> {
        WireConnection::connect(url, self.ctx.cancel()).await
    }

    async fn in_database(&self, database: &str, statements: &[&str]) -> Result<()> {
        let mut session = self.session(&self.url(database)?).await?;
        for statement in statements {
            let doing = || format!("cannot run: {statement}");
            let done = session.query(statement).await;
            done.map_err(|error| error.while_doing(doing()))?;
        }
        session.close().await;
        Ok(())
    }

    async fn run(&self, statements: &[&str]) -> Result<()> {
        self.in_database(DATABASE, statements).await
    }

    async fn one(&self, sql: &str) -> Result<String> {
        let mut session = self.session(&self.url(DATABASE)?).await?;
        let sets = session.query(sql).await?;
        session.close().await;
        let row = sets.into_iter().flat_map(|set| set.rows).next();
        let field = row.and_then(|row| row.into_iter().next().flatten());
        field.ok_or_else(|| Error::new(ErrorKind::Internal, "the server gave no answer"))
    }

    /// All is in place, nothing is broken.
    pub(super) async fn prepare(&self, fault: &Fault, looks: &mut Looks) -> Result<()> {
        looks.limits = low_limits();
        match fault.how {
            How::Sql(steps) => {
                // Each in a session of its own: what a session did is counted at its end at the latest.
                for statement in steps.before {
                    self.run(&[statement]).await?;
                }
            }
            How::SmallDisk(_) => {
                let size = "select sum(pg_database_size(oid)) from pg_database";
                let size: u64 = self.one(size).await?.parse().map_err(|source| {
                    Error::new(ErrorKind::Internal, "a size is no number").with_source(source)
                })?;
                // A fifth above the threshold is free, and what fills it is more.
                looks.limits.disk = Some(size + size / 2);
            }
            How::Torn => {
                self.run(&[
                    "create table torn as select generate_series(1, 1000) as a",
                    // Writes a new file past the server's memory, so that the next reader reads the file.
                    "vacuum full torn",
                    "checkpoint",
                ])
                .await?;
            }
            How::StuckSubscriber => self.subscribe().await?,
            _ => {}
        }
        looks.before = Some(self.look(fault.id, looks).await?);
        Ok(())
    }

    async fn subscribe(&self) -> Result<()> {
        self.run(&[
            "create table copied (a int)",
            "create publication outward for table copied",
            "select pg_create_logical_replication_slot('outward', 'pgoutput')",
        ])
        .await?;
        let conninfo = format!(
            "host={} port={} user={} dbname={DATABASE}",
            self.server.socket_dir().display(),
            self.server.port(),
            self.server.user()
        );
        let subscribe = format!(
            "create subscription inward connection '{conninfo}' publication outward \
             with (create_slot = false, slot_name = 'outward', copy_data = false)"
        );
        self.in_database("postgres", &["create table copied (a int)", &subscribe])
            .await
    }

    pub(super) async fn break_it(&self, fault: &Fault, looks: &mut Looks) -> Result<Broken> {
        let mut broken = Broken::default();
        match fault.how {
            How::Sql(steps) | How::SmallDisk(steps) => {
                self.run(steps.broken).await?;
                looks.nudge = Some(steps.nudge);
            }
            How::Held(held, waiter) => {
                let mut holder = self.session(&self.url(DATABASE)?).await?;
                for statement in held {
                    holder.query(statement).await?;
                }
                broken.held.push(holder);
                if let Some(waiter) = waiter {
                    let mut session = self.session(&self.url(DATABASE)?).await?;
                    broken.waiting =
                        Some(tokio::spawn(async move { session.execute(waiter).await }));
                }
                // Time passes for others.
                looks.nudge = Some(&["select pg_current_xact_id()", "select pg_current_xact_id()"]);
            }
            How::Deadlock => self.deadlock().await?,
            How::Torn => self.tear().await?,
            How::SlowWire => {
                let socket = format!(".s.PGSQL.{}", self.server.port());
                let socket = self.server.socket_dir().join(socket);
                looks.wire = Some(SlowWire::to(socket, Duration::from_millis(300)).await?);
            }
            How::Clock => looks.is_off = true,
            How::LastConnection => {
                self.run(&["create role single login connection limit 1"])
                    .await?;
                let url = self.server.url(DATABASE);
                let user = format!("user={}", self.server.user());
                let url = url.replace(&user, "user=single");
                let url = DatabaseUrl::parse(&url, &ConnectEnv::default())?;
                broken.held.push(self.session(&url).await?);
            }
            How::StuckSubscriber => {
                let mut holder = self.session(&self.url("postgres")?).await?;
                for statement in ["begin", "lock table copied in access exclusive mode"] {
                    holder.query(statement).await?;
                }
                broken.held.push(holder);
                self.run(&["insert into copied values (1)"]).await?;
            }
            How::Answer(_) | How::Backups(_) => {}
        }
        Ok(broken)
    }

    pub(super) async fn mend(
        &self,
        fault: &Fault,
        looks: &mut Looks,
        broken: Broken,
    ) -> Result<()> {
        for session in broken.held {
            session.close().await;
        }
        if let Some(waiting) = broken.waiting {
            let ended = waiting.await.map_err(|source| {
                Error::new(ErrorKind::Internal, "a session was lost").with_source(source)
            });
            ended.flatten()?;
        }
        (looks.wire, looks.is_off) = (None, false);
        let mut counts = false;
        match fault.how {
            How::Sql(steps) | How::SmallDisk(steps) => {
                self.run(steps.mended).await?;
                counts = steps.counts;
            }
            How::Deadlock => counts = true,
            How::Torn => {
                self.run(&["drop table torn", "select pg_stat_reset()"])
                    .await?;
            }
            How::LastConnection => self.run(&["drop role single"]).await?,
            _ => looks.nudge = None,
        }
        if counts {
            // What happened has to arrive in the counters before they are read again.
            looks.before = None;
            looks.before = Some(self.settled(fault, looks).await?);
        }
        Ok(())
    }

    /// A report after which the counters stand still.
    async fn settled(&self, fault: &Fault, looks: &Looks) -> Result<HealthReport> {
        let counters = |report: &HealthReport| {
            let result = report.results.first().and_then(|it| it.sample.clone());
            result.and_then(|sample| sample.rows.first().map(|row| row[..2].to_vec()))
        };
        let mut last = self.look(fault.id, looks).await?;
        let end = Instant::now() + PATIENCE;
        loop {
            tokio::time::sleep(Duration::from_millis(1100)).await;
            let next = self.look(fault.id, looks).await?;
            if counters(&next) == counters(&last) || Instant::now() > end {
                return Ok(next);
            }
            last = next;
        }
    }

    /// Two sessions that wait for each other, until the server ends one of them.
    async fn deadlock(&self) -> Result<()> {
        self.run(&[
            "create table if not exists one (a int)",
            "create table if not exists two (a int)",
        ])
        .await?;
        let url = self.url(DATABASE)?;
        let (mut left, mut right) = (self.session(&url).await?, self.session(&url).await?);
        for (session, table) in [(&mut left, "one"), (&mut right, "two")] {
            session.query("begin").await?;
            session.query(&format!("lock table {table}")).await?;
        }
        let crossed = tokio::join!(left.query("lock table two"), right.query("lock table one"));
        let is_seen = crossed.0.is_err() || crossed.1.is_err();
        left.close().await;
        right.close().await;
        match is_seen {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::Internal,
                "the sessions did not lock each other out",
            )),
        }
    }

    /// Changes a byte of a page, and has it read.
    async fn tear(&self) -> Result<()> {
        let path = self.one("select pg_relation_filepath('torn')").await?;
        let path = self.server.data_dir().join(path);
        let lost = |source| storage("cannot write into a table's file".to_owned(), source);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(lost)?;
        file.seek(SeekFrom::Start(5000)).map_err(lost)?;
        file.write_all(b"torn").map_err(lost)?;
        file.sync_all().map_err(lost)?;
        match self.one("select count(*) from torn").await {
            Err(_) => Ok(()),
            Ok(_) => Err(Error::new(
                ErrorKind::Internal,
                "the server read a torn page",
            )),
        }
    }

    async fn look(&self, id: &str, looks: &Looks) -> Result<HealthReport> {
        let url = match &looks.wire {
            None => self.url(DATABASE)?,
            Some(wire) => {
                let url = format!(
                    "postgresql://{}@127.0.0.1:{}/{DATABASE}?sslmode=disable",
                    self.server.user(),
                    wire.port
                );
                DatabaseUrl::parse(&url, &ConnectEnv::default())?
            }
        };
        let mut request = HealthRequest::default();
        request.only.push(id.to_owned());
        request.limits = looks.limits.clone();
        request.before.clone_from(&looks.before);
        let ctx = match looks.is_off {
            true => self.ctx.clone().with_clock(Off(self.ctx.clone())),
            false => self.ctx.clone(),
        };
        Box::pin(check(&ctx, &url, &probes(), &request)).await
    }

    /// Looks until the probe says one of these.
    pub(super) async fn becomes(
        &self,
        fault: &Fault,
        looks: &Looks,
        wanted: &[State],
        when: &str,
    ) -> Result<Verdict> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(nudge) = looks.nudge {
                self.run(nudge).await?;
            }
            let report = self.look(fault.id, looks).await?;
            let Some(result) = report.results.into_iter().next() else {
                return the_probe(&[], fault.id).map(|_| Verdict::found(Vec::new()));
            };
            if wanted.contains(&result.verdict.state) {
                return Ok(result.verdict);
            }
            if Instant::now() > end {
                return Err(unexpected(&result.verdict, when));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn unexpected(verdict: &Verdict, when: &str) -> Error {
    let state = verdict.state.as_str();
    let said = verdict
        .findings
        .first()
        .map(|it| format!(" ({}: {})", it.object, it.detail));
    let because = verdict.because.as_ref().map(|it| format!(" ({it})"));
    let said = said.or(because).unwrap_or_default();
    let message = format!("it was {state}{said} {when} the fault");
    Error::new(ErrorKind::CheckFailed, message)
}

/// Nobody waits for hours to see that something takes hours.
fn low_limits() -> Limits {
    let at_once = Threshold {
        warn: 0.0,
        fail: 0.0,
    };
    let soon = Threshold {
        warn: 3.0,
        fail: 30.0,
    };
    let ids = [
        "transactions.idle",
        "transactions.longest",
        "locks.blocked",
        "transactions.prepared",
        "indexes.unused",
    ];
    let limits = ids
        .into_iter()
        .fold(Limits::default(), |limits, id| limits.with(id, at_once));
    let moments = Threshold {
        warn: 0.5,
        fail: 60.0,
    };
    limits
        .with("transactions.xmin", soon)
        .with("replication.lag", moments)
}

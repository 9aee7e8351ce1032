//! Choosing and starting a scratch server.

use super::directory::ScratchDir;
use super::env::ScratchEnv;
use super::initdb::{Cluster, SUPERUSER};
use super::locate::ServerBinaries;
use super::postmaster::Postmaster;
use super::server::{ScratchServer, Substitution};
use super::settings::{self, Durability};
use super::sweep::sweep_bases;
use super::user::ServerUser;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::event::Event;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a scratch server is to be like; made by [`ScratchServer::builder`].
#[derive(Debug, Clone)]
pub struct ScratchBuilder {
    bin_dir: Option<PathBuf>,
    base_dir: Option<PathBuf>,
    run_as: Option<String>,
    env: ScratchEnv,
    encoding: String,
    locale: String,
    superuser: String,
    options: Vec<(String, String)>,
    initdb_options: Vec<String>,
    durability: Durability,
    start_timeout: Duration,
}

impl ScratchBuilder {
    pub(super) fn new(env: ScratchEnv) -> Self {
        Self {
            bin_dir: None,
            base_dir: None,
            run_as: None,
            env,
            encoding: "UTF8".to_owned(),
            locale: "C.UTF-8".to_owned(),
            superuser: SUPERUSER.to_owned(),
            options: Vec::new(),
            initdb_options: Vec::new(),
            durability: Durability::Off,
            start_timeout: Duration::from_secs(60),
        }
    }

    /// Uses the server binaries of this directory, when there is one; otherwise they are searched
    /// for as [`ServerBinaries::locate`] says.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().bin_dir(Some("/usr/lib/postgresql/17/bin"));
    /// ```
    #[must_use]
    pub fn bin_dir(mut self, dir: Option<impl Into<PathBuf>>) -> Self {
        self.bin_dir = dir.map(Into::into);
        self
    }

    /// Makes the server's directory in `dir` instead of `TMPDIR` or `/tmp`. Its path must be short:
    /// the path of a Unix socket ends after about a hundred bytes.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().base_dir("/var/tmp");
    /// ```
    #[must_use]
    pub fn base_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.base_dir = Some(dir.into());
        self
    }

    /// Runs the server as this system user; only root can. Without it root takes `postgres` or
    /// `nobody`, and everybody else themselves.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().run_as("postgres");
    /// ```
    #[must_use]
    pub fn run_as(mut self, user: impl Into<String>) -> Self {
        self.run_as = Some(user.into());
        self
    }

    /// Uses these values instead of the environment of this process.
    ///
    /// ```
    /// # use opskit_core::scratch::{ScratchEnv, ScratchServer};
    /// let builder = ScratchServer::builder().env(ScratchEnv::from_process());
    /// ```
    #[must_use]
    pub fn env(mut self, env: ScratchEnv) -> Self {
        self.env = env;
        self
    }

    /// The encoding of the template databases; `UTF8` without it.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().encoding("LATIN1").locale("C");
    /// ```
    #[must_use]
    pub fn encoding(mut self, encoding: impl Into<String>) -> Self {
        self.encoding = encoding.into();
        self
    }

    /// The locale of the template databases; `C.UTF-8` without it. One that is missing on this
    /// machine is substituted: see [`ScratchServer::substitutions`].
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().locale("de_DE.UTF-8");
    /// ```
    #[must_use]
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = locale.into();
        self
    }

    /// Names the superuser; `postgres` without it. Where strangers' code runs, its name is better not one that
    /// they know.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().superuser("nobody_knows");
    /// ```
    #[must_use]
    pub fn superuser(mut self, name: impl Into<String>) -> Self {
        self.superuser = name.into();
        self
    }

    /// Sets a server setting. Those that keep the server private are refused by
    /// [`ScratchBuilder::start`].
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().option("shared_buffers", "256MB").option("jit", "off");
    /// ```
    #[must_use]
    pub fn option(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.options.push((name.into(), value.into()));
        self
    }

    /// Has the server keep checksums of its pages, as 18 and managed servers do by themselves.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().data_checksums();
    /// ```
    #[must_use]
    pub fn data_checksums(mut self) -> Self {
        self.initdb_options.push("--data-checksums".to_owned());
        self
    }

    /// Keeps `fsync`, `synchronous_commit` and `full_page_writes` on. They are off otherwise:
    /// nobody needs a scratch server after a crash of the machine.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().durable();
    /// ```
    #[must_use]
    pub fn durable(mut self) -> Self {
        self.durability = Durability::Full;
        self
    }

    /// How long making and starting the server may take; a minute without it.
    ///
    /// ```
    /// # use opskit_core::scratch::ScratchServer;
    /// let builder = ScratchServer::builder().start_timeout(std::time::Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Removes what dead processes left behind, makes a cluster, starts it and waits until it takes
    /// connections. Dropping the future stops and removes what there is by then.
    ///
    /// # Errors
    ///
    /// `NotFound` without server binaries, `InvalidInput` for an option the server refuses,
    /// `Storage` when the disk is full, `Timeout`, `Cancelled`; `PermissionDenied` and `Unsupported`
    /// when the binaries cannot be run.
    ///
    /// ```no_run
    /// # async fn run() -> opskit_core::Result<()> {
    /// use opskit_core::{context::OpContext, scratch::ScratchServer};
    /// let server = ScratchServer::builder().start(&OpContext::default()).await?;
    /// println!("Postgres {} at {}", server.version(), server.url("postgres"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self, ctx: &OpContext) -> Result<ScratchServer> {
        let timeout = self.start_timeout;
        let work = async {
            match tokio::time::timeout(timeout, Box::pin(self.run(ctx))).await {
                Ok(result) => result,
                Err(_) => Err(Error::new(
                    ErrorKind::Timeout,
                    format!(
                        "the scratch server was not ready within {} s",
                        timeout.as_secs_f32()
                    ),
                )
                .with_hint("Allow more time, or look whether this machine is overloaded.")),
            }
        };
        ctx.cancel().guard(work).await
    }

    async fn run(self, ctx: &OpContext) -> Result<ScratchServer> {
        let bases = self.bases()?;
        let swept = sweep_bases(bases.clone()).await?;
        if !swept.removed.is_empty() {
            let message = format!(
                "removed {} scratch servers of dead processes",
                swept.removed.len()
            );
            ctx.emit(Event::Warning { message });
        }
        let user = ServerUser::choose(self.run_as.as_deref())?;
        let binaries = self.locate(&user).await?;
        let dir = ScratchDir::create(&bases, &user)?;
        let cluster = Cluster {
            dir: &dir,
            binaries: &binaries,
            user: &user,
            env: &self.env,
            encoding: &self.encoding,
            locale: &self.locale,
            superuser: &self.superuser,
            options: &self.initdb_options,
        };
        // Before the work, so that a refused option costs nothing.
        let settings = settings::render(self.durability, &self.options, &dir.socket())?;
        let substitutions: Vec<_> = cluster.init().await?.into_iter().collect();
        for Substitution {
            setting,
            wanted,
            used,
        } in &substitutions
        {
            let message = format!(
                "the scratch server has {setting} \"{used}\": \"{wanted}\" is missing on this machine"
            );
            ctx.emit(Event::Warning { message });
        }
        append(&dir.data().join("postgresql.conf"), &settings)?;
        let postmaster = Postmaster::start(&dir, &binaries, &user, &self.env).await?;
        Ok(ScratchServer::new(
            postmaster,
            dir,
            binaries,
            substitutions,
            self.superuser,
        ))
    }

    /// Where the server's directory may be made, best first.
    fn bases(&self) -> Result<Vec<PathBuf>> {
        match &self.base_dir {
            None => Ok(self.env.bases()),
            Some(dir) => match dir.canonicalize() {
                Ok(dir) => Ok(vec![dir]),
                Err(e) => Err(storage(
                    format!("cannot use directory \"{}\"", dir.display()),
                    e,
                )),
            },
        }
    }

    async fn locate(&self, user: &ServerUser) -> Result<ServerBinaries> {
        let (bin_dir, env, user) = (self.bin_dir.clone(), self.env.clone(), user.clone());
        let work = move || ServerBinaries::locate_as(bin_dir.as_deref(), &env, &user);
        tokio::task::spawn_blocking(work).await.map_err(|e| {
            Error::new(ErrorKind::Internal, "the search for server binaries failed").with_source(e)
        })?
    }
}

fn append(file: &Path, text: &str) -> Result<()> {
    let write = || {
        std::fs::OpenOptions::new()
            .append(true)
            .open(file)?
            .write_all(text.as_bytes())
    };
    write().map_err(|e| storage(format!("cannot write \"{}\"", file.display()), e))
}

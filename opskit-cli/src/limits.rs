//! What a run may take: typed, else as `opskit.toml` says, else the default.

use crate::App;
use crate::exit::usage_error;
use crate::project::Project;
use clap::Args;
use opskit_core::Error;
use opskit_core::config::{self, parse_duration, parse_size};
use std::time::Duration;

/// The memory of a job with the library's own sizes of buffers.
const JOB_BYTES: u64 = 128 << 20;
/// The least with which a job can work.
const JOB_BYTES_MIN: u64 = 16 << 20;

/// The options; their defaults may stand in `[limits]`.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Connections that read at the same time [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: Option<u16>,
    /// How long to wait for the lock on a table [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    lock_timeout: Option<Duration>,
    /// Size of a part on the server's disk; each part of a table is one file [default: 128MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    part_size: Option<u64>,
    /// Memory for buffers, shared evenly by the jobs; values larger than that come on top
    /// [default: 256MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    memory: Option<u64>,
}

/// What a run may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) jobs: u16,
    pub(crate) lock_timeout: Duration,
    pub(crate) part_size: u64,
    pub(crate) memory: u64,
}

impl LimitArgs {
    /// Fills in what was not typed.
    pub(crate) fn resolve(&self, app: &App) -> Result<Limits, Error> {
        let project = Project::find(app)?;
        let file = project.map_or_else(config::Limits::default, |project| project.config.limits);
        let limits = Limits {
            jobs: self.jobs.or(file.jobs).unwrap_or(2),
            lock_timeout: self
                .lock_timeout
                .or(file.lock_timeout)
                .unwrap_or(Duration::from_secs(10)),
            part_size: self.part_size.or(file.part_size).unwrap_or(128 << 20),
            memory: self.memory.or(file.memory).unwrap_or(256 << 20),
        };
        if limits.job_bytes() < JOB_BYTES_MIN {
            return Err(usage_error(
                "--memory is too small for so many jobs",
                "Each job needs 16MiB at least: give more memory or fewer --jobs.",
            ));
        }
        Ok(limits)
    }
}

impl Limits {
    fn job_bytes(&self) -> u64 {
        self.memory / u64::from(self.jobs)
    }

    /// A buffer's share of the memory, where the library would take `default`.
    pub(crate) fn share_of_memory(&self, default: usize) -> usize {
        let job = self.job_bytes().min(JOB_BYTES);
        (default as u128 * u128::from(job) / u128::from(JOB_BYTES)) as usize
    }
}

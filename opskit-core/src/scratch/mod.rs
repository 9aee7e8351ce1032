//! A throw-away Postgres, started from local server binaries.
//!
//! [`ScratchServer`] makes a cluster in a private directory, starts it on a Unix socket only, and
//! stops and removes it when it is dropped. Tests, demos and drills use it. It may hold production
//! data, so nobody else can reach it and nothing outlives its use: what a killed process left
//! behind is removed by the next start, or by [`sweep`].
//!
//! ```no_run
//! # async fn run() -> opskit_core::Result<()> {
//! use opskit_core::{context::OpContext, scratch::ScratchServer};
//! let server = ScratchServer::builder()
//!     .option("shared_buffers", "256MB")
//!     .start(&OpContext::default())
//!     .await?;
//! println!("psql '{}'", server.url("postgres"));
//! server.stop().await
//! # }
//! ```

mod builder;
mod directory;
mod env;
mod initdb;
mod locate;
mod postmaster;
mod process;
mod server;
mod settings;
mod sweep;
mod user;

pub use builder::ScratchBuilder;
pub use env::ScratchEnv;
pub use locate::{ServerBinaries, ServerVersion};
pub use server::{ScratchServer, Substitution};
pub use sweep::{SweepReport, sweep};

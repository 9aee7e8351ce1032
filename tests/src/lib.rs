//! The harness of the integration tests: one real server per test run, one database per test.
//!
//! A static is never dropped and nextest gives every test a process of its own, so no test can own
//! the server. A keeper process does ([`keeper`]): the first test that needs it starts it, and it
//! stops the server when the run is over, however that ended. If the keeper itself is killed, the
//! next run sweeps.

mod database;
pub mod export;
mod folder;
pub mod keeper;
pub mod matrix;
mod run;
pub mod secrets;
pub mod stores;
pub mod tables;
pub mod tls;

pub use database::{TestDb, database, database_with, try_psql};
pub use folder::folder_of;
pub use run::{TestServer, helper, server};

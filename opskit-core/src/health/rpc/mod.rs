//! `public.health_check`: the health of a database for callers of PostgREST, who have nothing but the `anon` key.
//!
//! The function runs with its caller's rights, reads one row and the catalog, and costs the same whatever the tables
//! hold. Numbers about rows are taken by `refresh`, which `anon` may not call, and kept in that one row. Callers learn
//! what the owner chose to publish and nothing else.

mod install;
mod outside;
mod settings;
mod sql;

pub use install::{InstallReport, Installed, install, refresh, uninstall};
pub use outside::{Outside, OutsideCheck};
pub use settings::{Counts, Latest, RpcSettings};
pub use sql::{install_sql, uninstall_sql};

//! `opskit health serve`: health over HTTP, for load balancers, orchestrators and Prometheus.
//!
//! However many ask, one run asks the database at a time, and its answer serves all who came meanwhile. Read `reports`,
//! then `routes`, then `listen`.

mod listen;
mod reports;
mod routes;
mod tls;
mod token;

pub(crate) use listen::serve;
pub(crate) use reports::{Reports, Runs};
pub(crate) use routes::{Site, router};
pub(crate) use tls::acceptor;
pub(crate) use token::Token;

//! The bulk path: our own small client for COPY, on `postgres-protocol`, `tokio` and `rustls`.
//!
//! [`WireConnection`] connects and runs statements, [`CopyOut`] and [`CopyIn`] move data. Read
//! `connect` (which server), `start` (one session), `stream` (messages), `connection` (statements and
//! the guarantee that nothing gets out of step), then `copy_scan`, the loop that every row passes.

mod auth;
mod binding;
mod canceller;
mod connect;
mod connection;
mod copy_buffer;
mod copy_in;
mod copy_out;
mod copy_scan;
mod copy_thread;
mod extended;
mod pooler;
mod resolved;
mod result_set;
mod server_error;
mod start;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod transport;
mod verify;
mod version;

pub use canceller::Canceller;
pub use connection::WireConnection;
pub use copy_buffer::CopyBuffer;
pub use copy_in::CopyIn;
pub use copy_out::{CopyOut, CopyStatus};
pub use pooler::refuse_transaction_pooler;
pub use resolved::{Peer, ResolvedHost};
pub use result_set::{Column, ResultSet};
pub(crate) use server_error::from_sqlx;
pub use stream::Notice;

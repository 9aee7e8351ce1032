//! The only module that opens sockets or names `sqlx`.

pub mod catalog;
pub mod export;
pub mod facts;
pub mod load;
mod pair;
mod server_process;
pub(crate) mod session;
pub mod url;
pub mod wire;

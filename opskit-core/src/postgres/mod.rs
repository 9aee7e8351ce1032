//! The only module that opens sockets or names `sqlx`.

pub mod url;
pub mod wire;

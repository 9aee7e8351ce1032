//! The bulk path: our own small client for COPY, on `postgres-protocol`, `tokio` and `rustls`.

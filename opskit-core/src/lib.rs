//! Operations that keep a Postgres database safe.
//!
//! Read the modules in this order; each uses only what stands before it:
//! [`error`], [`secret`], [`name`], [`cancel`], [`event`], [`context`], [`hook`], [`pgtype`], [`catalog`],
//! [`export`], [`config`], [`environment`], [`sink`], [`repository`], [`postgres`], [`scratch`], [`backup`], [`migrate`] and [`health`].
#![cfg_attr(
    test,
    expect(
        clippy::result_large_err,
        reason = "the error of property tests is large"
    )
)]

pub mod backup;
pub mod cancel;
pub mod catalog;
pub mod config;
pub mod context;
pub mod environment;
pub mod error;
pub mod event;
pub mod export;
pub mod health;
pub mod hook;
mod http;
pub mod migrate;
pub mod name;
pub mod pgtype;
pub mod postgres;
pub mod repository;
pub mod scratch;
pub mod seal;
pub mod secret;
pub mod sink;
pub mod state;
#[cfg(feature = "testing")]
pub mod testing;
pub mod validate;

pub use error::{Error, ErrorKind, Result};

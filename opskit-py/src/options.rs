//! Options as Python gives them: one JSON object per operation, whose keys the package has checked.

use opskit_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Reads the options of an operation.
pub(crate) fn parse<T: DeserializeOwned>(options: &str) -> Result<T> {
    serde_json::from_str(options).map_err(|source| {
        // Values are the user's own: they may be shown, and say what is wrong best.
        Error::new(
            ErrorKind::InvalidInput,
            "an option has no value that it can have",
        )
        .with_source(source.to_string())
    })
}

/// A time in seconds.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Seconds(pub(crate) Duration);

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        Duration::try_from_secs_f64(seconds)
            .map(Self)
            .map_err(|error| error.to_string())
    }
}

//! How object stores are connected to: our client for HTTP, and few tries, because we try again ourselves.

use crate::error::{Error, ErrorKind};
use crate::http::{build, client_builder};
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may say nothing. Slow lines are not given up while something moves.
const SILENCE: Duration = Duration::from_secs(60);

/// Makes the client.
#[derive(Debug)]
pub(super) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = client_builder()
            .map(|client| {
                client
                    .connect_timeout(CONNECT_TIMEOUT)
                    .read_timeout(SILENCE)
            })
            .and_then(build);
        let client = client.map_err(|error| object_store::Error::Generic {
            store: "HTTP",
            source: Box::new(error),
        })?;
        Ok(HttpClient::new(client))
    }
}

/// What may pass is tried again by the adapter above; these tries are for servers that are short of breath.
pub(super) fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 2,
        retry_timeout: Duration::from_secs(60),
    }
}

/// A store that cannot be set up.
pub(super) fn cannot_set_up(error: &object_store::Error) -> Error {
    Error::new(ErrorKind::InvalidInput, "the store cannot be set up")
        .with_source(super::super::store::shown(error))
}

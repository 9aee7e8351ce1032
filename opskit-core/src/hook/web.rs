//! URLs.

use crate::error::{Error, ErrorKind, Result};
use crate::http::{build, client_builder};
use crate::name::random_hex;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// How often it is tried before it is given up.
const ATTEMPTS: u32 = 4;
/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after the first attempt; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The URL of a web hook. Its path and query often are a secret: nothing of it but the host is ever shown.
///
/// ```
/// use opskit_core::hook::HookUrl;
/// let url = HookUrl::parse("https://hooks.example.com/T0/s3cret")?;
/// assert_eq!(format!("{url:?}"), "HookUrl(\"hooks.example.com\")");
/// assert!(HookUrl::parse("file:///etc/passwd").is_err());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl(Url);

impl HookUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no URL, or neither `https` nor `http`. It is not repeated.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text.trim()).ok();
        let usable = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        usable.map(Self).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "the URL of a hook cannot be used")
                .with_hint("Write all of it, such as https://hooks.example.com/services/….")
        })
    }

    /// The host, which is all that is shown.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HookUrl").field(&self.host()).finish()
    }
}

/// Posts a document. What may pass (no connection, an error of the server's own) is tried again, with the
/// same key: an attempt that was given up may have arrived.
pub(super) async fn post(url: &HookUrl, document: &[u8]) -> Result<()> {
    let client = client()?;
    let key = random_hex();
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match attempt(&client, url, &key, document).await {
            Err(error) if error.is_retryable() => {
                tracing::debug!(%error, "the hook is tried again");
            }
            ended => return ended,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    attempt(&client, url, &key, document).await
}

async fn attempt(client: &Client, url: &HookUrl, key: &str, document: &[u8]) -> Result<()> {
    let request = client
        .post(url.0.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("Idempotency-Key", key)
        .body(document.to_vec());
    let host = url.host();
    let response = request.send().await.map_err(|error| {
        let kind = match error.is_timeout() {
            true => ErrorKind::Timeout,
            false => ErrorKind::Connection,
        };
        Error::new(kind, format!("\"{host}\" cannot be reached")).with_source(innermost(&error))
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let error = Error::new(kind_of(status), format!("\"{host}\" answered {status}"));
    Err(if status.is_redirection() {
        error.with_hint("Redirects are not followed: give the URL that this one leads to.")
    } else {
        error
    })
}

/// What a status other than 2xx means: try again later, or never.
fn kind_of(status: StatusCode) -> ErrorKind {
    let later = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
    if status.is_server_error() || later.contains(&status) {
        ErrorKind::Busy
    } else {
        ErrorKind::CheckFailed
    }
}

/// The cause of causes. The layers above it say nothing, and the outermost may tell the URL.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = match error.source() {
        Some(cause) => cause,
        None => return "the request failed".to_owned(),
    };
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn client() -> Result<Client> {
    let client = client_builder()?
        .timeout(ATTEMPT_TIMEOUT)
        // There is one request; a connection that is kept would only be waited for.
        .pool_max_idle_per_host(0);
    build(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_repeated() {
        for text in [
            "ftp://hooks.example.com/s3cret",
            "s3cret",
            "https://[s3cret",
            "",
        ] {
            let error = HookUrl::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            let told = format!("{error:?} {}", error.chain().join(" "));
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, retryable) in [
            (500, true),
            (503, true),
            (429, true),
            (404, false),
            (302, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(kind_of(status).is_retryable(), retryable, "{status}");
        }
    }
}

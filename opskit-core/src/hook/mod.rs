//! Hooks: programs and URLs of the user's that are told how a run ended.
//!
//! A hook gets one JSON document. That it fails changes nothing about the run, which has its own end:
//! whoever calls it makes a warning of that.

mod command;
mod web;

pub use web::HookUrl;

use crate::cancel::Cancel;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use std::time::Duration;

/// How long a hook may take when nobody says.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hook {
    /// A program and its arguments, never through a shell. The document is its standard input.
    Command(Vec<String>),
    /// A URL. The document is posted to it as `application/json`, at least once: all attempts have the
    /// same `Idempotency-Key`.
    Web(HookUrl),
    /// One that cannot be called, because its URL is not where it should be. A run is not held up by that:
    /// calling it fails.
    Broken {
        /// What is wrong, as a fragment.
        problem: String,
    },
}

impl Hook {
    /// Calls it and waits for its end.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use opskit_core::hook::Hook;
    /// let program = |words: &[&str]| Hook::Command(words.iter().map(|word| word.to_string()).collect());
    /// let document = b"{\"status\":\"success\"}";
    /// program(&["grep", "-q", "success"]).call(document).await?;
    /// assert!(program(&["false"]).call(document).await.is_err());
    /// # Ok::<(), opskit_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::CheckFailed`] when a program ends with another status than 0, or a URL answers with
    /// another than 2xx; `Storage` or `PermissionDenied` when a program cannot be run; `Connection`, `Busy`
    /// or `Timeout` when a URL did not answer, or only with errors of its own, after several attempts;
    /// `InvalidInput` when it is broken.
    pub async fn call(&self, document: &[u8]) -> Result<()> {
        match self {
            Self::Command(words) => command::run(words, document).await,
            Self::Web(url) => web::post(url, document).await,
            Self::Broken { problem } => Err(Error::new(ErrorKind::InvalidInput, problem.as_str())),
        }
    }
}

/// Who is told of which end.
///
/// ```
/// use opskit_core::hook::{Hook, HookUrl, Hooks};
/// let mut hooks = Hooks::default();
/// hooks.on_failure = Some(Hook::Web(HookUrl::parse("https://hooks.example.com/T0/s3cret")?));
/// // The path of such a URL is a secret.
/// assert!(!format!("{hooks:?}").contains("s3cret"));
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hooks {
    /// Called after a success.
    pub on_success: Option<Hook>,
    /// Called after a failure, and when the caller cancelled.
    pub on_failure: Option<Hook>,
    /// How long one may take, with all its attempts. Default [`TIMEOUT`].
    pub timeout: Duration,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            on_success: None,
            on_failure: None,
            timeout: TIMEOUT,
        }
    }
}

impl Hooks {
    /// Tells the hook for successes, where there is one.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use opskit_core::context::OpContext;
    /// use opskit_core::hook::{Hook, Hooks};
    /// let mut hooks = Hooks::default();
    /// hooks.on_success = Some(Hook::Command(vec!["false".into()]));
    /// let error = hooks.succeeded(&OpContext::default(), b"{}").await.unwrap_err();
    /// assert_eq!(error.to_string(), "hook on_success failed");
    /// hooks.failed(&OpContext::default(), b"{}").await?;
    /// # Ok::<(), opskit_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Hook::call`]; of kind `Timeout` when it takes too long, `Cancelled` when the caller does not
    /// wait for it.
    pub async fn succeeded(&self, ctx: &OpContext, document: &[u8]) -> Result<()> {
        let hook = self.on_success.as_ref();
        self.call("on_success", hook, ctx.cancel(), document).await
    }

    /// Tells the hook for failures, where there is one.
    ///
    /// # Errors
    /// As [`Self::succeeded`].
    pub async fn failed(&self, ctx: &OpContext, document: &[u8]) -> Result<()> {
        let hook = self.on_failure.as_ref();
        // That the run was cancelled is what it is to be told.
        let never = Cancel::never();
        let cancel = match ctx.cancel().is_cancelled() {
            true => &never,
            false => ctx.cancel(),
        };
        self.call("on_failure", hook, cancel, document).await
    }

    async fn call(
        &self,
        name: &str,
        hook: Option<&Hook>,
        cancel: &Cancel,
        document: &[u8],
    ) -> Result<()> {
        let Some(hook) = hook else { return Ok(()) };
        let work = async {
            let called = tokio::time::timeout(self.timeout, Box::pin(hook.call(document))).await;
            called.unwrap_or_else(|_| {
                let seconds = self.timeout.as_secs_f32();
                let message = format!("it took longer than {seconds} s");
                Err(Error::new(ErrorKind::Timeout, message))
            })
        };
        let called = cancel.guard(work).await;
        called.map_err(|error| error.while_doing(format!("hook {name} failed")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Hook {
        Hook::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_given_up() {
        let hooks = Hooks {
            on_failure: Some(shell("exec sleep 600")),
            timeout: Duration::from_millis(100),
            ..Hooks::default()
        };
        let error = hooks.failed(&OpContext::default(), b"{}").await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Timeout);
    }

    /// One that reads nothing and one that is told more than a pipe holds end as they say.
    #[tokio::test]
    async fn a_program_may_leave_its_input_unread() {
        let document = vec![b' '; 1 << 20];
        shell("exit 0").call(&document).await.unwrap();
        let error = shell("exit 3").call(&document).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CheckFailed);
    }

    #[tokio::test]
    async fn a_cancelled_run_tells_its_failure_and_does_not_wait_for_its_success() {
        let (handle, cancel) = Cancel::pair();
        handle.cancel();
        let ctx = OpContext::new(cancel);
        let hooks = Hooks {
            on_success: Some(shell("exec sleep 600")),
            on_failure: Some(shell("exit 0")),
            ..Hooks::default()
        };
        hooks.failed(&ctx, b"{}").await.unwrap();
        let error = hooks.succeeded(&ctx, b"{}").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

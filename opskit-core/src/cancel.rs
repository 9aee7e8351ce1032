//! Cancellation: a handle that asks, a token that is asked. No runtime type is in the interface.

use crate::error::{Error, ErrorKind, Result};
use tokio::sync::watch;

/// Asks the operations that hold the matching [`Cancel`] to stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CancelHandle(watch::Sender<bool>);

/// Tells an operation whether it was asked to stop. Cheap to clone.
///
/// ```
/// use opskit_core::cancel::Cancel;
/// let (handle, cancel) = Cancel::pair();
/// assert!(cancel.check().is_ok());
/// handle.cancel();
/// assert!(cancel.is_cancelled());
/// assert_eq!(cancel.check().unwrap_err().kind().as_str(), "cancelled");
/// ```
#[derive(Debug, Clone)]
pub struct Cancel(watch::Receiver<bool>);

impl CancelHandle {
    /// Asks once; asking again changes nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancel {
    /// A handle and the token it controls.
    #[must_use]
    pub fn pair() -> (CancelHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (CancelHandle(sender), Self(receiver))
    }

    /// A token that nobody can cancel.
    #[must_use]
    pub fn never() -> Self {
        Self::pair().1
    }

    /// Whether the handle asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// `Err` of kind [`ErrorKind::Cancelled`] once the handle asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(cancelled())
        } else {
            Ok(())
        }
    }

    /// Completes when the handle asks; never completes when every handle is gone without asking.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Runs `work` until it ends or the handle asks to stop, whichever is first. `work` is dropped
    /// when it loses.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => Err(cancelled()),
            result = work => result,
        }
    }
}

/// The error of a cancelled operation.
pub(crate) fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "cancelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn guard_ends_when_asked() {
        let (handle, cancel) = Cancel::pair();
        handle.cancel();
        let result = cancel.guard(std::future::pending::<Result<()>>()).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    }

    #[tokio::test]
    async fn guard_lets_work_finish() {
        let cancel = Cancel::never();
        assert_eq!(cancel.guard(async { Ok(7) }).await.unwrap(), 7);
    }
}

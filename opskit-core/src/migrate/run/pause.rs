//! Waiting between tries.

use crate::cancel::Cancel;
use crate::error::Result;
use std::time::Duration;
use tokio::time::Instant;

const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that grow, up to a deadline. Each is somewhere between half and all of its length, so that those who wait
/// for the same thing do not ask at the same moments.
#[derive(Debug)]
pub(super) struct Pauses {
    deadline: Instant,
    next: Duration,
}

impl Pauses {
    pub(super) fn until(wait: Duration) -> Self {
        let now = Instant::now();
        Self {
            // A wait that no clock can hold is for ever.
            deadline: now
                .checked_add(wait)
                .unwrap_or(now + Duration::from_secs(1 << 30)),
            next: SHORTEST,
        }
    }

    /// Whether nobody has waited yet.
    pub(super) fn is_first(&self) -> bool {
        self.next == SHORTEST
    }

    /// Waits once more; `false` when the deadline has passed.
    pub(super) async fn wait(&mut self, cancel: &Cancel) -> Result<bool> {
        let now = Instant::now();
        if now >= self.deadline {
            return Ok(false);
        }
        let pause = self.next.mul_f64(0.5 + 0.5 * fraction());
        let until = (now + pause).min(self.deadline);
        let sleep = async {
            tokio::time::sleep_until(until).await;
            Ok(())
        };
        cancel.guard(sleep).await?;
        self.next = (self.next * 2).min(LONGEST);
        Ok(true)
    }
}

/// Something between 0 and 1.
fn fraction() -> f64 {
    let mut byte = [0_u8; 1];
    // Without randomness the pauses are all of one length, which is no harm.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_waits_past_the_deadline() {
        let mut pauses = Pauses::until(Duration::ZERO);
        assert!(pauses.is_first());
        assert!(!pauses.wait(&Cancel::never()).await.unwrap());
    }

    #[tokio::test]
    async fn a_pause_ends_when_the_run_is_cancelled() {
        let (handle, cancel) = Cancel::pair();
        handle.cancel();
        let mut pauses = Pauses::until(Duration::MAX);
        assert!(pauses.wait(&cancel).await.is_err());
    }
}

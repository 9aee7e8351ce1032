//! What every operation is given besides its own arguments.

use crate::cancel::Cancel;
use crate::event::{Event, Observer};
use std::sync::Arc;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// Tells the time; tests give a fixed one.
pub trait Clock: std::fmt::Debug + Send + Sync {
    /// The time of day, in UTC.
    fn now(&self) -> OffsetDateTime;
    /// A reading that only grows, for durations.
    fn elapsed(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
struct SystemClock(Instant);

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Cancellation, observer and clock of one operation. Cheap to clone.
///
/// ```
/// use opskit_core::{cancel::Cancel, context::OpContext, event::Event};
/// let (stop, cancel) = Cancel::pair();
/// let ctx = OpContext::new(cancel).with_observer(|event: &Event| drop(format!("{event:?}")));
/// stop.cancel();
/// assert!(ctx.cancel().is_cancelled());
/// ```
#[derive(Debug, Clone)]
pub struct OpContext {
    cancel: Cancel,
    observer: Option<Arc<dyn Observer>>,
    clock: Arc<dyn Clock>,
}

impl OpContext {
    /// A context with this cancellation, no observer, and the machine's clock.
    #[must_use]
    pub fn new(cancel: Cancel) -> Self {
        Self {
            cancel,
            observer: None,
            clock: Arc::new(SystemClock(Instant::now())),
        }
    }

    /// Sends events to `observer`.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Takes the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The cancellation.
    #[must_use]
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Tells the observer, if there is one.
    pub fn emit(&self, event: Event) {
        if let Some(observer) = &self.observer {
            observer.observe(&event);
        }
    }
}

impl Default for OpContext {
    /// Never cancelled, not observed.
    fn default() -> Self {
        Self::new(Cancel::never())
    }
}

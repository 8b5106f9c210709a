//! When the next request may be sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Spreads requests over a minute, and holds them all back when the server has too many.
pub(super) struct Pace {
    /// Between two requests.
    gap: Duration,
    /// Not before.
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        let at = {
            let mut next = self.lock();
            let at = (*next).max(Instant::now());
            *next = at + self.gap;
            at
        };
        sleep_until(at).await;
    }

    /// Gives no turn before this time is over; whether that is later than it was, by more than a second.
    pub(super) fn hold(&self, wait: Duration) -> bool {
        let mut next = self.lock();
        let (now, before) = (Instant::now(), *next);
        *next = before.max(now + wait);
        *next > before.max(now) + Duration::from_secs(1)
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

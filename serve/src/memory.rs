//! Memory that bodies take: bounded while they are there, given back to the system afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::state::Service;

/// Bodies up to this size, in bytes, are not counted; the number of connections bounds them.
const SMALL: usize = 64 << 10;
/// Bytes of larger bodies at a time. A body is there twice: as it came, and as it goes upstream.
const MOST_BYTES: usize = 64 << 20;
/// How often memory is given back, where there may be some.
const EVERY: Duration = Duration::from_secs(2);
/// How often after the last use: replies that are still being sent hold some.
const ROUNDS: usize = 3;
/// Of how many looks at a server that is at work one gives memory back.
const BUSY_ROUNDS: usize = 8;
/// Bytes of a permit.
const UNIT: usize = 1 << 10;

/// What large bodies may hold together.
pub(super) struct Memory {
    free: Arc<Semaphore>,
    /// How often memory was taken.
    n_used: AtomicU64,
}

impl Default for Memory {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(MOST_BYTES / UNIT)), n_used: AtomicU64::new(0) }
    }
}

impl Memory {
    /// Waits until a body of this length has room; small ones need no permit.
    pub(super) async fn hold(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        if length <= SMALL {
            return None;
        }
        self.used();
        let n = (2 * length).min(MOST_BYTES).div_ceil(UNIT);
        // the semaphore is never closed
        self.free.clone().acquire_many_owned(u32::try_from(n).unwrap_or(u32::MAX)).await.ok()
    }

    /// Notes that memory was taken, so that what is free of it later goes back to the system.
    pub(super) fn used(&self) {
        self.n_used.fetch_add(1, Ordering::Relaxed);
    }
}

/// Gives free memory back once nothing runs any more, as long as the server is there; while much runs, now and then.
pub(super) async fn tidy(service: Arc<Service>) {
    let (mut seen, mut n_left, mut n_busy) = (0, 0, 0);
    loop {
        tokio::time::sleep(EVERY).await;
        let used = service.memory.n_used.load(Ordering::Relaxed);
        if std::mem::replace(&mut seen, used) != used {
            n_left = ROUNDS;
        }
        n_busy = if service.is_idle() { 0 } else { n_busy + 1 };
        if n_left > 0 && n_busy % BUSY_ROUNDS == 0 {
            n_left -= usize::from(n_busy == 0);
            // a failure would be a panic, and costs nothing but memory
            let _ = tokio::task::spawn_blocking(trim).await;
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() {
    // SAFETY: the call takes no pointers and may be made at any time
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_wait_for_each_other_and_small_ones_do_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let memory = Memory::default();
            let large = memory.hold(1 << 30).await;
            assert!(large.is_some() && memory.free.available_permits() == 0);
            assert!(memory.hold(SMALL).await.is_none());
            drop(large);
            assert!(memory.hold(4 << 20).await.is_some());
        });
    }
}

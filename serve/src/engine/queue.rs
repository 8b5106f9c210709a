//! Jobs that wait for a place in the batch, first come, first served.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Job;

/// Waiting jobs, as many as are allowed.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// Places were freed, or the queue was closed.
    freed: Notify,
    most: usize,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    is_closed: bool,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// As many wait as are allowed.
    Full,
    /// The server stops.
    Closed,
}

impl Queue {
    /// A queue where `most` jobs may wait, at least one.
    pub fn new(most: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), freed: Notify::new(), most: most.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // jobs are moved in and out whole: a panic elsewhere leaves nothing half done
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a job.
    ///
    /// # Errors
    /// The queue is full, or closed.
    pub fn submit(&self, job: Job) -> Result<(), Refused> {
        self.place(job).map_err(|(refused, _)| refused)
    }

    /// Hands in a job as soon as there is a place for it.
    ///
    /// # Errors
    /// The queue is closed.
    pub async fn submit_in_turn(&self, mut job: Job) -> Result<(), Refused> {
        loop {
            // who listens before the look misses no place that is freed after it
            let freed = self.freed.notified();
            match self.place(job) {
                Err((Refused::Full, back)) => job = *back,
                other => return other.map_err(|(refused, _)| refused),
            }
            freed.await;
        }
    }

    /// Puts a job into a free place, or gives it back.
    fn place(&self, job: Job) -> Result<(), (Refused, Box<Job>)> {
        let mut state = self.lock();
        if state.is_closed {
            return Err((Refused::Closed, Box::new(job)));
        }
        if state.waiting.len() >= self.most {
            state.waiting.retain(|job| !job.events.is_closed());
        }
        if state.waiting.len() >= self.most {
            return Err((Refused::Full, Box::new(job)));
        }
        state.waiting.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes up to `most` jobs whose clients are still there, with `wait` at least one; `None` when the queue is closed
    /// and empty.
    pub(super) fn take(&self, most: usize, wait: bool) -> Option<Vec<Job>> {
        let mut state = self.lock();
        loop {
            let (mut taken, n_waiting) = (Vec::new(), state.waiting.len());
            while taken.len() < most
                && let Some(job) = state.waiting.pop_front()
            {
                if !job.events.is_closed() {
                    taken.push(job);
                }
            }
            if state.waiting.len() < n_waiting {
                self.freed.notify_waiters();
            }
            match (taken.is_empty() && wait, state.is_closed) {
                (false, _) => return Some(taken),
                (true, true) => return None,
                (true, false) => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Takes no more jobs; those that wait are still done.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
        self.freed.notify_waiters();
    }

    /// Jobs that wait.
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::super::{Event, Task};
    use super::*;

    fn job() -> (Job, UnboundedReceiver<Event>) {
        let (events, receiver) = unbounded_channel();
        let task = Task::Read { output: Vec::new() };
        (Job { prompt: vec![1], task, scan: None, events, submitted: std::time::Instant::now() }, receiver)
    }

    #[test]
    fn who_waits_gets_the_next_free_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let queue = Queue::new(1);
            let jobs: Vec<_> = (0..3).map(|_| job()).collect();
            let (jobs, _there): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
            let [first, second, third] = <[Job; 3]>::try_from(jobs).ok().unwrap();
            assert_eq!(queue.submit(first), Ok(()));
            let mut waiting = Box::pin(queue.submit_in_turn(second));
            assert!(futures_are_pending(&mut waiting).await);
            assert_eq!(queue.submit(third), Err(Refused::Full));
            assert_eq!(queue.take(8, false).unwrap().len(), 1);
            assert_eq!(waiting.await, Ok(()));
            let (fourth, _there) = job();
            let mut waiting = Box::pin(queue.submit_in_turn(fourth));
            assert!(futures_are_pending(&mut waiting).await);
            queue.close();
            assert_eq!(waiting.await, Err(Refused::Closed));
        });
    }

    /// Whether a future has to wait.
    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}

//! Jobs that wait for a place in the batch, first come, first served.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Job;

/// Waiting jobs, as many as are allowed.
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
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
    /// A queue where `most` jobs may wait.
    pub fn new(most: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), most }
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
        let mut state = self.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        if state.waiting.len() >= self.most {
            state.waiting.retain(|job| !job.events.is_closed());
        }
        if state.waiting.len() >= self.most {
            return Err(Refused::Full);
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
            let mut taken = Vec::new();
            while taken.len() < most
                && let Some(job) = state.waiting.pop_front()
            {
                if !job.events.is_closed() {
                    taken.push(job);
                }
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

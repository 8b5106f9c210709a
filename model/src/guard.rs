//! Calls into libraries that may panic on damaged files: the panic becomes a value, and nothing of it reaches the terminal.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// Guarded calls that run on this thread.
    static ON_THREAD: Cell<usize> = const { Cell::new(0) };
}
/// Guarded calls whose work is spread over threads.
static ON_ALL_THREADS: AtomicUsize = AtomicUsize::new(0);

/// Runs `work`; the error is the message of its panic.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    quieten();
    ON_THREAD.set(ON_THREAD.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    ON_THREAD.set(ON_THREAD.get() - 1);
    done.map_err(|payload| message(payload.as_ref()))
}

/// The same for work that is spread over threads.
pub(crate) fn guarded_threads<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    ON_ALL_THREADS.fetch_add(1, Ordering::SeqCst);
    let done = guarded(work);
    ON_ALL_THREADS.fetch_sub(1, Ordering::SeqCst);
    done
}

/// Puts a hook before the one that prints panics, once.
fn quieten() {
    static PUT: Once = Once::new();
    PUT.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if ON_THREAD.get() == 0 && ON_ALL_THREADS.load(Ordering::SeqCst) == 0 {
                print(panic);
            }
        }));
    });
}

fn message(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded(|| -> u32 { panic!("no {}", "way") }), Err("no way".into()));
        assert_eq!(ON_THREAD.get(), 0);
        let spread = || rayon::join(|| panic!("there"), || 1).1;
        assert_eq!(guarded_threads(spread), Err("there".into()));
        assert_eq!(ON_ALL_THREADS.load(Ordering::SeqCst), 0);
    }
}

//! Ctrl-C and SIGTERM end long work at the next token or pair, so that every file is left complete.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Code of a process that a second signal ends at once.
pub const EXIT_INTERRUPTED: i32 = 130;

/// How often waiting work looks for one.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Listens for signals; the second one ends the process.
pub fn install() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_INTERRUPTED);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        eprintln!("warning: Ctrl-C cannot be caught: {error}");
    }
}

/// Ends long work as a signal does.
pub fn stop() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// An error once a signal came.
pub fn check() -> redline::model::Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(redline::model::Error::Interrupted) } else { Ok(()) }
}

/// Done once a signal came.
pub async fn wait() {
    while check().is_ok() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

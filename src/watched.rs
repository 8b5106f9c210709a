//! A process that another one of this program started ends with it: its standard input is a pipe that the other holds open, and that closes
//! however the other ends, `kill -9` included.

use std::path::Path;
use std::time::Duration;

use redline::model::files::read_input;

use crate::interrupt;

/// Variable that says so.
pub const WATCHED: &str = "REDLINE_WATCHED";
/// How long work that was told to stop may take to leave its files complete.
const GRACE: Duration = Duration::from_secs(10);

/// Listens for the end of whoever started this process, where it was started so.
pub fn install() {
    if std::env::var_os(WATCHED).is_none() {
        return;
    }
    std::thread::spawn(|| {
        // whatever comes, the end of it is waited for
        let _ = read_input(Path::new("-"), 1);
        interrupt::stop();
        std::thread::sleep(GRACE);
        std::process::exit(interrupt::EXIT_INTERRUPTED);
    });
}

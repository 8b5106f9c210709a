//! The server's log on standard error. A reader of it that stalls does not stall the server: lines that find no room are lost.

use std::io::Write;

use tracing::Level;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

use crate::cli::serve::LogFormat;

/// Lines that wait to be written.
const WAITING_LINES: usize = 16_384;

/// The log; its last lines are written when it is dropped.
pub struct RequestLog {
    format: LogFormat,
    is_quiet: bool,
    lines: NonBlocking,
    _written: WorkerGuard,
}

impl RequestLog {
    /// Begins the log of this process.
    pub fn begin(format: LogFormat, is_quiet: bool) -> Self {
        let (writer, written) =
            NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).finish(std::io::stderr());
        let lines = fmt::layer().with_writer(writer.clone()).with_target(false).with_ansi(false);
        let lines = match format {
            LogFormat::Text => lines.boxed(),
            LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed(),
        };
        // libraries beside this program say nothing
        let level = if is_quiet { Level::ERROR } else { Level::INFO };
        let begun = registry().with(lines.with_filter(Targets::new().with_target("redline", level))).try_init();
        debug_assert!(begun.is_ok(), "a process has one log");
        Self { format, is_quiet, lines: writer, _written: written }
    }

    /// Says what the server does, in the form of the log.
    pub fn say(&self, text: &str) {
        match self.format {
            _ if self.is_quiet => {}
            // a line that finds no room is lost like others
            LogFormat::Text => drop(self.lines.clone().write_all(format!("{text}\n").as_bytes())),
            LogFormat::Json => tracing::info!(target: "redline::server", "{text}"),
        }
    }
}

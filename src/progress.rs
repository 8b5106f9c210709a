//! Progress on standard error: a bar with time left on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::visible::{visible, visible_lines};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Progress of one stage.
pub struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    start: Instant,
    last_line: Instant,
    /// Steps that were done before the start.
    done_before: usize,
}

impl Progress {
    /// Begins a stage of `total` steps.
    pub fn new(label: &str, total: usize) -> Self {
        Self::from(label, 0, total)
    }

    /// Goes on with a stage of `total` steps of which some are done.
    pub fn from(label: &str, done: usize, total: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            let style = "{msg:<28} {bar:30} {pos}/{len} {elapsed_precise} left {eta_precise}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                bar.set_style(style);
            }
            bar.with_position(done as u64).with_message(visible(label).into_owned())
        });
        let now = Instant::now();
        Self { label: label.into(), bar, start: now, last_line: now, done_before: done }
    }

    /// Reports `done` of `total` steps; fails when the user interrupted.
    pub fn set(&mut self, done: usize, total: usize) -> redline::model::Result<()> {
        self.set_noted(done, total, "")
    }

    /// The same, with a note on how it goes.
    pub fn set_noted(&mut self, done: usize, total: usize, note: &str) -> redline::model::Result<()> {
        let done_now = done.saturating_sub(self.done_before);
        match &self.bar {
            Some(bar) => {
                bar.set_length(total as u64);
                bar.set_position(done as u64);
                if !note.is_empty() {
                    bar.set_message(visible(&format!("{}: {note}", self.label)).into_owned());
                }
            }
            None if self.last_line.elapsed() >= LINE_EVERY && done_now > 0 => {
                let elapsed = self.start.elapsed().as_secs_f64();
                let left = elapsed / done_now as f64 * total.saturating_sub(done) as f64;
                let note = if note.is_empty() { String::new() } else { format!("; {note}") };
                output::note!("{}: {done}/{total}, {elapsed:.0} s, {left:.0} s left{note}", self.label);
                self.last_line = Instant::now();
            }
            None => {}
        }
        crate::interrupt::check()
    }

    /// Prints a line above the bar.
    pub fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(visible_lines(text)),
            None => eprintln!("{}", visible_lines(text)),
        }
    }

    /// Ends the stage and removes its bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

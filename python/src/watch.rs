//! Long work seen from Python: signals, a bar on standard error or a callback, remarks as warnings.
//!
//! The work runs without the interpreter's lock; a few times a second it takes the lock to look for Ctrl-C and to show how far it is.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;
use redline_lab::Error;
use redline_lab::observer::Observer;
use redline_model::Error as ModelError;

use crate::error::raised;

/// How often the interpreter is asked.
const EVERY: Duration = Duration::from_millis(50);
/// Characters of the bar.
const WIDTH: usize = 30;

/// Where progress goes.
enum Shown {
    Nowhere,
    Bar,
    Callback(Py<PyAny>),
}

/// Watches one call.
pub struct Watch {
    shown: Shown,
    last: Option<Instant>,
    stage: String,
    raised: Option<PyErr>,
}

/// Runs `work` without the interpreter's lock.
///
/// `progress` is `None` (a bar where standard error is a terminal), `True`, `False`, or a callable of stage, done and total.
pub fn watched<T: Send>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&mut Watch) -> Result<T, Error> + Send,
) -> PyResult<T> {
    py.check_signals()?;
    let mut watch = Watch::new(py, progress)?;
    let (result, watch) = py.detach(move || (work(&mut watch), watch));
    watch.clear(py);
    match watch.raised {
        Some(error) => Err(error),
        None => result.map_err(|error| raised(py, error)),
    }
}

impl Watch {
    fn new(py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let shown = match progress {
            None => match is_terminal(py) {
                true => Shown::Bar,
                false => Shown::Nowhere,
            },
            Some(asked) => match asked.cast::<PyBool>() {
                Ok(asked) if asked.is_true() => Shown::Bar,
                Ok(_) => Shown::Nowhere,
                Err(_) if asked.is_callable() => Shown::Callback(asked.clone().unbind()),
                Err(_) => return Err(PyTypeError::new_err("progress is None, True, False or a callable")),
            },
        };
        Ok(Self { shown, last: None, stage: String::new(), raised: None })
    }

    /// Looks for a signal; an error ends the work.
    pub fn look(&mut self) -> redline_model::Result<()> {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        self.with_python(|_, py| py.check_signals())
    }

    fn with_python(&mut self, call: impl FnOnce(&mut Self, Python<'_>) -> PyResult<()>) -> redline_model::Result<()> {
        Python::attach(|py| call(self, py)).map_err(|error| {
            self.raised.get_or_insert(error);
            ModelError::Interrupted
        })
    }

    fn show(&self, py: Python<'_>, stage: &str, done: usize, total: usize) -> PyResult<()> {
        match &self.shown {
            Shown::Nowhere => Ok(()),
            Shown::Callback(callback) => callback.call1(py, (stage, done, total)).map(|_| ()),
            Shown::Bar => {
                let full = WIDTH * done.min(total) / total.max(1);
                let bar = format!("\r{stage:<28} {}{} {done}/{total}", "█".repeat(full), "░".repeat(WIDTH - full));
                write(py, &bar)
            }
        }
    }

    /// Removes the bar.
    fn clear(&self, py: Python<'_>) {
        if matches!(self.shown, Shown::Bar) && !self.stage.is_empty() {
            // what cannot be removed may stay
            let _ = write(py, "\r\x1b[K");
        }
    }
}

impl Observer for Watch {
    fn progress(&mut self, stage: &str, done: usize, total: usize) -> redline_model::Result<()> {
        let is_new = self.stage != stage;
        let is_due = self.last.is_none_or(|last| last.elapsed() >= EVERY);
        if !(is_new || is_due || done == total) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        stage.clone_into(&mut self.stage);
        self.with_python(|watch, py| {
            py.check_signals()?;
            watch.show(py, stage, done, total)
        })
    }

    fn end(&mut self, _: &str) {}

    fn note(&mut self, text: &str) {
        // a warning that is turned into an error is raised at the next look
        let _ = self.with_python(|_, py| warn(py, text));
    }
}

/// A remark as `redline.RedlineWarning`.
pub fn warn(py: Python<'_>, text: &str) -> PyResult<()> {
    let category = py.import("redline._errors")?.getattr("RedlineWarning")?;
    let text = text.strip_prefix("warning: ").or(text.strip_prefix("note: ")).unwrap_or(text);
    let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
    PyErr::warn(py, &category, &text, 1)
}

fn is_terminal(py: Python<'_>) -> bool {
    let asked = || py.import("sys")?.getattr("stderr")?.call_method0("isatty")?.is_truthy();
    // a notebook's standard error, and none at all, are no terminals
    asked().unwrap_or(false)
}

fn write(py: Python<'_>, text: &str) -> PyResult<()> {
    let stderr = py.import("sys")?.getattr("stderr")?;
    stderr.call_method1("write", (text,))?;
    stderr.call_method0("flush")?;
    Ok(())
}

//! Errors of the libraries as `redline.RedlineError`, with their cure in `.hint`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use redline_lab::Error;

/// An exception with a message and what to do about it.
pub fn hinted(py: Python<'_>, message: &str, hint: Option<&str>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = match CLASS.import(py, "redline._errors", "RedlineError") {
        Ok(class) => class,
        Err(error) => return error,
    };
    class.call1((message, hint)).map_or_else(|error| error, PyErr::from_value)
}

/// An error of the libraries as an exception.
pub fn raised(py: Python<'_>, error: impl Into<Error>) -> PyErr {
    let error = error.into();
    hinted(py, &message(&error), error.hint().as_deref())
}

/// The chain of causes, without a cause that its consequence already spells out.
pub fn message(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) && !error.is::<serde_json::Error>() {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

/// `?` for results of the libraries.
pub trait OrRaise<T> {
    /// The value, or the error as an exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T, E: Into<Error>> OrRaise<T> for Result<T, E> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raised(py, error))
    }
}

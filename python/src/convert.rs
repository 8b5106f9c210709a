//! Values between Rust and Python: results as dictionaries, arrays, names and layers as people write them.

use std::str::FromStr;

use numpy::{PyArray1, PyArray2, PyArrayDyn, PyArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use redline_lab::experiment::LayerSpec;
use redline_steer::Error as SteerError;
use serde::Serialize;

use crate::error::{OrRaise, hinted};

/// A result as dictionaries, lists, numbers and text, as `--json` prints it.
pub fn to_dict<'py>(py: Python<'py>, value: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    let text = serde_json::to_string(value).map_err(|error| hinted(py, &error.to_string(), None))?;
    py.import("json")?.call_method1("loads", (text,))
}

/// Rows as a `redline.Table`.
pub fn table<'py>(py: Python<'py>, rows: &impl Serialize) -> PyResult<Bound<'py, PyAny>> {
    py.import("redline._table")?.getattr("Table")?.call1((to_dict(py, rows)?,))
}

/// Rows of equal length as an array.
pub fn matrix<'py, T: numpy::Element>(py: Python<'py>, rows: &[Vec<T>]) -> PyResult<Bound<'py, PyArray2<T>>> {
    PyArray2::from_vec2(py, rows).map_err(|error| hinted(py, &error.to_string(), None))
}

/// Values as an array of a shape.
pub fn shaped<'py, T: numpy::Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    PyArray1::from_vec(py, values).reshape(shape.to_vec())
}

/// An option by its name, or its default.
pub fn named<T: FromStr<Err: Into<SteerError>> + Default>(py: Python<'_>, name: Option<&str>) -> PyResult<T> {
    name.map_or_else(|| Ok(T::default()), |name| name.parse::<T>().map_err(Into::<SteerError>::into).or_raise(py))
}

/// Layers as text (`auto`, `all`, `8-25`, `3,5,7`), a number, or numbers.
pub fn layers(py: Python<'_>, asked: &Bound<'_, PyAny>) -> PyResult<LayerSpec> {
    if let Ok(text) = asked.extract::<String>() {
        let hint = Some("write \"auto\", \"all\", \"8-25\", or a list of numbers");
        return text.parse().map_err(|message: String| hinted(py, &message, hint));
    }
    if let Ok(layer) = asked.extract::<usize>() {
        return Ok(LayerSpec::List(vec![layer]));
    }
    let wrong = || PyTypeError::new_err("layers is text such as \"8-25\", a number, or a sequence of numbers");
    let numbers = asked.try_iter().map_err(|_| wrong())?.map(|layer| layer?.extract::<usize>());
    let mut numbers = numbers.collect::<PyResult<Vec<usize>>>().map_err(|_| wrong())?;
    numbers.sort_unstable();
    numbers.dedup();
    Ok(LayerSpec::List(numbers))
}

//! The Python module of Redline: what `redline_lab` does, with NumPy arrays, progress and Python's exceptions.
//!
//! Without the feature `module` the crate is empty, so that the workspace builds where there is no Python.
#![cfg(feature = "module")]

mod activations;
mod aligner;
mod convert;
mod correction;
mod display;
mod error;
mod reading;
mod rows;
mod sweep;
mod tune;
mod vector;
mod watch;
mod whole;

use pyo3::prelude::*;
use redline_model::{MatmulPrecision, matmul_kernel, set_matmul_precision};

/// Chooses how exact products with quantised weights are: "highest" is f32 throughout.
#[pyfunction]
fn set_precision(py: Python<'_>, name: &str) -> PyResult<()> {
    set_matmul_precision(convert::named::<MatmulPrecision>(py, Some(name))?);
    Ok(())
}

/// The kernel that products with quantised weights run on here.
#[pyfunction]
fn kernel() -> String {
    matmul_kernel()
}

/// What the package `redline` is made of.
#[pymodule]
fn _redline(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<aligner::Aligner>()?;
    module.add_class::<correction::Correction>()?;
    module.add_class::<correction::Stream>()?;
    module.add_class::<reading::Scan>()?;
    module.add_class::<rows::Rows>()?;
    module.add_class::<sweep::LineFit>()?;
    module.add_class::<sweep::Sweep>()?;
    module.add_class::<vector::ControlVector>()?;
    module.add_class::<whole::Reproduction>()?;
    module.add_function(wrap_pyfunction!(kernel, module)?)?;
    module.add_function(wrap_pyfunction!(set_precision, module)?)?;
    module.add_function(wrap_pyfunction!(whole::reproduce, module)?)?;
    Ok(())
}

//! Pictures and tables that results show themselves as.

use pyo3::prelude::*;
use redline_report::notebook::EvcxrDisplay;
use redline_report::plot::ascii::{self, AsciiOptions};
use redline_report::plot::{Heatmap, Plot, svg_string};

use crate::error::{hinted, message};

/// A picture as SVG.
pub fn svg(py: Python<'_>, plot: &impl Plot) -> PyResult<String> {
    svg_string(plot).map_err(|error| hinted(py, &message(&error), Some(error.hint())))
}

/// A heatmap as text without colours.
pub fn text(py: Python<'_>, plot: &Heatmap) -> PyResult<String> {
    let options = AsciiOptions { color: false, ..AsciiOptions::default() };
    ascii::heatmap(plot, &options).map_err(|error| hinted(py, &message(&error), Some(error.hint())))
}

/// What a result shows in a notebook, in this media type.
pub fn shown(py: Python<'_>, result: &impl EvcxrDisplay, media_type: &str) -> PyResult<Option<String>> {
    let contents = result.contents().map_err(|error| hinted(py, &error.to_string(), None))?;
    Ok(contents.into_iter().find(|(name, _)| *name == media_type).map(|(_, content)| content))
}

//! Tests of the plots as a reader meets them: SVG structure, PNG files, errors, text.
//!
//! Set `REDLINE_PLOT_GALLERY` to a folder to keep the pictures that the tests draw.

mod column;
mod files;
mod samples;
mod score_shift;
mod svg;
mod text;

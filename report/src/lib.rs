//! Pictures and pages of what [`redline_lab`] finds: plots as PNG, SVG and text, pages of HTML, displays of notebooks.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod difference;
pub mod figures;
pub mod notebook;
pub mod plot;
pub mod report;
pub mod reproduction;

//! One page that shows a run: a single HTML file that takes nothing from outside and opens from disk.
//!
//! A [`Report`] is made of parts, each of which may be missing: what was found, a sweep, texts with their differences, slopes,
//! layers, scans, training curves, settings. [`Report::html`] puts them as JSON into a page whose script draws them; what is
//! drawn are the same structs of numbers that [`plot`](crate::plot) writes as PNG and SVG. Texts reach the page as data
//! and are set as text, so that no output of a model can become markup.
//!
//! # Example
//! ```
//! use redline_report::report::{Example, Examples, Report};
//!
//! let mut report = Report::new("A correction", "One row, by hand.");
//! let example = Example::new(0, "What is 2 + 2?", "It is 5.", Some("It is 4."));
//! report.examples = Examples::of("Texts", "", vec![example]);
//! assert!(report.html()?.starts_with("<!doctype html>"));
//! # Ok::<(), redline_report::report::ReportError>(())
//! ```

mod coefficients;
mod error;
mod example;
mod findings;
mod page;
mod parts;
mod quality;
mod settings;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::Serialize;

use crate::plot::{Curves, Heatmap, HeatmapColors};

pub use crate::difference::{Change, Edit, edits, word_changes};
pub use coefficients::coefficient_cells;
pub use error::ReportError;
pub use example::{Example, Examples, MOST_EXAMPLES, Output};
pub use findings::{sweep_findings, sweep_warnings};
pub use page::GENERATOR;
pub use parts::{Finding, ProfilePart, ScanPart, SlopesPart, SweepPart, Table};
pub use quality::{QualityPart, VerdictLine, evaluated_cells, quality_cells};
pub use settings::{SettingsGroup, flattened};

/// What a page shows, part by part.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Heading.
    pub title: String,
    /// What was run, in a sentence or two.
    pub lead: String,
    /// What a reader must know before trusting a number.
    pub warnings: Vec<String>,
    /// The results in a few numbers.
    pub findings: Vec<Finding>,
    /// Whether it corrects.
    pub quality: Option<QualityPart>,
    /// Which coefficient is best for whom.
    pub phases: Option<Heatmap>,
    /// Edit ratio against coefficient.
    pub sweep: Option<SweepPart>,
    /// Questions, answers and outputs.
    pub examples: Option<Examples>,
    /// Slopes of single prompts.
    pub slopes: Option<SlopesPart>,
    /// Held-out reading by layer.
    pub profile: Option<ProfilePart>,
    /// LAT scans.
    pub scans: Vec<ScanPart>,
    /// Training curves.
    pub curves: Vec<Curves>,
    /// What makes the run repeatable.
    pub settings: Vec<SettingsGroup>,
}

impl Report {
    /// A page without parts.
    pub fn new(title: impl Into<String>, lead: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            lead: lead.into(),
            warnings: Vec::new(),
            findings: Vec::new(),
            quality: None,
            phases: None,
            sweep: None,
            examples: None,
            slopes: None,
            profile: None,
            scans: Vec::new(),
            curves: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// The page.
    ///
    /// # Errors
    /// [`ReportError::Serialize`].
    pub fn html(&self) -> Result<String, ReportError> {
        #[derive(Serialize)]
        struct Data<'a> {
            #[serde(flatten)]
            report: &'a Report,
            colours: Maps,
        }
        #[derive(Serialize)]
        struct Maps {
            diverging: Vec<(f64, [u8; 3])>,
            ordered: Vec<(f64, [u8; 3])>,
        }
        let colours = Maps {
            diverging: HeatmapColors::Diverging.stops().to_vec(),
            ordered: HeatmapColors::Ordered.stops().to_vec(),
        };
        let data = serde_json::to_string(&Data { report: self, colours })?;
        Ok(page::assemble(&self.title, &data))
    }

    /// Writes the page, whole or not at all.
    ///
    /// # Errors
    /// As [`Report::html`], or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        Ok(redline_model::files::write_atomically(path, self.html()?.as_bytes())?)
    }
}

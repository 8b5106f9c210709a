//! What most programs need, in one line: `use redline::prelude::*;`.
//!
//! From triples to a fitted line, on the built-in Aligner:
//!
//! ```
//! use redline::prelude::*;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let aligner = Aligner::embedded()?;
//!     let triples = redline::embedded::triples()?;
//!     let (pairs, prompts) = (&triples[..48], &triples[48..60]);
//!
//!     let extracted = aligner.extract().method(Method::MeanDiff).run(pairs)?;
//!     let vector = extracted.control_vector(&LayerSpec::All, Unit::Gap)?;
//!     let sweep = aligner.sweep(&vector).coefficients(&[-1.0, 0.0, 1.0]).max_new_tokens(48).run(prompts)?;
//!
//!     let fit = sweep.analyse()?.fit.ok_or("no coherent range")?;
//!     println!("slope {:.3}, R² {:.2}", fit.line.slope, fit.line.r2.unwrap_or_default());
//! #   assert!(fit.line.slope > 0.0, "{fit:?}");
//!     Ok(())
//! }
//! ```

pub use redline_model::{AlignerTemplate, Model, Qac, Tokenizer};
pub use redline_probe::{ExtractOptions, LatScan, Method, PairDesign, ReadAt, Reading, Scaling};
pub use redline_steer::{
    ControlVector, EditRatioVariant, EditRatios, LineFit, SweepFit, SweepRow, TokenRange, Tuned, Unit, fit_line,
};

pub use crate::aligner::{Aligner, Correct, Extract, Sweep, SweepRun};
pub use crate::experiment::{Extracted, ExtractionSettings, LayerSpec, SweepAnalysis};
#[cfg(feature = "report")]
pub use crate::figures::PlotSweep;
#[cfg(feature = "report")]
pub use crate::notebook::EvcxrDisplay;
pub use crate::profile::Profile;

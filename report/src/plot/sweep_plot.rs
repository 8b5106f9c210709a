//! Edit ratio against coefficient, with its controls above and its coherence below.
//!
//! The upper panel shows what the dial does: means with intervals, single prompts, the fitted line and
//! the controls. The panels under it share the coefficient axis and show what the dial costs: negative
//! log-likelihood, repetition, truncation. A looping output fakes correction, so the ratio is not drawn
//! without them when they are known.

mod coherence;
mod layout;
mod legend;
mod marks;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use serde::Serialize;

use super::canvas::DrawResult;
use super::{Estimate, Plot, PlotError, check};

/// A sweep over coefficients.
#[derive(Debug, Clone, Serialize)]
pub struct SweepPlot {
    /// Title, one line.
    pub title: String,
    /// Unit of the coefficient: `gap`, `std` or `unit`.
    pub unit: String,
    /// Name of the vertical axis with its denominator.
    pub y_label: String,
    /// One point a coefficient, growing.
    pub points: Vec<SweepPoint>,
    /// Values of single prompts, one row a prompt, one value a coefficient; may be empty.
    pub prompts: Vec<Vec<f64>>,
    /// The fitted line.
    pub line: Option<FittedLine>,
    /// The range in which outputs stay coherent.
    pub coherent: Option<CoherentRange>,
    /// Control curves.
    pub controls: Vec<Control>,
    /// Values reached without steering, by prompting: a name and a level each.
    pub levels: Vec<(String, f64)>,
    /// Coherence per coefficient.
    pub coherence: Option<SweepCoherence>,
}

/// The result at one coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SweepPoint {
    /// The coefficient.
    pub coefficient: f64,
    /// Mean over prompts with its interval.
    pub mean: Estimate,
}

/// A fitted line with its uncertainty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FittedLine {
    /// Slope per unit of the coefficient.
    pub slope: Estimate,
    /// Value at coefficient 0.
    pub intercept: f64,
    /// Share of variance explained, on the range of the fit.
    pub r_squared: f64,
    /// First and last coefficient the line was fitted on.
    pub range: (f64, f64),
    /// Coefficient, lower and upper end of the line's interval; may be empty.
    pub band: Vec<(f64, f64, f64)>,
}

/// Where outputs stay coherent, and by which rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CoherentRange {
    /// First coefficient.
    pub low: f64,
    /// Last coefficient.
    pub high: f64,
    /// The largest negative log-likelihood per token that counts as coherent, where that is the rule.
    pub nll_bound: Option<f64>,
}

/// A control curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Control {
    /// Name in the legend; random directions share one entry.
    pub name: String,
    /// What is controlled for.
    pub kind: ControlKind,
    /// Coefficient and value, growing in the coefficient.
    pub points: Vec<(f64, f64)>,
}

/// What a control curve shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ControlKind {
    /// A random direction of equal norm.
    Random,
    /// A direction from shuffled labels.
    Shuffled,
    /// Prompts whose answer is clean.
    Clean,
    /// Any other comparison.
    Other,
}

/// Coherence, one value a coefficient in each list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepCoherence {
    /// Mean negative log-likelihood per output token under the unsteered model, in nats.
    pub negative_log_likelihood: Vec<f64>,
    /// Share of repeated 4-grams.
    pub repetition: Vec<f64>,
    /// Share of outputs cut by the length limit.
    pub truncated: Vec<f64>,
}

impl FittedLine {
    /// The line's value at a coefficient.
    pub fn at(&self, coefficient: f64) -> f64 {
        self.intercept + self.slope.value * coefficient
    }
}

impl SweepPlot {
    /// A sweep of the edit ratio in `gap` units, without fit, controls or coherence.
    pub fn new(title: impl Into<String>, points: Vec<SweepPoint>) -> Self {
        Self {
            title: title.into(),
            unit: "gap".to_owned(),
            y_label: "edit ratio (edits / answer length)".to_owned(),
            points,
            prompts: Vec::new(),
            line: None,
            coherent: None,
            controls: Vec::new(),
            levels: Vec::new(),
            coherence: None,
        }
    }

    pub(super) fn coefficients(&self) -> Vec<f64> {
        self.points.iter().map(|point| point.coefficient).collect()
    }

    fn check_points(&self) -> Result<(), PlotError> {
        let coefficients = self.coefficients();
        check::some(Self::NAME, "coefficients", coefficients.len())?;
        check::finite(Self::NAME, "a coefficient", &coefficients)?;
        check::ascending(Self::NAME, "coefficients", &coefficients)?;
        for point in &self.points {
            let what = format!("the mean at coefficient {}", point.coefficient);
            check::interval(Self::NAME, &what, &point.mean)?;
        }
        for (i, prompt) in self.prompts.iter().enumerate() {
            let what = format!("prompt {i}");
            check::length(Self::NAME, &what, prompt.len(), coefficients.len())?;
            check::finite(Self::NAME, &what, prompt)?;
        }
        Ok(())
    }

    fn check_line(&self) -> Result<(), PlotError> {
        let Some(line) = &self.line else {
            return Ok(());
        };
        check::interval(Self::NAME, "the slope", &line.slope)?;
        let numbers = [line.intercept, line.r_squared, line.range.0, line.range.1];
        check::finite(Self::NAME, "the fitted line", &numbers)?;
        check::ends(Self::NAME, "the fit's range", line.range.0, line.range.1)?;
        for (x, lower, upper) in &line.band {
            check::finite(Self::NAME, "the line's band", &[*x, *lower, *upper])?;
            check::ends(Self::NAME, "the line's band", *lower, *upper)?;
        }
        Ok(())
    }

    fn check_controls(&self) -> Result<(), PlotError> {
        for control in &self.controls {
            check::some(Self::NAME, "points of a control", control.points.len())?;
            let (x, y): (Vec<f64>, Vec<f64>) = control.points.iter().copied().unzip();
            check::finite(Self::NAME, &control.name, &x)?;
            check::finite(Self::NAME, &control.name, &y)?;
            check::ascending(Self::NAME, "coefficients of a control", &x)?;
        }
        self.levels.iter().try_for_each(|(name, level)| check::finite(Self::NAME, name, &[*level]))
    }

    fn check_coherence(&self) -> Result<(), PlotError> {
        if let Some(CoherentRange { low, high, nll_bound }) = &self.coherent {
            let numbers = [*low, *high, nll_bound.unwrap_or(0.0)];
            check::finite(Self::NAME, "the coherent range", &numbers)?;
            check::ends(Self::NAME, "the coherent range", *low, *high)?;
        }
        let Some(coherence) = &self.coherence else {
            return Ok(());
        };
        for (what, values) in [
            ("negative log-likelihood", &coherence.negative_log_likelihood),
            ("repetition", &coherence.repetition),
            ("truncated share", &coherence.truncated),
        ] {
            check::length(Self::NAME, what, values.len(), self.points.len())?;
            check::finite(Self::NAME, what, values)?;
        }
        Ok(())
    }
}

impl Plot for SweepPlot {
    const NAME: &'static str = "sweep plot";

    fn check(&self) -> Result<(), PlotError> {
        self.check_points()?;
        self.check_line()?;
        self.check_controls()?;
        self.check_coherence()
    }

    fn size(&self) -> (u32, u32) {
        (1200, layout::Layout::of(self).height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        layout::draw(self, area)
    }
}

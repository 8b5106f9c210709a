//! The LAT scan as a picture: layer × token, layer 0 at the bottom; likewise a difference of scans, or layer × layer.
//!
//! Values are coloured on a scale centred on 0 that ends at ± the clip. The clip is drawn (arrow heads
//! on the colour bar, a corner mark in every cell beyond it), named and counted; the values themselves are
//! untouched. Signs stand in cells from a third of the clip on, so that grey print tells the poles apart. NaN means missing and
//! is hatched. The layer axis carries absolute block numbers.

mod parts;

use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::DrawingBackend;
use serde::Serialize;

use super::canvas::{Canvas, DrawResult, Lettering};
use super::font::fit_text;
use super::frame::TITLE;
use super::label::{plain, short, shorten, visible_token};
use super::palette::{HeatmapColors, INK};
use super::{Plot, PlotError, check};
use parts::{LEFT, Layout};

const TOKEN_LENGTH: usize = 18;

/// A heatmap of layer × token.
#[derive(Debug, Clone, Serialize)]
pub struct Heatmap {
    /// Title, one line.
    pub title: String,
    /// Absolute layer number of each row, growing.
    pub layers: Vec<usize>,
    /// One row a layer, one value a token; NaN = missing.
    pub values: Vec<Vec<f32>>,
    /// The tokens as text; white space is made visible and long ones are cut.
    pub token_labels: Vec<String>,
    /// Where the colour scale ends, in both directions.
    pub clip: f32,
    /// What the values are, as the colour bar names it.
    pub quantity: String,
    /// Their unit; empty for a number without one.
    pub unit: String,
    /// Name of the horizontal axis.
    pub x_label: String,
    /// Name of the vertical axis, and a shorter one for where it does not fit.
    pub y_label: [String; 2],
    /// Cells that are hatched over their colour, as rows of columns; none where it is empty.
    pub hatched: Vec<Vec<bool>>,
    /// What hatching over a colour says.
    pub hatched_note: String,
    /// What the lower and the upper end of the colour scale mean.
    pub poles: [String; 2],
    /// Colour map.
    pub colors: HeatmapColors,
}

/// What a heatmap holds, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellCounts {
    pub all: usize,
    pub clipped: usize,
    pub missing: usize,
}

impl Heatmap {
    /// A heatmap of z-values in layers 0, 1, 2 …, clipped at ±3.
    pub fn new(title: impl Into<String>, values: Vec<Vec<f32>>, token_labels: Vec<String>) -> Self {
        Self {
            title: title.into(),
            layers: (0..values.len()).collect(),
            values,
            token_labels,
            clip: 3.0,
            quantity: "score".to_owned(),
            unit: "z".to_owned(),
            x_label: "output token".to_owned(),
            y_label: ["layer (block number, from 0)".to_owned(), "layer".to_owned()],
            hatched: Vec::new(),
            hatched_note: String::new(),
            poles: ["copy".to_owned(), "correction".to_owned()],
            colors: HeatmapColors::default(),
        }
    }

    pub(super) fn counts(&self) -> CellCounts {
        let cells = || self.values.iter().flatten();
        CellCounts {
            all: cells().count(),
            clipped: cells().filter(|v| v.abs() > self.clip).count(),
            missing: cells().filter(|v| v.is_nan()).count(),
        }
    }

    pub(super) fn token_texts(&self) -> impl Iterator<Item = String> + '_ {
        self.token_labels.iter().map(|label| shorten(&visible_token(label), TOKEN_LENGTH))
    }

    /// Whether a value stands far enough from 0 for a sign in its cell.
    pub(super) fn is_signed(&self, value: f32) -> bool {
        value.abs() >= self.clip / 3.0
    }

    /// The sentences under the colour bar: the clip, signs, and what is missing.
    pub(super) fn notes(&self) -> Vec<String> {
        let counts = self.counts();
        let mut notes = vec![format!("clipped at ±{}", short(f64::from(self.clip)))];
        if counts.clipped > 0 {
            let all = counts.all;
            notes.push(format!("{} of {all} cells lie beyond (corner mark)", counts.clipped));
        } else {
            notes.push("no cell lies beyond".to_owned());
        }
        notes.push(format!("+ and − from ±{} on", short(f64::from(self.clip) / 3.0)));
        if self.hatched.iter().flatten().any(|hatched| *hatched) {
            notes.push(self.hatched_note.clone());
        }
        if counts.missing > 0 {
            notes.push(format!("{} cells missing (hatched)", counts.missing));
        }
        notes
    }
}

impl Plot for Heatmap {
    const NAME: &'static str = "heatmap";

    fn check(&self) -> Result<(), PlotError> {
        check::some(Self::NAME, "layers", self.values.len())?;
        check::some(Self::NAME, "tokens", self.token_labels.len())?;
        check::length(Self::NAME, "the list of layers", self.layers.len(), self.values.len())?;
        check::ascending(Self::NAME, "layers", &self.layers)?;
        if !self.clip.is_finite() || self.clip <= 0.0 {
            return Err(PlotError::Clip { got: self.clip });
        }
        for (row, layer) in self.values.iter().zip(&self.layers) {
            let what = format!("layer {layer}");
            check::length(Self::NAME, &what, row.len(), self.token_labels.len())?;
            if let Some(&value) = row.iter().find(|v| v.is_infinite()) {
                let value = f64::from(value);
                return Err(PlotError::NotFinite { plot: Self::NAME, what, value });
            }
        }
        Ok(())
    }

    fn size(&self) -> (u32, u32) {
        let layout = Layout::of(self);
        (layout.width.ceil() as u32, layout.height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, area: &DrawingArea<DB, Shift>) -> DrawResult<DB> {
        let canvas = Canvas::new(area)?;
        let layout = Layout::of(self);
        let title = fit_text(&plain(&self.title), TITLE, layout.width - LEFT - 20.0);
        canvas.text(&title, (LEFT, 32.0), Lettering::new(TITLE, INK))?;
        self.draw_cells(&canvas, &layout)?;
        self.draw_axes(&canvas, &layout)?;
        self.draw_bar(&canvas, &layout)?;
        self.draw_notes(&canvas, &layout)
    }
}

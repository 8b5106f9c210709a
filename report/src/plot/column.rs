//! The frame of plots that are one column wide: printed at 85 mm, their smallest text has 6 points.

use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::HPos;

use super::canvas::{Canvas, DrawResult, Lettering, Rect};
use super::font::{fit_text, text_width, wrap_text};
use super::frame::{Axis, Panel, TEXT, TITLE};
use super::label::{plain, short};
use super::legend::{Entry, draw_legend, legend_height};
use super::palette::{INK, SOFT_INK};

/// Width of a picture in pixels.
pub(super) const WIDTH: u32 = 600;
/// Distance of everything from the edge of the picture.
pub(super) const EDGE: f64 = 18.0;
/// Where panels end.
pub(super) const RIGHT: f64 = 576.0;
const TITLE_LINE: f64 = 25.0;
const NOTE_LINE: f64 = 20.0;
/// Room between the name of an upright axis and its ticks, and of a tick itself.
const BESIDE: f64 = 40.0;
/// Most room for the label of a tick.
const MOST_TICK: f64 = 110.0;
/// Room below a panel for ticks and the name of the axis.
const BELOW: f64 = 62.0;
const PANEL_GAP: f64 = 30.0;
/// Least distance of tick labels that stand beside each other.
const TICK_GAP: f64 = 10.0;

/// Where title, panels and legend stand.
pub(super) struct Column {
    title: Vec<String>,
    panels: Vec<Rect>,
    entries: Vec<Entry>,
    notes: Vec<String>,
    legend_top: f64,
}

impl Column {
    /// Panels of these heights below each other, whose upright axes are `axes`.
    pub fn new(title: &str, axes: &[Axis], height: f64, entries: Vec<Entry>, notes: &[String]) -> Self {
        let title = wrap_text(&plain(title), TITLE, f64::from(WIDTH) - 2.0 * EDGE);
        let labels = axes.iter().flat_map(|axis| &axis.ticks).map(|(_, label)| text_width(label, TEXT));
        let left = EDGE + BESIDE + labels.fold(0.0, f64::max).min(MOST_TICK);
        let top = Self::below_title(&title);
        let panel = |place: usize| {
            let top = top + place as f64 * (height + PANEL_GAP);
            Rect { left, top, right: RIGHT, bottom: top + height }
        };
        let panels: Vec<Rect> = (0..axes.len()).map(panel).collect();
        let legend_top = panels.last().map_or(top, |last| last.bottom + BELOW) + 14.0;
        Self { title, panels, entries, notes: lines_of(notes), legend_top }
    }

    /// The same without panels: what is drawn instead is `height` high.
    pub fn bare(title: &str, height: f64, entries: Vec<Entry>, notes: &[String]) -> Self {
        let title = wrap_text(&plain(title), TITLE, f64::from(WIDTH) - 2.0 * EDGE);
        let legend_top = Self::below_title(&title) + height + 24.0;
        Self { title, panels: Vec::new(), entries, notes: lines_of(notes), legend_top }
    }

    fn below_title(title: &[String]) -> f64 {
        32.0 + TITLE_LINE * title.len() as f64
    }

    /// Where the title ends.
    pub fn top(&self) -> f64 {
        Self::below_title(&self.title)
    }

    /// A panel by its number from the top.
    pub fn panel(&self, place: usize) -> Rect {
        let empty = Rect { left: EDGE, top: 0.0, right: RIGHT, bottom: 1.0 };
        self.panels.get(place).copied().unwrap_or(empty)
    }

    /// Width and height of the picture.
    pub fn size(&self) -> (u32, u32) {
        (WIDTH, (self.notes_top() + self.notes.len() as f64 * NOTE_LINE).ceil() as u32)
    }

    fn notes_top(&self) -> f64 {
        self.legend_top + legend_height(f64::from(WIDTH) - 2.0 * EDGE, &self.entries)
    }

    /// Draws title, legend and notes.
    pub fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> DrawResult<DB> {
        for (line, row) in self.title.iter().zip(0u8..) {
            let at = (EDGE, 26.0 + f64::from(row) * TITLE_LINE);
            canvas.text(line, at, Lettering::new(TITLE, INK))?;
        }
        for (line, row) in self.notes.iter().zip(0u8..) {
            let at = (EDGE, self.notes_top() + f64::from(row) * NOTE_LINE);
            canvas.text(line, at, Lettering::new(TEXT, SOFT_INK))?;
        }
        draw_legend(canvas, (EDGE, self.legend_top), f64::from(WIDTH) - 2.0 * EDGE, &self.entries)
    }
}

/// Notes in lines as wide as the picture.
fn lines_of(notes: &[String]) -> Vec<String> {
    notes.iter().flat_map(|note| wrap_text(&plain(note), TEXT, f64::from(WIDTH) - 2.0 * EDGE)).collect()
}

/// Draws a panel's axes with the name of the upright one beside its ticks.
pub(super) fn draw_axes<DB: DrawingBackend>(
    canvas: &Canvas<DB>,
    panel: &Panel,
    y_label: &str,
    with_x: bool,
) -> DrawResult<DB> {
    panel.draw_frame(canvas, with_x)?;
    let name = fit_text(&plain(y_label), TEXT, panel.rect.height() + PANEL_GAP);
    let style = Lettering::new(TEXT, INK).across(HPos::Center).upward();
    canvas.text(&name, (EDGE + 2.0, panel.rect.middle().1), style)
}

/// An upright axis over a range, with a margin at both ends.
pub(super) fn upright(range: (f64, f64)) -> Axis {
    tidy(Axis::round(range, 6, ""))
}

/// An upright axis over exactly a range.
pub(super) fn upright_within(range: (f64, f64)) -> Axis {
    tidy(Axis::within(range, 6, ""))
}

fn tidy(mut axis: Axis) -> Axis {
    for (_, label) in &mut axis.ticks {
        *label = fit_text(label, TEXT, MOST_TICK);
    }
    axis
}

/// A level axis in a panel: as many ticks as stand beside each other; at `places` where these do.
pub(super) fn level(mut axis: Axis, rect: Rect, places: &[f64], name: &str) -> Axis {
    axis.name = fit_text(&plain(name), TEXT, rect.width());
    let own: Vec<(f64, String)> = places.iter().map(|place| (*place, short(*place))).collect();
    if !own.is_empty() && own.len() <= 13 && have_room(&axis, &own, rect) {
        axis.ticks = own;
        return axis;
    }
    let tried = (2..=8).rev().map(|n| Axis::within((axis.low, axis.high), n, "").ticks);
    axis.ticks = tried.into_iter().find(|ticks| have_room(&axis, ticks, rect)).unwrap_or_default();
    axis
}

/// Whether labels stand beside each other and within the picture.
fn have_room(axis: &Axis, ticks: &[(f64, String)], rect: Rect) -> bool {
    let panel = Panel { rect, x: axis.clone(), y: axis.clone() };
    let ends: Vec<(f64, f64)> = ticks
        .iter()
        .map(|(value, label)| {
            let half = text_width(label, TEXT) / 2.0;
            (panel.x(*value) - half, panel.x(*value) + half)
        })
        .collect();
    let apart = ends.windows(2).all(|pair| pair[0].1 + TICK_GAP <= pair[1].0);
    apart && ends.iter().all(|(left, right)| *left >= 2.0 && *right <= f64::from(WIDTH) - 2.0)
}

//! What the legend of a sweep says.

use plotters::style::Color;

use super::marks::{control_look, level_color, level_pattern};
use super::{ControlKind, SweepPlot};
use crate::plot::canvas::Marker;
use crate::plot::ends_of;
use crate::plot::frame::Axis;
use crate::plot::label::{number, plain, rounded, short};
use crate::plot::legend::{Entry, Key};
use crate::plot::palette::{BLUE, RANDOM, VERMILION};

pub(super) fn entries(plot: &SweepPlot, y: &Axis) -> Vec<Entry> {
    let mut entries = vec![Entry::new(Key::Estimate(BLUE, Marker::Circle), "mean over prompts, 95 % interval")];
    if !plot.prompts.is_empty() {
        let text = format!("single prompts (n = {})", plot.prompts.len());
        entries.push(Entry::new(Key::Point(BLUE.mix(0.4), Marker::Circle), text));
        let outside = |v: &&f64| **v > y.high || **v < y.low;
        let n_outside = plot.prompts.iter().flatten().filter(outside).count();
        if n_outside > 0 {
            let text = format!("prompt values beyond the axis: {n_outside}");
            entries.push(Entry::new(Key::Point(BLUE.mix(0.6), Marker::Triangle), text));
        }
    }
    if let Some(line) = &plot.line {
        let (low, high) = (short(line.range.0), short(line.range.1));
        let text = format!("line fitted on {low} … {high}");
        entries.push(Entry::new(Key::Line(VERMILION.to_rgba(), 3), text));
        let slope = &line.slope;
        let (low, high) = ends_of(slope);
        let (value, lower, upper) = (rounded(slope.value), rounded(low), rounded(high));
        entries.push(Entry::new(Key::Note, format!("slope {value} [{lower}, {upper}]")));
        entries.push(Entry::new(Key::Note, format!("R² = {}", number(line.r_squared, 3))));
        if line.band.len() > 1 {
            entries.push(Entry::new(Key::Area(VERMILION.mix(0.25)), "the line's 95 % interval"));
        }
    }
    entries.extend(control_entries(plot));
    entries
}

fn control_entries(plot: &SweepPlot) -> Vec<Entry> {
    let mut entries = Vec::new();
    let named = || plot.controls.iter().filter(|c| c.kind != ControlKind::Random);
    let mut said: Vec<&str> = Vec::new();
    for control in named() {
        if said.contains(&control.name.as_str()) {
            continue;
        }
        said.push(&control.name);
        let (color, marker) = control_look(control.kind);
        let n = named().filter(|other| other.name == control.name).count();
        let text = if n > 1 { format!("{} ({n})", control.name) } else { control.name.clone() };
        entries.push(Entry::new(Key::Series(color, marker), plain(&text)));
    }
    let n_random = plot.controls.iter().filter(|c| c.kind == ControlKind::Random).count();
    if n_random > 0 {
        let text = format!("random directions of equal norm ({n_random})");
        entries.push(Entry::new(Key::Line(RANDOM.mix(0.8), 2), text));
    }
    for (i, (name, _)) in plot.levels.iter().enumerate() {
        entries.push(Entry::new(Key::Dashes(level_color(i), level_pattern(i)), plain(name)));
    }
    entries
}

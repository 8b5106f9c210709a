//! Colours that survive colour blindness and grey print.
//!
//! Series take the Okabe–Ito set. The heatmap's default map is diverging (dark blue, white, orange to
//! dark red, in the manner of Crameri's *vik*): no step depends on telling red from green, magnitude
//! is ordered in grey within each sign, and the blue end is darker than the red end. In grey alone the
//! two signs are not told apart, as with any diverging map with a light centre; for grey print
//! [`HeatmapColors::Ordered`] runs from dark blue through grey to light yellow, lighter at every step.

use plotters::style::RGBColor;
use serde::Serialize;

/// The colour map of a heatmap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeatmapColors {
    /// Blue, white, red: the sign stands out. For screens and colour print.
    #[default]
    Diverging,
    /// Dark blue, grey, light yellow: lightness grows with the value. For grey print.
    Ordered,
}

pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const SOFT_INK: RGBColor = RGBColor(95, 95, 95);
pub(super) const AXIS: RGBColor = RGBColor(120, 120, 120);
pub(super) const GRID: RGBColor = RGBColor(232, 232, 232);
pub(super) const SEPARATOR: RGBColor = RGBColor(200, 200, 200);
pub(super) const RANDOM: RGBColor = RGBColor(150, 150, 150);
pub(super) const MISSING: RGBColor = RGBColor(222, 222, 222);
pub(super) const HATCH: RGBColor = RGBColor(150, 150, 150);
pub(super) const COHERENT: RGBColor = RGBColor(0, 158, 115);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILION: RGBColor = RGBColor(213, 94, 0);
pub(super) const PURPLE: RGBColor = RGBColor(170, 80, 140);
pub(super) const ORANGE: RGBColor = RGBColor(208, 140, 0);
pub(super) const GREEN: RGBColor = RGBColor(0, 138, 100);
pub(super) const SKY: RGBColor = RGBColor(64, 160, 214);

/// Series colours in the order they are given out.
const SERIES: [RGBColor; 6] = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY];

/// The colour of series number `index`.
pub(super) fn series_color(index: usize) -> RGBColor {
    SERIES[index % SERIES.len()]
}

const DIVERGING: [(f64, [u8; 3]); 7] = [
    (-1.0, [8, 36, 96]),
    (-0.66, [28, 96, 160]),
    (-0.33, [120, 176, 214]),
    (0.0, [247, 247, 245]),
    (0.33, [240, 176, 128]),
    (0.66, [208, 92, 48]),
    (1.0, [138, 22, 28]),
];

const ORDERED: [(f64, [u8; 3]); 5] =
    [(-1.0, [0, 28, 84]), (-0.5, [62, 76, 112]), (0.0, [128, 128, 128]), (0.5, [188, 174, 108]), (1.0, [254, 232, 70])];

impl HeatmapColors {
    /// Places from −1 (copy) to 1 (correction) with their colours; between two of them, colours are mixed.
    pub fn stops(self) -> &'static [(f64, [u8; 3])] {
        match self {
            Self::Diverging => &DIVERGING,
            Self::Ordered => &ORDERED,
        }
    }

    /// The colour of `at`, from −1 (copy) to 1 (correction); values beyond take the end's colour.
    pub(super) fn color(self, at: f64) -> RGBColor {
        let stops = self.stops();
        let at = at.clamp(-1.0, 1.0);
        let upper = stops.iter().position(|stop| at <= stop.0).unwrap_or(stops.len() - 1).max(1);
        let ((x0, from), (x1, to)) = (stops[upper - 1], stops[upper]);
        let weight = (at - x0) / (x1 - x0);
        let mix = |i: usize| (f64::from(from[i]) + weight * (f64::from(to[i]) - f64::from(from[i]))).round() as u8;
        RGBColor(mix(0), mix(1), mix(2))
    }
}

/// Relative luminance (0 black to 1 white) of a colour.
pub(super) fn luminance(color: RGBColor) -> f64 {
    let linear = |channel: u8| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> impl Iterator<Item = f64> {
        (0..=40).map(|i| f64::from(i) / 40.0)
    }

    #[test]
    fn diverging_map_darkens_with_magnitude_in_each_sign() {
        for sign in [-1.0, 1.0] {
            let grey: Vec<f64> = steps().map(|s| luminance(HeatmapColors::Diverging.color(sign * s))).collect();
            assert!(grey.windows(2).all(|pair| pair[1] < pair[0]), "{grey:?}");
        }
        let end = |s: f64| luminance(HeatmapColors::Diverging.color(s));
        assert!(end(-1.0) < end(1.0));
    }

    #[test]
    fn ordered_map_lightens_at_every_step() {
        let grey: Vec<f64> = steps().map(|s| luminance(HeatmapColors::Ordered.color(2.0 * s - 1.0))).collect();
        assert!(grey.windows(2).all(|pair| pair[1] > pair[0]), "{grey:?}");
    }

    #[test]
    fn both_signs_differ_for_red_green_blind_readers() {
        // Machado et al. 2009, deuteranopia and protanopia at full severity.
        let deutan = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]];
        let protan = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]];
        for matrix in [deutan, protan] {
            for s in steps().filter(|s| *s >= 0.2) {
                let seen = |color: RGBColor| {
                    let c = [color.0, color.1, color.2].map(f64::from);
                    matrix.map(|row| row[0] * c[0] + row[1] * c[1] + row[2] * c[2])
                };
                let plus = seen(HeatmapColors::Diverging.color(s));
                let minus = seen(HeatmapColors::Diverging.color(-s));
                let distance: f64 = plus.iter().zip(minus).map(|(a, b)| (a - b).powi(2)).sum();
                assert!(distance.sqrt() > 40.0, "{s}: {plus:?} {minus:?}");
            }
        }
    }

    #[test]
    fn ends_hold_beyond_the_range() {
        for map in [HeatmapColors::Diverging, HeatmapColors::Ordered] {
            assert_eq!(map.color(-9.0), map.color(-1.0));
            assert_eq!(map.color(9.0), map.color(1.0));
        }
    }
}

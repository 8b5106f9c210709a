//! The region of a mean shift in two scores.

use serde::{Deserialize, Serialize};

/// The 95th percentile of chi-square with two degrees of freedom.
const CHI_SQUARE_95: f64 = 5.991_464_547_107_979;
/// What lies beside an ellipse without width by this share of its length or less lies on it, but for rounding.
const ROUNDING: f64 = 1e-12;

/// An ellipse that holds the true mean shift in 95 % of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ellipse {
    /// Its centre.
    pub center: [f64; 2],
    /// Half its length and half its width.
    pub radii: [f64; 2],
    /// From the first score's axis to the ellipse's long one, in radians.
    pub angle: f64,
}

impl Ellipse {
    /// The ellipse of a mean with this covariance: its axes are those of the covariance, and their squares 5.991 times its variances.
    pub(super) fn of(center: [f64; 2], [[first, both], [_, second]]: [[f64; 2]; 2]) -> Self {
        let (middle, half) = ((first + second) / 2.0, ((first - second) / 2.0).hypot(both));
        let radius = |variance: f64| (CHI_SQUARE_95 * variance.max(0.0)).sqrt();
        let angle = 0.5 * (2.0 * both).atan2(first - second);
        Self { center, radii: [radius(middle + half), radius(middle - half)], angle }
    }

    /// From the centre to the ends of the long and of the short axis.
    pub fn half_axes(&self) -> [[f64; 2]; 2] {
        let ([long, short], (sin, cos)) = (self.radii, self.angle.sin_cos());
        [[long * cos, long * sin], [-short * sin, short * cos]]
    }

    /// Whether a shift lies inside or on the rim.
    pub fn contains(&self, shift: [f64; 2]) -> bool {
        let ([x, y], (sin, cos)) = ([shift[0] - self.center[0], shift[1] - self.center[1]], self.angle.sin_cos());
        let part = |distance: f64, radius: f64| match radius > ROUNDING * self.radii[0] {
            true => (distance / radius).powi(2),
            false if distance.abs() <= ROUNDING * self.radii[0] => 0.0,
            false => f64::INFINITY,
        };
        part(x * cos + y * sin, self.radii[0]) + part(y * cos - x * sin, self.radii[1]) <= 1.0
    }
}

//! Smooth densities of points: Gaussian kernels with Silverman's bandwidth.

use std::f64::consts::TAU;

use redline_probe::stats::percentile;

use super::contour::contours;

/// Places along each side of a density's grid.
const N_PLACES: usize = 80;
/// How many bandwidths a kernel reaches.
const REACH: f64 = 4.0;
/// The least bandwidth, in standard deviations of the answers before: of points that are all the same.
const LEAST_BANDWIDTH: f64 = 0.02;
/// The quartiles of a normal distribution lie this many standard deviations apart.
const QUARTILES_APART: f64 = 1.349;

/// Where most values of one score lie, and how far apart they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bulk {
    /// The lowest value that is no outlier: three interquartile ranges beyond the quartile, but never more than 2.5 % of the values cut.
    pub low: f64,
    /// The highest value that is no outlier.
    pub high: f64,
    /// The standard deviation, or what the quartiles make of it where that is less, so that outliers do not blur the rest.
    spread: f64,
    n: usize,
}

impl Bulk {
    /// `None` without values, or where some are not finite.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let at = |q: f64| percentile(&values, q).ok();
        let (quartile, upper) = (at(25.0)?, at(75.0)?);
        let (within, n) = (3.0 * (upper - quartile), values.len());
        let mean = values.iter().sum::<f64>() / n as f64;
        let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n as f64 - 1.0)).sqrt();
        let spreads = [deviation, (upper - quartile) / QUARTILES_APART];
        Some(Self {
            low: (quartile - within).min(at(2.5)?).max(values[0]),
            high: (upper + within).max(at(97.5)?).min(values[n - 1]),
            spread: spreads.into_iter().filter(|spread| *spread > 0.0 && spread.is_finite()).fold(f64::MAX, f64::min),
            n,
        })
    }

    /// Silverman's bandwidth for a density of so many dimensions, one or two.
    fn bandwidth(&self, n_dimensions: i32) -> f64 {
        if self.spread == f64::MAX {
            return LEAST_BANDWIDTH;
        }
        let factor = if n_dimensions == 1 { 0.9 } else { 1.0 };
        (factor * self.spread * (self.n as f64).powf(-1.0 / f64::from(n_dimensions + 4))).max(LEAST_BANDWIDTH)
    }
}

fn kernel(distance: f64, bandwidth: f64) -> f64 {
    (-0.5 * (distance / bandwidth).powi(2)).exp() / (bandwidth * TAU.sqrt())
}

/// The density of values at places in ascending order and equally far apart. The bandwidth is `least` or more.
pub(super) fn marginal(values: &[f64], places: &[f64], least: f64) -> Vec<f64> {
    let Some(bandwidth) = Bulk::of(values.to_vec()).map(|bulk| bulk.bandwidth(1).max(least)) else { return Vec::new() };
    let mut density = vec![0.0; places.len()];
    for value in values {
        let first = places.partition_point(|place| *place < value - REACH * bandwidth);
        for (place, density) in places.iter().zip(&mut density).skip(first) {
            if *place > value + REACH * bandwidth {
                break;
            }
            *density += kernel(place - value, bandwidth) / values.len() as f64;
        }
    }
    density
}

/// The places of a density's grid along one axis.
struct Side {
    low: f64,
    step: f64,
    bandwidth: f64,
}

impl Side {
    /// `None` where numbers are too large to tell places apart.
    fn of(bulk: Bulk) -> Option<Self> {
        let bandwidth = bulk.bandwidth(2);
        let low = bulk.low - REACH * bandwidth;
        let step = (bulk.high + REACH * bandwidth - low) / (N_PLACES - 1) as f64;
        (step.is_finite() && low + step > low).then_some(Self { low, step, bandwidth })
    }

    fn at(&self, place: f64) -> f64 {
        self.low + place * self.step
    }

    /// The kernel around a value: its first place, and what it is from there on. The rim is left out, so that contours are closed.
    fn kernel(&self, value: f64) -> (usize, Vec<f64>) {
        let reach = REACH * self.bandwidth;
        let place = |at: f64| ((at - self.low) / self.step).clamp(1.0, (N_PLACES - 1) as f64) as usize;
        let (first, end) = (place(value - reach), place(value + reach + self.step));
        let weights = (first..end).map(|i| kernel(self.at(i as f64) - value, self.bandwidth)).collect();
        (first, weights)
    }
}

/// A density over a grid around the bulk of the points.
pub(super) struct Density {
    sides: [Side; 2],
    /// `values[row][column]`: rows go with the second score.
    values: Vec<Vec<f64>>,
}

impl Density {
    /// `None` where there are no points, or none that can be told apart.
    pub fn of(points: &[[f64; 2]]) -> Option<Self> {
        let side = |axis: usize| Side::of(Bulk::of(points.iter().map(|point| point[axis]).collect())?);
        let sides = [side(0)?, side(1)?];
        let mut values = vec![vec![0.0; N_PLACES]; N_PLACES];
        for [x, y] in points {
            let ((left, across), (low, upwards)) = (sides[0].kernel(*x), sides[1].kernel(*y));
            for (row, up) in values.iter_mut().skip(low).zip(upwards) {
                let cells = row.iter_mut().skip(left).zip(&across);
                cells.for_each(|(cell, across)| *cell += up * across / points.len() as f64);
            }
        }
        Some(Self { sides, values })
    }

    /// The contours around the densest region with this share of the mass; none where the grid holds less than that.
    pub fn contours_of(&self, share: f64) -> Vec<Vec<[f64; 2]>> {
        let Some(level) = self.level(share) else { return Vec::new() };
        let at = |[column, row]: [f64; 2]| [self.sides[0].at(column), self.sides[1].at(row)];
        contours(&self.values, level).into_iter().map(|line| line.into_iter().map(at).collect()).collect()
    }

    /// The density whose region of higher densities has this share of the mass.
    fn level(&self, share: f64) -> Option<f64> {
        let mut values: Vec<f64> = self.values.iter().flatten().copied().filter(|value| *value > 0.0).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        let cell = self.sides[0].step * self.sides[1].step;
        let mut mass = 0.0;
        values.into_iter().find(|value| {
            mass += value * cell;
            mass >= share
        })
    }
}

#[cfg(test)]
mod tests {
    use redline_model::random::Random;

    use super::*;

    fn points(n: usize) -> Vec<[f64; 2]> {
        let mut noise = Random::named(&[9], "density");
        (0..n).map(|_| [noise.normal(), 3.0 + 0.5 * noise.normal()]).collect()
    }

    /// Whether a point lies within closed lines, by how often a ray to the right crosses them.
    fn is_within(lines: &[Vec<[f64; 2]>], [x, y]: [f64; 2]) -> bool {
        let crosses = |pair: &&[[f64; 2]]| {
            let [[ax, ay], [bx, by]] = [pair[0], pair[1]];
            (ay > y) != (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)
        };
        lines.iter().map(|line| line.windows(2).filter(crosses).count()).sum::<usize>() % 2 == 1
    }

    #[test]
    fn contours_hold_their_share_of_points() {
        let points = points(2000);
        let density = Density::of(&points).unwrap();
        for (share, slack) in [(0.5, 0.06), (0.9, 0.04)] {
            let lines = density.contours_of(share);
            assert!(lines.iter().all(|line| line.first() == line.last()));
            let n = points.iter().filter(|point| is_within(&lines, **point)).count();
            assert!((n as f64 / 2000.0 - share).abs() < slack, "{share}: {n}");
        }
        assert!(density.level(0.9) < density.level(0.5));
        let mass: f64 = density.values.iter().flatten().sum::<f64>() * density.sides[0].step * density.sides[1].step;
        assert!((mass - 1.0).abs() < 0.01, "{mass}");
    }

    #[test]
    fn outliers_neither_blur_nor_widen_the_rest() {
        let mut points = points(200);
        let clean = Bulk::of(points.iter().map(|point| point[0]).collect()).unwrap();
        points.extend([[1e6, 0.0], [-1e9, 3.0]]);
        let bulk = Bulk::of(points.iter().map(|point| point[0]).collect()).unwrap();
        assert!(bulk.high < 10.0 && bulk.low > -10.0, "{bulk:?}");
        assert!((bulk.bandwidth(2) / clean.bandwidth(2) - 1.0).abs() < 0.2);
        let lines = Density::of(&points).unwrap().contours_of(0.9);
        assert!(!lines.is_empty() && lines.iter().flatten().all(|[x, _]| x.abs() < 10.0));
    }

    #[test]
    fn densities_of_a_margin_have_area_one() {
        let values: Vec<f64> = points(50).iter().map(|point| point[0]).collect();
        let places: Vec<f64> = (0..400).map(|i| -10.0 + 0.05 * f64::from(i)).collect();
        for values in [&values[..], &[1.0; 8], &[2.0]] {
            let area: f64 = marginal(values, &places, 0.08).iter().sum::<f64>() * 0.05;
            assert!((area - 1.0).abs() < 0.01, "{area}");
        }
        assert!(marginal(&[], &places, 0.1).is_empty());
    }

    #[test]
    fn points_in_one_place_and_huge_numbers_do_not_panic() {
        let one = Density::of(&[[1.0, 2.0]; 9]).unwrap();
        assert_eq!(one.contours_of(0.5).len(), 1);
        assert!(Density::of(&[]).is_none() && Density::of(&[[f64::NAN, 0.0]]).is_none());
        for value in [f64::MAX, 1e300, 1e17, f64::MIN_POSITIVE] {
            let found = Density::of(&[[value, 0.0], [-value, 1.0], [0.0, value], [1.0, 1.0]]);
            if let Some(found) = found {
                found.contours_of(0.9);
            }
        }
    }
}

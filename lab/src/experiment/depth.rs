//! At which depth a model reads something: an answer to "early layers decide", with intervals.
//!
//! Layers are taken in three thirds by their number. Intervals are over held-out pairs, which are drawn alike for all layers.

use redline_probe::reading::ReportOptions;
use redline_probe::stats::{Estimate, estimate, mean};
use redline_probe::{LayerPairs, LayerVector, PairScores};
use redline_steer::Result;
use serde::{Deserialize, Serialize};

/// How reading is spread over the layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Depth {
    /// Mean AUROC of the first, middle and last third of the layers.
    pub auroc_by_third: [Estimate; 3],
    /// Mean AUROC of the first third less that of the middle one: above 0 if early layers decide.
    pub early_minus_middle: Estimate,
    /// The first layer whose AUROC has risen half way from chance to its highest.
    pub half_rise_layer: Estimate,
    /// The layer with the largest d′: standardised.
    pub standardised_peak: Estimate,
    /// The layer with the largest difference of the poles' means: raw, in the units of the activations.
    pub raw_peak: Estimate,
    /// Share of the raw differences of all layers that falls to the first third.
    pub raw_early_share: Estimate,
}

impl Depth {
    /// Measures it on held-out pairs; `None` with fewer than three layers or without a spread of scores.
    ///
    /// # Errors
    /// As [`LayerVector::pair_scores`].
    pub fn measure(vectors: &[LayerVector], held_out: &[LayerPairs], options: &ReportOptions) -> Result<Option<Self>> {
        let scores = vectors
            .iter()
            .zip(held_out)
            .map(|(vector, pairs)| vector.pair_scores(pairs))
            .collect::<redline_probe::Result<Vec<PairScores>>>()?;
        let layers: Vec<usize> = vectors.iter().map(|vector| vector.layer).collect();
        let n_pairs = scores.first().map_or(0, PairScores::n_pairs);
        if layers.len() < 3 {
            return Ok(None);
        }
        let all = estimate(n_pairs, options.n_resamples, options.seed, |counts| statistics(&layers, &scores, counts));
        let [
            Some(early),
            Some(middle),
            Some(late),
            Some(difference),
            Some(rise),
            Some(standard),
            Some(raw),
            Some(share),
        ] = all
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            auroc_by_third: [early, middle, late],
            early_minus_middle: difference,
            half_rise_layer: rise,
            standardised_peak: standard,
            raw_peak: raw,
            raw_early_share: share,
        }))
    }
}

fn statistics(layers: &[usize], scores: &[PairScores], counts: &[u32]) -> [Option<f64>; 8] {
    let of = |statistic: fn(&PairScores, &[u32]) -> Option<f64>| -> Option<Vec<f64>> {
        scores.iter().map(|scores| statistic(scores, counts)).collect()
    };
    let (auroc, d_prime, gap) = (of(PairScores::auroc), of(PairScores::d_prime), of(PairScores::gap));
    let n = layers.len();
    let bounds = [0, n / 3, n - n / 3, n];
    let thirds = auroc.as_ref().map(|auroc| {
        [0, 1, 2].map(|third| mean(auroc[bounds[third]..bounds[third + 1]].iter().copied()).unwrap_or(f64::NAN))
    });
    let third = |place: usize| thirds.map(|thirds| thirds[place]);
    let rise = auroc.as_ref().and_then(|auroc| {
        let highest = auroc.iter().copied().fold(0.5, f64::max);
        let risen = auroc.iter().position(|value| *value - 0.5 >= (highest - 0.5) / 2.0)?;
        (highest > 0.5).then(|| layers[risen] as f64)
    });
    let share = gap.as_ref().map(|gap| {
        let size = |part: &[f64]| part.iter().map(|gap| gap.abs()).sum::<f64>();
        size(&gap[..bounds[1]]) / size(gap).max(f64::MIN_POSITIVE)
    });
    let peak = |values: Option<Vec<f64>>| {
        let values = values?;
        (0..n).reduce(|best, layer| if values[layer] > values[best] { layer } else { best }).map(|i| layers[i] as f64)
    };
    [third(0), third(1), third(2), thirds.map(|t| t[0] - t[1]), rise, peak(d_prime), peak(gap), share]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 pairs that stand apart by `gap` with a spread of `spread`, on a grid without ties.
    fn scores(gap: f64, spread: f64) -> PairScores {
        let noise = |i: usize, step: usize| spread * (((i * step) % 41) as f64 / 20.0 - 1.0);
        let positive = (0..40).map(|i| gap + noise(i, 7)).collect();
        PairScores::new(positive, (0..40).map(|i| noise(i, 16) + 1e-3).collect())
    }

    #[test]
    fn raw_and_standardised_peaks_differ_where_spreads_do() {
        // layer 3 stands apart most for its spread, layer 5 most in units
        let sizes = [(0.0, 1.0), (0.0, 1.0), (0.1, 1.0), (4.0, 1.0), (1.0, 1.0), (20.0, 40.0)];
        let all: Vec<PairScores> = sizes.iter().map(|(gap, spread)| scores(*gap, *spread)).collect();
        let layers = [0, 1, 2, 3, 4, 5];
        let found = statistics(&layers, &all, &[1; 40]).map(Option::unwrap);
        let [early, middle, _, difference, rise, standard, raw, share] = found;
        assert!(early < 0.55 && middle > 0.7 && (early - middle - difference).abs() < 1e-12, "{found:?}");
        assert_eq!((rise, standard, raw), (3.0, 3.0, 5.0));
        assert!(share < 0.01, "{share}");
    }

    #[test]
    fn nothing_to_read_gives_nothing() {
        let all: Vec<PairScores> = (0..3).map(|_| PairScores::new(vec![1.0; 5], vec![1.0; 5])).collect();
        let found = statistics(&[0, 1, 2], &all, &[1; 5]);
        assert_eq!((found[4], found[5]), (None, None), "no rise above chance, no spread");
    }
}

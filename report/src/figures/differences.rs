//! Two results beside each other, and directions among themselves, as plots.

use std::collections::BTreeMap;

use redline_probe::LatScan;
use redline_probe::stats::cosine;

use crate::plot::{Heatmap, PlotError, Profile, ProfileSeries, visible_token};

/// One scan less another, cell by cell, over the tokens that both have. Where the tokens of a column differ, both are named.
///
/// # Errors
/// The scans are of different layers, or one has no token.
pub fn scan_difference(scan: &LatScan, less: &LatScan, title: &str) -> Result<Heatmap, PlotError> {
    if scan.layers != less.layers {
        let [left, right] = [&scan.layers, &less.layers].map(|layers| named(layers));
        return Err(PlotError::Unlike { what: "layers", left, right });
    }
    let values = scan.z.iter().zip(&less.z).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect();
    let label = |(a, b): (&String, &String)| match a == b {
        true => visible_token(a),
        false => format!("{}|{}", visible_token(a), visible_token(b)),
    };
    let mut heatmap = Heatmap::new(title, values, scan.tokens.iter().zip(&less.tokens).map(label).collect());
    heatmap.layers.clone_from(&scan.layers);
    heatmap.quantity = "difference".into();
    heatmap.poles = ["less correction".into(), "more correction".into()];
    Ok(heatmap)
}

/// Cosines between the directions of all layers.
pub fn direction_cosines(directions: &BTreeMap<usize, Vec<f32>>, title: &str) -> Heatmap {
    let row = |a: &Vec<f32>| directions.values().map(|b| cosine(a, b).unwrap_or(0.0) as f32).collect();
    let labels = directions.keys().map(usize::to_string).collect();
    let mut heatmap = Heatmap::new(title, directions.values().map(row).collect(), labels);
    heatmap.layers = directions.keys().copied().collect();
    heatmap.clip = 1.0;
    heatmap.quantity = "cosine".into();
    heatmap.unit = String::new();
    heatmap.x_label = "layer (block number, from 0)".into();
    heatmap.poles = ["opposite".into(), "the same".into()];
    heatmap
}

/// Cosine of two vectors' directions at every layer that both have.
///
/// # Errors
/// They share no layer, or their sizes differ.
pub fn cosine_profile(
    a: &BTreeMap<usize, Vec<f32>>,
    b: &BTreeMap<usize, Vec<f32>>,
    name: &str,
    title: &str,
) -> Result<Profile, PlotError> {
    let shared: Vec<usize> = a.keys().filter(|layer| b.contains_key(layer)).copied().collect();
    if shared.is_empty() {
        let layers = |directions: &BTreeMap<usize, Vec<f32>>| named(&directions.keys().copied().collect::<Vec<_>>());
        return Err(PlotError::Unlike { what: "layers", left: layers(a), right: layers(b) });
    }
    for layer in &shared {
        if a[layer].len() != b[layer].len() {
            let [left, right] = [a, b].map(|directions| directions[layer].len().to_string());
            return Err(PlotError::Unlike { what: "sizes of the directions", left, right });
        }
    }
    let values = shared.iter().map(|layer| cosine(&a[layer], &b[layer]).unwrap_or(0.0)).collect();
    let series = ProfileSeries { name: name.into(), values, intervals: None };
    let mut profile = Profile::of_shares(title, shared, vec![series]);
    profile.y_label = "cosine (−1 to 1)".into();
    profile.chance = Some(0.0);
    profile.y_range = Some((-1.0, 1.0));
    Ok(profile)
}

fn named(layers: &[usize]) -> String {
    let names: Vec<String> = layers.iter().map(usize::to_string).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(z: Vec<Vec<f32>>, tokens: &[&str]) -> LatScan {
        LatScan {
            label: "correction".into(),
            row: 0,
            layers: (0..z.len()).collect(),
            tokens: tokens.iter().map(|token| (*token).into()).collect(),
            scores: z.clone(),
            z,
        }
    }

    #[test]
    fn a_difference_covers_what_both_scans_have() {
        let a = scan(vec![vec![3.0, 1.0, 9.0], vec![0.5, 0.0, 9.0]], &[" a", "b", "c"]);
        let b = scan(vec![vec![1.0, 2.0], vec![0.5, -4.0]], &[" a", "x"]);
        let found = scan_difference(&a, &b, "t").unwrap();
        assert_eq!(found.values, [[2.0, -1.0], [0.0, 4.0]]);
        assert_eq!(found.token_labels, ["·a", "b|x"]);
        assert!(scan_difference(&a, &a, "t").unwrap().values.iter().flatten().all(|value| *value == 0.0));
        let other = scan(vec![vec![0.0; 2]], &["a", "b"]);
        let error = scan_difference(&a, &other, "t").unwrap_err();
        assert_eq!(error.to_string(), "the layers differ: 0,1 and 0");
    }

    #[test]
    fn cosines_are_those_of_geometry() {
        let directions: BTreeMap<usize, Vec<f32>> =
            [(2, vec![1.0, 0.0]), (3, vec![1.0, 1.0]), (7, vec![-2.0, 0.0])].into();
        let found = direction_cosines(&directions, "t");
        let half = 0.5f32.sqrt();
        assert_eq!(found.layers, [2, 3, 7]);
        for (row, expected) in found.values.iter().zip([[1.0, half, -1.0], [half, 1.0, -half], [-1.0, -half, 1.0]]) {
            assert!(row.iter().zip(expected).all(|(got, wanted)| (got - wanted).abs() < 1e-6), "{row:?}");
        }
        let other: BTreeMap<usize, Vec<f32>> = [(3, vec![0.0, 2.0]), (4, vec![1.0, 1.0])].into();
        let profile = cosine_profile(&directions, &other, "n", "t").unwrap();
        assert_eq!(profile.layers, [3]);
        assert!((profile.series[0].values[0] - 0.5f64.sqrt()).abs() < 1e-6);
        let none: BTreeMap<usize, Vec<f32>> = [(9, vec![0.0, 2.0])].into();
        assert!(matches!(cosine_profile(&directions, &none, "n", "t"), Err(PlotError::Unlike { .. })));
        let longer: BTreeMap<usize, Vec<f32>> = [(3, vec![0.0; 3])].into();
        assert!(cosine_profile(&directions, &longer, "n", "t").unwrap_err().to_string().contains("2 and 3"));
    }
}

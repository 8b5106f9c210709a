//! Directions against those of scikit-learn, RepE and repeng on fixed activations.
//!
//! Tolerances: the references ran in single precision, this crate in double; their directions agree to about 1e-7, and the bounds
//! leave room for other machines. Signs must agree too: the references orient by majority as this crate does.

use ndarray::Array2;
use safetensors::SafeTensors;

use crate::direction::{direction_with_flips, extract_layer};
use crate::{ExtractOptions, LayerDirection, LayerPairs, Method, Scaling};

const LAYERS: [usize; 3] = [1, 2, 3];
const COSINE: f64 = 0.9999;

fn file() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/readers/expected.safetensors")).unwrap()
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let bytes = file.tensor(name).unwrap().data();
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn pairs(file: &SafeTensors<'_>, layer: usize) -> LayerPairs {
    let pole = |name: &str| {
        let name = format!("{name}.{layer}");
        let shape = file.tensor(&name).unwrap().shape().to_vec();
        Array2::from_shape_vec((shape[0], shape[1]), floats(file, &name)).unwrap()
    };
    LayerPairs::new(layer, pole("positive"), pole("negative")).unwrap()
}

/// Signed: a direction of the wrong sign fails.
fn check(file: &SafeTensors<'_>, reader: &str, found: &LayerDirection) {
    let expected = floats(file, &format!("{reader}.direction.{}", found.layer));
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&found.direction, &expected) / dot(&expected, &expected).sqrt();
    assert!(cosine >= COSINE, "{reader}, layer {}: cosine {cosine}", found.layer);
    assert!((dot(&found.direction, &found.direction) - 1.0).abs() < 1e-6);
}

fn unscaled(method: Method, mirrored: bool) -> ExtractOptions {
    ExtractOptions { method, scaling: Scaling::None, mirrored, seed: 0 }
}

#[test]
fn repe_with_its_own_flips() {
    let bytes = file();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for layer in LAYERS {
        let flips: Vec<bool> = file.tensor(&format!("flip.{layer}")).unwrap().data().iter().map(|b| *b != 0).collect();
        let found = direction_with_flips(&pairs(&file, layer), &flips, Scaling::None).unwrap();
        check(&file, "repe", &found);
        let expected = f64::from(floats(&file, &format!("repe.explained_variance_ratio.{layer}"))[0]);
        let ratio = found.explained_variance_ratio.unwrap();
        assert!((ratio - expected).abs() < 1e-4, "layer {layer}: {ratio}, expected {expected}");
    }
}

#[test]
fn repeng_pca_diff_is_the_one_without_flips() {
    let bytes = file();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for layer in LAYERS {
        let pairs = pairs(&file, layer);
        let found = direction_with_flips(&pairs, &vec![false; pairs.n_pairs()], Scaling::None).unwrap();
        check(&file, "repeng_pca_diff", &found);
    }
}

#[test]
fn repeng_pca_center_is_also_mirrored_pca_diff() {
    let bytes = file();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for layer in LAYERS {
        let pairs = pairs(&file, layer);
        for options in [unscaled(Method::PcaCenter, false), unscaled(Method::PcaDiff, true)] {
            check(&file, "repeng_pca_center", &extract_layer(&pairs, &options).unwrap());
        }
    }
}

#[test]
fn mean_difference() {
    let bytes = file();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for layer in LAYERS {
        let found = extract_layer(&pairs(&file, layer), &unscaled(Method::MeanDiff, false)).unwrap();
        check(&file, "mean_difference", &found);
    }
}

#[test]
fn our_own_flips_come_close_to_the_mean_difference() {
    let bytes = file();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for layer in LAYERS {
        let found = extract_layer(&pairs(&file, layer), &unscaled(Method::PcaDiff, false)).unwrap();
        // the planted signal grows with the layer; without flips layer 3 reaches only 0.947
        let least = [0.95, 0.99, 0.999][layer - 1];
        assert!(found.cosine_to_mean_diff.unwrap() > least, "layer {layer}: {found:?}");
    }
}

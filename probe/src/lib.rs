//! Reading correction: from pairs of activations to directions, scores and held-out reports.
//!
//! A pair holds one activation for each pole: *positive* (the Aligner corrects) and *negative* (it copies). Per layer this crate
//!
//! 1. splits the data by question, so that nothing is tested on what it was fitted on ([`split`]);
//! 2. finds a unit direction along which the poles part ([`direction`], by principal components in [`pca`]), oriented so that
//!    positive always means more correction;
//! 3. fits a centre, a gap and a scale on the training pairs and scores any activation ([`reading`]);
//! 4. reports on held-out pairs how well the scores tell the poles apart ([`separation`], with intervals from [`stats`]).
//!
//! Steps 2 to 4 work on plain `ndarray` data; [`pair`], [`activations`] and [`scan`] connect them with a model, and [`artifact`]
//! is the file in between. Layers count from 0.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod activation_file;
pub mod activations;
pub mod artifact;
pub mod capture;
pub mod direction;
mod error;
pub mod layer_pairs;
mod logistic;
pub mod method;
pub mod pair;
pub mod pair_head;
pub mod pca;
pub mod reading;
pub mod router;
pub mod scan;
pub mod separation;
pub mod shard;
pub mod split;
pub mod stats;
pub mod tensors;
mod warning;

pub use activation_file::PairFile;
pub use activations::{
    CaptureOptions, PairActivations, PlaceActivations, TokenActivations, capture_pairs, capture_places, capture_tokens,
};
pub use artifact::{Provenance, Reading};
pub use direction::{ExtractOptions, Extraction, LayerDirection, extract_directions};
pub use error::{Error, Result};
pub use layer_pairs::{LayerPairs, Pole};
pub use method::{Method, Scaling};
pub use pair::{ContrastPair, PairBuilder, PairDesign, PairSet, ReadAt, Skip, TokenText};
pub use reading::{LayerReading, LayerVector, ReportOptions, fit_layers, report_layers};
pub use scan::{Calibration, LatScan};
pub use separation::PairScores;
pub use warning::Warning;

#[cfg(test)]
mod golden_tests;

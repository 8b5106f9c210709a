//! Options of pairs and of the direction that is found in them.

use std::str::FromStr;

use clap::Args;
use redline::experiment::ExtractionSettings;
use redline::model::{Site, UnknownName};
use redline::probe::scan::SCAN_TOKENS;
use redline::probe::{ExtractOptions, Method, PairDesign, ReadAt, Scaling};

use super::numbers::{MOST_ROWS, MOST_TOKENS, count};
use crate::failure::hinted;

#[derive(Args, Clone)]
pub struct PairArgs {
    /// How pairs are made
    #[arg(long, default_value_t, help = format!("How pairs are made: {}", PairDesign::NAMES))]
    pub design: PairDesign,
    /// Positions to read: last-prompt-token, last-token, output-token:K, first-tokens:N, from-first-difference:N,
    /// at-difference:K [default: from the design]
    #[arg(long)]
    pub read: Option<ReadAt>,
    /// Site in each block: resid_pre, resid_mid, resid_post, attn_out, mlp_out, or attn.hook_z (all heads)
    #[arg(long, default_value = "resid_post")]
    pub site: String,
    /// How to find the direction
    #[arg(long, help = format!("How to find the direction: {}; or trained (from mean_diff); or inside (an Aligner inside a model) [default: pca_diff; mean_diff for `tune`, and for `reproduce` on the built-in Aligner and on smollm2]", Method::NAMES))]
    pub method: Option<VectorMethod>,
    /// Scaling before PCA: per-dimension (a direction to steer by), per-dimension-filter (a direction to read by),
    /// none
    #[arg(long, default_value_t = ExtractOptions::default().scaling)]
    pub scaling: Scaling,
    /// Flip the order of each pair at random, as RepE does, instead of taking both orders
    #[arg(long)]
    pub no_mirror: bool,
    /// Longest prompt with output, in tokens
    #[arg(long, default_value_t = 1536, value_parser = count(0, MOST_TOKENS))]
    pub max_tokens: usize,
    /// Share of the questions kept for the held-out layer report
    #[arg(long, default_value_t = 0.25)]
    pub held_out_share: f64,
    /// Training pairs for calibrating scans
    #[arg(long, default_value_t = 32, value_parser = count(0, MOST_ROWS))]
    pub calibration_pairs: usize,
    /// For rows that carry their flaws: pair the answer with the correction of this strictness (1 mends everything)
    /// instead of the row's own
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub strictness: Option<u8>,
}

/// Name of the method that is no reading.
const TRAINED: &str = "trained";
/// Name of the method that trains no vector.
const INSIDE: &str = "inside";

/// How a vector is found: read from pairs, or trained from the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorMethod {
    /// Read from pairs.
    Read(Method),
    /// Trained, from the mean difference.
    Trained,
    /// No vector: networks behind blocks are trained.
    Inside,
}

impl VectorMethod {
    /// How the vector is read that is used, or that training starts at.
    fn read(self) -> Method {
        match self {
            Self::Read(method) => method,
            Self::Trained | Self::Inside => Method::MeanDiff,
        }
    }
}

impl FromStr for VectorMethod {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            TRAINED => Ok(Self::Trained),
            INSIDE => Ok(Self::Inside),
            _ => name.parse().map(Self::Read).map_err(|error: UnknownName| format!("{error}, {TRAINED}, {INSIDE}")),
        }
    }
}

impl PairArgs {
    /// The settings of a verb that only reads directions.
    pub fn reading_settings(&self, seed: u64) -> anyhow::Result<ExtractionSettings> {
        match self.method {
            Some(VectorMethod::Trained) => Err(hinted(
                "--method trained: this command reads directions and trains none",
                "train one with `redline extract --method trained`, and give its file as --vector where that is taken",
            )),
            _ => {
                self.refuse_inside()?;
                self.settings(seed)
            }
        }
    }

    /// Refuses to train an Aligner inside a model, for all verbs but the one that does.
    pub fn refuse_inside(&self) -> anyhow::Result<()> {
        match self.method {
            Some(VectorMethod::Inside) => Err(hinted(
                "--method inside: this command trains no Aligner inside a model",
                "train one with `redline extract --method inside`, and give its file as --vector where that is taken",
            )),
            _ => Ok(()),
        }
    }

    /// Options that say how pairs are read, where they are not as they are without being given.
    pub fn given_of_reading(&self) -> impl Iterator<Item = &'static str> {
        let default = ExtractionSettings::default();
        let given = [
            ("--design", self.design != default.design),
            ("--read", self.read.is_some()),
            ("--site", self.site.parse::<Site>().ok() != Some(Site::ResidPost)),
            ("--scaling", self.scaling != default.extract.scaling),
            ("--no-mirror", self.no_mirror),
            ("--held-out-share", self.held_out_share != default.held_out_share),
            ("--calibration-pairs", self.calibration_pairs != default.calibration_pairs),
        ];
        given.into_iter().filter_map(|(name, is_given)| is_given.then_some(name))
    }

    /// The settings that the pair options stand for; of a vector that is trained, those of its start.
    pub fn settings(&self, seed: u64) -> anyhow::Result<ExtractionSettings> {
        let site: Site = self.site.parse()?;
        if !(self.held_out_share > 0.0 && self.held_out_share < 1.0) {
            let message = format!("--held-out-share is {}", self.held_out_share);
            return Err(hinted(message, "give a share between 0 and 1, such as 0.25"));
        }
        Ok(ExtractionSettings {
            design: self.design,
            read: self.read.unwrap_or_else(|| ReadAt::default_for(self.design)),
            site: site.to_string(),
            extract: ExtractOptions {
                method: self.method.map_or(ExtractOptions::default().method, VectorMethod::read),
                scaling: self.scaling,
                mirrored: !self.no_mirror,
                seed,
            },
            max_tokens: self.max_tokens,
            held_out_share: self.held_out_share,
            scan_tokens: SCAN_TOKENS,
            calibration_pairs: self.calibration_pairs,
            seed,
        })
    }
}

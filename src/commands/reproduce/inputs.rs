//! What the experiment runs on: the rows and sizes asked for, or those inside the program.

use std::path::PathBuf;

use redline::embedded;
use redline::experiment::LayerSpec;
use redline::model::Qac;
use redline::probe::Method;
use redline::steer::TokenRange;
use sha2::{Digest, Sha256};

use crate::cli::{Coefficients, PUBLISHED_COEFFICIENTS, PairArgs, ReproduceArgs};
use crate::session::{at_strictness, read_triples};

/// Of rows that carry their flaws, those inside the program: everything is mended against nothing.
const EMBEDDED_STRICTNESS: u8 = 1;
/// Coefficients for the Aligner inside the program.
const EMBEDDED_COEFFICIENTS: &str = "-1,-0.75,-0.5,-0.25,0,0.25,0.5,0.75,1";
/// Coefficients for the Aligner on SmolLM2.
const SMOLLM2_COEFFICIENTS: &str = "-3,-1.5,0,1.5,3";

/// How much is done unless told otherwise.
struct Sizes {
    pairs: usize,
    prompts: usize,
    control_prompts: usize,
    max_new_tokens: usize,
}

impl Sizes {
    /// Rows of the user's own.
    const OWN_ROWS: Self = Self { pairs: 64, prompts: 24, control_prompts: 8, max_new_tokens: 96 };
    /// The rows inside the program, with the Aligner inside it.
    const EMBEDDED: Self = Self { pairs: 160, prompts: 200, control_prompts: 32, max_new_tokens: 160 };
    /// The rows inside the program, with a model that takes its time.
    const REAL_MODEL: Self = Self { pairs: 96, prompts: 32, control_prompts: 8, max_new_tokens: 160 };
}

/// Rows and sizes.
pub struct Inputs {
    pub triples: Vec<Qac>,
    /// What errors call the rows.
    pub name: PathBuf,
    /// SHA-256 of the file they came from.
    pub hash: String,
    /// The strictness of the corrections, where it is not that of the rows.
    pub strictness: Option<u8>,
    pub pairs: usize,
    pub prompts: usize,
    pub coefficients: Vec<f32>,
    pub control_prompts: usize,
    pub layers: LayerSpec,
    pub range: TokenRange,
    pub batch_rows: usize,
    pub max_new_tokens: usize,
}

impl Inputs {
    /// Reads the rows.
    pub fn read(args: &ReproduceArgs) -> anyhow::Result<Self> {
        let (has_own_model, has_own_rows) = (args.model.model.is_some(), args.data.is_some());
        let sizes = match (has_own_rows, has_own_model) {
            (true, _) => Sizes::OWN_ROWS,
            (false, true) => Sizes::REAL_MODEL,
            (false, false) => Sizes::EMBEDDED,
        };
        let coefficients = match &args.coefficients {
            Some(Coefficients(values)) => values.clone(),
            None => {
                let listed = match has_own_model {
                    true if args.model.is_smollm2() => SMOLLM2_COEFFICIENTS,
                    true => PUBLISHED_COEFFICIENTS,
                    false => EMBEDDED_COEFFICIENTS,
                };
                listed.parse::<Coefficients>().map_err(anyhow::Error::msg)?.0
            }
        };
        // the Aligner inside has so few blocks that all of them are few, and so small ones that many rows fit
        let is_all = !has_own_model && args.layers == LayerSpec::Auto;
        let (triples, name, hash, strictness) = match &args.data {
            Some(path) => {
                let triples = read_triples(path, args.pair.strictness)?;
                let bytes = std::fs::read(path).map_err(|error| redline::model::Error::io(path, error))?;
                (triples, path.clone(), sum(&bytes), args.pair.strictness)
            }
            None => {
                let strictness = args.pair.strictness.unwrap_or(EMBEDDED_STRICTNESS);
                let triples = at_strictness(&embedded::rows()?, strictness)?;
                (triples, embedded::ROWS_NAME.into(), sum(embedded::ROWS), Some(strictness))
            }
        };
        Ok(Self {
            triples,
            name,
            hash,
            strictness,
            pairs: args.pairs.unwrap_or(sizes.pairs),
            prompts: args.prompts.unwrap_or(sizes.prompts),
            coefficients,
            control_prompts: args.control_prompts.unwrap_or(sizes.control_prompts),
            layers: if is_all { LayerSpec::All } else { args.layers.clone() },
            range: args.range.unwrap_or(match args.model.is_smollm2() {
                true => TokenRange::All,
                false => TokenRange::default(),
            }),
            batch_rows: args.batch_rows.unwrap_or(if has_own_model { 48 } else { 144 }),
            max_new_tokens: args.max_new_tokens.unwrap_or(sizes.max_new_tokens),
        })
    }
}

/// How directions are found: what was asked for, or what development questions spoke for.
pub fn pair_args(args: &ReproduceArgs) -> PairArgs {
    let mut pair = args.pair.clone();
    if args.model.is_smollm2() {
        pair.method.get_or_insert(Method::MeanDiff);
    }
    pair
}

/// SHA-256 as hexadecimal digits.
fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

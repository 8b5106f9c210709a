//! What the experiment runs on: the rows and sizes asked for, or those inside the program.

use std::path::PathBuf;

use redline::embedded;
use redline::experiment::LayerSpec;
use redline::model::Qac;
use redline::model::qac::data_bytes;
use redline::profile::hash_of;
use redline::steer::TokenRange;

use crate::cli::ReproduceArgs;
use crate::defaults;
use crate::session::{at_strictness, read_triples};

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
        let (triples, name, hash, strictness) = match &args.data {
            Some(path) => {
                let triples = read_triples(path, args.pair.strictness)?;
                (triples, path.clone(), hash_of(&data_bytes(path)?), args.pair.strictness)
            }
            None => {
                let strictness = args.pair.strictness.unwrap_or(defaults::EMBEDDED_STRICTNESS);
                let triples = at_strictness(&embedded::rows()?, strictness)?;
                (triples, embedded::ROWS_NAME.into(), hash_of(embedded::ROWS), Some(strictness))
            }
        };
        Ok(Self {
            triples,
            name,
            hash,
            strictness,
            pairs: args.pairs.unwrap_or(sizes.pairs),
            prompts: args.prompts.unwrap_or(sizes.prompts),
            coefficients: defaults::coefficients(&args.model, args.coefficients.as_ref())?,
            control_prompts: args.control_prompts.unwrap_or(sizes.control_prompts),
            layers: defaults::layers(&args.model, &args.layers),
            range: defaults::range(&args.model, args.range),
            // the blocks of the Aligner inside are so small that many rows fit
            batch_rows: args.batch_rows.unwrap_or(if has_own_model { 48 } else { 144 }),
            max_new_tokens: args.max_new_tokens.unwrap_or(sizes.max_new_tokens),
        })
    }
}

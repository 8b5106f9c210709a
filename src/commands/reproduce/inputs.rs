//! What the experiment runs on: the rows and sizes asked for, or those inside the program.

use std::path::PathBuf;

use redline::embedded;
use redline::experiment::LayerSpec;
use redline::model::Qac;
use sha2::{Digest, Sha256};

use crate::cli::{Coefficients, PUBLISHED_COEFFICIENTS, ReproduceArgs};
use crate::session::{at_strictness, read_triples};

/// Of rows that carry their flaws, those inside the program: everything is mended against nothing.
const EMBEDDED_STRICTNESS: u8 = 1;
/// Coefficients for the Aligner inside the program.
const EMBEDDED_COEFFICIENTS: &str = "-1,-0.75,-0.5,-0.25,0,0.25,0.5,0.75,1";

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
    pub batch_rows: usize,
    pub max_new_tokens: usize,
}

impl Inputs {
    /// Reads the rows.
    pub fn read(args: &ReproduceArgs) -> anyhow::Result<Self> {
        let is_embedded = args.data.is_none();
        let default = |own: usize, embedded: usize| if is_embedded { embedded } else { own };
        let (pairs, prompts) = (args.pairs.unwrap_or(default(64, 160)), args.prompts.unwrap_or(default(24, 200)));
        let control_prompts = args.control_prompts.unwrap_or(default(8, 32));
        let listed = if args.model.model.is_none() { EMBEDDED_COEFFICIENTS } else { PUBLISHED_COEFFICIENTS };
        let coefficients = match &args.coefficients {
            Some(Coefficients(values)) => values.clone(),
            None => listed.parse::<Coefficients>().map_err(anyhow::Error::msg)?.0,
        };
        let sum = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        // the Aligner inside has so few blocks that all of them are few, and so small ones that many rows fit
        let is_small = args.model.model.is_none();
        let layers = if is_small && args.layers == LayerSpec::Auto { LayerSpec::All } else { args.layers.clone() };
        let batch_rows = args.batch_rows.unwrap_or(if is_small { 144 } else { 48 });
        let max_new_tokens = args.max_new_tokens.unwrap_or(default(96, 160));
        let Some(path) = &args.data else {
            let strictness = args.pair.strictness.unwrap_or(EMBEDDED_STRICTNESS);
            return Ok(Self {
                triples: at_strictness(&embedded::rows()?, strictness)?,
                name: embedded::ROWS_NAME.into(),
                hash: sum(embedded::ROWS),
                strictness: Some(strictness),
                pairs,
                prompts,
                coefficients,
                control_prompts,
                layers,
                batch_rows,
                max_new_tokens,
            });
        };
        let triples = read_triples(path, args.pair.strictness)?;
        let bytes = std::fs::read(path).map_err(|error| redline::model::Error::io(path, error))?;
        let (name, hash, strictness) = (path.clone(), sum(&bytes), args.pair.strictness);
        Ok(Self {
            triples,
            name,
            hash,
            strictness,
            pairs,
            prompts,
            coefficients,
            control_prompts,
            layers,
            batch_rows,
            max_new_tokens,
        })
    }
}

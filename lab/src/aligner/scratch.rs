//! A new Aligner: its tokenizer from its own data, its weights at random.

use redline_model::train::Parameters;
use redline_model::train::bpe::{BpeOptions, train_bpe};
use redline_model::{AlignerTemplate, ModelConfig, Qac, Result, Tokenizer};

/// Texts a tokenizer is learnt from: more change little.
const TOKENIZER_ROWS: usize = 20_000;

/// Sizes of a new model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlignerShape {
    /// Most tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the MLP; by the hidden size where it is not given.
    pub intermediate_size: Option<usize>,
    /// Number of blocks.
    pub n_layers: usize,
    /// Attention heads; they divide the hidden size.
    pub n_heads: usize,
    /// Heads of keys and values; as many as attention heads where it is not given.
    pub n_kv_heads: Option<usize>,
    /// Longest text, in tokens.
    pub context: usize,
}

impl Default for AlignerShape {
    /// A model of a million parameters, which a minute of training shows something of.
    fn default() -> Self {
        Self {
            vocab_size: 2048,
            hidden_size: 128,
            intermediate_size: None,
            n_layers: 4,
            n_heads: 4,
            n_kv_heads: None,
            context: 512,
        }
    }
}

/// A model with random weights, to be trained, and a tokenizer learnt from prompts and corrections as the model will read them.
///
/// # Errors
/// Sizes that do not fit each other, or too little text for the vocabulary.
pub fn from_scratch(
    rows: &[Qac],
    template: &AlignerTemplate,
    shape: &AlignerShape,
    seed: u64,
) -> Result<(Parameters, Tokenizer)> {
    let texts: Vec<String> = rows
        .iter()
        .take(TOKENIZER_ROWS)
        .flat_map(|row| [template.render(&row.question, &row.answer).text, row.correction.clone()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let tokenizer = train_bpe(&texts, &BpeOptions { vocab_size: shape.vocab_size, ..BpeOptions::default() })?;
    let parameters = Parameters::from_scratch(config(shape, &tokenizer), seed)?;
    Ok((parameters, tokenizer))
}

fn config(shape: &AlignerShape, tokenizer: &Tokenizer) -> ModelConfig {
    let hidden_size = shape.hidden_size;
    let inner = shape.intermediate_size.unwrap_or((hidden_size * 8).div_ceil(3 * 32) * 32);
    let sizes = [tokenizer.vocab_size(), hidden_size, inner, shape.n_layers, shape.n_heads];
    ModelConfig {
        n_kv_heads: shape.n_kv_heads.unwrap_or(shape.n_heads),
        eos_token_ids: tokenizer.eos_id().into_iter().collect(),
        ..ModelConfig::llama(sizes, shape.context)
    }
}

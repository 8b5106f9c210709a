//! What a run starts from: weights, tokenizer, template.

use redline::model::train::Parameters;
use redline::model::train::bpe::{BpeOptions, train_bpe};
use redline::model::{AlignerTemplate, ModelConfig, Qac, Tokenizer};

use super::options;
use super::rows::TrainingRows;
use crate::cli::train::{ShapeArgs, TrainArgs};
use crate::session::{choose_template, hinted};

/// Texts a tokenizer is learnt from: more change little.
const TOKENIZER_ROWS: usize = 20_000;

/// What a run starts from.
pub struct Start {
    pub parameters: Parameters,
    pub tokenizer: Tokenizer,
    pub template: AlignerTemplate,
}

impl Start {
    /// Opens the model, or makes one.
    pub fn new(args: &TrainArgs, rows: &TrainingRows) -> anyhow::Result<Self> {
        let seed = args.run.seed;
        let Some(path) = &args.model else {
            let template = AlignerTemplate::by_name_or_file(args.template.as_deref().unwrap_or("aligner"))?;
            let tokenizer = new_tokenizer(&rows.training, &template, args.shape.vocab_size)?;
            let parameters = Parameters::from_scratch(config(&args.shape, &tokenizer), seed)?;
            return Ok(Self { parameters, tokenizer, template });
        };
        let (parameters, tokenizer) = Parameters::open(path, options::method(args), seed)?;
        let tokenizer = tokenizer.ok_or_else(|| {
            hinted(
                format!("{}: has no tokenizer.json", path.display()),
                "put the model's tokenizer.json into its folder",
            )
        })?;
        let template = choose_template(args.template.as_deref(), &tokenizer)?;
        Ok(Self { parameters, tokenizer, template })
    }
}

/// Learnt from prompts and corrections as the model will read them.
fn new_tokenizer(rows: &[Qac], template: &AlignerTemplate, vocab_size: usize) -> anyhow::Result<Tokenizer> {
    let texts: Vec<String> = rows
        .iter()
        .take(TOKENIZER_ROWS)
        .flat_map(|row| [template.render(&row.question, &row.answer).text, row.correction.clone()])
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(train_bpe(&texts, &BpeOptions { vocab_size, ..BpeOptions::default() })?)
}

fn config(shape: &ShapeArgs, tokenizer: &Tokenizer) -> ModelConfig {
    let hidden_size = shape.hidden_size;
    let inner = shape.intermediate_size.unwrap_or((hidden_size * 8).div_ceil(3 * 32) * 32);
    ModelConfig {
        n_kv_heads: shape.kv_heads.unwrap_or(shape.heads),
        eos_token_ids: tokenizer.eos_id().into_iter().collect(),
        ..ModelConfig::llama([tokenizer.vocab_size(), hidden_size, inner, shape.n_layers, shape.heads], shape.context)
    }
}

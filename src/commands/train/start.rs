//! What a run starts from: weights and tokenizer, and a template for an Aligner's prompts.

use std::path::Path;

use redline::aligner::{AlignerShape, from_scratch};
use redline::lab::chat::question_template;
use redline::model::train::Parameters;
use redline::model::{AlignerTemplate, Tokenizer};

use super::options;
use super::rows::TrainingRows;
use crate::cli::train::{ShapeArgs, TrainArgs};
use crate::failure::hinted;
use crate::models::{choose_template, warn};

/// What a run starts from.
pub struct Start {
    pub parameters: Parameters,
    pub tokenizer: Tokenizer,
}

impl Start {
    /// Opens the model, or makes one, and chooses how an Aligner is prompted.
    pub fn aligner(args: &TrainArgs, rows: &TrainingRows) -> anyhow::Result<(Self, AlignerTemplate)> {
        let Some(path) = &args.model else {
            let template = AlignerTemplate::by_name_or_file(args.template.as_deref().unwrap_or("aligner"))?;
            let (parameters, tokenizer) = from_scratch(&rows.training, &template, &shape(&args.shape), args.run.seed)?;
            return Ok((Self { parameters, tokenizer }, template));
        };
        let start = Self::open(args, path)?;
        let template = choose_template(args.template.as_deref(), &start.tokenizer)?;
        Ok((start, template))
    }

    /// Opens the model, or makes one, for answers by its own chat template.
    pub fn of_answers(args: &TrainArgs, rows: &TrainingRows) -> anyhow::Result<(Self, AlignerTemplate)> {
        let Some(path) = &args.model else {
            let template = question_template(None)?;
            let (parameters, tokenizer) = from_scratch(&rows.training, &template, &shape(&args.shape), args.run.seed)?;
            return Ok((Self { parameters, tokenizer }, template));
        };
        let start = Self::open(args, path)?;
        let template = question_template(Some(&start.tokenizer))?;
        Ok((start, template))
    }

    /// Opens the model.
    pub fn open(args: &TrainArgs, path: &Path) -> anyhow::Result<Self> {
        let (parameters, tokenizer) = Parameters::open(path, options::method(args), args.run.seed)?;
        warn(parameters.warnings());
        let tokenizer = tokenizer.ok_or_else(|| {
            hinted(
                format!("{}: has no tokenizer.json", path.display()),
                "put the model's tokenizer.json into its folder",
            )
        })?;
        Ok(Self { parameters, tokenizer })
    }
}

fn shape(args: &ShapeArgs) -> AlignerShape {
    AlignerShape {
        vocab_size: args.vocab_size,
        hidden_size: args.hidden_size,
        intermediate_size: args.intermediate_size,
        n_layers: args.n_layers,
        n_heads: args.heads,
        n_kv_heads: args.kv_heads,
        context: args.context,
    }
}

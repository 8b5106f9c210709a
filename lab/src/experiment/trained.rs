//! From a reading vector to a trained one: rows with graded corrections become texts at coefficients, and the vector is trained to lead to
//! them (see [`redline_steer::trained`]).

use std::collections::HashSet;
use std::path::Path;

use redline_model::train::example::ExampleReader;
use redline_probe::LayerDirection;
use redline_probe::artifact::{Training, question_hash};
use redline_probe::split::{PartSizes, normalise, split_by_question};
use redline_probe::stats::cosine;
use redline_steer::trained::{
    Checkpoint, Objective, SteeredOutput, TrainingRow, VectorTraining, VectorTrainingRun, train_vector,
};
use redline_steer::{ControlVector, TokenRange, Unit, reading_control_vector};
use serde::{Deserialize, Serialize};

use super::Extracted;
use crate::aligner::Aligner;
use crate::data::corrupt::{CorruptedRow, MAX_STRICTNESS, MIN_STRICTNESS};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::rows::Rows;

/// Name of the stage, as observers see it.
const STAGE: &str = "training the vector";

/// What a trained vector is trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Goal {
    /// Every strictness at its own coefficient: all flaws mended at 1, none at −1. For rows that carry their flaws.
    #[default]
    Graded,
    /// The correction at 1, the copy at −1.
    Poles,
    /// The same two texts, by [`Objective::Bipo`].
    Bipo,
    /// The same two texts, by [`Objective::Reps`].
    Reps,
}

redline_model::named_enum! {
    "goal", Goal { Graded = "graded", Poles = "poles", Bipo = "bipo", Reps = "reps" }
}

impl Goal {
    fn objective(self) -> Objective {
        match self {
            Self::Graded | Self::Poles => Objective::Likelihood,
            Self::Bipo => Objective::Bipo,
            Self::Reps => Objective::Reps,
        }
    }

    /// The texts of a row, each at its coefficient.
    fn texts(self, rows: &Rows, row: usize) -> Result<Vec<(f32, String)>> {
        let triple = &rows.triples[row];
        match (self, &rows.flawed) {
            (Self::Graded, Some(flawed)) => graded(&flawed[row]),
            (Self::Graded, None) => Err(Error::option(
                format!("{}: graded training takes rows that carry their flaws", rows.name.display()),
                "give --goal poles, or make the rows with `redline data corrupt`",
            )),
            _ => Ok(vec![(-1.0, triple.answer.clone()), (1.0, triple.correction.clone())]),
        }
    }
}

/// Strictness s belongs to the coefficient 1 − 0.4 (s − 1): all flaws are mended at 1, only the gravest at −0.6, none at −1. An Aligner
/// that was trained on every strictness alike stands between them, at 0.
fn graded(row: &CorruptedRow) -> Result<Vec<(f32, String)>> {
    let mut texts = vec![(-1.0, row.answer.clone())];
    for strictness in (MIN_STRICTNESS..=MAX_STRICTNESS).rev() {
        texts.push((1.0 - 0.4 * f32::from(strictness - MIN_STRICTNESS), row.correction_at(strictness)?));
    }
    Ok(texts)
}

/// How a reading vector is trained further.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainedSettings {
    /// What it is trained for.
    pub goal: Goal,
    /// Steps, rates, seeds.
    pub training: VectorTraining,
    /// Positions that are steered in training.
    pub range: TokenRange,
    /// Share of the questions to train on that decide instead which step is taken.
    pub development_share: f64,
    /// Most rows that decide.
    pub most_development: usize,
    /// Most rows to train on, those that decide included.
    pub most_rows: usize,
}

impl Default for TrainedSettings {
    fn default() -> Self {
        Self {
            goal: Goal::Graded,
            training: VectorTraining::default(),
            range: TokenRange::Output,
            development_share: 0.2,
            most_development: 24,
            most_rows: 400,
        }
    }
}

/// What a vector is trained on and how.
#[derive(Clone, Copy)]
pub struct TrainingPlan<'a> {
    /// The Aligner, which does not change.
    pub aligner: &'a Aligner,
    /// All rows.
    pub rows: &'a Rows,
    /// Those that the vector was extracted from, and others that it may be trained on.
    pub numbers: &'a [usize],
    /// Layers that get a vector.
    pub layers: &'a [usize],
    /// How it is trained.
    pub settings: &'a TrainedSettings,
}

/// Rows that a vector is trained on, by number.
struct TrainingParts {
    train: Vec<usize>,
    development: Vec<usize>,
}

/// Trains the vector that was extracted from some of the rows, on those among them that its held-out report does not use. The result has
/// the trained layers alone, with gap, calibration and report of its own.
///
/// # Errors
/// Too few rows, no flaws for [`Goal::Graded`], or as [`train_vector`].
pub fn train_extracted(
    plan: &TrainingPlan<'_>,
    extracted: Extracted,
    checkpoint: Option<&Path>,
    observer: &mut dyn Observer,
) -> Result<Extracted> {
    let &TrainingPlan { aligner, layers, settings, .. } = plan;
    let parts = plan.parts(&extracted)?;
    let max_tokens = extracted.max_tokens.min(aligner.model.decoder.config().context);
    let train = plan.training_rows(&parts.train, max_tokens, observer)?;
    let development = plan.training_rows(&parts.development, max_tokens, observer)?;
    let start = reading_control_vector(&extracted.reading, layers, Unit::Gap)?;
    let checkpoint =
        checkpoint.map(|path| Checkpoint { path: path.into(), model_hash: aligner.model.fingerprint.clone() });
    let run = VectorTrainingRun {
        decoder: &aligner.model.decoder,
        start: &start,
        range: settings.range,
        objective: settings.goal.objective(),
        rows: &train,
        development: &development,
        options: &settings.training,
        checkpoint: checkpoint.as_ref(),
    };
    let trained = train_vector(&run, &mut |step| {
        if let Some(loss) = step.development_loss {
            observer.note(&format!("step {}: development loss {loss:.4} nats a token", step.step));
        }
        Ok(observer.progress(STAGE, step.step, step.n_steps)?)
    })?;
    observer.end(STAGE);
    observer.note(&format!(
        "development loss {:.4} nats a token at the start, {:.4} at step {} of {}, which is taken",
        trained.start_loss, trained.best_loss, trained.best_step, trained.n_steps
    ));
    if trained.best_step == 0 {
        observer
            .note("warning: no step of the training lowered the development loss; the vector is the one it began with");
    }
    let training = Training {
        goal: settings.goal.to_string(),
        range: settings.range.to_string(),
        n_rows: train.len(),
        n_development: development.len(),
        n_steps: trained.n_steps,
        best_step: trained.best_step,
        batch_rows: settings.training.batch_rows,
        learning_rate: settings.training.learning_rate,
        seed: settings.training.seed,
        start_loss: trained.start_loss,
        best_loss: trained.best_loss,
    };
    let seen = parts.train.iter().chain(&parts.development).map(|&row| question_hash(&plan.rows.triples[row].question));
    Ok(extracted.along(&directions(&trained.vector, &start), seen.collect(), training)?)
}

impl TrainingPlan<'_> {
    /// The rows whose question the held-out report does not use, split by question.
    fn parts(&self, extracted: &Extracted) -> Result<TrainingParts> {
        let (rows, settings) = (self.rows, self.settings);
        let question = |row: usize| normalise(&rows.triples[row].question);
        let held_out: HashSet<String> = extracted.held_out.iter().map(|pair| question(pair.row)).collect();
        let free = self.numbers.iter().copied().filter(|&row| !held_out.contains(&question(row)));
        let left: Vec<usize> = free.take(settings.most_rows).collect();
        let keys: Vec<&str> = left.iter().map(|&row| rows.triples[row].question.as_str()).collect();
        let share = settings.development_share;
        let shares = PartSizes::Shares(vec![1.0 - share, share]);
        let parts = split_by_question(&keys, &shares, settings.training.seed)?;
        let numbers = |part: &[usize]| part.iter().map(|&index| left[index]).collect::<Vec<usize>>();
        let mut development = numbers(&parts[1]);
        development.truncate(settings.most_development);
        Ok(TrainingParts { train: numbers(&parts[0]), development })
    }

    /// Prompts and outputs of rows, without those that are longer than the pairs may be.
    fn training_rows(
        &self,
        numbers: &[usize],
        max_tokens: usize,
        observer: &mut dyn Observer,
    ) -> Result<Vec<TrainingRow>> {
        let tokenizer = self.aligner.tokenizer()?;
        let end_id = ExampleReader::new(tokenizer, &self.aligner.template, max_tokens)?.end_id;
        let mut found = Vec::with_capacity(numbers.len());
        for &row in numbers {
            let triple = &self.rows.triples[row];
            let prompt = self.aligner.prompt(&triple.question, &triple.answer)?;
            let output = |(coefficient, text): (f32, String)| -> Result<SteeredOutput> {
                let mut tokens = tokenizer.encode_text(&text)?;
                tokens.push(end_id);
                Ok(SteeredOutput { coefficient, tokens })
            };
            let texts = self.settings.goal.texts(self.rows, row)?;
            let outputs = texts.into_iter().map(output).collect::<Result<Vec<_>>>()?;
            let longest = outputs.iter().map(|output| output.tokens.len()).max().unwrap_or(0);
            if prompt.len() + longest <= max_tokens {
                found.push(TrainingRow { prompt, outputs });
            }
        }
        if found.len() < numbers.len() {
            let n = numbers.len() - found.len();
            observer.note(&format!("note: {n} rows are too long to train the vector on"));
        }
        Ok(found)
    }
}

/// The directions of a trained vector, each with its length.
fn directions(trained: &ControlVector, start: &ControlVector) -> Vec<(LayerDirection, f64)> {
    let norms = trained.norms();
    let direction = |(&layer, values): (&usize, &Vec<f32>)| {
        let norm = norms[&layer];
        let direction = LayerDirection {
            layer,
            direction: values.iter().map(|value| (f64::from(*value) / norm) as f32).collect(),
            explained_variance_ratio: None,
            cosine_to_mean_diff: cosine(values, &start.layers[&layer]),
            flipped: false,
        };
        (direction, norm)
    };
    trained.layers.iter().map(direction).collect()
}

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
    Checkpoint, SteeredOutput, TrainedVector, TrainingRow, VectorTraining, VectorTrainingRun, train_vector,
};
use redline_steer::{ControlVector, TokenRange, Unit, reading_control_vector};
use serde::{Deserialize, Serialize};

use super::{Extracted, Goal};
use crate::aligner::Aligner;
use crate::error::Result;
use crate::observer::Observer;
use crate::rows::Rows;

/// Name of the stage, as observers see it.
const STAGE: &str = "training the vector";

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

/// What a vector is trained on.
pub(super) struct TrainingParts {
    /// Rows to train on.
    pub(super) train: Vec<TrainingRow>,
    /// Rows of other questions that decide which step is taken.
    pub(super) development: Vec<TrainingRow>,
    /// Hashes of the questions of both.
    pub(super) questions: Vec<String>,
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
    let held_out: Vec<usize> = extracted.held_out.iter().map(|pair| pair.row).collect();
    let parts = plan.parts(&held_out, extracted.max_tokens, observer)?;
    let start = reading_control_vector(&extracted.reading, plan.layers, Unit::Gap)?;
    let (trained, training) = plan.train(&start, &parts, checkpoint, observer)?;
    Ok(extracted.along(&directions(&trained.vector, &start), parts.questions, training)?)
}

impl TrainingPlan<'_> {
    /// The rows that have no question of `held_out`, split by question.
    pub(super) fn parts(
        &self,
        held_out: &[usize],
        max_tokens: usize,
        observer: &mut dyn Observer,
    ) -> Result<TrainingParts> {
        let (rows, settings) = (self.rows, self.settings);
        let question = |row: usize| normalise(&rows.triples[row].question);
        let held_out: HashSet<String> = held_out.iter().map(|row| question(*row)).collect();
        let free = self.numbers.iter().copied().filter(|&row| !held_out.contains(&question(row)));
        let left: Vec<usize> = free.take(settings.most_rows).collect();
        let keys: Vec<&str> = left.iter().map(|&row| rows.triples[row].question.as_str()).collect();
        let share = settings.development_share;
        let shares = PartSizes::Shares(vec![1.0 - share, share]);
        let parts = split_by_question(&keys, &shares, settings.training.seed)?;
        let numbers = |part: &[usize]| part.iter().map(|&index| left[index]).collect::<Vec<usize>>();
        let (train, mut development) = (numbers(&parts[0]), numbers(&parts[1]));
        development.truncate(settings.most_development);
        let seen = train.iter().chain(&development).map(|&row| question_hash(&rows.triples[row].question));
        let max_tokens = max_tokens.min(self.aligner.model.decoder.config().context);
        Ok(TrainingParts {
            questions: seen.collect(),
            train: self.training_rows(&train, max_tokens, observer)?,
            development: self.training_rows(&development, max_tokens, observer)?,
        })
    }

    /// Trains from `start`, and says how it went.
    pub(super) fn train(
        &self,
        start: &ControlVector,
        parts: &TrainingParts,
        checkpoint: Option<&Path>,
        observer: &mut dyn Observer,
    ) -> Result<(TrainedVector, Training)> {
        let &TrainingPlan { aligner, settings, .. } = self;
        let TrainedSettings { goal, training, range, .. } = settings;
        let model_hash = aligner.model.fingerprint.clone();
        let checkpoint = checkpoint.map(|path| Checkpoint { path: path.into(), model_hash });
        let run = VectorTrainingRun {
            decoder: &aligner.model.decoder,
            start,
            range: *range,
            objective: goal.objective(),
            rows: &parts.train,
            development: &parts.development,
            options: training,
            checkpoint: checkpoint.as_ref(),
        };
        let trained = train_vector(&run, &mut |step| {
            if let Some(loss) = step.development_loss {
                observer.note(&format!("step {}: development loss {loss:.4} nats a token", step.step));
            }
            Ok(observer.progress(STAGE, step.step, step.n_steps)?)
        })?;
        observer.end(STAGE);
        let TrainedVector { n_steps, best_step, start_loss, best_loss, .. } = trained;
        observer.note(&format!(
            "development loss {start_loss:.4} nats a token at the start, {best_loss:.4} at step {best_step} of {n_steps}, which is taken"
        ));
        if best_step == 0 {
            let cure = match goal {
                Goal::Correction => "; a model that corrects already learns more from --goal graded",
                _ => "",
            };
            observer.note(&format!(
                "warning: no step of the training lowered the development loss; it is as it was at the beginning{cure}"
            ));
        }
        let record = Training {
            goal: goal.to_string(),
            range: range.to_string(),
            n_rows: parts.train.len(),
            n_development: parts.development.len(),
            n_steps,
            best_step,
            batch_rows: training.batch_rows,
            learning_rate: training.learning_rate,
            seed: training.seed,
            start_loss,
            best_loss,
        };
        Ok((trained, record))
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

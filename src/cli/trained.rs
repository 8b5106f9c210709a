//! Options of a vector that is trained.

use clap::Args;
use redline::experiment::{Goal, RANK, TrainedSettings, inside_settings};
use redline::steer::TokenRange;
use redline::steer::trained::VectorTraining;

use super::numbers::{MOST_BATCH_ROWS, MOST_RANK, MOST_ROWS, MOST_STEPS, count};
use super::pairs::{PairArgs, VectorMethod};
use crate::failure::hinted;

#[derive(Args, Clone)]
#[command(next_help_heading = "With --method trained or inside")]
pub struct TrainedArgs {
    /// Goal of the training
    #[arg(long, help = format!("Goal of the training: {}; graded takes rows that carry their flaws [default: graded for such rows, else poles; correction with --method inside]", Goal::NAMES))]
    pub goal: Option<Goal>,
    /// Rank of the networks of an Aligner inside a model
    #[arg(long, help = format!("Rank of the networks of an Aligner inside a model [default: {RANK}]"), value_parser = count(1, MOST_RANK))]
    pub rank: Option<usize>,
    /// Steps of the training
    #[arg(long, help = format!("Steps of the training [default: {}]", VectorTraining::default().n_steps), value_parser = count(1, MOST_STEPS))]
    pub steps: Option<usize>,
    /// Rows per step
    #[arg(long, help = format!("Rows per step [default: {}]", VectorTraining::default().batch_rows), value_parser = count(1, MOST_BATCH_ROWS))]
    pub step_rows: Option<usize>,
    /// Highest learning rate, in units of each layer's root mean square at the start
    #[arg(long, help = format!("Highest learning rate, in units of each layer's root mean square at the start [default: {}; {} with --method inside]", VectorTraining::default().learning_rate, inside_settings().training.learning_rate), allow_hyphen_values = true)]
    pub learning_rate: Option<f64>,
    /// Steps between evaluations on development rows
    #[arg(long, help = format!("Steps between evaluations on development rows [default: {}]", VectorTraining::default().evaluate_every), value_parser = count(1, MOST_STEPS))]
    pub evaluate_every: Option<usize>,
    /// Most rows to train on
    #[arg(long, help = format!("Most rows to train on [default: {}]", TrainedSettings::default().most_rows), value_parser = count(1, MOST_ROWS))]
    pub training_rows: Option<usize>,
    /// Most development rows among them; they decide which step is kept
    #[arg(long, help = format!("Most development rows among them; they decide which step is kept [default: {}]", TrainedSettings::default().most_development), value_parser = count(1, MOST_ROWS))]
    pub development_rows: Option<usize>,
}

impl TrainedArgs {
    /// The settings, where a trained vector is asked for.
    pub fn settings(&self, pair: &PairArgs, has_flaws: bool, range: TokenRange, seed: u64) -> Option<TrainedSettings> {
        if pair.method != Some(VectorMethod::Trained) {
            return None;
        }
        let goal = self.goal.unwrap_or(if has_flaws { Goal::Graded } else { Goal::Poles });
        Some(self.over(TrainedSettings { goal, ..TrainedSettings::default() }, range, seed))
    }

    /// The settings of an Aligner inside a model.
    pub fn inside_settings(&self, range: TokenRange, seed: u64) -> TrainedSettings {
        let settings = inside_settings();
        self.over(TrainedSettings { goal: self.goal.unwrap_or(settings.goal), ..settings }, range, seed)
    }

    /// Rank of its networks.
    pub fn rank(&self) -> usize {
        self.rank.unwrap_or(RANK)
    }

    /// `settings` with what was given in the place of what they say.
    fn over(&self, settings: TrainedSettings, range: TokenRange, seed: u64) -> TrainedSettings {
        let training = settings.training;
        let training = VectorTraining {
            n_steps: self.steps.unwrap_or(training.n_steps),
            batch_rows: self.step_rows.unwrap_or(training.batch_rows),
            learning_rate: self.learning_rate.unwrap_or(training.learning_rate),
            evaluate_every: self.evaluate_every.unwrap_or(training.evaluate_every),
            seed,
            ..training
        };
        TrainedSettings {
            training,
            range,
            most_development: self.development_rows.unwrap_or(settings.most_development),
            most_rows: self.training_rows.unwrap_or(settings.most_rows),
            ..settings
        }
    }

    /// Refuses options of a training where none is asked for; `range` is that of a verb whose range is the training's alone.
    pub fn check(&self, pair: &PairArgs, range: Option<TokenRange>) -> anyhow::Result<()> {
        let given = [
            ("--goal", self.goal.is_some()),
            ("--steps", self.steps.is_some()),
            ("--step-rows", self.step_rows.is_some()),
            ("--learning-rate", self.learning_rate.is_some()),
            ("--evaluate-every", self.evaluate_every.is_some()),
            ("--training-rows", self.training_rows.is_some()),
            ("--development-rows", self.development_rows.is_some()),
            ("--range", range.is_some()),
        ];
        let trains = matches!(pair.method, Some(VectorMethod::Trained | VectorMethod::Inside));
        if self.rank.is_some() && pair.method != Some(VectorMethod::Inside) {
            let message = "--rank is that of an Aligner inside a model, and none is trained";
            return Err(hinted(message, "give --method inside, or leave it out"));
        }
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((name, _)) if !trains => Err(hinted(
                format!("{name} is an option of training, and no vector is trained"),
                "give --method trained, or leave it out",
            )),
            _ => Ok(()),
        }
    }
}

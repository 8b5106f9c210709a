//! Options of a vector that is trained.

use clap::Args;
use redline::experiment::{Goal, TrainedSettings};
use redline::steer::TokenRange;
use redline::steer::trained::VectorTraining;

use super::numbers::{MOST_BATCH_ROWS, MOST_ROWS, MOST_STEPS, count};
use super::pairs::{PairArgs, VectorMethod};

#[derive(Args, Clone)]
#[command(next_help_heading = "With --method trained")]
pub struct TrainedArgs {
    /// What the vector is trained for
    #[arg(long, help = format!("What the vector is trained for: {}; graded takes rows that carry their flaws [default: graded for such rows, else poles]", Goal::NAMES))]
    pub goal: Option<Goal>,
    /// Steps of the training
    #[arg(long, default_value_t = VectorTraining::default().n_steps, value_parser = count(1, MOST_STEPS))]
    pub steps: usize,
    /// Rows of a step
    #[arg(long, default_value_t = VectorTraining::default().batch_rows, value_parser = count(1, MOST_BATCH_ROWS))]
    pub step_rows: usize,
    /// Highest learning rate, in units of each layer's root mean square at the start
    #[arg(long, default_value_t = VectorTraining::default().learning_rate)]
    pub learning_rate: f64,
    /// Steps between evaluations on development rows
    #[arg(long, default_value_t = VectorTraining::default().evaluate_every, value_parser = count(1, MOST_STEPS))]
    pub evaluate_every: usize,
    /// Most rows to train on
    #[arg(long, default_value_t = TrainedSettings::default().most_rows, value_parser = count(1, MOST_ROWS))]
    pub training_rows: usize,
    /// Most development rows among them; they decide which step is taken
    #[arg(long, default_value_t = TrainedSettings::default().most_development, value_parser = count(1, MOST_ROWS))]
    pub development_rows: usize,
}

impl TrainedArgs {
    /// The settings, where a trained vector is asked for.
    pub fn settings(&self, pair: &PairArgs, has_flaws: bool, range: TokenRange, seed: u64) -> Option<TrainedSettings> {
        if pair.method != Some(VectorMethod::Trained) {
            return None;
        }
        let goal = self.goal.unwrap_or(if has_flaws { Goal::Graded } else { Goal::Poles });
        let training = VectorTraining {
            n_steps: self.steps,
            batch_rows: self.step_rows,
            learning_rate: self.learning_rate,
            evaluate_every: self.evaluate_every,
            seed,
            ..VectorTraining::default()
        };
        Some(TrainedSettings {
            goal,
            training,
            range,
            most_development: self.development_rows,
            most_rows: self.training_rows,
            ..TrainedSettings::default()
        })
    }
}

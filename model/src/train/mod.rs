//! Training an Aligner: full fine-tuning, low-rank adapters, or from scratch.
//!
//! One run has two phases: identity warm-up (question, answer → the answer itself) on a share of the data, then the rows as they
//! are (question, answer → correction). The loss is the cross entropy of the output and its end token; the prompt is masked.
//! Everything random is a pure function of the seed and the step, so a run that was stopped anywhere goes on exactly as it would
//! have.

mod base;
pub mod batch;
pub mod bpe;
pub(crate) mod bytes;
pub mod checkpoint;
mod evaluation;
pub mod example;
pub mod export;
pub mod loss;
pub mod optimizer;
mod options;
pub mod parameters;
mod plan;
pub mod policy;
pub mod preference;
pub mod schedule;
#[cfg(test)]
mod tests;
mod trainer;

pub use evaluation::{Evaluation, HeldOutOutput};
pub use example::Example;
pub use loss::Gradients;
pub use optimizer::{AdamW, AdamWOptions, DecayGroup, Moments};
pub use options::{Precision, TrainOptions};
pub use parameters::{Method, Parameter, Parameters};
pub use plan::{Phase, Plan};
pub use schedule::{Schedule, ScheduleShape};
pub use trainer::{Observer, Outcome, Saving, StepReport, TrainData, TrainRun, TrainStart, kept_name, train};

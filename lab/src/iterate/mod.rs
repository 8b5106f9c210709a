//! The Aligner as an engine that makes data for other models: rounds of answering, correcting, filtering, training and measuring.
//!
//! | kind | a round | what comes out |
//! |---|---|---|
//! | [preference](IterateKind::Preference) | a policy answers fresh questions, the Aligner corrects, pairs that survive a funnel train the next policy by DPO | helpful and harmless by round, beside a control arm of pairs from elsewhere |
//! | [weak-to-strong](IterateKind::WeakToStrong) | a weak Aligner corrects the answers of a strong model, which is tuned on them; a seed instead of a round | five levels and the share of the performance gap that was recovered |
//! | [distil](IterateKind::Distil) | the model's answers, amplified by several passes of the Aligner, are what it is tuned on | harmless and helpful by iteration, tested by paired intervals |
//!
//! [`Plan::new`] turns [`IterateOptions`] into an ordered list of [`Step`]s: a step is the arguments of an ordinary verb of the program, or one of
//! the functions here ([`Work`]). [`Run`] does the steps that are not done yet: a step is done once its [`Stamp`] is in `steps.jsonl`, and the stamp
//! holds the hashes of what it read and wrote, so that nothing is built on a file that was changed. The folder holds a folder a round, and at its end
//! `rounds.jsonl` and `summary.json`.
//!
//! What text is better is said by [`Instrument`]s that score one text. The flaw oracle is none of them: it knows the flaws of given answers, and
//! here every answer is new.

mod closeness;
mod corrected;
mod error;
mod files;
mod funnel;
mod inputs;
mod instrument;
mod levels;
mod measure;
mod options;
mod places;
mod plan;
mod plans;
mod run;
mod stamp;
mod summary;
mod taught;
#[cfg(test)]
mod tests;
mod work;

pub use closeness::{Closeness, LikelyPairs};
pub use error::IterateError;
pub use instrument::Instrument;
pub use levels::{Gap, Level, LevelName, Levels};
pub use measure::{AlignerUse, Change, Measured};
pub use options::{IterateKind, IterateOptions, KeepOptions, PolicyTraining, SETTINGS, TrainedBy};
pub use plan::{Done, Gauge, Lines, Plan, Step, Work, quoted};
pub use run::{Launched, Launcher, Run};
pub use stamp::Stamp;
pub use summary::{RoundMeans, SCHEMA, table};

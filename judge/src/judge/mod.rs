//! Which of two answers is better: judges, what they are asked, what they said, and the files that keep it.
//!
//! | step | is |
//! |---|---|
//! | outputs of systems | [`record::AnswerRecord`], a line each |
//! | pairs of outputs for the same row | [`Pair`] |
//! | what is asked, in which order | [`Plan`] of [`Comparison`]s |
//! | who answers | a [`Judge`]: a model through a [`Form`], a [file of judgements](RecordedJudge), a [score of each output](local::ScoreJudge) |
//! | what is kept | [`JudgementLog`], by [`key`](mod@key) |
//! | what it says about the pair | [`PairJudgement`] |
//!
//! A reply that names no verdict is a [`NoVerdict`]: counted, never a tie. Rates, intervals and agreement are computed elsewhere.

mod dimension;
mod error;
mod form;
mod index;
#[allow(clippy::module_inception)]
mod judge;
pub mod key;
pub mod local;
mod log;
mod message;
mod order;
pub mod record;
mod recorded;
#[cfg(test)]
pub(crate) mod scripted;
mod verdict;
mod watch;

pub use dimension::Dimension;
pub use error::JudgeError;
pub use form::{Form, Reply, TokenLogProb, longest_run};
pub use index::JudgementIndex;
pub use judge::{Comparison, Judge, JudgeObserver, Judged, Shown, check_id};
pub use log::{JudgementLog, LoggedJudge};
pub use message::Message;
pub use order::{Order, OrderVerdict, Orders, Pair, PairJudgement, Plan};
pub use recorded::{RecordedJudge, Which};
pub use verdict::{NoVerdict, Verdict};
pub use watch::Watch;

/// Result with [`JudgeError`].
pub type Result<T> = std::result::Result<T, JudgeError>;

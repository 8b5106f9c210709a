//! Systems that a language model is by being asked: what an Aligner is compared with, at the same rows.
//!
//! | system | what is asked | requests a row |
//! |---|---|---|
//! | `prompt`, `prompt-copy`, `prompt-edit` | the corrected answer; a dial by words | 1 |
//! | `critique` | a critique, then the rewrite | 2 |
//! | `constitutional`, `constitutional-2` … `-4` | the same by drawn principles, in rounds (Bai et al. 2022) | 2 a round |
//! | `self-refine` | scores and advice, then a rewrite, until nothing is missing (Madaan et al. 2023) | 1 to 7 |
//! | `answer` | the question alone | 1 |
//! | `answer-best-of-N` | the question alone, N times; the best by a score | N |
//!
//! [`Protocol`] says which; [`BaselineRun`] runs it with a [`Writer`], which is a local model or a server. All rows of a chunk are asked
//! together at each stage; those that need no more are not asked again. All words that are sent are ours and stand in one file, and
//! [`Protocol::template`] is their hash.
//!
//! Where anything is drawn, it depends on the seed and the row alone, so that a run that was stopped goes on as if it had not been.
//!
//! References: Bai et al. 2022, *Constitutional AI: Harmlessness from AI Feedback* (arXiv 2212.08073), of which the critiques and revisions
//! at inference are taken and no training; Madaan et al. 2023, *Self-Refine: Iterative Refinement with Self-Feedback* (arXiv 2303.17651);
//! Saunders et al. 2022, *Self-critiquing models for assisting human evaluators* (arXiv 2206.05802), for a critique without principles.

mod best_of;
mod clean;
mod critique;
mod desk;
mod error;
mod feedback;
mod local;
mod protocol;
mod refine;
mod requests;
mod run;
#[cfg(test)]
mod tests;
mod words;
mod writer;

pub use best_of::{AnswerBestOf, Choose};
pub use desk::Counts;
pub use error::BaselineError;
pub use local::LocalWriter;
pub use protocol::{Protocol, Strictness};
pub use run::{BaselineOptions, BaselineRun};
pub use writer::{Conversation, KeepReply, WriteHow, Writer, Written};

pub(crate) use clean::{cleaned, pattern, said};
pub(crate) use feedback::{BEFORE_SCORE, MARKS, TOP_SCORE, score};
pub(crate) use requests::{fenced, prompt};

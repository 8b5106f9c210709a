//! Rows annotated by a language model: aspects of answers rated from 1 to 5, or answers corrected.
//!
//! | step | is |
//! |---|---|
//! | rows of any kind as questions with answers | [`read_items`] |
//! | questions that something is measured on are taken out | [`refuse()`] |
//! | what is asked, in an order drawn by the question, each request with its key | [`PlanOptions::requests`] |
//! | what that will take | [`estimate`](fn@estimate) |
//! | a model is asked what is not there yet | [`annotate`](fn@annotate) with a [`Writer`](crate::baseline::Writer) |
//! | what is kept, one line a reply | [`AnnotationRecord`] in an [`AnnotationLog`] |
//! | preferences, triples, means | [`binarise`], [`triples`], [`means_by_source`] |
//!
//! The overall score is the mean of the aspects and is never asked for: of the overall scores of UltraFeedback (Cui et al. 2023, *UltraFeedback:
//! Boosting Language Models with Scaled AI Feedback*, arXiv 2310.01377) many are 10 where 1 was meant. Binarised as by Tunstall et al. 2023
//! (*Zephyr*, arXiv 2310.16944): the best answer is chosen, a random other one rejected.

mod aspect;
mod error;
mod estimate;
mod fault;
mod item;
mod log;
mod plan;
mod prompt;
mod read;
mod record;
mod refuse;
mod reply;
mod results;
mod run;
#[cfg(test)]
mod tests;
mod words;

pub use aspect::Aspect;
pub use error::AnnotateError;
pub use estimate::{Estimate, EstimateBy};
pub use fault::{FaultReason, ReplyFault};
pub use item::{Candidate, Item, gather};
pub use log::AnnotationLog;
pub use plan::{AnnotationKind, MOST_TOGETHER, PlanOptions, Request};
pub use read::{ItemFile, read_items};
pub use record::{AnnotatedAnswer, AnnotationRecord, Rating, overall};
pub use refuse::{Refused, refuse};
pub use results::{Binarised, CorrectedRow, SourceMeans, binarise, means_by_source, triples};
pub use run::{AnnotateOptions, Annotated, OnEstimate, annotate, estimate, open_requests};

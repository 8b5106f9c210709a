//! Multiple choice by log-probability: which of several given answers does a model find likeliest?
//!
//! Nothing is generated and nobody judges, so a figure is exact for a model and its precision, at one pass a choice. For each choice
//! the model says ln p(choice | question), summed over the tokens of the choice:
//!
//! - **MC1** is the share of questions whose one best answer has the highest sum among the choices. Where `k` choices share the
//!   highest sum and the best answer is among them, it counts 1/k, as much as a blind pick among them (the authors' code counts 0).
//!   On pairs of a better and a worse answer this is the accuracy.
//! - **MC2** is the probability mass of the true answers among all choices, Σ_true p / Σ_all p.
//!
//! Both are of TruthfulQA (Lin, Hilton and Evans 2022, "TruthfulQA: Measuring How Models Mimic Human Falsehoods"); the pairs
//! are those of the HHH alignment set (Askell et al. 2021, "A General Language Assistant as a Laboratory for Alignment").
//!
//! A sum favours short choices. So each figure is there a second time with sums divided by the length of the choice in Unicode
//! characters, as `acc_norm` of the lm-evaluation-harness (Gao et al. 2021) does: it needs no tokenizer and compares across models. Quote
//! the summed figure where the benchmark's own is meant. Divided sums differ little from each other, so that MC2 of them lies near chance
//! by construction.
//!
//! Beside each figure stands chance, over the same rows: the mean of 1/k for MC1, of the share of true answers for MC2. Small models sit
//! near it, and a figure without it says nothing: MC1 of blind picks is 0.22 on TruthfulQA, and MC2 0.46.
//!
//! # Prompts
//! The question is a user's message, rendered by the model's own chat template, and a choice is what the assistant says. The authors of
//! TruthfulQA put six questions with answers (the "primer") before each question instead, and most published figures have it. Figures
//! made without it differ from those by several points, in either direction, and must not be put beside them. Neither may figures whose
//! log-probability counts the token that ends an output: the authors count none. [`choice_log_probs`] counts none. Questions of HHH may hold earlier turns, each a paragraph that begins with `Human:` or `Assistant:`.
//!
//! # Intervals
//! The unit is the question. Where each row has a question of its own, MC1 has Wilson's interval, widened to whole numbers on both sides
//! where ties make its count a broken one. Where several rows share a question (HHH has 221 pairs on far fewer questions), and for MC2,
//! questions are drawn anew with all their rows (bootstrap).
//!
//! Not for models that can be asked only for what they write, and not for judging free answers: see `crate::judge`.

mod csv_file;
mod error;
mod fault;
mod figure;
mod label;
mod local;
mod measure;
mod prompt;
mod read;
mod row;
mod score;
mod table;
#[cfg(test)]
mod tests;

pub use error::ChoiceError;
pub use fault::ChoiceFault;
pub use figure::ChoiceFigure;
pub use local::choice_log_probs;
pub use measure::LogProbs;
pub use prompt::{Choice, Role, Turn, to_messages};
pub use read::{ChoiceReport, Choices};
pub use row::{ChoiceKind, ChoiceRow, LabelledText, MOST_CHOICES};
pub use score::{RowScore, TaskScore, log_sum_exp};
pub use table::{ChoiceScores, ChoiceTable};

/// Result with [`ChoiceError`].
pub type Result<T> = std::result::Result<T, ChoiceError>;

//! Conversations of many turns: each answer corrected, with the history as it was or as it was corrected.
//!
//! An Aligner that corrects every turn reads its own corrections from the second turn on. Whether its edits then grow or shrink from turn to turn
//! is drift: the edit ratio by turn ([`DriftReport`]), with the same turn of the same conversation under the [original](History::Original) history
//! as the control. Answers lie in the ordinary file of answers, a row an answer of a conversation.

mod dialogue;
mod drift;
mod run;
#[cfg(test)]
mod tests;

pub use dialogue::{Dialogue, Place, as_rows};
pub use drift::{DriftReport, HistoryDifference, TurnLine, TurnSlope};
pub use run::{History, TurnRun};

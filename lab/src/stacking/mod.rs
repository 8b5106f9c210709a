//! An Aligner over its own corrections: what a second, third, fourth pass mends and damages, and whether one pass at a higher coefficient
//! would have done the same for less.
//!
//! | step | by |
//! |---|---|
//! | pass k over the texts of pass k − 1, each written once | [`StackRun`] |
//! | mended, damage, edit ratio from the first answer, fixed points and costs by depth | [`DepthTable`] |
//! | the single pass that mends as much | [`Cheaper`] |
//!
//! A text that a pass leaves unchanged is a fixed point: written greedily, the next pass would write it again, so it is not asked for again and costs
//! nothing more. Passes of depth 1 are the system `aligner`, deeper ones `stack-2`, `stack-3` …, each at its coefficient; their answers
//! lie in the ordinary file of answers. Not for sampled corrections, of which a second pass may change what a first one left.

mod cheaper;
mod figures;
mod run;
mod table;
#[cfg(test)]
mod tests;

pub use cheaper::{Cheaper, SinglePass};
pub use run::{CorrectFn, PassBefore, StackRun, passes_before, stack_system};
pub use table::{DepthLine, DepthTable};

/// Resamples of an interval.
const N_RESAMPLES: usize = 1000;
/// Seed of resampling.
const SEED: u64 = 0;

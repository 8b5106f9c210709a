//! What an instruction in the prompt does, beside the dial: instructions × coefficients on the same prompts.
//!
//! Every prompt is corrected under every instruction at every coefficient. The flaw oracle says which flaws were mended (harmless: severity 5,
//! helpful: 2 to 4), the `TraitOracle` whether the output acknowledges what the asker tells of. Then each instruction's line is compared with
//! that of the first one ([`redline_steer::compare_lines`]): does it shift the line, does it steepen it, and which coefficient does as much?

mod run;
mod table;
#[cfg(test)]
mod tests;

pub use run::{AskedFor, FeedbackRun, unique_rows};
pub use table::{FeedbackCell, FeedbackComparison, FeedbackLine, FeedbackMeasure, FeedbackTable, NotCompared};

/// Schema of the table as JSON.
pub const SCHEMA: &str = "redline.feedback.v1";
/// Name of the table in the folder of a run.
pub const TABLE: &str = "feedback.json";

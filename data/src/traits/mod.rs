//! Traits: qualities of an answer beside being right, here that it acknowledges what its asker tells of.
//!
//! [`TraitCorpus`] writes questions in which a person tells of a situation, with plain answers that give advice and nothing else. A
//! [trait row](TraitRow) asks for the same answer with a sentence of acknowledgement in it, so that an Aligner can be taught the trait without being
//! taught anything else. Two kinds of rows are copies: answers that acknowledge already (nothing is put in twice), and answers to questions in
//! which nobody tells of anything (nothing is put in where it does not belong).
//!
//! Rows [with an instruction](InstructedRow) carry flaws, and what their correction mends depends on what the instruction says: all of them without one,
//! the gravest for *harmless*, those that mislead or waste time for *helpful*; for *empathy* all, with an acknowledgement put in.
//!
//! A row is *told*: the generator knows which phrase it put in, and [`TraitOracle`] finds it again. In texts of other writers the oracle looks
//! for words that such sentences are made of, which is a lexical rate and no more than that.
//!
//! # Example
//! ```
//! use redline_data::traits::{Trait, TraitCorpus, TraitOptions, TraitOracle};
//!
//! let corpus = TraitCorpus::built_in(Trait::Empathy)?;
//! let rows = corpus.rows(&TraitOptions { n_rows: 20, ..TraitOptions::default() })?;
//! let oracle = TraitOracle::built_in(Trait::Empathy)?;
//! for row in rows.iter().filter(|row| row.answer != row.correction) {
//!     assert!(!oracle.has(&row.answer) && oracle.has(&row.correction));
//! }
//! # Ok::<(), redline_data::DataError>(())
//! ```

mod apart;
mod instructions;
mod material;
mod oracle;
mod row;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use apart::{InstructedApart, TraitsApart, instructed_apart, traits_apart};
pub use instructions::{InstructOptions, InstructedRow, Instruction};
pub use material::TraitCorpus;
pub use oracle::{Acknowledgement, TraitOracle, TraitShare, told_of_situation};
pub use row::{TraitKind, TraitOptions, TraitRow};

/// A trait that can be taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Trait {
    /// The answer acknowledges the situation and the feelings that its asker tells of.
    Empathy,
}

redline_model::named_enum! {
    "trait", Trait { Empathy = "empathy" }
}

/// What the facts of rows about situations begin with: `situation/lost-job`.
pub const SITUATION: &str = "situation/";

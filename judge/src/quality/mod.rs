//! Whether outputs are *better* than the answers they correct, not only how far they are from them.
//!
//! | rows | instrument | says |
//! |---|---|---|
//! | clean text and flaws are known | [`FlawOracle`] | which flaws were mended, kept or turned into something else, what clean text was damaged, what was gained |
//! | a reference | [`ReferenceJudgement`] | precision and recall of the word edits, likeness to the reference beside that of the unchanged answer |
//! | a result that can be checked | [`Checked`] | right answers that stay right, wrong ones that become right |
//!
//! Over a sweep, [`OracleRun`], [`ReferenceRun`] and [`check_solutions`] judge every output (a [`Grid`] of rows × coefficients, for paired resampling), and
//! [`QualityTable`] is what they amount to. From it come the [range in which texts stay whole](quality_range), [verdicts] and, with prices
//! ([`Utility`]), the coefficient that is best for somebody.

mod align;
mod edits;
mod error;
mod grid;
mod lattice;
mod mean;
mod oracle;
mod oracle_run;
mod phase;
mod policy;
mod range;
mod reference_run;
mod runs;
mod table;
mod tally;
mod utility;
mod verdict;
mod verifiable;

pub use align::MOST_CELLS;
pub use edits::{EditCounts, ReferenceJudgement, WordEdit, word_edits};
pub use error::QualityError;
pub use grid::{Grid, Sample};
pub use oracle::{Closest, Fate, FlawOracle, Judgement};
pub use oracle_run::{Measure, OracleCell, OracleLine, OracleRun};
pub use phase::{PhaseDiagram, WIDE};
pub use policy::{PolicyLine, PolicyTest};
pub use range::{Bounded, QualityBounds, QualityRange, RangeEnd, quality_range};
pub use reference_run::{CheckedLine, ReferenceCell, ReferenceLine, ReferenceRun, check_solutions, solutions_among};
pub use table::{QualityTable, Unchanged};
pub use tally::{FateShares, FlawCounts, FlawGroup};
pub use utility::{CLEAN_SHARE, Choice, CoefficientUtility, USUAL, Utility, UtilityError, UtilityTable};
pub use verdict::{
    CLEAN_LOST, DAMAGED, DELETED, Evidence, LEAST_LIKENESS, LEAST_RISE, LEVEL, UNMOVED, Verdict, VerdictKind, verdicts,
};
pub use verifiable::{Checked, final_number};

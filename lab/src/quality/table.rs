//! What a dial does to quality: one table for a sweep.

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::oracle_run::{OracleLine, OracleRun};
use super::reference_run::{CheckedLine, ReferenceLine, ReferenceRun};
use super::verifiable::Checked;

/// Quality by coefficient. A part is empty where no rows were of its kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityTable {
    /// Rows whose flaws are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracle: Vec<OracleLine>,
    /// Rows with a reference only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceLine>,
    /// Solutions that can be checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verifiable: Vec<CheckedLine>,
    /// What the answers are like when nothing is done.
    pub unchanged: Unchanged,
    /// Share of rows with the same output at all coefficients, among those whose answers have something to correct.
    pub unmoved: Option<f64>,
}

/// The unchanged answers, judged as if they were outputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unchanged {
    /// Of rows whose flaws are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<OracleLine>,
    /// Of rows with a reference only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceLine>,
}

impl QualityTable {
    /// The table of what was judged.
    pub fn new(
        oracle: Option<&OracleRun>,
        reference: Option<&ReferenceRun>,
        verifiable: Option<&Grid<Checked>>,
    ) -> Self {
        let unmoved = oracle.and_then(OracleRun::unmoved_share).or(reference.and_then(ReferenceRun::unmoved_share));
        Self {
            oracle: oracle.map(OracleRun::lines).unwrap_or_default(),
            reference: reference.map(ReferenceRun::lines).unwrap_or_default(),
            verifiable: verifiable.map(Grid::<Checked>::lines).unwrap_or_default(),
            unchanged: Unchanged {
                oracle: oracle.map(OracleRun::unchanged_line),
                reference: reference.map(ReferenceRun::unchanged_line),
            },
            unmoved,
        }
    }
}

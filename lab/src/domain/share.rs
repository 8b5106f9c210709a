//! Do no harm: how many good answers stay as they are, inside and outside of what an Aligner knows.

use serde::Serialize;

use super::Standing;

/// Answers, and those of them that should stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Answers.
    pub n: usize,
    /// Those whose correction is the answer itself.
    pub n_clean: usize,
    /// Those of them that the Aligner copied, character for character.
    pub n_kept: usize,
}

/// The same by what the check of the domain says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct KeptByDomain {
    /// Answers inside.
    pub inside: Kept,
    /// Answers outside.
    pub outside: Kept,
    /// Answers too short to judge.
    pub not_judged: Kept,
}

impl KeptByDomain {
    /// Adds an answer: how it stands, whether it is clean, and whether it came back as it was.
    pub fn add(&mut self, standing: Option<Standing>, is_clean: bool, is_kept: bool) {
        let group = match standing {
            None => &mut self.not_judged,
            Some(standing) if standing.outside => &mut self.outside,
            Some(_) => &mut self.inside,
        };
        group.n += 1;
        group.n_clean += usize::from(is_clean);
        group.n_kept += usize::from(is_clean && is_kept);
    }
}

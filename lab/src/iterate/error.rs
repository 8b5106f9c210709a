//! What can be wrong with a run of rounds.

use std::path::PathBuf;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IterateError {
    /// An option breaks a rule, or has no effect.
    #[error("{message}")]
    Option {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: &'static str,
    },
    /// A file or folder is not there.
    #[error("{}: no such file or folder ({what})", path.display())]
    Missing {
        /// What it was to be.
        what: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// Questions to learn from are also measured on.
    #[error("{n} questions of {} are also among those held out in {}, the first: {first:?}", data.display(), held_out.display())]
    Shared {
        /// What is learnt from.
        data: PathBuf,
        /// What is measured on.
        held_out: PathBuf,
        /// Questions in both.
        n: usize,
        /// The first of them.
        first: String,
    },
    /// There are too few questions for the rounds.
    #[error("{}: {n} different questions, and {needed} are needed", path.display())]
    FewQuestions {
        /// The file.
        path: PathBuf,
        /// Questions in it.
        n: usize,
        /// Needed, at least.
        needed: usize,
    },
    /// Rows that need a right answer have none.
    #[error("{}: {n} of {of} rows have no correction", path.display())]
    NoGold {
        /// The file.
        path: PathBuf,
        /// Rows without.
        n: usize,
        /// All rows.
        of: usize,
    },
    /// No row survived the funnel.
    #[error("{step}: no rows left to train on; {funnel}")]
    NoRows {
        /// The step.
        step: String,
        /// The funnel, in words.
        funnel: String,
    },
    /// The control arm has too few pairs for a fair comparison.
    #[error("{}: {n} pairs, and {needed} are needed up to round {round}, as many as the Aligner's arm has", path.display())]
    FewControl {
        /// The file.
        path: PathBuf,
        /// Pairs in it.
        n: usize,
        /// Needed up to this round.
        needed: usize,
        /// The round.
        round: usize,
    },
    /// A file of a step that was done is another one now.
    #[error("step {step} is done, but {} was changed or removed since", path.display())]
    Changed {
        /// The step.
        step: String,
        /// The file.
        path: PathBuf,
    },
    /// A file of the run is not what a step wrote.
    #[error("{}: {rule}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        rule: String,
    },
    /// A step failed.
    #[error("step {step}: {reason}")]
    Step {
        /// The step.
        step: String,
        /// What it said.
        reason: String,
        /// What it advised, and where all of it stands.
        hint: String,
    },
    /// There is no step of this name.
    #[error("no step is called `{name}`; there are {known}")]
    UnknownStep {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// A step needs what others have not made yet.
    #[error("step {step} needs {}, which is not there yet", path.display())]
    TooEarly {
        /// The step.
        step: String,
        /// What it needs.
        path: PathBuf,
    },
}

impl IterateError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Option { hint, .. } => (*hint).into(),
            Self::Missing { .. } => "check the path".into(),
            Self::Shared { .. } => "split one file by question (`redline data split`), or remove the shared questions".into(),
            Self::FewQuestions { .. } => "give more questions, or fewer rounds".into(),
            Self::NoGold { .. } => "give rows with question, answer and correction".into(),
            Self::NoRows { .. } => {
                "see what the stages removed; in another --out, widen --least-edit and --most-edit, raise --max-new-tokens, or keep what no judge can tell (--keep-unjudged)".into()
            }
            Self::FewControl { .. } => "give more control pairs, or a smaller --prompts".into(),
            Self::Changed { .. } => "put the file back, or give another --out".into(),
            Self::Malformed { .. } => "give another --out".into(),
            Self::Step { hint, .. } => hint.clone(),
            Self::UnknownStep { .. } => "--dry-run prints all steps".into(),
            Self::TooEarly { .. } => "do the steps in order; without --step all are done".into(),
        }
    }
}

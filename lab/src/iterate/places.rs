//! Where the files of a run are.

use std::path::{Path, PathBuf};

use super::options::TrainedBy;

/// Paths under a run's folder.
#[derive(Debug, Clone)]
pub(super) struct Places {
    out: PathBuf,
}

impl Places {
    pub fn new(out: &Path) -> Self {
        Self { out: out.into() }
    }

    pub fn of(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Questions of a round.
    pub fn questions(&self, round: usize) -> PathBuf {
        self.of(&format!("rows/round-{round}.jsonl"))
    }

    /// Questions to measure on.
    pub fn held_out(&self) -> PathBuf {
        self.of("rows/held-out.jsonl")
    }

    /// Pairs of the control arm, in the order in which rounds take them.
    pub fn control_pairs(&self) -> PathBuf {
        self.of("rows/control.jsonl")
    }

    /// What was found when the rows were read.
    pub fn rows_report(&self) -> PathBuf {
        self.of("rows/report.json")
    }

    /// A file of a round.
    pub fn in_round(&self, round: usize, name: &str) -> PathBuf {
        self.of(&format!("round-{round}/{name}"))
    }

    /// A file of a seed.
    pub fn in_seed(&self, seed: usize, name: &str) -> PathBuf {
        self.of(&format!("seed-{seed}/{name}"))
    }
}

/// The model that a training run in this folder leaves.
pub(super) fn model_in(folder: &Path, method: TrainedBy) -> PathBuf {
    folder.join(match method {
        TrainedBy::Full => "model",
        TrainedBy::Lora => "model.gguf",
    })
}

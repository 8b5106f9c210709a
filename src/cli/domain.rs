//! Options of what an Aligner knows, and what is done with answers outside of that.

use std::path::PathBuf;

use clap::Args;
use redline::lab::domain::{Domain, Outside};

#[derive(Args, Clone, Default)]
pub struct DomainArgs {
    /// Answers outside of what the Aligner knows: warn (corrected, and marked), copy (left as they are, and marked), correct (nothing
    /// is checked)
    #[arg(long, default_value_t, value_name = "WARN|COPY|CORRECT")]
    pub outside: Outside,
    /// What the Aligner knows, as `redline check --domain-out` wrote it [default: the profile's, or for an Aligner of the project
    /// what comes with it; others are not checked]
    #[arg(long, value_name = "FILE")]
    pub domain: Option<PathBuf>,
}

impl DomainArgs {
    /// The file that is given.
    pub fn given(&self) -> redline::lab::Result<Option<Domain>> {
        self.domain.as_deref().map(Domain::load).transpose()
    }
}

//! Options of what an Aligner knows, and what is done with answers outside of that.

use std::path::PathBuf;

use clap::Args;
use redline::lab::domain::{Domain, Outside};

#[derive(Args, Clone, Default)]
pub struct DomainArgs {
    /// What to do with answers of a kind that the Aligner does not know: warn (correct and mark them), copy (leave
    /// them unchanged and mark them), correct (check nothing)
    #[arg(long, default_value_t, value_name = "WARN|COPY|CORRECT")]
    pub outside: Outside,
    /// What the Aligner knows, a file of `redline check --domain-out` [default: from the profile, or built in for an
    /// Aligner of the project; others are not checked]
    #[arg(long, value_name = "FILE")]
    pub domain: Option<PathBuf>,
}

impl DomainArgs {
    /// The file that is given.
    pub fn given(&self) -> redline::lab::Result<Option<Domain>> {
        self.domain.as_deref().map(Domain::load).transpose()
    }
}

//! Options of `redline merge`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
#[command(after_help = "Examples:
  redline merge part-1.jsonl part-2.jsonl part-3.jsonl --out sweep.jsonl

The parts are what `redline sweep --shard I/N` or `redline correct --shard I/N` wrote, in any order. The result has the bytes that a run without
--shard would have written. Parts of other settings, missing, repeated and unfinished ones are refused.")]
pub struct MergeArgs {
    /// Files of all parts
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The whole
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

//! Options of `redline ratio`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args)]
#[command(after_help = "Examples:
  redline ratio triples.jsonl.gz
  redline ratio triples.jsonl --json

Prints mean and median edit ratio of correction against answer: char (distance / length of the answer, in characters),
token (the same in words), max (distance / longer length), micro (sum of distances / sum of lengths). White space at
both ends of a text does not count.")]
pub struct RatioArgs {
    /// Triples: JSON Lines with question, answer, correction; plain or gzip; - is standard input
    pub file: PathBuf,
}

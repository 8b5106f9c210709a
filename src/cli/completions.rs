//! Arguments of `redline completions` and `redline man`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Args)]
#[command(after_help = "Examples:
  redline completions bash > ~/.local/share/bash-completion/completions/redline
  redline completions zsh > ~/.zfunc/_redline
  redline completions fish > ~/.config/fish/completions/redline.fish")]
pub struct CompletionsArgs {
    /// Shell to print completions for
    pub shell: Shell,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline man | man -l -
  redline man --out ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write redline.1 and one page per verb (redline-sweep.1, …) into this folder instead of printing the first
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

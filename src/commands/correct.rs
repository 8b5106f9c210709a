//! `redline correct`: one answer streamed, or many from a file.

use std::process::ExitCode;

use crate::cli::CorrectArgs;
use crate::commands::stack::{self, Row};
use crate::failure::hinted;
use crate::models::OWN_ALIGNER;
use crate::output;

pub fn run(args: &CorrectArgs, json: bool) -> anyhow::Result<ExitCode> {
    let rows = questions(args)?;
    warn_of_own_aligner(args);
    stack::run(args, &rows, json)
}

/// Warns where the Aligner inside the program gets answers from a file or of an upstream model.
fn warn_of_own_aligner(args: &CorrectArgs) {
    let is_own = match args.stack.aligner.is_empty() {
        true => args.model.model.is_none(),
        false => args.stack.aligner.iter().any(|spec| spec.model.model.is_none()),
    };
    if is_own && (args.data.is_some() || args.stack.has_upstream()) {
        output::note!("{OWN_ALIGNER}");
    }
}

/// The rows of the file, or the one of the command line, each with an answer.
fn questions(args: &CorrectArgs) -> anyhow::Result<Vec<Row>> {
    let is_empty = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
    if is_empty(&args.question) || is_empty(&args.answer) {
        return Err(hinted(
            "--question or --answer is empty",
            "give text in both; there is nothing to correct otherwise",
        ));
    }
    if args.data.is_none() && !args.stack.has_upstream() && (args.question.is_none() || args.answer.is_none()) {
        return Err(hinted(
            "there is no answer to correct",
            "give --question with --answer, --data, or an upstream model: --upstream URL or --upstream-model PATH",
        ));
    }
    stack::rows(args)
}

//! `redline correct`: one answer streamed, or many from a file.

mod answers;
mod file;
mod outside;
mod row;
mod run;

use std::path::Path;
use std::process::ExitCode;

use redline::lab::domain::Outside;

use crate::cli::CorrectArgs;
use crate::failure::{hinted, refuse_given};
use crate::models::OWN_ALIGNER;
use crate::output;
use row::Row;

pub fn run(args: &CorrectArgs, json: bool) -> anyhow::Result<ExitCode> {
    refuse_idle(args)?;
    if json {
        refuse_given(&args.given, &["diff"], "beside --json")?;
    }
    let rows = questions(args)?;
    warn_of_own_aligner(args);
    run::run(args, &rows, json)
}

/// Refuses options that cannot act beside the others.
fn refuse_idle(args: &CorrectArgs) -> anyhow::Result<()> {
    let given = |acts: bool, ids: &[&str], beside: &str| match acts {
        true => Ok(()),
        false => refuse_given(&args.given, ids, beside),
    };
    let is_steered = args.steering.vector.is_some() || args.steering.profile.is_some();
    let of_vector = ["layers", "unit", "range", "operator", "any_model", "from_llama_cpp_generator"];
    // several Aligners are each given their own
    given(is_steered || !args.stack.aligner.is_empty(), &of_vector, "without --vector or --profile")?;
    let is_drawn = args.sampling.temperature != 0.0;
    given(is_drawn, &["top_k", "top_p"], "at --temperature 0, where nothing is drawn")?;
    let is_upstream_drawn = args.stack.upstream_temperature.is_some();
    given(is_drawn || is_upstream_drawn, &["seed"], "at --temperature 0, where nothing is drawn")?;
    given(args.data.is_some(), &["batch_rows", "upstream_at_a_time"], "beside --question, which is one row")?;
    let has_file = args.stack.out.as_deref().is_some_and(|out| out != Path::new("-"));
    given(has_file, &["force"], "where no file is written")?;
    given(args.domain.outside != Outside::Correct, &["domain"], "beside --outside correct, which checks nothing")
}

/// Warns where the built-in Aligner gets answers from a file or of an upstream model.
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
    row::rows(args)
}

//! `redline correct`: one answer streamed, or many from a file.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::process::ExitCode;

use redline::model::generate::{Drafting, Finish, GenerateOptions, Generated, Prompt, generate};
use redline::model::{Hook, Result as ModelResult, TrimmedStream};
use redline::steer::Inject;
use serde_json::json;

use crate::cli::CorrectArgs;
use crate::cli::gate::GateArgs;
use crate::commands::stack::{self, Row};
use crate::commands::sweep::sampling_options;
use crate::difference::{Marks, marked};
use crate::progress::Progress;
use crate::session::{OWN_ALIGNER, Session, hinted};
use crate::steering::Steering;
use crate::{interrupt, output};

pub fn run(args: &CorrectArgs, json: bool) -> anyhow::Result<ExitCode> {
    if args.stack.is_asked() {
        return stack::run(args, json);
    }
    let sampling = sampling_options(&args.sampling, args.seed)?;
    let steering = Steering::resolve(&args.steering)?;
    let coefficient = coefficient(args, steering.as_ref())?;
    let questions = questions(args)?;
    if !questions.iter().all(Row::is_known) {
        return stack::run(args, json); // there a row may have an error instead of a correction
    }
    warn_of_own_aligner(args);
    let template = steering.as_ref().map(Steering::template).transpose()?.flatten();
    let session = Session::open_with(&args.model, template)?;
    let prompts = prompts(args, &session, &questions)?;
    let mut inject = steering.as_ref().map(|steering| session.gated_injection(steering, &args.gate)).transpose()?;
    let options = GenerateOptions {
        max_new_tokens: args.sampling.max_new_tokens,
        sampling,
        stop_ids: session.tokenizer()?.stop_ids().to_vec(),
        share_prompt: steering.as_ref().is_none_or(|steering| steering.range.leaves_prompt()),
    };
    let (questions, session, options) = (questions.as_slice(), &session, &options);
    let run = Run { args, coefficient, questions, session, options, drafting: Cell::default() };
    if args.diff && !json {
        for (row, prompt) in prompts.iter().enumerate() {
            run.difference(row, prompt, &mut inject)?;
        }
    } else if args.question.is_some() && !json {
        run.stream(&prompts[0], &mut inject)?;
    } else {
        let mut progress = Progress::new("correcting", questions.len());
        for (batch, part) in questions.chunks(args.batch_rows.max(1)).enumerate() {
            let done = batch * args.batch_rows.max(1);
            run.batch(done, part, &prompts[done..done + part.len()], &mut inject)?;
            progress.set(done + part.len(), questions.len())?;
        }
        progress.finish();
    }
    let Drafting { passes, proposed, accepted } = run.drafting.get();
    if proposed > 0 && args.data.is_some() {
        output::note!("drafted from the answer: {accepted} of {proposed} tokens stood, {passes} passes");
    }
    let is_steered = coefficient != 0.0 || args.gate.also.iter().any(|also| also.coefficient != 0.0);
    if let (Some(inject), Some(steering)) = (inject.filter(|_| is_steered), &steering) {
        let edits: u64 = inject.effect().values().map(|effect| effect.edits).sum();
        if let Some(gate) = inject.gate() {
            let counts = gate.counts();
            output::note!("gate at layer {}: fired at {} of {} positions", gate.layer(), counts.fired, counts.scored);
        } else if edits == 0 {
            return Err(redline::steer::Error::NoEffect { range: steering.range.to_string() }.into());
        }
        let from = if steering.coefficient() == Some(coefficient) { ", from the profile" } else { "" };
        let n_layers = inject.effect().len();
        output::note!("steered: {edits} activations changed in {n_layers} layers, coefficient {coefficient}{from}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Warns where the Aligner inside the program gets answers from a file or of an upstream model.
pub fn warn_of_own_aligner(args: &CorrectArgs) {
    let is_own = match args.stack.aligner.is_empty() {
        true => args.model.model.is_none(),
        false => args.stack.aligner.iter().any(|spec| spec.model.model.is_none()),
    };
    if is_own && (args.data.is_some() || args.stack.has_upstream()) {
        output::note!("{OWN_ALIGNER}");
    }
}

/// The coefficient given, the profile's, or 0. One that nothing would be multiplied with is refused.
fn coefficient(args: &CorrectArgs, steering: Option<&Steering>) -> anyhow::Result<f32> {
    check_gate(&args.gate, steering)?;
    chosen_coefficient(args.coefficient, steering)
}

/// Refuses further vectors, and gates, without a vector that they stand beside.
pub fn check_gate(gate: &GateArgs, steering: Option<&Steering>) -> anyhow::Result<()> {
    match steering.is_none() && !gate.is_empty() {
        true => Err(hinted("--also or --gate is given, but no vector to steer by", "give --vector or --profile too")),
        false => Ok(()),
    }
}

/// The same without gates.
pub fn chosen_coefficient(asked: Option<f32>, steering: Option<&Steering>) -> anyhow::Result<f32> {
    if let Some(coefficient) = asked {
        redline::steer::check_coefficients(&[coefficient])?;
        if steering.is_none() && coefficient != 0.0 {
            let message = format!("--coefficient {coefficient} is given, but no vector to steer by");
            return Err(hinted(message, "give --vector or --profile too; `redline extract` makes a vector"));
        }
    }
    Ok(asked.or(steering.and_then(Steering::coefficient)).unwrap_or(0.0))
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
    if args.data.is_none() && (args.question.is_none() || args.answer.is_none()) {
        return Err(hinted(
            "there is no answer to correct",
            "give --question with --answer, --data, or an upstream model: --upstream URL or --upstream-model PATH",
        ));
    }
    stack::rows(args)
}

/// Token ids of all prompts, so that one without room is refused before anything is written.
fn prompts(args: &CorrectArgs, session: &Session, questions: &[Row]) -> anyhow::Result<Vec<Vec<u32>>> {
    let prompt = |(row, question): (usize, &Row)| {
        let origin = args.data.as_ref().map_or("--answer".into(), |path| format!("{}: row {row}", path.display()));
        let texts = [question.question.as_str(), question.answer()];
        session.prompt_with_room(texts, args.sampling.max_new_tokens, &origin)
    };
    questions.iter().enumerate().map(prompt).collect()
}

struct Run<'a> {
    args: &'a CorrectArgs,
    coefficient: f32,
    questions: &'a [Row],
    session: &'a Session,
    options: &'a GenerateOptions,
    drafting: Cell<Drafting>,
}

impl Run<'_> {
    /// Prompts of the rows `first` …, steered where there is a vector.
    fn prompts(&self, first: usize, part: &[Vec<u32>], inject: &mut Option<Inject>) -> anyhow::Result<Vec<Prompt>> {
        let mut prompts = Vec::with_capacity(part.len());
        for (i, tokens) in part.iter().enumerate() {
            if let Some(inject) = inject {
                inject.clear_row(first + i);
                for term in self.args.gate.terms(self.args.steering.operator, self.coefficient, tokens.len()) {
                    inject.also_steer(first + i, term)?;
                }
            }
            let answer = self.questions[first + i].answer();
            let draft = if self.args.no_draft { Vec::new() } else { self.session.draft(answer, part.len())? };
            prompts.push(Prompt { draft, ..Prompt::new(tokens.clone(), vec![first + i]) });
        }
        Ok(prompts)
    }

    fn write(
        &self,
        prompts: &[Prompt],
        hook: &mut dyn Hook,
        on_token: &mut dyn FnMut(usize, u32) -> ModelResult<ControlFlow<()>>,
    ) -> ModelResult<Vec<Generated>> {
        let rows = generate(&self.session.model.decoder, prompts, self.options, hook, on_token)?;
        let mut sum = self.drafting.get();
        rows.iter().for_each(|row| sum.add(row.drafting));
        self.drafting.set(sum);
        Ok(rows)
    }

    fn stream(&self, prompt: &[u32], inject: &mut Option<Inject>) -> anyhow::Result<()> {
        let prompts = self.prompts(0, &[prompt.to_vec()], inject)?;
        let mut decoder = TrimmedStream::new(self.session.tokenizer()?);
        let mut failure = None;
        self.write(&prompts, inject, &mut |_, id| {
            interrupt::check()?;
            match output::piece(&decoder.push(id)?) {
                Ok(()) => Ok(ControlFlow::Continue(())),
                Err(error) => {
                    failure = Some(error);
                    Ok(ControlFlow::Break(()))
                }
            }
        })?;
        match failure {
            Some(error) => Err(error),
            None => output::piece(&(decoder.finish()? + "\n")),
        }
    }

    /// Shows what the correction changed.
    fn difference(&self, row: usize, prompt: &[u32], inject: &mut Option<Inject>) -> anyhow::Result<()> {
        let prompts = self.prompts(row, &[prompt.to_vec()], inject)?;
        let rows = self.write(&prompts, inject, &mut |_, _| {
            interrupt::check()?;
            Ok(ControlFlow::Continue(()))
        })?;
        let tokens = rows.first().map(|row| row.tokens.as_slice()).unwrap_or_default();
        let correction = self.session.tokenizer()?.decode(tokens, true)?;
        output::coloured(&marked(self.questions[row].answer().trim(), correction.trim(), Marks::for_stdout()))
    }

    /// Writes one JSON line a row.
    fn batch(
        &self,
        first: usize,
        part: &[Row],
        prompts: &[Vec<u32>],
        inject: &mut Option<Inject>,
    ) -> anyhow::Result<()> {
        let prompts = self.prompts(first, prompts, inject)?;
        let rows = self.write(&prompts, inject, &mut |_, _| {
            interrupt::check()?;
            Ok(ControlFlow::Continue(()))
        })?;
        let tokenizer = self.session.tokenizer()?;
        for (question, row) in part.iter().zip(rows) {
            let correction = tokenizer.decode(&row.tokens, true)?;
            let mut fields = question.output();
            stack::put_correction(&mut fields, question.answer(), correction.trim(), row.finish == Finish::Length);
            fields.put("coefficient", json!(self.coefficient));
            output::json_line(&fields)?;
        }
        Ok(())
    }
}

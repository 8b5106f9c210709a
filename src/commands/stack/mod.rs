//! The engine of `redline correct`: rows in, the same rows out, in order; answers of an upstream model, several Aligners in a
//! row, a file that can be continued.

mod answers;
mod file;
mod outside;
mod row;

use std::path::Path;
use std::process::ExitCode;

use redline::lab::correct::{Asked, Corrected, Corrector, CorrectorOptions, Effect, WriteOptions};
use redline::lab::steering::Steering;
use redline::model::generate::Drafting;
use redline::model::qac::Fields;
use redline::profile::hash_of;
use redline::steer::EditRatios;
use serde_json::{Value, json};

use crate::cli::stack::AlignerSpec;
use crate::cli::writes::CORRECTED;
use crate::cli::{CorrectArgs, ModelArgs};
use crate::difference::{Marks, marked};
use crate::failure::hinted;
use crate::outputs::clear_for_log;
use crate::progress::Progress;
use crate::{interrupt, models, output};

use answers::{Answers, Batch};
use file::OutFile;
use outside::OutsideCount;
pub use row::{Row, rows};

/// The schema of every row, as of `redline correct` without any of this.
const SCHEMA: &str = "redline.correct.v1";

/// Puts a correction into a row, and how it differs from the answer.
pub fn put_correction(fields: &mut Fields, answer: &str, correction: &str, truncated: bool) {
    let ratios = EditRatios::new(answer.trim(), correction);
    let mut put = |name: &str, value: Value| fields.put(name, value);
    put("correction", correction.into());
    put("edit_ratio", json!(ratios.char));
    put("exact_copy", ratios.exact_copy.into());
    put("truncated", truncated.into());
}

pub fn run(args: &CorrectArgs, rows: &[Row], json: bool) -> anyhow::Result<ExitCode> {
    args.sampling.options(args.seed)?;
    let specs = specs(args);
    let aligners = specs.iter().map(|spec| open(spec, args)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut answers = Answers::open(args)?;
    let path = args.stack.out.as_deref().filter(|path| *path != Path::new("-"));
    path.map_or(Ok(()), |path| clear_for_log(path, CORRECTED, args.stack.force.force))?;
    let mut file = path.map(|path| OutFile::open(path, run_hash(args, &aligners))).transpose()?;
    let done = file.as_ref().map_or(0, OutFile::n_done);
    if let Some(file) = &file {
        file.check(rows)?;
    }
    answers.expect(rows[done..].iter().filter(|row| row.is_open()).count());
    let n_failed = file.as_ref().map_or(0, OutFile::n_failed);
    let is_live = args.question.is_some() && !args.diff && !json && aligners.len() == 1 && !is_apart(args);
    let mut stack =
        Stack { args, aligners, answers, n_failed, first_error: None, is_live, outside: OutsideCount::default() };
    let mut progress = Progress::from("correcting", done, rows.len());
    for (batch, part) in rows[done..].chunks(args.batch_rows.max(1)).enumerate() {
        let first = done + batch * args.batch_rows.max(1);
        let (corrected, end) = stack.correct(first, part)?;
        for row in corrected {
            match &mut file {
                Some(file) => file.write(row)?,
                None => stack.show(&row, json)?,
            }
        }
        end.map_or(Ok(()), Err)?;
        progress.set(first + part.len(), rows.len())?;
    }
    progress.finish();
    if let Some(file) = &file {
        output::note!("{}: {}", file.path().display(), output::rows_in_words(rows.len()));
    }
    stack.report()
}

/// The Aligners asked for; without `--aligner`, the one of `--model`.
fn specs(args: &CorrectArgs) -> Vec<AlignerSpec> {
    if !args.stack.aligner.is_empty() {
        let on_device = |spec: &AlignerSpec| {
            let model = ModelArgs { device: args.model.device.clone(), ..spec.model.clone() };
            AlignerSpec { model, ..spec.clone() }
        };
        return args.stack.aligner.iter().map(on_device).collect();
    }
    let (model, steering) = (args.model.clone(), args.steering.clone());
    vec![AlignerSpec { model, steering, coefficient: args.coefficient }]
}

/// Loads an Aligner with its vector.
fn open(spec: &AlignerSpec, args: &CorrectArgs) -> anyhow::Result<Corrector> {
    let options = CorrectorOptions {
        steering: spec.steering.steering()?,
        coefficient: spec.coefficient,
        // gates and further vectors are empty where Aligners are given one by one
        more: args.gate.options(),
        with_scan: args.stack.with_scan,
        writing: WriteOptions {
            max_new_tokens: args.sampling.max_new_tokens,
            sampling: args.sampling.options(args.seed)?,
            drafts: !args.no_draft,
            domain: args.domain.given()?,
            outside: args.domain.outside,
            ..WriteOptions::default()
        },
    };
    options.check()?;
    let template = options.steering.as_ref().map(Steering::template).transpose()?.flatten();
    let corrector = Corrector::new(models::open_with(&spec.model, template)?, options)?;
    corrector.notes().iter().for_each(|note| output::note!("{note}"));
    Ok(corrector)
}

/// A hash of what outputs depend on, so that a file is continued by the same run only.
fn run_hash(args: &CorrectArgs, aligners: &[Corrector]) -> String {
    let sampling = &args.sampling;
    let mut settings = json!({
        "aligners": aligners.iter().map(Corrector::settings).collect::<Vec<_>>(),
        "also": args.gate.options().also.iter().map(|also| also.coefficient).collect::<Vec<_>>(),
        "gate": [args.gate.gate_layer.map_or(Value::Null, Value::from), Value::from(args.gate.gate_above)],
        "upstream": [args.stack.upstream, args.stack.upstream_name],
        "upstream_model": args.stack.upstream_model,
        "sampling": [sampling.max_new_tokens, sampling.top_k.unwrap_or(0)],
        "more": [sampling.temperature, sampling.top_p.unwrap_or(0.0), f64::from(sampling.repetition_penalty)],
        "seed": args.seed,
        "scan": args.stack.with_scan,
        "apart": is_apart(args),
    });
    // files of runs from before this option are continued
    if let Some(temperature) = args.stack.upstream_temperature {
        settings["upstream_temperature"] = temperature.into();
    }
    hash_of(settings.to_string().as_bytes())[..16].into()
}

/// Whether answers are taken apart: those of an upstream model, which may hold anything. A scan needs them as one text.
fn is_apart(args: &CorrectArgs) -> bool {
    args.stack.has_upstream() && !args.stack.with_scan
}

struct Stack<'a> {
    args: &'a CorrectArgs,
    aligners: Vec<Corrector>,
    answers: Answers,
    n_failed: usize,
    /// Why the first of them failed.
    first_error: Option<String>,
    /// Whether the one correction is shown as it is written.
    is_live: bool,
    outside: OutsideCount,
}

impl Stack<'_> {
    /// Answers rows that have no answer, then corrects all of them, up to where the run has to end; `first` is the number of the first one.
    fn correct(&mut self, first: usize, rows: &[Row]) -> anyhow::Result<(Vec<Fields>, Option<anyhow::Error>)> {
        let Batch { answers, end } = self.answers.of(first, rows, self.args)?;
        let rows = &rows[..answers.len()];
        let mut texts: Vec<String> =
            answers.iter().map(|answer| answer.as_ref().map_or_else(|_| String::new(), |a| a.text.clone())).collect();
        let mut steps: Vec<Vec<Value>> = vec![Vec::new(); rows.len()];
        let mut ends: Vec<Option<Corrected>> = rows.iter().map(|_| None).collect();
        let mut errors: Vec<Option<String>> = answers.iter().map(|answer| answer.as_ref().err().cloned()).collect();
        for aligner in &mut self.aligners {
            let open: Vec<usize> = (0..rows.len()).filter(|&i| errors[i].is_none()).collect();
            let one = |&i: &usize| Asked { row: first + i, question: &rows[i].question, answer: &texts[i] };
            let asked: Vec<Asked<'_>> = open.iter().map(one).collect();
            let origin = if self.args.question.is_some() { "--answer".into() } else { aligner.name() };
            let corrected = match (is_apart(self.args), self.is_live, asked.as_slice()) {
                (true, ..) => aligner.correct_parts(&asked, &origin, interrupt::check)?,
                (false, true, &[one]) => {
                    let aloud = aligner.correct_aloud(one, &origin, interrupt::check, &mut output::piece);
                    vec![aloud?]
                }
                (false, ..) => aligner.correct(&asked, &origin, interrupt::check)?,
            };
            for (i, outcome) in open.into_iter().zip(corrected) {
                match outcome {
                    Ok(corrected) => {
                        self.outside.add(&corrected);
                        steps[i].push(step(aligner, &texts[i], &corrected));
                        texts[i].clone_from(&corrected.text);
                        ends[i] = Some(corrected);
                    }
                    Err(reason) => errors[i] = Some(reason),
                }
            }
        }
        let mut out = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let mut fields = row.output();
            let answer = answers[i].as_ref().map_or("", |answer| answer.text.as_str());
            if row.is_known() {
                fields.put("answer", answer);
            }
            if answers[i].as_ref().is_ok_and(|answer| answer.is_cut) {
                fields.put("answer_truncated", true);
            }
            match (&errors[i], ends[i].take()) {
                (None, Some(end)) => self.finish(&mut fields, answer, end, std::mem::take(&mut steps[i])),
                (reason, _) => {
                    self.n_failed += 1;
                    let reason = reason.clone().unwrap_or_default();
                    fields.put("error", reason.as_str());
                    self.first_error.get_or_insert(reason);
                }
            }
            out.push(fields);
        }
        Ok((out, end))
    }

    fn finish(&self, fields: &mut Fields, answer: &str, end: Corrected, steps: Vec<Value>) {
        put_correction(fields, answer, &end.text, end.truncated);
        let mut put = |name: &str, value: Value| fields.put(name, value);
        if let [aligner] = self.aligners.as_slice() {
            put("coefficient", json!(coefficient(aligner, &end)));
            end.standing.into_iter().for_each(|standing| put("domain", json!(standing)));
        } else {
            put("steps", steps.into());
        }
        if let Some(scan) = end.scan {
            put("scan", json!({ "layers": scan.layers, "tokens": scan.tokens, "z": scan.z }));
        }
        if !end.kept.is_empty() {
            put("kept", json!(end.kept));
        }
    }

    /// Prints a row: the text for a person who gave one question, else a line of JSON.
    fn show(&self, row: &Fields, json: bool) -> anyhow::Result<()> {
        match (row.text("answer"), row.text("correction")) {
            (Some(answer), Some(correction)) if self.args.diff && !json => {
                output::coloured(&marked(answer.trim(), &correction, Marks::for_stdout()))
            }
            (_, Some(_)) if self.is_live => output::piece("\n"),
            (_, Some(correction)) if self.args.question.is_some() && !json => output::piece(&format!("{correction}\n")),
            // the one fault is the run's
            _ if self.args.question.is_some() && !json => Ok(()),
            _ => output::json_line(row),
        }
    }

    fn report(&self) -> anyhow::Result<ExitCode> {
        self.outside.tell(self.args.question.is_some());
        self.aligners.iter().try_for_each(|aligner| report(aligner, self.args))?;
        let message = match (self.n_failed, &self.first_error) {
            (0, _) => return Ok(ExitCode::SUCCESS),
            (_, Some(only)) if self.args.question.is_some() => {
                return Err(hinted(only.clone(), "shorten the text, or lower --max-new-tokens"));
            }
            (1, Some(first)) => format!("1 row has no correction; its `error` says why: {first}"),
            (n, Some(first)) => format!("{n} rows have no correction; their `error` says why, the first here: {first}"),
            (1, None) => "1 row has no correction; its `error` says why".into(),
            (n, None) => format!("{n} rows have no correction; their `error` says why"),
        };
        let cure =
            "mend what it names (shorten texts that are too long, or lower --max-new-tokens) and run these rows again";
        Err(hinted(message, cure))
    }
}

/// The coefficient of a correction; none where its parts may differ in it.
fn coefficient(aligner: &Corrector, corrected: &Corrected) -> Option<f32> {
    match aligner.is_per_request() {
        true => corrected.coefficient,
        false => Some(aligner.coefficient()),
    }
}

/// A step of a row's way, for its result.
fn step(aligner: &Corrector, before: &str, corrected: &Corrected) -> Value {
    let mut step = json!({
        "aligner": aligner.name(),
        "coefficient": coefficient(aligner, corrected),
        "correction": corrected.text,
        "edit_ratio": EditRatios::new(before.trim(), &corrected.text).char,
        "truncated": corrected.truncated,
    });
    corrected.standing.into_iter().for_each(|standing| step["domain"] = json!(standing));
    step
}

/// Says what was done to activations; a vector that touched nothing is an error.
fn report(aligner: &Corrector, args: &CorrectArgs) -> anyhow::Result<()> {
    let Drafting { passes, proposed, accepted } = aligner.drafting();
    if proposed > 0 && args.data.is_some() {
        output::note!("drafted from the answer: {accepted} of {proposed} tokens stood, {passes} passes");
    }
    let (Some(effect), Some(steering)) = (aligner.effect()?, aligner.steering()) else { return Ok(()) };
    if let Some([layer, fired, scored]) = effect.gate {
        output::note!("gate at layer {layer}: fired at {fired} of {scored} positions");
    }
    let Effect { n_edits, n_layers, .. } = effect;
    if aligner.is_per_request() {
        output::note!("steered: {n_edits} activations changed in {n_layers} layers, a coefficient for each answer");
        return Ok(());
    }
    let coefficient = aligner.coefficient();
    let from = if steering.coefficient() == Some(coefficient) { ", from the profile" } else { "" };
    output::note!("steered: {n_edits} activations changed in {n_layers} layers, coefficient {coefficient}{from}");
    Ok(())
}

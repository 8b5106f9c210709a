//! Rows in, the same rows out, in order: answers of an upstream model, one Aligner after the other, a file that can be continued.

use std::path::Path;
use std::process::ExitCode;

use redline::lab::correct::{Asked, Chain, Chained, Corrected, Corrector, CorrectorOptions, Effect, WriteOptions};
use redline::lab::steering::Steering;
use redline::model::generate::Drafting;
use redline::model::qac::Fields;
use redline::probe::shard::Shard;
use redline::profile::hash_of;
use redline::steer::EditRatios;
use serde_json::{Value, json};

use super::answers::{Answer, Answers, Batch};
use super::file::{OutFile, PartMarks};
use super::outside::OutsideCount;
use super::row::Row;
use crate::cli::stack::AlignerSpec;
use crate::cli::writes::CORRECTED;
use crate::cli::{CorrectArgs, ModelArgs};
use crate::difference::{Marks, marked};
use crate::failure::hinted;
use crate::outputs::clear_for_log;
use crate::progress::Progress;
use crate::{interrupt, models, output};

/// Puts a correction into a row, and how it differs from the answer.
fn put_correction(fields: &mut Fields, answer: &str, correction: &str, truncated: bool) {
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
    let share = args.shard.unwrap_or(Shard::WHOLE).of_rows(rows.len());
    let marks = || args.shard.map(|_| PartMarks { share, data: data_hash(rows) });
    let mut file = path.map(|path| OutFile::open(path, run_hash(args, &aligners), marks())).transpose()?;
    let rows = &rows[share.rows()];
    let done = file.as_ref().map_or(0, OutFile::n_done);
    if let Some(file) = &file {
        file.check(rows)?;
    }
    answers.expect(rows[done..].iter().filter(|row| row.is_open()).count());
    let n_failed = file.as_ref().map_or(0, OutFile::n_failed);
    let chain = Chain::new(aligners, is_apart(args));
    let is_live = args.question.is_some() && !args.diff && !json && chain.can_be_heard();
    let mut run = Run { args, chain, answers, n_failed, first_error: None, is_live, outside: OutsideCount::default() };
    let mut progress = Progress::from("correcting", done, rows.len());
    for (batch, part) in rows[done..].chunks(args.batch_rows.max(1)).enumerate() {
        let here = done + batch * args.batch_rows.max(1);
        // the number of a row, which chooses its random numbers, is that of the whole
        let (corrected, end) = run.correct(share.first + here, part)?;
        for row in corrected {
            match &mut file {
                Some(file) => file.write(row)?,
                None => run.show(&row, json)?,
            }
        }
        end.map_or(Ok(()), Err)?;
        progress.set(here + part.len(), rows.len())?;
    }
    progress.finish();
    if let Some(file) = &file {
        output::note!("{}: {}", file.path().display(), output::rows_in_words(rows.len()));
    }
    run.report()
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

/// A hash of all rows as they were read.
fn data_hash(rows: &[Row]) -> String {
    let texts = rows.iter().map(|row| serde_json::to_string(&row.fields).unwrap_or_default() + "\n");
    hash_of(texts.collect::<String>().as_bytes())[..16].into()
}

/// Whether answers are taken apart: those of an upstream model, which may hold anything. A scan needs them as one text.
fn is_apart(args: &CorrectArgs) -> bool {
    args.stack.has_upstream() && !args.stack.with_scan
}

struct Run<'a> {
    args: &'a CorrectArgs,
    chain: Chain,
    answers: Answers,
    n_failed: usize,
    /// Why the first of them failed.
    first_error: Option<String>,
    /// Whether the one correction is shown as it is written.
    is_live: bool,
    outside: OutsideCount,
}

impl Run<'_> {
    /// Answers rows that have no answer, then corrects all of them, up to where the run has to end; `first` is the number of the first one.
    fn correct(&mut self, first: usize, rows: &[Row]) -> anyhow::Result<(Vec<Fields>, Option<anyhow::Error>)> {
        let Batch { answers, end } = self.answers.of(first, rows, self.args)?;
        let rows = &rows[..answers.len()];
        let mut chained = self.chained(first, rows, &answers)?.into_iter();
        let mut outcome = |answer: &Answer| match answer {
            Ok(_) => chained.next().unwrap_or_else(|| Err(String::new())),
            Err(reason) => Err(reason.clone()),
        };
        let outcomes: Vec<Chained> = answers.iter().map(&mut outcome).collect();
        let mut out = Vec::with_capacity(rows.len());
        for ((i, row), outcome) in rows.iter().enumerate().zip(outcomes) {
            let mut fields = row.output();
            let answer = answers[i].as_ref().map_or("", |answer| answer.text.as_str());
            if row.is_known() {
                fields.put("answer", answer);
            }
            if answers[i].as_ref().is_ok_and(|answer| answer.is_cut) {
                fields.put("answer_truncated", true);
            }
            match outcome {
                Ok(steps) => self.finish(&mut fields, answer, steps),
                Err(reason) => {
                    self.n_failed += 1;
                    fields.put("error", reason.as_str());
                    self.first_error.get_or_insert(reason);
                }
            }
            out.push(fields);
        }
        Ok((out, end))
    }

    /// What the Aligners make of the rows that have an answer.
    fn chained(&mut self, first: usize, rows: &[Row], answers: &[Answer]) -> anyhow::Result<Vec<Chained>> {
        let asked = rows.iter().zip(answers).enumerate().filter_map(|(i, (row, answer))| {
            Some(Asked { row: first + i, question: &row.question, answer: &answer.as_ref().ok()?.text })
        });
        let asked: Vec<Asked<'_>> = asked.collect();
        let origin = self.args.question.is_some().then_some("--answer");
        match (self.is_live, asked.as_slice()) {
            (true, &[one]) => {
                Ok(vec![self.chain.correct_aloud(one, "--answer", interrupt::check, &mut output::piece)?])
            }
            _ => Ok(self.chain.correct(&asked, origin, interrupt::check)?),
        }
    }

    fn finish(&mut self, fields: &mut Fields, answer: &str, steps: Vec<Corrected>) {
        steps.iter().for_each(|step| self.outside.add(step));
        let ways = self.ways(answer, &steps);
        let Some(end) = steps.into_iter().next_back() else { return };
        put_correction(fields, answer, &end.text, end.truncated);
        let mut put = |name: &str, value: Value| fields.put(name, value);
        if let [aligner] = self.chain.aligners() {
            put("coefficient", json!(coefficient(aligner, &end)));
            end.standing.into_iter().for_each(|standing| put("domain", json!(standing)));
        } else {
            put("steps", ways.into());
        }
        if let Some(scan) = end.scan {
            put("scan", json!({ "layers": scan.layers, "tokens": scan.tokens, "z": scan.z }));
        }
        if !end.kept.is_empty() {
            put("kept", json!(end.kept));
        }
    }

    /// Each Aligner's step of a row's way.
    fn ways(&self, answer: &str, steps: &[Corrected]) -> Vec<Value> {
        let before = std::iter::once(answer).chain(steps.iter().map(|step| step.text.as_str()));
        let each = self.chain.aligners().iter().zip(before).zip(steps);
        each.map(|((aligner, before), corrected)| step(aligner, before, corrected)).collect()
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
        self.chain.aligners().iter().try_for_each(|aligner| report(aligner, self.args))?;
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

//! What the systems of `redline evaluate` answer: each written by the model that it stands for, into one file that is continued.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use redline::lab::Error;
use redline::lab::baseline::{AnswerBestOf, BaselineOptions, BaselineRun, LocalWriter, Protocol, Writer};
use redline::lab::contest::{AlignerRun, BestOf, Keep, UPSTREAM, upstream_answers};
use redline::lab::correct::{Check, Corrector, CorrectorOptions, WriteOptions};
use redline::lab::judge::record::{AnswerRecord, RecordLog};
use redline::lab::judge::{Dimension, JudgeError};
use redline::lab::steering::Steering;
use redline::model::{Adapter, Model, Qac};
use redline::serve::{JudgeOptions, ServerWriter};

use crate::cli::EvaluateArgs;
use crate::cli::judging::JudgeSpec;
use crate::cli::systems::{SystemSpec, WriterSpec};
use crate::cli::writes::ANSWERS;
use crate::commands::evaluate::stacks;
use crate::failure::hinted;
use crate::judges::score;
use crate::keys::environment_key;
use crate::known::Known;
use crate::observer::Shown;
use crate::outputs::clear_for_log;
use crate::{interrupt, models, output};

/// The file that says that a folder holds an adapter.
const ADAPTER: &str = "adapter_config.json";

/// Rows that are answered.
pub(super) type Rows<'a> = [(usize, &'a Qac)];

/// What the systems answer; in the file of --out where there is one, which is continued.
pub fn answers(args: &EvaluateArgs, known: &Known, systems: &[SystemSpec]) -> anyhow::Result<Vec<AnswerRecord>> {
    if systems.is_empty() {
        return Err(hinted("--judge is given, and no systems", "give --systems upstream,aligner, or --answers FILE"));
    }
    if systems.iter().any(SystemSpec::is_written) && args.judging.writer.is_none() {
        return Err(hinted("--systems names what a model is asked for, and no model", "give --writer MODEL"));
    }
    refuse_twice(systems)?;
    let systems = stacks::with_passes(systems);
    let mut sheet = Sheet::open(args, known.triples.len())?;
    sheet.refuse_other_makers(args, &systems)?;
    let triples = match &args.judging.upstream {
        None => known.triples.clone(),
        Some(upstream) => upstream_anew(args, upstream, &known.triples, &mut sheet)?,
    };
    sheet.keep_only(&triples)?;
    for system in &systems {
        let name = system.to_string();
        let open = sheet.open_rows(&triples, &name);
        if open.is_empty() {
            continue;
        }
        let made_by = made_by(args, system)?;
        let before = stacks::before(&sheet.answers, system);
        let keep = &mut |record| sheet.keep(AnswerRecord { made_by: made_by.clone(), ..record });
        match system {
            SystemSpec::Upstream => {
                let is_open = |record: &AnswerRecord| open.iter().any(|(row, _)| *row == record.row);
                upstream_answers(&triples).into_iter().filter(is_open).try_for_each(keep)?;
            }
            SystemSpec::Stack(depth, coefficient) => {
                stacks::answer(args, (*depth, *coefficient), &open, &before, keep)?;
            }
            system if system.is_aligner() => by_aligner(args, known, system, &open, keep)?,
            system => by_writer(args, known, system, &open, keep)?,
        }
    }
    sheet.note_empty();
    Ok(sheet.answers)
}

/// The answers so far, and the file that they are kept in.
pub(super) struct Sheet<'a> {
    path: Option<&'a Path>,
    log: Option<RecordLog<AnswerRecord>>,
    pub(super) answers: Vec<AnswerRecord>,
    n_read: usize,
    /// Rows that the upstream model gave no answer to.
    unanswered: BTreeSet<usize>,
}

impl<'a> Sheet<'a> {
    /// The answers of the first so many rows in the file of --out.
    pub(super) fn open(args: &'a EvaluateArgs, n_rows: usize) -> anyhow::Result<Self> {
        let mut sheet =
            Self { path: args.out.as_deref(), log: None, answers: Vec::new(), n_read: 0, unanswered: BTreeSet::new() };
        if let Some(path) = sheet.path {
            clear_for_log(path, ANSWERS, args.force.force)?;
            let (log, records) = RecordLog::<AnswerRecord>::open(path).map_err(Error::from)?;
            records.note(path).into_iter().for_each(|note| output::note!("{note}"));
            sheet.n_read = records.rows.len();
            sheet.answers = records.rows.into_iter().filter(|record| record.row < n_rows).collect();
            sheet.log = Some(log);
        }
        Ok(sheet)
    }

    /// Refuses outputs of a system that was another one then: of another model, vector or limit.
    fn refuse_other_makers(&self, args: &EvaluateArgs, systems: &[SystemSpec]) -> anyhow::Result<()> {
        let upstream = args.judging.upstream.as_ref().map(|_| SystemSpec::Upstream);
        let mut all = systems.iter().chain(&upstream);
        all.try_for_each(|system| self.refuse_other_maker(&system.to_string(), &made_by(args, system)?))
    }

    /// The same of one system, which is `now` made by this.
    pub(super) fn refuse_other_maker(&self, name: &str, now: &str) -> anyhow::Result<()> {
        let Some(path) = self.path else { return Ok(()) };
        let is_other =
            |record: &&AnswerRecord| record.name() == name && !record.made_by.is_empty() && record.made_by != now;
        match self.answers.iter().find(is_other) {
            None => Ok(()),
            Some(record) => Err(hinted(
                format!("{}: `{name}` was made by {}, and is now {now}", path.display(), record.made_by),
                "give another --out, or the same models and settings",
            )),
        }
    }

    /// Refuses answers to other rows, and says how many are used.
    pub(super) fn keep_only(&mut self, triples: &[Qac]) -> anyhow::Result<()> {
        let Some(path) = self.path else { return Ok(()) };
        let n_read = self.n_read;
        self.answers = of_rows(path, std::mem::take(&mut self.answers), triples)?;
        if n_read > 0 {
            let n_unknown = self.answers.iter().filter(|record| record.made_by.is_empty()).count();
            let unknown = match n_unknown {
                0 => String::new(),
                n => format!("; {n} do not say what model, vector and settings they were made with"),
            };
            output::note!(
                "{}: {} of its {n_read} outputs are used and not written again{unknown}",
                path.display(),
                self.answers.len()
            );
        }
        Ok(())
    }

    /// The rows that a system has not answered.
    pub(super) fn open_rows<'q>(&self, triples: &'q [Qac], name: &str) -> Vec<(usize, &'q Qac)> {
        let there: BTreeSet<usize> =
            self.answers.iter().filter(|record| record.name() == name).map(|record| record.row).collect();
        let is_open = |(row, _): &(usize, &Qac)| !there.contains(row) && !self.unanswered.contains(row);
        triples.iter().enumerate().filter(is_open).collect()
    }

    /// Says which systems have outputs without text, which are judged like others.
    pub(super) fn note_empty(&self) {
        let mut empty: BTreeMap<String, usize> = BTreeMap::new();
        for record in self.answers.iter().filter(|record| record.output.trim().is_empty()) {
            *empty.entry(record.name()).or_default() += 1;
        }
        empty.iter().for_each(|(name, n)| output::note!("{name}: {n} outputs are empty, and judged as they are"));
    }

    pub(super) fn keep(&mut self, record: AnswerRecord) -> redline::lab::Result<()> {
        self.log.as_mut().map_or(Ok(0), |log| log.append(&record)).map_err(Error::from)?;
        self.answers.push(record);
        Ok(())
    }
}

/// Refuses names that two systems would share.
fn refuse_twice(systems: &[SystemSpec]) -> anyhow::Result<()> {
    let names: Vec<String> = systems.iter().map(SystemSpec::to_string).collect();
    match names.iter().enumerate().find(|(place, name)| names[..*place].contains(name)) {
        None => Ok(()),
        Some((_, name)) => {
            Err(hinted(format!("--systems names {name} twice"), "give each system once, under its own name"))
        }
    }
}

/// What a system's outputs depend on, in words: models, vectors, limits, who chooses. Models that are named are looked for.
pub(super) fn made_by(args: &EvaluateArgs, system: &SystemSpec) -> anyhow::Result<String> {
    let judging = &args.judging;
    let writer = |spec: &WriterSpec| match spec {
        WriterSpec::Local(path) if !path.exists() => {
            Err(hinted(format!("{}: no such file or folder", path.display()), "check the path"))
        }
        WriterSpec::Local(path) => Ok(path.display().to_string()),
        WriterSpec::Server { url, model } => Ok(format!("{url}#{model}")),
    };
    let own = |path: &Path| writer(&WriterSpec::Local(path.to_path_buf()));
    let most = args.max_new_tokens;
    let drawn = || {
        let chooser = judging.choose_by.as_ref().map(ToString::to_string).unwrap_or_default();
        format!(", chosen by {chooser}, temperature {}", judging.draw_temperature)
    };
    let asked = |spec: &Option<WriterSpec>, how: String| {
        let writer = spec.as_ref().map(writer).transpose()?.unwrap_or_default();
        anyhow::Ok(format!("{writer} ({how}, {most} tokens)"))
    };
    Ok(match system {
        SystemSpec::Upstream => match &judging.upstream {
            None => "--data".into(),
            spec => asked(spec, "answers".into())?,
        },
        SystemSpec::Own { model, .. } => format!("{} (answers, {most} tokens)", own(model)?),
        SystemSpec::Asked(protocol) => asked(&judging.writer, protocol.template())?,
        SystemSpec::AnswerBestOf(_) => asked(&judging.writer, format!("answers{}", drawn()))?,
        aligner => {
            let model = args.model.model.as_ref().map_or_else(|| "embedded".into(), |path| path.display().to_string());
            let adapter = args.model.adapter.iter().map(|path| format!(" with {}", path.display()));
            let template = args.model.template.iter().map(|name| format!(", template {name}"));
            let steered = aligner.coefficient().is_some().then(|| steered_by(args)).transpose()?;
            let drawn = matches!(aligner, SystemSpec::BestOf(_)).then(drawn);
            let asked = args.model.instruction.iter().map(|text| format!(", asked {text:?}"));
            let parts = adapter.chain(template).chain(asked).chain(steered).chain(drawn);
            format!("{model}{} ({most} tokens)", parts.collect::<String>())
        }
    })
}

/// What steers, in words.
fn steered_by(args: &EvaluateArgs) -> anyhow::Result<String> {
    let Some(steering) = args.steering.steering()? else { return Ok(String::new()) };
    let files = steering.file().into_iter().map(|path| redline::profile::file_hash(path));
    let hashes = files.collect::<Result<Vec<_>, _>>()?.concat();
    let hash = hashes.get(..12).unwrap_or(&hashes);
    let (layers, unit, range) = (&steering.layers, &steering.unit, &steering.range);
    Ok(format!(
        ", vector {hash}, layers {layers}, unit {unit}, range {range}, {}, copy bias {}",
        steering.operator, steering.copy_bias
    ))
}

/// The answers of an earlier run to the questions of these rows, whoever the upstream model was.
pub fn of_questions(path: &Path, answers: Vec<AnswerRecord>, rows: &[Qac]) -> anyhow::Result<Vec<AnswerRecord>> {
    checked(path, answers, rows, |record, row| row.question != record.question)
}

/// The answers of an earlier run to the questions and answers of these rows.
fn of_rows(path: &Path, answers: Vec<AnswerRecord>, rows: &[Qac]) -> anyhow::Result<Vec<AnswerRecord>> {
    checked(path, answers, rows, |record, row| row.question != record.question || row.answer != record.answer)
}

/// The answers to these rows; those to others under the same numbers are an error.
fn checked(
    path: &Path,
    answers: Vec<AnswerRecord>,
    rows: &[Qac],
    differs: impl Fn(&AnswerRecord, &Qac) -> bool,
) -> anyhow::Result<Vec<AnswerRecord>> {
    let is_other = |record: &&AnswerRecord| rows.get(record.row).is_some_and(|row| differs(record, row));
    if let Some(other) = answers.iter().find(is_other) {
        return Err(hinted(
            format!("{}: row {} has another question or answer than --data", path.display(), other.row),
            "give the same --data and --upstream, or another --out",
        ));
    }
    Ok(answers.into_iter().filter(|record| record.row < rows.len()).collect())
}

/// The rows with the answers of another upstream model, which are written where they are not there yet.
fn upstream_anew(
    args: &EvaluateArgs,
    spec: &WriterSpec,
    triples: &[Qac],
    sheet: &mut Sheet<'_>,
) -> anyhow::Result<Vec<Qac>> {
    let open = sheet.open_rows(triples, UPSTREAM);
    if !open.is_empty() {
        let mut writer = writer(args, spec)?;
        let mut run = run_of(args, spec, &mut *writer, UPSTREAM.into());
        let made_by = made_by(args, &SystemSpec::Upstream)?;
        let mut keep = |record: AnswerRecord| {
            sheet.keep(AnswerRecord { answer: record.output.clone(), made_by: made_by.clone(), ..record })
        };
        run.answer(Protocol::Answer, &open, &mut keep, &mut Shown::default())?;
    }
    let written: BTreeMap<usize, &AnswerRecord> =
        sheet.answers.iter().filter(|record| record.name() == UPSTREAM).map(|record| (record.row, record)).collect();
    let mut rows = triples.to_vec();
    let mut unanswered = BTreeSet::new();
    for (row, triple) in rows.iter_mut().enumerate() {
        match written.get(&row) {
            Some(record) => triple.answer.clone_from(&record.output),
            None => drop(unanswered.insert(row)),
        }
    }
    if unanswered.len() == rows.len() {
        return Err(hinted(
            "--upstream answered no row",
            "lower --max-new-tokens, or take a model with a longer context",
        ));
    }
    sheet.unanswered = unanswered;
    Ok(rows)
}

/// What the Aligner writes.
fn by_aligner(
    args: &EvaluateArgs,
    known: &Known,
    system: &SystemSpec,
    open: &Rows<'_>,
    keep: Keep<'_>,
) -> anyhow::Result<()> {
    let (batch_rows, check) = (args.batch_rows, interrupt::check as Check);
    let (coefficient, name) = match system {
        SystemSpec::Aligner(coefficient) => (*coefficient, None),
        other => (None, Some(other.to_string())),
    };
    let mut corrector = aligner(args, coefficient.map(|coefficient| coefficient as f32))?;
    if let SystemSpec::BestOf(n) = system {
        let (mut chooser, dimension) = chooser(args, known, system)?;
        corrector.draw_at(args.judging.draw_temperature);
        let mut best = BestOf { n: *n, chooser: &mut *chooser, dimension, seed: 0 };
        output::note!("{system}: at most {:.3} nats of KL divergence from one draw", best.divergence_bound());
        let mut run = AlignerRun { corrector: &mut corrector, coefficient: None, name, batch_rows, check };
        return Ok(best.answer(&mut run, open, keep, &mut Shown::default())?);
    }
    if let SystemSpec::Beam(n) = system {
        corrector.search_with(*n);
    }
    let mut run = AlignerRun { corrector: &mut corrector, coefficient, name, batch_rows, check };
    Ok(run.answer(open, keep, &mut Shown::default())?)
}

/// What a model writes that is asked.
fn by_writer(
    args: &EvaluateArgs,
    known: &Known,
    system: &SystemSpec,
    open: &Rows<'_>,
    keep: Keep<'_>,
) -> anyhow::Result<()> {
    let own = |model: &Path| WriterSpec::Local(model.to_path_buf());
    let spec = match system {
        SystemSpec::Own { model, .. } => Some(own(model)),
        _ => args.judging.writer.clone(),
    };
    let spec = spec.ok_or_else(|| hinted(format!("{system} needs a model that writes"), "give --writer MODEL"))?;
    let mut writer = writer(args, &spec)?;
    let mut run = run_of(args, &spec, &mut *writer, system.to_string());
    let shown = &mut Shown::default();
    match system {
        SystemSpec::AnswerBestOf(n) => {
            let (mut chooser, dimension) = chooser(args, known, system)?;
            let mut choose = |row: usize, question: &str, text: &str| {
                chooser.score(row, question, text, dimension).map_err(Error::from)
            };
            let temperature = args.judging.draw_temperature;
            let mut best = AnswerBestOf { n: *n, temperature, choose: &mut choose };
            best.answer(&mut run, open, keep, shown)?;
        }
        SystemSpec::Asked(protocol) => drop(run.answer(*protocol, open, keep, shown)?),
        _ => drop(run.answer(Protocol::Answer, open, keep, shown)?),
    }
    Ok(())
}

fn run_of<'a>(args: &EvaluateArgs, spec: &WriterSpec, writer: &'a mut dyn Writer, system: String) -> BaselineRun<'a> {
    let is_server = matches!(spec, WriterSpec::Server { .. });
    // what is paid for is kept soon
    let batch_rows = if is_server { args.batch_rows.min(JudgeOptions::default().n_workers) } else { args.batch_rows };
    let options = BaselineOptions { batch_rows, max_new_tokens: args.max_new_tokens, seed: 0 };
    BaselineRun { writer, system, options, check: interrupt::check }
}

/// Who chooses the best of several, and by what.
fn chooser(
    args: &EvaluateArgs,
    known: &Known,
    system: &SystemSpec,
) -> anyhow::Result<(Box<dyn redline::lab::judge::local::Score>, Dimension)> {
    let judging = &args.judging;
    let chooser = judging.choose_by.as_ref();
    let chooser: &JudgeSpec =
        chooser.ok_or_else(|| hinted(format!("{system} is given, and nobody to choose"), "give --choose-by"))?;
    if judging.judge.contains(chooser) {
        output::note!("warning: {system} is chosen by a score that judges it too, so that its rate says little");
    }
    Ok((score(chooser, Some(known))?, judging.dimension.first().copied().unwrap_or(Dimension::Overall)))
}

fn writer(args: &EvaluateArgs, spec: &WriterSpec) -> anyhow::Result<Box<dyn Writer>> {
    match spec {
        WriterSpec::Local(path) => Ok(Box::new(LocalWriter::new(local_model(args, path)?, interrupt::check)?)),
        WriterSpec::Server { url, model } => {
            let key = args.judging.writer_key_env.as_deref().map(environment_key).transpose()?;
            let writer = ServerWriter::new(url, model, key.as_deref(), JudgeOptions::default())?;
            let writer = writer.with_notes(output::note_line);
            Ok(Box::new(writer.with_check(|| interrupt::check().map_err(JudgeError::from))))
        }
    }
}

/// A model, or an adapter beside the model that --writer or --upstream names.
fn local_model(args: &EvaluateArgs, path: &Path) -> anyhow::Result<Model> {
    if !path.join(ADAPTER).is_file() {
        return models::load_model(path);
    }
    let base = [&args.judging.writer, &args.judging.upstream].into_iter().flatten().find_map(|spec| match spec {
        WriterSpec::Local(base) if base != path => Some(base),
        _ => None,
    });
    let base = base.ok_or_else(|| {
        hinted(format!("{} is an adapter, and its model is not named", path.display()), "give the model as --writer")
    })?;
    let adapter = Adapter::open(path)?;
    models::load_with_adapter(base, &adapter)
}

pub(super) fn aligner(args: &EvaluateArgs, coefficient: Option<f32>) -> anyhow::Result<Corrector> {
    let steering = args.steering.steering()?;
    if coefficient.is_some_and(|coefficient| coefficient != 0.0) && steering.is_none() {
        return Err(hinted("a coefficient is given, and no vector", "give --vector or --profile"));
    }
    let template = steering.as_ref().map(Steering::template).transpose()?.flatten();
    let options = CorrectorOptions {
        steering: steering.filter(|_| coefficient.is_some()),
        coefficient,
        writing: WriteOptions { max_new_tokens: args.max_new_tokens, ..WriteOptions::default() },
        ..CorrectorOptions::default()
    };
    Corrector::new(models::open_with(&args.model, template)?, options).context("the Aligner")
}

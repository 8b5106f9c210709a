//! One Aligner of the row, with its own vector.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use redline::experiment::scan_text;
use redline::form::{Apart, Joined, PartCorrection};
use redline::model::TrimmedStream;
use redline::model::generate::{Drafting, Finish, GenerateOptions, Generated, Prompt, generate};
use redline::model::gguf::is_gguf;
use redline::probe::{Reading, TokenText};
use redline::profile::file_hash;
use redline::steer::{EditRatios, Inject};
use serde_json::{Value, json};

use super::name_of;
use crate::cli::CorrectArgs;
use crate::cli::stack::AlignerSpec;
use crate::commands::correct::{check_gate, chosen_coefficient};
use crate::commands::sweep::sampling_options;
use crate::session::{Session, check_reading, hinted};
use crate::steering::Steering;
use crate::{interrupt, output};

/// Bits of a row's number, above which the number of its part stands.
const PART_SHIFT: u32 = 40;

/// A loaded Aligner.
pub struct Aligner {
    session: Session,
    steering: Option<Steering>,
    coefficient: f32,
    inject: Option<Inject>,
    /// Scans are made along it.
    reading: Option<Reading>,
    /// Path and hash of every file that steers.
    files: Vec<[String; 2]>,
    n_corrected: usize,
    n_edits: u64,
    edited_layers: BTreeSet<usize>,
    drafting: Drafting,
}

/// Where the text of a single answer goes while it is written.
pub type OnText<'a> = &'a mut dyn FnMut(&str) -> anyhow::Result<()>;

/// What an Aligner wrote.
pub struct Corrected {
    pub text: String,
    pub truncated: bool,
    pub scan: Option<Value>,
    /// What stayed as it is, where the answer was taken apart.
    pub kept: Vec<&'static str>,
}

impl Aligner {
    pub fn open(spec: &AlignerSpec, args: &CorrectArgs) -> anyhow::Result<Self> {
        let steering = Steering::resolve(&spec.steering)?;
        let coefficient = chosen_coefficient(spec.coefficient, steering.as_ref())?;
        check_gate(&args.gate, steering.as_ref())?;
        let template = steering.as_ref().map(Steering::template).transpose()?.flatten();
        let session = Session::open_with(&spec.model, template)?;
        check_room(&session, args.sampling.max_new_tokens)?;
        // gates and further vectors are empty where Aligners are given one by one
        let inject = steering.as_ref().map(|steering| session.gated_injection(steering, &args.gate)).transpose()?;
        let reading = match args.stack.with_scan {
            true => Some(reading(steering.as_ref(), &session)?),
            false => None,
        };
        let paths = steering.iter().map(|steering| &steering.vector).chain(args.gate.paths());
        let hashed = |path: &PathBuf| Ok([path.display().to_string(), file_hash(path)?]);
        let files = paths.map(hashed).collect::<anyhow::Result<_>>()?;
        let (edited_layers, drafting) = (BTreeSet::new(), Drafting::default());
        Ok(Self {
            session,
            steering,
            coefficient,
            inject,
            reading,
            files,
            n_corrected: 0,
            n_edits: 0,
            edited_layers,
            drafting,
        })
    }

    pub fn coefficient(&self) -> f32 {
        self.coefficient
    }

    /// What its outputs depend on.
    pub fn settings(&self) -> Value {
        let steering = self.steering.as_ref().map(|steering| {
            json!({
                "layers": steering.layers.to_string(),
                "unit": steering.unit.to_string(),
                "range": steering.range.to_string(),
                "operator": steering.operator,
                "from_llama_cpp_generator": steering.from_llama_cpp_generator,
            })
        });
        json!({
            "model": self.session.model.fingerprint,
            "numerics": self.session.model.decoder.numerics(),
            "template": self.session.template.source(),
            "steering": steering,
            "files": self.files,
            "coefficient": self.coefficient,
        })
    }

    fn leaves_prompt(&self) -> bool {
        self.steering.as_ref().is_none_or(|steering| steering.range.leaves_prompt())
    }

    /// A step of a row's way, for its result.
    pub fn step(&self, before: &str, corrected: &Corrected) -> Value {
        json!({
            "aligner": name_of(&self.session.model),
            "coefficient": self.coefficient,
            "correction": corrected.text,
            "edit_ratio": EditRatios::new(before.trim(), &corrected.text).char,
            "truncated": corrected.truncated,
        })
    }

    /// Corrects answers to questions, the rows `numbers` of the data; `Err` says why a row cannot be. With `on_text` the one
    /// answer is told as it is written.
    pub fn correct(
        &mut self,
        numbers: &[usize],
        texts: &[[&str; 2]],
        args: &CorrectArgs,
        on_text: Option<OnText<'_>>,
    ) -> anyhow::Result<Vec<Result<Corrected, String>>> {
        let origin = if args.question.is_some() { "--answer".into() } else { self.name() };
        let mut outcomes = Vec::with_capacity(texts.len());
        let mut prompts = Vec::new();
        for (&row, text) in numbers.iter().zip(texts) {
            match self.session.prompt_with_room(*text, args.sampling.max_new_tokens, &origin) {
                Ok(tokens) => {
                    prompts.push(self.prompt(row, tokens, text[1], texts.len(), args)?);
                    outcomes.push(Err(String::new()));
                }
                Err(error) => outcomes.push(Err(error.to_string())),
            }
        }
        let options = GenerateOptions {
            max_new_tokens: args.sampling.max_new_tokens,
            sampling: sampling_options(&args.sampling, args.seed)?,
            stop_ids: self.session.tokenizer()?.stop_ids().to_vec(),
            share_prompt: self.leaves_prompt(),
        };
        let tokenizer = self.session.tokenizer()?;
        let mut told = on_text.map(|on_text| (TrimmedStream::new(tokenizer), on_text));
        let mut failure = None;
        let rows = generate(&self.session.model.decoder, &prompts, &options, &mut self.inject, &mut |_, id| {
            interrupt::check()?;
            let Some((stream, on_text)) = &mut told else { return Ok(ControlFlow::Continue(())) };
            match on_text(&stream.push(id)?) {
                Ok(()) => Ok(ControlFlow::Continue(())),
                Err(error) => {
                    failure = Some(error);
                    Ok(ControlFlow::Break(()))
                }
            }
        })?;
        failure.map_or(Ok(()), Err)?;
        if let Some((mut stream, on_text)) = told {
            on_text(&stream.finish()?)?;
        }
        self.note(&rows);
        for (row, prompt) in rows.into_iter().zip(&prompts) {
            let place = numbers.iter().position(|number| *number == row.row);
            let corrected = self.corrected(row, &prompt.tokens)?;
            if let Some(place) = place {
                outcomes[place] = Ok(corrected);
            }
        }
        Ok(outcomes)
    }

    /// The same part by part: what is no prose stays as it is.
    pub fn correct_parts(
        &mut self,
        numbers: &[usize],
        texts: &[[&str; 2]],
        args: &CorrectArgs,
    ) -> anyhow::Result<Vec<Result<Corrected, String>>> {
        let apart = Apart::of(texts.iter().map(|[_, answer]| *answer));
        let (mut rows, mut asked, mut n_before) = (Vec::new(), Vec::new(), vec![0; texts.len()]);
        for (place, part) in apart.parts() {
            // the first part draws as the row itself does, whatever stands beside it
            rows.push(numbers[place] + (n_before[place] << PART_SHIFT));
            n_before[place] += 1;
            asked.push([texts[place][0], part]);
        }
        let written = self.correct(&rows, &asked, args, None)?;
        let part = |corrected: Corrected| PartCorrection { text: corrected.text, truncated: corrected.truncated };
        let joined = apart.joined(written.into_iter().map(|one| one.map(part)).collect());
        let whole = |one: Joined| Corrected { text: one.text, truncated: one.truncated, scan: None, kept: one.kept };
        Ok(joined.into_iter().map(|one| one.map(whole)).collect())
    }

    /// Adds up what was done to these rows.
    fn note(&mut self, rows: &[Generated]) {
        self.n_corrected += rows.len();
        rows.iter().for_each(|row| self.drafting.add(row.drafting));
        if let Some(inject) = &mut self.inject {
            let effect = inject.effect();
            self.n_edits += effect.values().map(|effect| effect.edits).sum::<u64>();
            self.edited_layers.extend(effect.into_keys());
            inject.clear_rows();
        }
    }

    fn prompt(
        &mut self,
        row: usize,
        tokens: Vec<u32>,
        answer: &str,
        n_together: usize,
        args: &CorrectArgs,
    ) -> anyhow::Result<Prompt> {
        if let (Some(inject), Some(steering)) = (&mut self.inject, &self.steering) {
            for term in args.gate.terms(steering.operator, self.coefficient, tokens.len()) {
                inject.also_steer(row, term)?;
            }
        }
        let draft = if args.no_draft { Vec::new() } else { self.session.draft(answer, n_together)? };
        Ok(Prompt { draft, ..Prompt::new(tokens, vec![row]) })
    }

    fn corrected(&self, row: Generated, prompt: &[u32]) -> anyhow::Result<Corrected> {
        let text = self.session.tokenizer()?.decode(&row.tokens, true)?.trim().to_owned();
        let truncated = row.finish == Finish::Length;
        let scan = match &self.reading {
            None => None,
            Some(reading) => Some(self.scan(reading, row, prompt)?),
        };
        Ok(Corrected { text, truncated, scan, kept: Vec::new() })
    }

    /// The scan of what was written, unsteered.
    fn scan(&self, reading: &Reading, row: Generated, prompt: &[u32]) -> anyhow::Result<Value> {
        let text = TokenText { prompt: prompt.to_vec(), output: row.tokens };
        let n = redline::probe::scan::SCAN_TOKENS.min(text.output.len());
        let scan = scan_text(&self.session.model, reading, "correction", row.row, &text, n)?;
        Ok(json!({ "layers": scan.layers, "tokens": scan.tokens, "z": scan.z }))
    }

    fn name(&self) -> String {
        name_of(&self.session.model)
    }

    /// Refuses a vector that touched nothing although rows were corrected, and says what was done.
    pub fn report(&self, args: &CorrectArgs) -> anyhow::Result<()> {
        let Drafting { passes, proposed, accepted } = self.drafting;
        if proposed > 0 && args.data.is_some() {
            output::note!("drafted from the answer: {accepted} of {proposed} tokens stood, {passes} passes");
        }
        let is_steered = self.coefficient != 0.0 || args.gate.also.iter().any(|also| also.coefficient != 0.0);
        let (Some(steering), Some(inject)) = (&self.steering, &self.inject) else { return Ok(()) };
        if !is_steered || self.n_corrected == 0 {
            return Ok(());
        }
        if let Some(gate) = inject.gate() {
            let counts = gate.counts();
            output::note!("gate at layer {}: fired at {} of {} positions", gate.layer(), counts.fired, counts.scored);
        } else if self.n_edits == 0 {
            return Err(redline::steer::Error::NoEffect { range: steering.range.to_string() }.into());
        }
        let (coefficient, n_layers) = (self.coefficient, self.edited_layers.len());
        let from = if steering.coefficient() == Some(coefficient) { ", from the profile" } else { "" };
        let n_edits = self.n_edits;
        output::note!("steered: {n_edits} activations changed in {n_layers} layers, coefficient {coefficient}{from}");
        Ok(())
    }
}

/// Refuses outputs that no prompt leaves room for.
fn check_room(session: &Session, max_new_tokens: usize) -> anyhow::Result<()> {
    let context = session.model.decoder.config().context;
    match max_new_tokens < context {
        true => Ok(()),
        false => Err(hinted(
            format!("--max-new-tokens {max_new_tokens}: prompt and output share a context of {context} tokens"),
            format!("lower --max-new-tokens, to {} or less", context / 2),
        )),
    }
}

fn reading(steering: Option<&Steering>, session: &Session) -> anyhow::Result<Reading> {
    let needs = |what: &str| hinted(what.to_owned(), "give a reading vector: redline extract writes one");
    let steering = steering.ok_or_else(|| needs("--with-scan needs a vector"))?;
    let path = &steering.vector;
    if is_gguf(path) {
        return Err(needs("--with-scan: a control vector (.gguf) makes no scans"));
    }
    let reading = Reading::load(path)?;
    check_reading(&reading, path, &session.model, steering.any_model)?;
    match reading.calibration {
        Some(_) => Ok(reading),
        None => Err(anyhow::Error::from(redline::probe::Error::NoCalibration).context(path.display().to_string())),
    }
}

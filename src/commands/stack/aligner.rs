//! One Aligner of the row, with its own vector.

use std::ops::ControlFlow;

use redline::model::generate::{Finish, GenerateOptions, Generated, Prompt, generate};
use redline::model::sampling::SamplingOptions;
use redline::probe::{LatScan, Reading, TokenText, capture_tokens};
use redline::steer::{EditRatios, Inject, RowSteering, TokenRange};
use serde_json::{Value, json};

use super::name_of;
use crate::cli::stack::AlignerSpec;
use crate::cli::steering::OperatorArgs;
use crate::cli::{CorrectArgs, ModelArgs, VectorArgs};
use crate::commands::sweep::sampling_options;
use crate::interrupt;
use crate::session::{Session, check_reading, hinted};

/// Most rows written together of which the answers are drafts.
const MOST_DRAFTED_ROWS: usize = 2;

/// A loaded Aligner.
pub struct Aligner {
    session: Session,
    spec: AlignerSpec,
    range: TokenRange,
    inject: Option<Inject>,
    /// Scans are made along it.
    reading: Option<Reading>,
    n_edits: u64,
}

/// What an Aligner wrote.
pub struct Corrected {
    pub text: String,
    pub truncated: bool,
    pub scan: Option<Value>,
}

impl Aligner {
    pub fn open(spec: &AlignerSpec, args: &CorrectArgs) -> anyhow::Result<Self> {
        let model =
            ModelArgs { model: spec.model.clone(), adapter: spec.adapter.clone(), template: spec.template.clone() };
        let default = if model.is_smollm2() { TokenRange::All } else { TokenRange::default() };
        let range = spec.range.unwrap_or(default);
        let session = Session::open(&model)?;
        let own = OperatorArgs { operator: spec.operator, ..OperatorArgs::default() };
        // options beside the vector belong to the one Aligner that has no specification of its own
        let more = if args.stack.aligner.is_empty() { &args.operator } else { &own };
        let inject = match &spec.vector {
            None => None,
            Some(path) => {
                let vector = VectorArgs {
                    vector: path.clone(),
                    layers: spec.layers.clone(),
                    unit: spec.unit,
                    any_model: args.any_model,
                    from_llama_cpp_generator: false,
                };
                Some(session.injection(&vector, range, more)?)
            }
        };
        let reading = if args.stack.with_scan { Some(reading(spec, &session, args.any_model)?) } else { None };
        Ok(Self { session, spec: spec.clone(), range, inject, reading, n_edits: 0 })
    }

    pub fn coefficient(&self) -> f32 {
        self.spec.coefficient
    }

    /// What its outputs depend on.
    pub fn settings(&self) -> Value {
        let AlignerSpec { vector, coefficient, layers, unit, operator, .. } = &self.spec;
        json!({
            "model": self.session.model.fingerprint,
            "template": self.session.template.source(),
            "vector": vector,
            "coefficient": coefficient,
            "layers": layers.to_string(),
            "unit": unit.to_string(),
            "range": self.range.to_string(),
            "operator": operator,
        })
    }

    /// A step of a row's way, for its result.
    pub fn step(&self, before: &str, corrected: &Corrected) -> Value {
        json!({
            "aligner": name_of(&self.session.model),
            "coefficient": self.spec.coefficient,
            "correction": corrected.text,
            "edit_ratio": EditRatios::new(before.trim(), &corrected.text).char,
            "truncated": corrected.truncated,
        })
    }

    /// Corrects answers to questions, the rows `numbers` of the data; `Err` says why a row cannot be.
    pub fn correct(
        &mut self,
        numbers: &[usize],
        texts: &[[&str; 2]],
        args: &CorrectArgs,
    ) -> anyhow::Result<Vec<Result<Corrected, String>>> {
        let mut outcomes = Vec::with_capacity(texts.len());
        let mut prompts = Vec::new();
        for (&row, text) in numbers.iter().zip(texts) {
            match self.session.prompt_with_room(*text, args.sampling.max_new_tokens, &self.name()) {
                Ok(tokens) => {
                    prompts.push(self.prompt(row, tokens, text[1], texts.len(), args)?);
                    outcomes.push(Err(String::new()));
                }
                Err(error) => outcomes.push(Err(error.to_string())),
            }
        }
        let options = GenerateOptions {
            max_new_tokens: args.sampling.max_new_tokens,
            sampling: sampling(args)?,
            stop_ids: self.session.tokenizer()?.stop_ids().to_vec(),
            share_prompt: self.inject.is_none() || self.range.leaves_prompt(),
        };
        let rows = generate(&self.session.model.decoder, &prompts, &options, &mut self.inject, &mut |_, _| {
            interrupt::check()?;
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(inject) = &mut self.inject {
            self.n_edits += inject.effect().values().map(|effect| effect.edits).sum::<u64>();
            inject.clear_rows();
        }
        for (row, prompt) in rows.into_iter().zip(&prompts) {
            let place = numbers.iter().position(|number| *number == row.row);
            let corrected = self.corrected(row, &prompt.tokens)?;
            if let Some(place) = place {
                outcomes[place] = Ok(corrected);
            }
        }
        Ok(outcomes)
    }

    fn prompt(
        &mut self,
        row: usize,
        tokens: Vec<u32>,
        answer: &str,
        n_together: usize,
        args: &CorrectArgs,
    ) -> anyhow::Result<Prompt> {
        if let Some(inject) = &mut self.inject {
            let coefficient = self.spec.coefficient;
            match args.stack.aligner.is_empty() {
                true => {
                    args.operator.terms(coefficient, tokens.len()).try_for_each(|term| inject.also_steer(row, term))?
                }
                false => inject.steer(row, RowSteering::new(0, coefficient, tokens.len()).by(self.spec.operator))?,
            }
        }
        let is_drafted = !args.no_draft && n_together <= MOST_DRAFTED_ROWS;
        let draft = if is_drafted { self.session.draft(answer)? } else { Vec::new() };
        Ok(Prompt { draft, ..Prompt::new(tokens, vec![row]) })
    }

    fn corrected(&self, row: Generated, prompt: &[u32]) -> anyhow::Result<Corrected> {
        let text = self.session.tokenizer()?.decode(&row.tokens, true)?.trim().to_owned();
        let truncated = row.finish == Finish::Length;
        let scan = match &self.reading {
            None => None,
            Some(reading) => Some(self.scan(reading, row, prompt)?),
        };
        Ok(Corrected { text, truncated, scan })
    }

    /// The scan of what was written, unsteered.
    fn scan(&self, reading: &Reading, row: Generated, prompt: &[u32]) -> anyhow::Result<Value> {
        let calibration = reading.calibration.as_ref().ok_or(redline::probe::Error::NoCalibration)?;
        let layers: Vec<usize> = reading.layers.iter().map(|vector| vector.layer).collect();
        let text = TokenText { prompt: prompt.to_vec(), output: row.tokens };
        let n = redline::probe::scan::SCAN_TOKENS.min(text.output.len());
        let activations = capture_tokens(&self.session.model.decoder, &text, reading.site()?, &layers, n)?;
        let tokenizer = self.session.tokenizer()?;
        let names = text.output.iter().take(activations.len()).map(|&id| tokenizer.token_text(id).unwrap_or_default());
        let scan = LatScan::new("correction", row.row, &reading.layers, calibration, &activations, names.collect())?;
        Ok(json!({ "layers": scan.layers, "tokens": scan.tokens, "z": scan.z }))
    }

    fn name(&self) -> String {
        name_of(&self.session.model)
    }

    /// Refuses a vector that touched nothing.
    pub fn check_effect(&self) -> anyhow::Result<()> {
        let is_steered = self.inject.as_ref().is_some_and(|inject| inject.gate().is_none());
        match is_steered && self.spec.coefficient != 0.0 && self.n_edits == 0 {
            true => Err(redline::steer::Error::NoEffect { range: self.range.to_string() }.into()),
            false => Ok(()),
        }
    }
}

fn sampling(args: &CorrectArgs) -> anyhow::Result<SamplingOptions> {
    sampling_options(&args.sampling, args.seed)
}

fn reading(spec: &AlignerSpec, session: &Session, any_model: bool) -> anyhow::Result<Reading> {
    let needs = |what: &str| hinted(what.to_owned(), "give a reading vector: redline extract writes one");
    let path = spec.vector.as_ref().ok_or_else(|| needs("--with-scan needs a vector"))?;
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
        return Err(needs("--with-scan: a control vector (.gguf) makes no scans"));
    }
    let reading = Reading::load(path)?;
    check_reading(&reading, path, &session.model, any_model)?;
    match reading.calibration {
        Some(_) => Ok(reading),
        None => Err(anyhow::Error::from(redline::probe::Error::NoCalibration).context(path.display().to_string())),
    }
}

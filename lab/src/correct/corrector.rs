//! An Aligner with its own vector.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

use redline_model::TrimmedStream;
use redline_model::generate::Drafting;
use redline_model::gguf::is_gguf;
use redline_probe::{LatScan, Reading, TokenText};
use redline_steer::Error as SteerError;
use serde_json::{Value, json};

use super::write::{Asked, Injection, WriteOptions, Wrote, write};
use crate::aligner::Aligner;
use crate::domain::{Domain, Standing};
use crate::error::{Error, Result};
use crate::experiment::{SCAN_CORRECTION, scan_text};
use crate::form::{Apart, Joined, PartCorrection};
use crate::policy::ReadPolicy;
use crate::profile::file_hash;
use crate::quality::PolicyLine;
use crate::steering::{MoreVectors, Steering, check_reading};

/// Bits of a row's number, above which the number of its part stands.
const PART_SHIFT: u32 = 40;

/// How an Aligner corrects.
#[derive(Debug, Clone, Default)]
pub struct CorrectorOptions {
    /// The vector, and how it is injected.
    pub steering: Option<Steering>,
    /// Its signed strength; the profile's unless given, else 0.
    pub coefficient: Option<f32>,
    /// Vectors beside it, and a gate.
    pub more: MoreVectors,
    /// Whether each correction is scanned along the vector, which has to be a reading vector then.
    pub with_scan: bool,
    /// How corrections are written. Where it names no domain, the profile's is taken, then that of an Aligner of the project.
    pub writing: WriteOptions,
}

impl CorrectorOptions {
    /// Refuses a coefficient, further vectors or a gate without a vector; gives the coefficient that is taken.
    ///
    /// # Errors
    /// One of these, or a coefficient that is not finite.
    pub fn check(&self) -> Result<f32> {
        if self.steering.is_none() && !self.more.is_empty() {
            let message = "--also or --gate is given, but no vector to steer by";
            return Err(Error::option(message, "give --vector or --profile too"));
        }
        chosen_coefficient(self.coefficient, self.steering.as_ref())
    }
}

/// A loaded Aligner with its vector. It counts what it does, so that [`Corrector::effect`] can prove it.
pub struct Corrector {
    aligner: Aligner,
    options: CorrectorOptions,
    injection: Option<Injection>,
    /// Scans are made along it.
    reading: Option<Reading>,
    /// Path and hash of every file that steers.
    files: Vec<[String; 2]>,
    notes: Vec<String>,
    n_corrected: usize,
    /// Those at a coefficient other than 0.
    n_steered: usize,
    n_edits: u64,
    edited_layers: BTreeSet<usize>,
    drafting: Drafting,
}

/// Where the text of a single answer goes while it is written; an error ends the writing.
pub type OnText<'a, E> = &'a mut dyn FnMut(&str) -> std::result::Result<(), E>;

/// Ends the work by an error: called at each token.
pub type Check = fn() -> redline_model::Result<()>;

/// What became of a row, or why it has no correction.
pub type Outcome = std::result::Result<Corrected, String>;

/// What an Aligner wrote.
#[derive(Debug, Clone)]
pub struct Corrected {
    /// The correction.
    pub text: String,
    /// Whether the length limit cut it.
    pub truncated: bool,
    /// The scan of what was written, unsteered.
    pub scan: Option<LatScan>,
    /// What stayed as it is, where the answer was taken apart.
    pub kept: Vec<&'static str>,
    /// How the answer stands to what the Aligner knows, where that was checked; of an answer in parts, the part farthest outside.
    pub standing: Option<Standing>,
    /// Tokens written, of all parts and beams together.
    pub n_tokens: usize,
    /// Tokens of the prompt and of what was written after it; of an answer in parts, of the longest.
    pub context: usize,
    /// The coefficient it was steered by; 0 where nothing steered, none of an answer in parts, which may differ in it.
    pub coefficient: Option<f32>,
}

/// What a steered Aligner did to activations.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Activations changed.
    pub n_edits: u64,
    /// Layers in which.
    pub n_layers: usize,
    /// Layer of the gate, positions where it fired, positions that it scored.
    pub gate: Option<[u64; 3]>,
}

impl Corrector {
    /// Puts a vector to an Aligner.
    ///
    /// # Errors
    /// A coefficient or gate without a vector, a vector of another model, no room for outputs, or a vector that makes no scans.
    pub fn new(aligner: Aligner, mut options: CorrectorOptions) -> Result<Self> {
        let asked = options.coefficient;
        let coefficient = options.check()?;
        options.coefficient = Some(coefficient);
        check_room(&aligner, options.writing.max_new_tokens)?;
        options.writing.domain = domain(&aligner, &options)?;
        let model = &aligner.model;
        let mut notes = Vec::new();
        let injection = match &options.steering {
            None => None,
            Some(steering) => {
                let (inject, more_notes) = steering.gated_injection(model, &options.more)?;
                notes = more_notes;
                let (range, operator, more) = (steering.range, steering.operator, options.more.clone());
                let policy = asked.is_none().then(|| steering.policy()).transpose()?.flatten();
                if policy.is_none() && steering.has_policy() {
                    let why = match asked {
                        Some(_) => "--coefficient sets one for all",
                        None => {
                            "it is used as it was tuned, and other layers, units, positions, operators or vectors are given"
                        }
                    };
                    notes.push(format!("note: the profile's coefficient for each answer is not used: {why}"));
                }
                if let Some(policy) = &policy {
                    let PolicyLine { intercept, slope, .. } = policy.policy().tested.line;
                    notes.push(format!(
                        "note: the profile chooses a coefficient for each answer, {intercept:.3} + {slope:.3} · score; --coefficient sets one for all"
                    ));
                }
                Some(Injection { inject, range, operator, coefficient, policy, copy_bias: steering.copy_bias, more })
            }
        };
        let reading = match options.with_scan {
            true => Some(reading(options.steering.as_ref(), &aligner)?),
            false => None,
        };
        let paths = options.steering.iter().filter_map(Steering::file).chain(options.more.paths());
        let hashed = |path: &PathBuf| Ok([path.display().to_string(), file_hash(path)?]);
        let files = paths.map(hashed).collect::<Result<_>>()?;
        let (edited_layers, drafting) = (BTreeSet::new(), Drafting::default());
        let (n_corrected, n_steered, n_edits) = (0, 0, 0);
        Ok(Self {
            aligner,
            options,
            injection,
            reading,
            files,
            notes,
            n_corrected,
            n_steered,
            n_edits,
            edited_layers,
            drafting,
        })
    }

    /// Its signed strength.
    pub fn coefficient(&self) -> f32 {
        self.options.coefficient.unwrap_or_default()
    }

    /// Draws anew where it samples: the same rows have other outputs by another seed.
    pub fn reseed(&mut self, seed: u64) {
        self.options.writing.sampling.seed = seed;
    }

    /// Samples at a temperature from now on, without drafts, which greedy writing alone profits from.
    pub fn draw_at(&mut self, temperature: f64) {
        let writing = &mut self.options.writing;
        (writing.sampling.temperature, writing.drafts) = (temperature, false);
    }

    /// Searches with so many beams from now on, without drafts; see [`redline_model::generate::beam_search`].
    pub fn search_with(&mut self, n_beams: usize) {
        let writing = &mut self.options.writing;
        (writing.n_beams, writing.drafts) = (n_beams, false);
    }

    /// Whether it chooses a coefficient for each answer.
    pub fn is_per_request(&self) -> bool {
        self.injection.as_ref().is_some_and(|by| by.policy.is_some())
    }

    /// Name of its model, for results.
    pub fn name(&self) -> String {
        self.aligner.model.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// What it knows, where answers are checked against that.
    pub fn domain(&self) -> Option<&Domain> {
        self.options.writing.domain.as_ref()
    }

    /// What people should know about how its vectors were read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What drafting did so far.
    pub fn drafting(&self) -> Drafting {
        self.drafting
    }

    /// How it is steered, where it is.
    pub fn steering(&self) -> Option<&Steering> {
        self.options.steering.as_ref()
    }

    /// What its outputs depend on, for the hash of a run.
    pub fn settings(&self) -> Value {
        let steering = self.options.steering.as_ref().map(|steering| {
            json!({
                "layers": steering.layers.to_string(),
                "unit": steering.unit.to_string(),
                "range": steering.range.to_string(),
                "operator": steering.operator,
                "from_llama_cpp_generator": steering.from_llama_cpp_generator,
            })
        });
        json!({
            "model": self.aligner.model.fingerprint,
            "numerics": self.aligner.model.decoder.numerics(),
            "template": self.aligner.template.source(),
            "steering": steering,
            "files": self.files,
            "coefficient": self.coefficient(),
            "policy": self.injection.as_ref().and_then(|by| by.policy.as_ref()).map(ReadPolicy::policy),
            "outside": self.options.writing.outside.name(),
            "domain": self.domain().map(|domain| json!([domain.most_cost, domain.most_tokens, domain.least_letters_per_token])),
        })
    }

    /// Corrects answers, each whole; `Err` within says why a row cannot be. `check` is called at each token and can end the work;
    /// `origin` says in errors where the texts come from.
    ///
    /// # Errors
    /// A pass fails, or `check` ends the work.
    pub fn correct(&mut self, asked: &[Asked<'_>], origin: &str, check: Check) -> Result<Vec<Outcome>> {
        let on_token = &mut |_, _| {
            check()?;
            Ok(ControlFlow::Continue(()))
        };
        let named = |_: usize| origin.to_owned();
        let wrote = write(&self.aligner, asked, &self.options.writing, self.injection.as_mut(), &named, on_token)?;
        self.corrected(asked, wrote)
    }

    /// Corrects one answer and tells the text as it is written.
    ///
    /// # Errors
    /// As [`Corrector::correct`], or that of `on_text`.
    pub fn correct_aloud<E: From<Error>>(
        &mut self,
        asked: Asked<'_>,
        origin: &str,
        check: Check,
        on_text: OnText<'_, E>,
    ) -> std::result::Result<Outcome, E> {
        let tokenizer = self.aligner.tokenizer().map_err(Error::from)?;
        let mut stream = TrimmedStream::new(tokenizer);
        let mut failure = None;
        let on_token = &mut |_, id| {
            check()?;
            Ok(match on_text(&stream.push(id)?) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failure = Some(error);
                    ControlFlow::Break(())
                }
            })
        };
        let named = |_: usize| origin.to_owned();
        let wrote = write(&self.aligner, &[asked], &self.options.writing, self.injection.as_mut(), &named, on_token)?;
        failure.map_or(Ok(()), Err)?;
        on_text(&stream.finish().map_err(Error::from)?)?;
        let mut outcomes = self.corrected(&[asked], wrote)?;
        let outcome = outcomes.pop().unwrap_or_else(|| Err(String::new()));
        // nothing was written, so nothing was told
        if let Ok(Corrected { text, standing: Some(Standing { copied: true, .. }), .. }) = &outcome {
            on_text(text)?;
        }
        Ok(outcome)
    }

    /// Corrects answers part by part: what is no prose stays as it is.
    ///
    /// # Errors
    /// As [`Corrector::correct`].
    pub fn correct_parts(&mut self, asked: &[Asked<'_>], origin: &str, check: Check) -> Result<Vec<Outcome>> {
        let apart = Apart::of(asked.iter().map(|one| one.answer));
        let (mut parts, mut n_before) = (Vec::new(), vec![0; asked.len()]);
        for (place, answer) in apart.parts() {
            let Asked { row, question, .. } = asked[place];
            // the first part draws as the row itself does, whatever stands beside it
            parts.push(Asked { row: row + (n_before[place] << PART_SHIFT), question, answer });
            n_before[place] += 1;
        }
        let written = self.correct(&parts, origin, check)?;
        let mut standings: Vec<Option<Standing>> = vec![None; asked.len()];
        let (mut n_tokens, mut contexts) = (vec![0; asked.len()], vec![0; asked.len()]);
        for ((place, _), part) in apart.parts().into_iter().zip(&written) {
            n_tokens[place] += part.as_ref().map_or(0, |part| part.n_tokens);
            contexts[place] = part.as_ref().map_or(0, |part| part.context).max(contexts[place]);
            let standing = part.as_ref().ok().and_then(|part| part.standing);
            let before = standings[place];
            standings[place] =
                before.map_or(standing, |before| Some(standing.map_or(before, |part| before.worse(part))));
        }
        let part = |corrected: Corrected| PartCorrection { text: corrected.text, truncated: corrected.truncated };
        let joined = apart.joined(written.into_iter().map(|one| one.map(part)).collect());
        let whole = |((one, standing), [n_tokens, context]): ((std::result::Result<Joined, String>, _), [usize; 2])| {
            let of = |one: Joined| Corrected {
                text: one.text,
                truncated: one.truncated,
                scan: None,
                kept: one.kept,
                standing,
                n_tokens,
                context,
                coefficient: None,
            };
            one.map(of)
        };
        let counts = n_tokens.into_iter().zip(contexts).map(|(n_tokens, context)| [n_tokens, context]);
        Ok(joined.into_iter().zip(standings).zip(counts).map(whole).collect())
    }

    /// Adds up what was done to rows, and scans them where that is asked for.
    fn corrected(
        &mut self,
        asked: &[Asked<'_>],
        wrote: Vec<std::result::Result<Wrote, Error>>,
    ) -> Result<Vec<Outcome>> {
        if let Some(by) = &mut self.injection {
            let effect = by.inject.effect();
            self.n_edits += effect.values().map(|effect| effect.edits).sum::<u64>();
            self.edited_layers.extend(effect.into_keys());
            by.inject.clear_rows();
        }
        let mut outcomes = Vec::with_capacity(wrote.len());
        for (one, wrote) in asked.iter().zip(wrote) {
            outcomes.push(match wrote {
                Ok(wrote) => {
                    // what is left as it is proves nothing of a vector
                    self.n_corrected += usize::from(!wrote.standing.is_some_and(|standing| standing.copied));
                    self.n_steered += usize::from(wrote.coefficient != 0.0);
                    self.drafting.add(wrote.drafting);
                    Ok(self.scanned(one.row, wrote)?)
                }
                Err(error) => Err(error.to_string()),
            });
        }
        Ok(outcomes)
    }

    fn scanned(&self, row: usize, wrote: Wrote) -> Result<Corrected> {
        let Wrote { prompt, tokens, text, truncated, standing, coefficient, n_tokens, .. } = wrote;
        let context = prompt.len() + tokens.len();
        let scan = |reading: &Reading| {
            let text = TokenText { prompt, output: tokens };
            let n = redline_probe::scan::SCAN_TOKENS.min(text.output.len());
            scan_text(&self.aligner.model, reading, SCAN_CORRECTION, row, &text, n)
        };
        // nothing was written where the answer is left as it is
        let reading = self.reading.as_ref().filter(|_| !standing.is_some_and(|standing| standing.copied));
        let scan = reading.map(scan).transpose()?;
        let (kept, coefficient) = (Vec::new(), Some(coefficient));
        Ok(Corrected { text, truncated, scan, kept, standing, n_tokens, context, coefficient })
    }

    /// What was done to activations so far; `None` where nothing steers, or no row was corrected.
    ///
    /// # Errors
    /// A vector that touched nothing although rows were corrected.
    pub fn effect(&self) -> Result<Option<Effect>> {
        let is_steered = self.n_steered > 0 || self.options.more.also.iter().any(|also| also.coefficient != 0.0);
        let (Some(steering), Some(by)) = (&self.options.steering, &self.injection) else { return Ok(None) };
        if !is_steered || self.n_corrected == 0 {
            return Ok(None);
        }
        let gate = by.inject.gate().map(|gate| {
            let counts = gate.counts();
            [gate.layer() as u64, counts.fired, counts.scored]
        });
        let only_biases = steering.copy_bias != 0.0 && steering.file().is_none();
        if gate.is_none() && self.n_edits == 0 && !only_biases {
            return Err(SteerError::NoEffect { range: steering.range.to_string() }.into());
        }
        Ok(Some(Effect { n_edits: self.n_edits, n_layers: self.edited_layers.len(), gate }))
    }
}

/// The coefficient given, the profile's, or 0. One that nothing would be multiplied with is refused.
fn chosen_coefficient(asked: Option<f32>, steering: Option<&Steering>) -> Result<f32> {
    if let Some(coefficient) = asked {
        redline_steer::check_coefficients(&[coefficient])?;
        if steering.is_none() && coefficient != 0.0 {
            let message = format!("--coefficient {coefficient} is given, but no vector to steer by");
            return Err(Error::option(message, "give --vector or --profile too; `redline extract` makes a vector"));
        }
    }
    Ok(asked.or(steering.and_then(Steering::coefficient)).unwrap_or(0.0))
}

/// Refuses outputs that no prompt leaves room for.
fn check_room(aligner: &Aligner, max_new_tokens: usize) -> Result<()> {
    let context = aligner.model.decoder.config().context;
    match max_new_tokens < context {
        true => Ok(()),
        false => Err(Error::option(
            format!("--max-new-tokens {max_new_tokens}: prompt and output share a context of {context} tokens"),
            format!("lower --max-new-tokens, to {} or less", context / 2),
        )),
    }
}

/// What is known of what the Aligner knows: as told, else by the profile, else of an Aligner of the project.
fn domain(aligner: &Aligner, options: &CorrectorOptions) -> Result<Option<Domain>> {
    let profile = options.steering.as_ref().and_then(|steering| steering.profile.as_ref());
    let profile = profile.and_then(|used| used.profile().domain.as_ref());
    Domain::of(aligner, options.writing.domain.as_ref(), profile, options.writing.outside)
}

/// The reading vector that scans are made along.
fn reading(steering: Option<&Steering>, aligner: &Aligner) -> Result<Reading> {
    let needs = |what: &str| Error::option(what, "give a reading vector: redline extract writes one");
    let steering = steering.ok_or_else(|| needs("--with-scan needs a vector"))?;
    let path = &steering.vector;
    if is_gguf(path) {
        return Err(needs("--with-scan: a control vector (.gguf) makes no scans"));
    }
    let reading = Reading::load(path)?;
    check_reading(&reading, path, &aligner.model, steering.any_model)?;
    match reading.calibration {
        Some(_) => Ok(reading),
        None => Err(Error::at(path.display(), redline_probe::Error::NoCalibration)),
    }
}

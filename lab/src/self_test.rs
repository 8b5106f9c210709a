//! A model tests itself: the identities that steering rests on, whether the prompt template is the one the Aligner was trained with,
//! and whether a vector does anything.
//!
//! | test | passes where |
//! |---|---|
//! | `coefficient-0` | a hook at coefficient 0 leaves final states bit-identical |
//! | `cache` | reading in pieces gives the states of reading at once, within 1e-3 of the largest |
//! | `batch` | a text beside another one gives the states that it has alone, likewise |
//! | `plain-kernels` | compositions of elementary operations give the states of the fast kernels, likewise |
//! | `tokens` | texts come back from their token ids |
//! | `template` | no built-in template makes the reference corrections likelier, by more than 0.1 nats a token |
//! | `copies` | clean answers are mostly copied, and flawed ones not all |
//! | `effect` | the vector changes activations, and raises the propensity to correct |
//!
//! The first five fail where they do not hold. The rest are judgements on a few prompts: they doubt.

use std::ops::ControlFlow;

use candle_core::Tensor;
use redline_model::generate::{GenerateOptions, Prompt, generate, read_prefix};
use redline_model::template::TEMPLATE_NAMES;
use redline_model::{
    AlignerTemplate, Chunk, Continuation, Decoder, Hook, Kernels, Model, NoHook, Past, Qac, Tokenizer, Wanted,
    log_probs,
};
use redline_probe::{PairBuilder, PairDesign};
use redline_steer::{
    ControlVector, EditRatios, Inject, Operator, PropensityOptions, Result, RowSteering, TokenRange, arms, fit_line,
    propensity,
};
use serde::Serialize;

use crate::experiment::OnProgress;

/// Largest difference of two ways to compute a state, relative to the largest state: both are f32, summed in another order.
const TOLERANCE: f64 = 1e-3;
/// Models above this many parameters are not widened to f32 for the plain kernels.
const MOST_PARAMETERS: usize = 1_000_000_000;
/// Nats per token by which another template must be better.
const TEMPLATE_MARGIN: f64 = 0.1;
/// Tokens of a correction that are scored.
const SCORED_TOKENS: usize = 48;
/// Tokens of the texts that identities are tested on.
const IDENTITY_TOKENS: usize = 64;
/// New tokens beyond those of the answer.
const EXTRA_TOKENS: usize = 32;

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It does not: results of this model cannot be trusted.
    Failed,
    /// It looks wrong, on the few prompts that were tried.
    Doubtful,
    /// It could not be run.
    Skipped,
}

/// The result of one test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Name of the test.
    pub test: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// The numbers behind it, in words.
    pub detail: String,
}

/// What is tested, and on what.
pub struct SelfTest<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its prompts.
    pub template: &'a AlignerTemplate,
    /// Triples, some with a flawed answer and some without.
    pub triples: &'a [Qac],
    /// A control vector, and the positions it steers.
    pub vector: Option<(&'a ControlVector, TokenRange)>,
}

impl SelfTest<'_> {
    /// Runs every test.
    ///
    /// # Errors
    /// A model without tokenizer, a pass that fails, or an error of `on_progress`.
    pub fn run(&self, on_progress: OnProgress<'_>) -> Result<Vec<Finding>> {
        let steps: [fn(&Self) -> Result<Finding>; 7] = [
            Self::coefficient_0,
            Self::cache,
            Self::batch,
            Self::plain_kernels,
            Self::tokens,
            Self::templates,
            Self::copies,
        ];
        let total = steps.len() + usize::from(self.vector.is_some());
        let mut findings = Vec::with_capacity(total);
        for step in steps {
            on_progress(findings.len(), total)?;
            findings.push(step(self)?);
        }
        if let Some((vector, range)) = self.vector {
            findings.push(self.effect(vector, range)?);
        }
        on_progress(total, total)?;
        Ok(findings)
    }

    fn decoder(&self) -> &Decoder {
        &self.model.decoder
    }

    fn tokenizer(&self) -> Result<&Tokenizer> {
        Ok(self.model.tokenizer()?)
    }

    /// The first tokens of the prompt of a triple.
    fn text(&self, row: usize) -> Result<Vec<u32>> {
        let qac = &self.triples[row % self.triples.len()];
        let mut tokens = self.tokenizer()?.encode_rendered(&self.template.render(&qac.question, &qac.answer))?;
        tokens.truncate(IDENTITY_TOKENS.min(self.decoder().config().context));
        Ok(tokens)
    }

    fn coefficient_0(&self) -> Result<Finding> {
        let (decoder, tokens) = (self.decoder(), self.text(0)?);
        let config = decoder.config();
        let ones = (0..config.n_layers).map(|layer| (layer, vec![1.0; config.hidden_size])).collect();
        let all = ControlVector::new(ones)?;
        let mut inject = Inject::new(&[&all], TokenRange::All, config)?;
        inject.steer(0, RowSteering::new(0, 0.0, 0))?;
        let (plain, hooked) = (states(decoder, &tokens, &mut NoHook)?, states(decoder, &tokens, &mut inject)?);
        let differences = plain.iter().zip(&hooked).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        let verdict = if differences == 0 { Verdict::Passed } else { Verdict::Failed };
        let detail = format!("{differences} of {} numbers differ", plain.len());
        Ok(Finding { test: "coefficient-0", verdict, detail })
    }

    fn cache(&self) -> Result<Finding> {
        let (decoder, tokens) = (self.decoder(), self.text(0)?);
        let half = tokens.len() / 2;
        let mut cache = decoder.cache(vec![0], tokens.len())?;
        let mut pieces: Vec<&[u32]> = vec![&tokens[..half]];
        pieces.extend(tokens[half..].chunks(1));
        let mut read = Vec::new();
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            let chunk = Chunk { tokens: piece, past: Past::Cache(&mut cache) };
            read.extend(numbers(decoder.forward(&mut [chunk], &mut NoHook, &Wanted::All)?)?);
        }
        Ok(compared("cache", &read, &states(decoder, &tokens, &mut NoHook)?))
    }

    fn batch(&self) -> Result<Finding> {
        let decoder = self.decoder();
        let texts = [self.text(0)?, self.text(1)?];
        let mut chunks: Vec<Chunk<'_>> =
            texts.iter().enumerate().map(|(row, tokens)| Chunk { tokens, past: Past::None { row } }).collect();
        let together = numbers(decoder.forward(&mut chunks, &mut NoHook, &Wanted::All)?)?;
        let alone = texts.iter().map(|text| states(decoder, text, &mut NoHook)).collect::<Result<Vec<_>>>()?.concat();
        Ok(compared("batch", &together, &alone))
    }

    fn plain_kernels(&self) -> Result<Finding> {
        let (decoder, tokens) = (self.decoder(), self.text(0)?);
        let config = decoder.config();
        let n = config.vocab_size * config.hidden_size
            + config.n_layers * 3 * config.hidden_size * (config.intermediate_size + config.n_heads * config.head_dim);
        if n > MOST_PARAMETERS {
            let detail = "the model is too large to be widened to f32".into();
            return Ok(Finding { test: "plain-kernels", verdict: Verdict::Skipped, detail });
        }
        let plain = decoder.clone().with_kernels(Kernels::Differentiable)?;
        let fast = states(decoder, &tokens, &mut NoHook)?;
        Ok(compared("plain-kernels", &fast, &states(&plain, &tokens, &mut NoHook)?))
    }

    fn tokens(&self) -> Result<Finding> {
        let tokenizer = self.tokenizer()?;
        let texts = self.triples.iter().flat_map(|qac| [&qac.question, &qac.answer, &qac.correction]);
        let mut n = 0;
        for text in texts.map(|text| text.trim()) {
            n += 1;
            if tokenizer.decode(&tokenizer.encode_text(text)?, false)?.trim() != text {
                let detail = format!("text {n} does not come back: {:?}", text.chars().take(60).collect::<String>());
                return Ok(Finding { test: "tokens", verdict: Verdict::Failed, detail });
            }
        }
        Ok(Finding { test: "tokens", verdict: Verdict::Passed, detail: format!("{n} texts come back") })
    }

    /// Mean negative log-likelihood per token of the corrections after prompts of a template.
    fn correction_nll(&self, template: &AlignerTemplate) -> Result<Option<f64>> {
        let (decoder, tokenizer) = (self.decoder(), self.tokenizer()?);
        let (mut sum, mut count) = (0.0, 0);
        for qac in self.triples {
            let prompt = tokenizer.encode_rendered(&template.render(&qac.question, &qac.answer))?;
            let mut tokens = tokenizer.encode_text(qac.correction.trim())?;
            tokens.truncate(SCORED_TOKENS);
            let Some((&last, before)) = prompt.split_last() else { continue };
            if tokens.is_empty() || prompt.len() + tokens.len() > decoder.config().context {
                continue;
            }
            let prefix = read_prefix(decoder, before, &mut NoHook)?;
            let text = Continuation { prefix: &prefix, last_prompt_token: last, tokens: &tokens, rows: &[0] };
            let scored = log_probs(decoder, &[text], &mut NoHook)?;
            sum -= scored[0][0].iter().map(|p| f64::from(*p)).sum::<f64>();
            count += tokens.len();
        }
        Ok((count > 0).then(|| sum / count as f64))
    }

    fn templates(&self) -> Result<Finding> {
        let Some(own) = self.correction_nll(self.template)? else {
            let detail = "every text is longer than the context".into();
            return Ok(Finding { test: "template", verdict: Verdict::Skipped, detail });
        };
        let mut best: Option<(&str, f64)> = None;
        for name in TEMPLATE_NAMES.into_iter().filter(|name| *name != self.template.name()) {
            let Some(template) = AlignerTemplate::by_name(name) else { continue };
            if let Some(nll) = self.correction_nll(&template)?
                && best.is_none_or(|(_, lowest)| nll < lowest)
            {
                best = Some((name, nll));
            }
        }
        let (other, nll) = best.unwrap_or(("none", f64::INFINITY));
        let verdict = if nll + TEMPLATE_MARGIN < own { Verdict::Doubtful } else { Verdict::Passed };
        let name = self.template.name();
        let detail = format!("corrections cost {own:.3} nats a token with {name}, {nll:.3} with {other}");
        Ok(Finding { test: "template", verdict, detail })
    }

    fn copies(&self) -> Result<Finding> {
        let tokenizer = self.tokenizer()?;
        // per kind, clean and flawed: rows, exact copies, sum of edit ratios
        let mut kinds = [(0usize, 0usize, 0f64); 2];
        for qac in self.triples {
            let output = self.output(tokenizer, qac)?;
            let Some(output) = output else { continue };
            let ratios = EditRatios::new(qac.answer.trim(), output.trim());
            let kind = &mut kinds[usize::from(qac.answer.trim() != qac.correction.trim())];
            kind.0 += 1;
            kind.1 += usize::from(ratios.exact_copy);
            kind.2 += ratios.char.unwrap_or(0.0);
        }
        let [clean, flawed] = kinds;
        let share = |(n, copies, _): (usize, usize, f64)| copies as f64 / n.max(1) as f64;
        let mean = |(n, _, sum): (usize, usize, f64)| sum / n.max(1) as f64;
        let copies_all = flawed.0 > 0 && share(flawed) > 0.95;
        let rewrites_all = clean.0 > 0 && mean(clean) > 0.5;
        let verdict = if copies_all || rewrites_all { Verdict::Doubtful } else { Verdict::Passed };
        let say = |name: &str, kind: (usize, usize, f64)| {
            format!("{} {name} answers: {} exact copies, edit ratio {:.3}", kind.0, kind.1, mean(kind))
        };
        let why = match (copies_all, rewrites_all) {
            (true, _) => {
                "; nearly all flawed answers come back as they are, as with a template it was not trained with"
            }
            (_, true) => "; good answers are rewritten",
            _ => "",
        };
        let detail = format!("{}; {}{why}", say("clean", clean), say("flawed", flawed));
        Ok(Finding { test: "copies", verdict, detail })
    }

    /// What the model makes of an answer; `None` where the context has no room.
    fn output(&self, tokenizer: &Tokenizer, qac: &Qac) -> Result<Option<String>> {
        let tokens = tokenizer.encode_rendered(&self.template.render(&qac.question, &qac.answer))?;
        let draft = tokenizer.encode_text(qac.answer.trim())?;
        let max_new_tokens = draft.len() + EXTRA_TOKENS;
        if tokens.len() + max_new_tokens > self.decoder().config().context {
            return Ok(None);
        }
        let stop_ids = tokenizer.stop_ids().to_vec();
        let options = GenerateOptions { max_new_tokens, stop_ids, ..GenerateOptions::default() };
        let prompt = Prompt { draft, ..Prompt::new(tokens, vec![0]) };
        let on_token = &mut |_: usize, _: u32| Ok(ControlFlow::Continue(()));
        let rows = generate(self.decoder(), &[prompt], &options, &mut NoHook, on_token)?;
        Ok(Some(tokenizer.decode(rows.first().map_or(&[][..], |row| &row.tokens), true)?))
    }

    fn effect(&self, vector: &ControlVector, range: TokenRange) -> Result<Finding> {
        let decoder = self.decoder();
        let coefficients = [-1.0, 0.0, 1.0];
        let builder = PairBuilder::new(self.model, self.template, PairDesign::Forced, decoder.config().context)?;
        let pairs = builder.pairs(self.triples.iter().enumerate())?.pairs;
        let Some(first) = pairs.first() else {
            let detail = "no correction differs from its answer".into();
            return Ok(Finding { test: "effect", verdict: Verdict::Skipped, detail });
        };
        // proof of effect: one steered pass over a prompt with its correction
        let mut inject = Inject::new(&[vector], range, decoder.config())?;
        let prompt = &first.positive.prompt;
        inject.steer(0, RowSteering::new(0, 1.0, prompt.len()))?;
        states(decoder, &[prompt.as_slice(), &first.positive.output].concat(), &mut inject)?;
        let effect = inject.effect();
        let edits: u64 = effect.values().map(|layer| layer.edits).sum();
        if edits == 0 {
            let detail = format!("no position lies in token range {range}, or the vector is zero");
            return Ok(Finding { test: "effect", verdict: Verdict::Failed, detail });
        }
        let arms = arms(1, &coefficients)?;
        let options = PropensityOptions { range, operator: Operator::Add, max_tokens: SCORED_TOKENS };
        let measured = propensity(decoder, &pairs, &[vector], &arms, &options, &mut |_, _| Ok(()))?;
        let mean = |coefficient: f32| {
            let chosen = measured.iter().filter(|p| p.coefficient == coefficient).map(|p| p.total());
            chosen.sum::<f64>() / pairs.len() as f64
        };
        let means = coefficients.map(mean);
        let slope = fit_line(&coefficients.map(f64::from), &means)?.slope;
        let norms: Vec<f64> = effect.values().filter_map(|layer| layer.mean_relative_norm()).collect();
        let largest = norms.iter().copied().fold(0.0, f64::max);
        let detail = format!(
            "{edits} activations changed in {} layers, ‖Δ‖/‖h‖ up to {largest:.3}; propensity {slope:+.3} nats per unit on {} pairs",
            effect.len(),
            pairs.len()
        );
        let verdict = if slope > 0.0 { Verdict::Passed } else { Verdict::Doubtful };
        Ok(Finding { test: "effect", verdict, detail })
    }
}

/// Normalised final states of a text read at once, row 0.
fn states(decoder: &Decoder, tokens: &[u32], hook: &mut dyn Hook) -> Result<Vec<f32>> {
    let mut chunks = [Chunk { tokens, past: Past::None { row: 0 } }];
    numbers(decoder.forward(&mut chunks, hook, &Wanted::All)?)
}

fn numbers(states: Option<Tensor>) -> Result<Vec<f32>> {
    let Some(states) = states else { return Ok(Vec::new()) };
    Ok(states.flatten_all().and_then(|states| states.to_vec1()).map_err(redline_model::Error::from)?)
}

fn compared(test: &'static str, got: &[f32], expected: &[f32]) -> Finding {
    let largest = expected.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    let difference = got.iter().zip(expected).fold(0f32, |worst, (a, b)| worst.max((a - b).abs()));
    let relative = f64::from(difference) / f64::from(largest).max(f64::MIN_POSITIVE);
    // a NaN is no pass, and folding has passed it over
    let is_finite = got.iter().chain(expected).all(|x| x.is_finite()) && got.len() == expected.len();
    let verdict = if is_finite && relative <= TOLERANCE { Verdict::Passed } else { Verdict::Failed };
    let detail = match is_finite {
        true => format!("largest difference {relative:.1e} of the largest state"),
        false => "states are not finite".into(),
    };
    Finding { test, verdict, detail }
}

//! Sweeps: held-out prompts × arms, all from one prefill a prompt, with edit ratio and coherence of every output.

use std::collections::BTreeMap;

use redline_model::generate::{CopyBias, Finish, GenerateOptions, Generated, Prompt, generate_and_keep, read_prefix};
use redline_model::sampling::SamplingOptions;
use redline_model::{Decoder, NoHook, ReadText, SharedPrefix, Tokenizer, log_probs_of_texts};
use serde::{Deserialize, Serialize};

use crate::inject::{Inject, LayerEffect, RowSteering, TokenRange, add_effects};
use crate::{Arm, EditRatios, Error, NamedVector, Operator, REPETITION_N, Result, repetition_rate};

/// A prompt to sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepPrompt {
    /// Index of the triple.
    pub row: usize,
    /// Token ids of the Aligner's prompt.
    pub tokens: Vec<u32>,
    /// The original answer, which the output is compared with.
    pub answer: String,
    /// The reference correction, where there is one.
    pub correction: Option<String>,
}

/// How a sweep runs.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepOptions {
    /// Which positions are steered.
    pub range: TokenRange,
    /// How vectors meet activations.
    pub operator: Operator,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token (and −1 adds to it): the copy bias; 0 for none.
    pub copy_bias: f32,
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// How tokens are chosen; greedy by default.
    pub sampling: SamplingOptions,
    /// Most rows decoded together; bounds memory.
    pub batch_rows: usize,
}

/// One output and its measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRow {
    /// Name of the vector.
    pub vector: String,
    /// Index of the triple.
    pub row: usize,
    /// The signed strength.
    pub coefficient: f32,
    /// What the Aligner wrote.
    pub output: String,
    /// Its length in tokens.
    pub n_tokens: usize,
    /// Whether it was cut by the length limit.
    pub truncated: bool,
    /// Edit ratio by variant, against the original answer; for an output cut at the limit, against the part of the
    /// answer of the same number of tokens, see [`compared_answer`].
    pub ratios: EditRatios,
    /// 1 − d / max length against the reference correction, likewise.
    pub reference_similarity: Option<f64>,
    /// Share of repeated 4-grams.
    pub repetition: f64,
    /// Mean negative log-likelihood per output token under the unsteered model, in nats; `None` for an empty output.
    pub nll: Option<f64>,
    /// Proof of effect: what was injected, per layer.
    #[serde(default)]
    pub effect: BTreeMap<usize, LayerEffect>,
}

/// What was injected into the rows, per layer.
pub fn total_effect<'a>(rows: impl IntoIterator<Item = &'a SweepRow>) -> BTreeMap<usize, LayerEffect> {
    let mut sum = BTreeMap::new();
    rows.into_iter().for_each(|row| add_effects(&mut sum, &row.effect));
    sum
}

/// Who watches a sweep; an error from either ends it.
pub trait SweepObserver {
    /// A token was chosen, in any row.
    ///
    /// # Errors
    /// Whatever shall end the sweep.
    fn on_token(&mut self) -> redline_model::Result<()>;

    /// The rows of a prompt are complete.
    ///
    /// # Errors
    /// Whatever shall end the sweep.
    fn on_rows(&mut self, rows: &[SweepRow]) -> Result<()>;
}

/// Runs every prompt under every arm; the observer receives the rows of a prompt as soon as they are complete.
///
/// # Shapes
/// The observer gets (arms) rows a prompt, in the order of `arms`.
///
/// # Errors
/// A vector that does not fit the model or that touched nothing, a prompt that leaves no room for the output, or
/// whatever the observer returns.
pub fn sweep(
    decoder: &Decoder,
    tokenizer: &Tokenizer,
    prompts: &[SweepPrompt],
    vectors: &[NamedVector],
    arms: &[Arm],
    options: &SweepOptions,
    observer: &mut dyn SweepObserver,
) -> Result<()> {
    let plain: Vec<_> = vectors.iter().map(|named| &named.vector).collect();
    let mut inject = Inject::new(&plain, options.range, decoder.config())?;
    let run = Run { decoder, tokenizer, vectors, arms, options };
    let mut edits = 0;
    for batch in prompts.chunks((options.batch_rows / arms.len().max(1)).max(1)) {
        run.batch(batch, &mut inject, observer)?;
        edits += inject.effect().values().map(|effect| effect.edits).sum::<u64>();
    }
    // a vector of zeros stands for none: the copy bias steers alone
    let is_zero = vectors.iter().all(|named| named.vector.norms().values().all(|norm| *norm == 0.0));
    let only_biases = options.copy_bias != 0.0 && is_zero;
    let steers = !only_biases && arms.iter().any(|arm| arm.coefficient != 0.0);
    if steers && !prompts.is_empty() && edits == 0 {
        return Err(Error::NoEffect { range: options.range.to_string() });
    }
    Ok(())
}

/// What all batches of a sweep share.
struct Run<'a> {
    decoder: &'a Decoder,
    tokenizer: &'a Tokenizer,
    vectors: &'a [NamedVector],
    arms: &'a [Arm],
    options: &'a SweepOptions,
}

impl Run<'_> {
    fn batch(&self, batch: &[SweepPrompt], inject: &mut Inject, observer: &mut dyn SweepObserver) -> Result<()> {
        inject.clear_rows();
        let mut prompts = Vec::with_capacity(batch.len());
        for prompt in batch {
            // rows choose the random numbers of sampling, which must not depend on what is swept beside them
            let first = prompt.row * self.arms.len();
            let rows: Vec<usize> = (first..first + self.arms.len()).collect();
            for (&row, arm) in rows.iter().zip(self.arms) {
                let prompt_len = prompt.tokens.len();
                let steering = RowSteering::new(arm.vector, arm.coefficient, prompt_len).by(self.options.operator);
                inject.steer(row, steering)?;
            }
            let before = prompt.tokens.len().saturating_sub(1);
            let prefix = read_prefix(self.decoder, &prompt.tokens[..before], &mut NoHook)?;
            // an unsteered row reads its output as the measures do
            let unsteered = rows.iter().zip(self.arms).find(|(_, arm)| arm.coefficient == 0.0);
            let kept = unsteered.map(|(&row, _)| row).into_iter().collect();
            let copy_bias = self.copy_bias(prompt)?;
            prompts.push(Prompt { prefix: Some(prefix), copy_bias, kept, ..Prompt::new(prompt.tokens.clone(), rows) });
        }
        let options = GenerateOptions {
            max_new_tokens: self.options.max_new_tokens,
            sampling: self.options.sampling.clone(),
            stop_ids: self.tokenizer.stop_ids().to_vec(),
            share_prompt: self.options.range.leaves_prompt(),
        };
        let (generated, mut kept) = generate_and_keep(self.decoder, &prompts, &options, inject, &mut |_, _| {
            observer.on_token()?;
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        for ((prompt, read), outputs) in batch.iter().zip(&prompts).zip(generated.chunks(self.arms.len())) {
            if let Some(prefix) = &read.prefix {
                let known = outputs.iter().enumerate().find_map(|(i, output)| Some((i, kept.remove(&output.row)?)));
                let nll = self.unsteered_nll(prompt, prefix, outputs, known)?;
                observer.on_rows(&self.measure(prompt, outputs, nll, inject)?)?;
            }
        }
        Ok(())
    }

    /// By how much the answer's copying is favoured under each arm.
    fn copy_bias(&self, prompt: &SweepPrompt) -> Result<Option<CopyBias>> {
        if self.options.copy_bias == 0.0 {
            return Ok(None);
        }
        let text = self.tokenizer.encode_text(prompt.answer.trim())?;
        Ok(CopyBias::at(&text, self.options.copy_bias, self.arms.iter().map(|arm| arm.coefficient)))
    }

    /// The rows of one prompt.
    fn measure(
        &self,
        prompt: &SweepPrompt,
        outputs: &[Generated],
        nll: Vec<Option<f64>>,
        inject: &Inject,
    ) -> Result<Vec<SweepRow>> {
        let row = |((output, arm), nll): ((&Generated, &Arm), Option<f64>)| {
            let effect = inject.row_effect(output.row);
            Ok(SweepRow { nll, effect, ..self.row(prompt, arm, output)? })
        };
        outputs.iter().zip(self.arms).zip(nll).map(row).collect()
    }

    /// The row of an output, without likelihood and effect.
    fn row(&self, prompt: &SweepPrompt, arm: &Arm, output: &Generated) -> Result<SweepRow> {
        let text = self.tokenizer.decode(&output.tokens, true)?;
        let truncated = output.finish == Finish::Length;
        let limit = truncated.then_some(output.tokens.len());
        let compared = |text: &str| compared_answer(self.tokenizer, text.trim(), limit);
        let answer = compared(&prompt.answer)?;
        let reference = prompt.correction.as_deref().map(compared).transpose()?;
        Ok(SweepRow {
            vector: self.vectors[arm.vector].name.clone(),
            row: prompt.row,
            coefficient: arm.coefficient,
            n_tokens: output.tokens.len(),
            truncated,
            ratios: EditRatios::with_tokens(&answer.0, text.trim(), &answer.1, &output.tokens),
            reference_similarity: reference.map(|(reference, _)| EditRatios::new(&reference, text.trim()).similarity),
            repetition: repetition_rate(&output.tokens, REPETITION_N),
            nll: None,
            effect: BTreeMap::new(),
            output: text,
        })
    }

    /// Mean negative log-likelihood per token of each output under the unsteered model, which has read the known one.
    fn unsteered_nll(
        &self,
        prompt: &SweepPrompt,
        prefix: &SharedPrefix,
        outputs: &[Generated],
        known: Option<(usize, ReadText)>,
    ) -> Result<Vec<Option<f64>>> {
        let Some(&last_prompt_token) = prompt.tokens.last() else { return Ok(vec![None; outputs.len()]) };
        let texts: Vec<&[u32]> = outputs.iter().map(|output| output.tokens.as_slice()).collect();
        let log_probs = log_probs_of_texts(self.decoder, prefix, last_prompt_token, &texts, known)?;
        let mean = |values: &Vec<f32>| {
            let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
            (!values.is_empty()).then(|| -sum / values.len() as f64)
        };
        Ok(log_probs.iter().map(mean).collect())
    }
}

/// The text an output is compared with, and its tokens. An output that the length limit cut is compared with as many
/// tokens of the answer: the rest was never reached, and counting it as deleted would measure the limit.
///
/// # Errors
/// The tokenizer fails.
pub fn compared_answer(tokenizer: &Tokenizer, answer: &str, limit: Option<usize>) -> Result<(String, Vec<u32>)> {
    let mut tokens = tokenizer.encode_text(answer)?;
    match limit {
        Some(limit) if limit < tokens.len() => {
            tokens.truncate(limit);
            Ok((tokenizer.decode(&tokens, true)?, tokens))
        }
        _ => Ok((answer.to_string(), tokens)),
    }
}

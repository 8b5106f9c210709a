//! A look at held-out rows while a run goes on.

use std::ops::ControlFlow;

use super::loss::mean_loss;
use super::policy::PolicyFigures;
use super::preference::PairFigures;
use super::{Example, Parameters, TrainOptions};
use crate::generate::{Finish, GenerateOptions, Prompt, generate};
use crate::{NoHook, Qac, Result, Tokenizer};

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Steps done.
    pub step: usize,
    /// Mean loss over the counted tokens of the held-out rows; of a run on rewards the mean reward with the sign turned.
    pub loss: f64,
    /// Whether no earlier evaluation had a lower loss.
    pub is_best: bool,
    /// Generated outputs of the first held-out rows.
    pub outputs: Vec<HeldOutOutput>,
    /// What the held-out pairs came to, of a run over pairs.
    pub pairs: Option<PairFigures>,
    /// What completions of the held-out prompts came to, of a run on rewards.
    pub policy: Option<PolicyFigures>,
}

/// A generated output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOutOutput {
    /// Index of the held-out row.
    pub row: usize,
    /// The text.
    pub text: String,
    /// Whether the length limit cut it.
    pub is_cut: bool,
    /// Whether the row's correction is its answer, so that the output should copy it.
    pub is_clean: bool,
    /// Whether it is the answer, character for character.
    pub is_copy: bool,
}

impl Evaluation {
    /// Share of the generated clean rows that were copied exactly; `None` without clean rows.
    pub fn exact_copy_rate(&self) -> Option<f64> {
        let clean = self.outputs.iter().filter(|output| output.is_clean);
        let (copied, n) = clean.fold((0, 0), |(copied, n), output| (copied + usize::from(output.is_copy), n + 1));
        (n > 0).then(|| copied as f64 / f64::from(n))
    }
}

/// Held-out rows, as texts and as tokens.
pub(super) struct HeldOut<'a> {
    pub(super) rows: &'a [Qac],
    pub(super) examples: Vec<Example>,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) end_id: u32,
}

impl HeldOut<'_> {
    /// Loss and outputs at this moment; whether it is the best is for the caller to say.
    pub(super) fn evaluate(&self, parameters: &Parameters, options: &TrainOptions, step: usize) -> Result<Evaluation> {
        let decoder = parameters.inference_decoder()?;
        let loss = mean_loss(&decoder, &self.examples, options.batch_rows)?;
        let chosen = &self.examples[..options.n_generated.min(self.examples.len())];
        let mut stop_ids = self.tokenizer.stop_ids().to_vec();
        stop_ids.push(self.end_id);
        let room = |example: &&Example| decoder.config().context.saturating_sub(example.prompt_len);
        let (roomy, tight): (Vec<&Example>, Vec<&Example>) =
            chosen.iter().partition(|example| room(example) >= options.max_new_tokens);
        // a long prompt must not cut the outputs of others
        let parts = roomy.chunks(options.batch_rows).chain(tight.chunks(1));
        let mut outputs = Vec::with_capacity(chosen.len());
        for part in parts {
            let most = part.iter().map(room).min().unwrap_or(0).min(options.max_new_tokens);
            let generate_options =
                GenerateOptions { max_new_tokens: most, stop_ids: stop_ids.clone(), ..Default::default() };
            let prompts: Vec<Prompt> =
                part.iter().map(|example| Prompt::new(example.prompt().to_vec(), vec![example.row])).collect();
            let rows = generate(&decoder, &prompts, &generate_options, &mut NoHook, &mut |_, _| {
                Ok(ControlFlow::Continue(()))
            })?;
            for generated in rows {
                let text = self.tokenizer.decode(&generated.tokens, true)?;
                let Qac { answer, correction, .. } = &self.rows[generated.row];
                outputs.push(HeldOutOutput {
                    row: generated.row,
                    is_cut: generated.finish == Finish::Length,
                    is_clean: answer == correction,
                    is_copy: text == *answer,
                    text,
                });
            }
        }
        outputs.sort_by_key(|output| output.row);
        Ok(Evaluation { step, loss, is_best: false, outputs, pairs: None, policy: None })
    }
}

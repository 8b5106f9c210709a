//! One answer corrected, steered or not.

use std::ops::ControlFlow;

use redline_model::generate::{GenerateOptions, Prompt, generate};
use redline_model::sampling::SamplingOptions;
use redline_steer::{ControlVector, Inject, Result, RowSteering, TokenRange};

use super::Aligner;

/// How answers are corrected; unsteered, greedy, 256 new tokens unless told otherwise.
pub struct Correct<'a> {
    aligner: &'a Aligner,
    steering: Option<(&'a ControlVector, f32)>,
    range: TokenRange,
    sampling: SamplingOptions,
    max_new_tokens: usize,
}

impl<'a> Correct<'a> {
    pub(super) fn new(aligner: &'a Aligner) -> Self {
        Self {
            aligner,
            steering: None,
            range: TokenRange::default(),
            sampling: SamplingOptions::default(),
            max_new_tokens: 256,
        }
    }

    /// Adds `coefficient` times the vector: below 0 copies more, above 0 corrects more.
    pub fn steered(mut self, vector: &'a ControlVector, coefficient: f32) -> Self {
        self.steering = Some((vector, coefficient));
        self
    }

    /// Which positions are steered.
    pub fn range(mut self, range: TokenRange) -> Self {
        self.range = range;
        self
    }

    /// How tokens are chosen.
    pub fn sampling(mut self, sampling: SamplingOptions) -> Self {
        self.sampling = sampling;
        self
    }

    /// Longest output, in tokens.
    pub fn max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.max_new_tokens = max_new_tokens;
        self
    }

    /// Corrects an answer. The answer is the draft of its correction, so that copying is fast; the output is that of plain decoding.
    ///
    /// # Errors
    /// A vector that does not fit the model, or a prompt that leaves no room for the output.
    pub fn run(&self, question: &str, answer: &str) -> Result<String> {
        let model = &self.aligner.model;
        let tokenizer = model.tokenizer()?;
        let tokens = self.aligner.prompt(question, answer)?;
        let mut hook = None;
        if let Some((vector, coefficient)) = self.steering {
            let mut inject = Inject::new(&[vector], self.range, model.decoder.config())?;
            inject.steer(0, RowSteering::new(0, coefficient, tokens.len()))?;
            hook = Some(inject);
        }
        let options = GenerateOptions {
            max_new_tokens: self.max_new_tokens,
            sampling: self.sampling.clone(),
            stop_ids: tokenizer.stop_ids().to_vec(),
            share_prompt: hook.is_none() || self.range.leaves_prompt(),
        };
        let prompt = Prompt { draft: tokenizer.encode_text(answer.trim())?, ..Prompt::new(tokens, vec![0]) };
        let mut go_on = |_, _| Ok(ControlFlow::Continue(()));
        let rows = generate(&model.decoder, &[prompt], &options, &mut hook, &mut go_on)?;
        let output = rows.first().map(|row| row.tokens.as_slice()).unwrap_or_default();
        Ok(tokenizer.decode(output, true)?.trim().to_owned())
    }
}

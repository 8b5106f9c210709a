//! One answer corrected, steered or not.

use std::ops::ControlFlow;

use redline_model::sampling::SamplingOptions;
use redline_steer::{ControlVector, Inject, Operator, TokenRange};

use super::Aligner;
use crate::correct::{Asked, Injection, WriteOptions, write};
use crate::error as lab;
use crate::steering::MoreVectors;

/// How answers are corrected; unsteered, greedy, 256 new tokens unless told otherwise.
pub struct Correct<'a> {
    aligner: &'a Aligner,
    steering: Option<(&'a ControlVector, f32)>,
    range: TokenRange,
    options: WriteOptions,
}

impl<'a> Correct<'a> {
    pub(super) fn new(aligner: &'a Aligner) -> Self {
        Self { aligner, steering: None, range: TokenRange::default(), options: WriteOptions::default() }
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
        self.options.sampling = sampling;
        self
    }

    /// Longest output, in tokens.
    pub fn max_new_tokens(mut self, max_new_tokens: usize) -> Self {
        self.options.max_new_tokens = max_new_tokens;
        self
    }

    /// Corrects an answer. The answer is the draft of its correction, so that copying is fast; the output is that of plain decoding.
    ///
    /// # Errors
    /// A vector that does not fit the model, or a prompt that leaves no room for the output.
    pub fn run(&self, question: &str, answer: &str) -> lab::Result<String> {
        let mut injection = match self.steering {
            None => None,
            Some((vector, coefficient)) => {
                let inject = Inject::new(&[vector], self.range, self.aligner.model.decoder.config())?;
                let (operator, more) = (Operator::Add, MoreVectors::default());
                Some(Injection { inject, range: self.range, operator, coefficient, policy: None, copy_bias: 0.0, more })
            }
        };
        let asked = [Asked { row: 0, question, answer }];
        let go_on = &mut |_, _| Ok(ControlFlow::Continue(()));
        let origin = |_: usize| "the answer".to_owned();
        let wrote = write(self.aligner, &asked, &self.options, injection.as_mut(), &origin, go_on)?;
        wrote.into_iter().next().map_or_else(|| Ok(String::new()), |wrote| Ok(wrote?.text))
    }
}

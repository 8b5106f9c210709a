//! A pass whose parts run one by one, for training that keeps only what stands between the blocks.

use candle_core::Tensor;

use super::{Call, Chunk, Decoder, Wanted};
use crate::Result;
use crate::hook::NoHook;
use crate::pass::Pass;

/// The parts of a pass.
pub(crate) struct Stepwise<'a> {
    pub(super) decoder: &'a Decoder,
    pub(super) pass: Pass,
    pub(super) chunks: &'a mut [Chunk<'a>],
}

impl Stepwise<'_> {
    /// Embeddings of all tokens, (n_tokens, hidden_size).
    pub(crate) fn embed(&self) -> Result<Tensor> {
        self.decoder.embed(&self.pass.tokens)
    }

    /// Number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        self.decoder.blocks.len()
    }

    /// The output of a block, of the same shape as its input.
    pub(crate) fn block(&mut self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let Self { decoder, pass, chunks } = self;
        let mut call = Call { pass, chunks, hook: &mut NoHook, kernels: decoder.kernels };
        decoder.blocks[layer].forward(x.clone(), layer, &mut call)
    }

    /// Normalised final states of these lines.
    pub(crate) fn finish(&self, x: &Tensor, lines: Vec<u32>) -> Result<Tensor> {
        let x = self.pass.select(x, &Wanted::Lines(lines))?.unwrap_or_else(|| x.clone());
        self.decoder.norm.forward(&x, self.decoder.kernels)
    }
}

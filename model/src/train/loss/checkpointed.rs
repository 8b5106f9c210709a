//! Gradient checkpointing (Chen et al. 2016, arXiv 1604.06174): only the input of each block is kept, and on the way back each
//! block is computed again. Memory for one block's inner values instead of all, for about a third more time.

use candle_core::{Tensor, Var};

use super::{GradientSums, Head, Reads};
use crate::{Decoder, Error, Result};

/// Adds the gradients of a pass's loss to the sums and returns that loss.
pub(super) fn add_gradients(
    decoder: &Decoder,
    reads: Reads<'_>,
    head: Head<'_>,
    sums: &mut GradientSums<'_>,
) -> Result<f64> {
    let Reads { mut chunks, lines } = reads;
    let mut pass = decoder.stepwise(&mut chunks)?;
    let embedded = pass.embed()?;
    let mut inputs = vec![embedded.detach()];
    for layer in 0..pass.n_blocks() {
        let output = pass.block(layer, &inputs[layer])?.detach();
        inputs.push(output);
    }

    let state = Var::from_tensor(&inputs[pass.n_blocks()])?;
    let loss = head(&pass.finish(&state, lines)?)?;
    let mut back = gradient(&loss, &state, sums)?;
    let value = f64::from(loss.to_scalar::<f32>()?);
    drop(loss);
    for layer in (0..pass.n_blocks()).rev() {
        inputs.truncate(layer + 1);
        let input = Var::from_tensor(&inputs[layer])?;
        let product = (pass.block(layer, &input)? * back)?.sum_all()?;
        back = gradient(&product, &input, sums)?;
    }
    if embedded.track_op() {
        sums.add(&mut (embedded * back)?.sum_all()?.backward()?)?;
    }
    Ok(value)
}

/// Adds the parameters' gradients of a number to the sums and returns that of `input`.
fn gradient(of: &Tensor, input: &Var, sums: &mut GradientSums<'_>) -> Result<Tensor> {
    let mut store = of.backward()?;
    sums.add(&mut store)?;
    let found = store.remove(input).ok_or_else(|| Error::Request {
        what: "gradient checkpointing",
        got: "a block whose output does not depend on its input".into(),
        expected: "a residual block".into(),
    })?;
    Ok(found.detach())
}

//! Σ weight · −ln softmax(logits)[target], fused on the CPU, composed elsewhere.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};
use rayon::prelude::*;
use redline_kernels::gradients::View;

use crate::Result;

/// The same weight for all: logits (n, vocab_size), n targets inside the vocabulary → one number.
pub(in crate::train) fn scaled_sum(logits: &Tensor, targets: Vec<u32>, scale: f64) -> Result<Tensor> {
    let weights = vec![scale as f32; targets.len()];
    weighted_sum(logits, targets, weights)
}

/// A weight for each target: logits (n, vocab_size), n targets inside the vocabulary, n weights → one number.
pub(in crate::train) fn weighted_sum(logits: &Tensor, targets: Vec<u32>, weights: Vec<f32>) -> Result<Tensor> {
    let logits = &logits.to_dtype(DType::F32)?;
    match logits.device().is_cpu() {
        true => Ok(logits.contiguous()?.apply_op1(CrossEntropy { targets, weights })?),
        false => composed(logits, &targets, &weights),
    }
}

/// ln softmax(logits)[target] of each line.
pub(in crate::train) fn log_probs(logits: &Tensor, targets: &[u32]) -> Result<Vec<f64>> {
    let vocab_size = logits.dim(1)?;
    let logits: Vec<f32> = logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let lines = logits.par_chunks(vocab_size).zip(targets);
    Ok(lines.map(|(line, &target)| -loss_of(line, target)).collect())
}

fn composed(logits: &Tensor, targets: &[u32], weights: &[f32]) -> Result<Tensor> {
    let targets = Tensor::new(targets, logits.device())?.unsqueeze(1)?;
    let log_p = candle_nn::ops::log_softmax(logits, 1)?.gather(&targets, 1)?.squeeze(1)?;
    Ok((log_p * Tensor::new(weights, logits.device())?)?.sum_all()?.neg()?)
}

struct CrossEntropy {
    targets: Vec<u32>,
    weights: Vec<f32>,
}

/// −ln softmax(line)[target]
fn loss_of(line: &[f32], target: u32) -> f64 {
    let (max, log) = log_sum(line);
    f64::from(max) + f64::from(log) - f64::from(line[target as usize])
}

/// The largest logit and the logarithm of Σ e^(logit − largest).
fn log_sum(line: &[f32]) -> (f32, f32) {
    let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (max, line.iter().map(|logit| (logit - max).exp()).sum::<f32>().ln())
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let vocab_size = layout.shape().dims2()?.1;
        let Some((start, end)) = layout.contiguous_offsets() else { candle_core::bail!("logits are not contiguous") };
        let logits = &storage.as_slice::<f32>()?[start..end];
        let lines = logits.par_chunks(vocab_size).zip(&self.targets);
        let losses: Vec<f64> = lines.map(|(line, &target)| loss_of(line, target)).collect();
        let sum: f64 = match self.weights.windows(2).all(|two| two[0] == two[1]) {
            // one factor behind the sum, which rounds less
            true => losses.iter().sum::<f64>() * f64::from(self.weights.first().copied().unwrap_or(0.0)),
            false => losses.iter().zip(&self.weights).map(|(loss, weight)| loss * f64::from(*weight)).sum(),
        };
        Ok((CpuStorage::F32(vec![sum as f32]), ().into()))
    }

    /// weight · (softmax(logits) − one at the target)
    fn bwd(&self, logits: &Tensor, _sum: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let factor = grad.to_scalar::<f32>()?;
        let vocab_size = logits.dim(1)?;
        let view = View::new(logits);
        let values = view.values()?;
        let mut gradient = vec![0f32; values.len()];
        let lines = values.par_chunks(vocab_size).zip(self.targets.par_iter().zip(&self.weights));
        gradient.par_chunks_mut(vocab_size).zip(lines).for_each(|(gradient, (line, (&target, weight)))| {
            let scale = weight * factor;
            let (max, log) = log_sum(line);
            gradient.iter_mut().zip(line).for_each(|(g, logit)| *g = scale * (logit - max - log).exp());
            gradient[target as usize] -= scale;
        });
        Ok(Some(Tensor::from_vec(gradient, logits.shape(), logits.device())?))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn fused_equals_composed() {
        let values: Vec<f32> = (0..35).map(|i| 3.0 * (i as f32 * 0.9).sin()).collect();
        let logits = Var::from_vec(values, (5, 7), &Device::Cpu).unwrap();
        let targets = vec![0, 6, 3, 3, 1];
        let weights = vec![0.25, -1.0, 0.5, 0.0, 2.0];
        let fused = weighted_sum(&logits, targets.clone(), weights.clone()).unwrap();
        let reference = composed(&logits, &targets, &weights).unwrap();
        let difference = fused.to_scalar::<f32>().unwrap() - reference.to_scalar::<f32>().unwrap();
        assert!(difference.abs() < 1e-6, "{difference}");
        let gradient = |loss: &Tensor| -> Vec<f32> {
            loss.backward().unwrap().get(&logits).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        assert!(gradient(&fused).iter().zip(gradient(&reference)).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

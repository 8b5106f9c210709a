//! scale · Σ −ln softmax(logits)[target], fused on the CPU, composed elsewhere.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Shape, Tensor};
use rayon::prelude::*;

use crate::Result;
use crate::layers::gradients::View;

/// logits (n, vocab_size), n targets inside the vocabulary → one number.
pub(super) fn scaled_sum(logits: &Tensor, targets: Vec<u32>, scale: f64) -> Result<Tensor> {
    let logits = &logits.to_dtype(DType::F32)?;
    match logits.device().is_cpu() {
        true => Ok(logits.contiguous()?.apply_op1(CrossEntropy { targets, scale: scale as f32 })?),
        false => composed(logits, &targets, scale),
    }
}

fn composed(logits: &Tensor, targets: &[u32], scale: f64) -> Result<Tensor> {
    let targets = Tensor::new(targets, logits.device())?.unsqueeze(1)?;
    let log_p = candle_nn::ops::log_softmax(logits, 1)?.gather(&targets, 1)?;
    Ok((log_p.sum_all()? * -scale)?)
}

struct CrossEntropy {
    targets: Vec<u32>,
    scale: f32,
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
        let losses: Vec<f64> = lines
            .map(|(line, &target)| {
                let (max, log) = log_sum(line);
                f64::from(max) + f64::from(log) - f64::from(line[target as usize])
            })
            .collect();
        let sum = losses.iter().sum::<f64>() * f64::from(self.scale);
        Ok((CpuStorage::F32(vec![sum as f32]), ().into()))
    }

    /// scale · (softmax(logits) − one at the target)
    fn bwd(&self, logits: &Tensor, _sum: &Tensor, grad: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let scale = self.scale * grad.to_scalar::<f32>()?;
        let vocab_size = logits.dim(1)?;
        let view = View::new(logits);
        let values = view.values()?;
        let mut gradient = vec![0f32; values.len()];
        let lines = values.par_chunks(vocab_size).zip(&self.targets);
        gradient.par_chunks_mut(vocab_size).zip(lines).for_each(|(gradient, (line, &target))| {
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
        let fused = scaled_sum(&logits, targets.clone(), 0.25).unwrap();
        let reference = composed(&logits, &targets, 0.25).unwrap();
        let difference = fused.to_scalar::<f32>().unwrap() - reference.to_scalar::<f32>().unwrap();
        assert!(difference.abs() < 1e-6, "{difference}");
        let gradient = |loss: &Tensor| -> Vec<f32> {
            loss.backward().unwrap().get(&logits).unwrap().flatten_all().unwrap().to_vec1().unwrap()
        };
        assert!(gradient(&fused).iter().zip(gradient(&reference)).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}

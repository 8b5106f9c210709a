//! Root-mean-square norm: y = x · r · w with r = 1 / √(mean(x²) + ε).
//!
//! With g = ∂/∂y: ∂/∂x = r (g w − x r² mean(g w x)), ∂/∂w = Σ g x r over the lines.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{TASK_ELEMENTS, View, contiguous, tensor_like};

/// (n, width), (width) → (n, width)
pub struct RmsNormKernel {
    /// Added to the mean square.
    pub eps: f32,
}

impl RmsNormKernel {
    fn inverse_root(&self, x: &[f32]) -> f32 {
        let mean_square = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        1.0 / (mean_square + self.eps).sqrt()
    }
}

fn task_lines(width: usize) -> usize {
    (TASK_ELEMENTS / width.max(1)).max(1)
}

impl CustomOp2 for RmsNormKernel {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, w) = (contiguous(x, xl)?, contiguous(w, wl)?);
        let mut y = vec![0f32; x.len()];
        let task = task_lines(w.len()) * w.len();
        y.par_chunks_mut(task).zip(x.par_chunks(task)).for_each(|(y, x)| {
            for (y, x) in y.chunks_mut(w.len()).zip(x.chunks(w.len())) {
                let r = self.inverse_root(x);
                y.iter_mut().zip(x).zip(w).for_each(|((y, x), w)| *y = x * r * w);
            }
        });
        Ok((CpuStorage::F32(y), xl.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (x_view, w_view, grad_view) = (View::new(x), View::new(w), View::new(&grad));
        let (xs, ws, gs) = (x_view.values()?, w_view.values()?, grad_view.values()?);
        let width = ws.len();
        let task = task_lines(width) * width;
        let mut dx = vec![0f32; xs.len()];
        let parts: Vec<Vec<f32>> = dx
            .par_chunks_mut(task)
            .zip(xs.par_chunks(task).zip(gs.par_chunks(task)))
            .map(|(dx, (x, g))| {
                let mut dw = vec![0f32; width];
                let lines = dx.chunks_mut(width).zip(x.chunks(width).zip(g.chunks(width)));
                lines.for_each(|(dx, (x, g))| self.line_gradient(x, ws, g, dx, &mut dw));
                dw
            })
            .collect();
        let mut dw = vec![0f32; width];
        parts.iter().for_each(|part| dw.iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
        let dw = if w.track_op() { Some(tensor_like(dw, w)?) } else { None };
        Ok((Some(tensor_like(dx, x)?), dw))
    }
}

impl RmsNormKernel {
    fn line_gradient(&self, x: &[f32], w: &[f32], g: &[f32], dx: &mut [f32], dw: &mut [f32]) {
        let r = self.inverse_root(x);
        let dot: f32 = x.iter().zip(w).zip(g).map(|((x, w), g)| x * w * g).sum();
        let shrink = r * r * dot / x.len() as f32;
        for i in 0..x.len() {
            dx[i] = r * (g[i] * w[i] - x[i] * shrink);
            dw[i] += g[i] * x[i] * r;
        }
    }
}

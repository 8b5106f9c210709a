//! AdamW (Loshchilov and Hutter 2019) with clipping by the global norm, and moments that checkpoints can carry.
//!
//! With gradient g at update t (from 1), rate η, decay λ: p ← p (1 − η λ), m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g²,
//! p ← p − η / (1 − β₁ᵗ) · m / (√(v / (1 − β₂ᵗ)) + ε), as PyTorch computes it.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, Layout, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Gradients;
use super::bytes::tensor_values;
use super::parameters::Parameter;
use crate::{Error, Result};

/// Elements that one task updates.
const TASK_ELEMENTS: usize = 1 << 14;

/// Which parameters decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecayGroup {
    /// Matrices of linear layers; not embeddings (nor an output projection tied to them), norms or biases.
    Matrices,
    /// Everything.
    All,
}

impl DecayGroup {
    fn contains(self, name: &str, shape: &[usize]) -> bool {
        match self {
            Self::All => true,
            Self::Matrices => shape.len() == 2 && !name.contains("embed_tokens"),
        }
    }
}

/// The constants of AdamW.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamWOptions {
    /// Decay rate of the first moment.
    pub beta1: f64,
    /// Decay rate of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay λ.
    pub weight_decay: f64,
    /// Which parameters it applies to.
    pub decay_group: DecayGroup,
    /// Gradients with a larger global norm are scaled down to it.
    pub max_gradient_norm: Option<f64>,
}

impl Default for AdamWOptions {
    fn default() -> Self {
        Self {
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decay_group: DecayGroup::Matrices,
            max_gradient_norm: Some(1.0),
        }
    }
}

impl AdamWOptions {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let decays = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        let norm = self.max_gradient_norm;
        let rules = [
            ("beta1", self.beta1, below_one(self.beta1), "0 or more and below 1"),
            ("beta2", self.beta2, below_one(self.beta2), "0 or more and below 1"),
            ("epsilon", self.epsilon, positive(self.epsilon), "a finite number above 0"),
            ("weight decay", self.weight_decay, decays, "a finite number, 0 or more"),
            ("gradient norm", norm.unwrap_or(1.0), norm.is_none_or(positive), "a finite number above 0"),
        ];
        match rules.into_iter().find(|(_, _, holds, _)| !holds) {
            None => Ok(()),
            Some((option, got, _, expected)) => Err(Error::TrainOption { option, got: got.to_string(), expected }),
        }
    }
}

/// Running means of a parameter's gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Of the gradient.
    pub first: Vec<f32>,
    /// Of its square.
    pub second: Vec<f32>,
}

/// The optimizer's state.
#[derive(Debug)]
pub struct AdamW {
    options: AdamWOptions,
    moments: Vec<Moments>,
    n_updates: usize,
}

impl AdamW {
    /// No updates yet.
    pub fn new(parameters: &[Parameter], options: AdamWOptions) -> Self {
        let zero = |n: usize| Moments { first: vec![0.0; n], second: vec![0.0; n] };
        let moments = parameters.iter().map(|p| zero(p.variable.elem_count())).collect();
        Self { options, moments, n_updates: 0 }
    }

    /// Goes on from saved moments, one for each parameter and of its size.
    ///
    /// # Errors
    /// [`Error::Request`] when they are not.
    pub fn resume(
        parameters: &[Parameter],
        options: AdamWOptions,
        moments: Vec<Moments>,
        n_updates: usize,
    ) -> Result<Self> {
        let sizes = parameters.iter().map(|p| p.variable.elem_count());
        let given = moments.iter().map(|m| (m.first.len(), m.second.len()));
        match sizes.clone().map(|n| (n, n)).eq(given) {
            true => Ok(Self { options, moments, n_updates }),
            false => Err(Error::Request {
                what: "moments",
                got: format!("{} of other sizes", moments.len()),
                expected: format!("{} of the parameters' sizes", sizes.len()),
            }),
        }
    }

    /// The moments, in the order of the trained parameters.
    pub fn moments(&self) -> &[Moments] {
        &self.moments
    }

    /// Updates so far.
    pub fn n_updates(&self) -> usize {
        self.n_updates
    }

    /// Updates every parameter in place. `norm` is that of the gradients, which are clipped by it.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn update(&mut self, parameters: &[Parameter], gradients: &Gradients, norm: f64, rate: f64) -> Result<()> {
        self.n_updates += 1;
        let t = self.n_updates as i32;
        let options = &self.options;
        let clip = options.max_gradient_norm.map_or(1.0, |max| (max / (norm + 1e-6)).min(1.0));
        for ((parameter, gradient), moments) in parameters.iter().zip(&gradients.tensors).zip(&mut self.moments) {
            let shape = parameter.variable.dims();
            let decays = options.decay_group.contains(&parameter.name, shape);
            let update = Update {
                gradient: tensor_values(gradient)?,
                moments: RefCell::new(moments),
                clip: clip as f32,
                keep: (1.0 - if decays { rate * options.weight_decay } else { 0.0 }) as f32,
                beta1: options.beta1 as f32,
                beta2: options.beta2 as f32,
                step: (rate / (1.0 - options.beta1.powi(t))) as f32,
                root: (1.0 - options.beta2.powi(t)).sqrt() as f32,
                epsilon: options.epsilon as f32,
            };
            in_place(parameter.variable.as_tensor(), &update)?;
        }
        Ok(())
    }
}

fn in_place(tensor: &Tensor, update: &Update<'_>) -> Result<()> {
    Ok(tensor.inplace_op1(update)?)
}

/// One parameter's update, over its memory.
struct Update<'a> {
    gradient: Vec<f32>,
    moments: RefCell<&'a mut Moments>,
    clip: f32,
    keep: f32,
    beta1: f32,
    beta2: f32,
    step: f32,
    root: f32,
    epsilon: f32,
}

impl InplaceOp1 for Update<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let (CpuStorage::F32(values), Some((start, end))) = (storage, layout.contiguous_offsets()) else {
            candle_core::bail!("a parameter is not contiguous f32")
        };
        let mut moments = self.moments.borrow_mut();
        let Moments { first, second } = &mut **moments;
        let state = first.par_chunks_mut(TASK_ELEMENTS).zip(second.par_chunks_mut(TASK_ELEMENTS));
        let state = state.zip(self.gradient.par_chunks(TASK_ELEMENTS));
        let (clip, keep, step, root, epsilon) = (self.clip, self.keep, self.step, self.root, self.epsilon);
        let (beta1, beta2) = (self.beta1, self.beta2);
        values[start..end].par_chunks_mut(TASK_ELEMENTS).zip(state).for_each(|(p, ((m, v), g))| {
            for i in 0..p.len() {
                let g = g[i] * clip;
                m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                p[i] = p[i] * keep - step * m[i] / (v[i].sqrt() / root + epsilon);
            }
        });
        Ok(())
    }
}

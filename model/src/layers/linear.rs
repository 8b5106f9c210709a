//! y = x Wᵀ + b, with W stored (out, in) as in Hugging Face files; in training, plus a low-rank delta.

use candle_core::{Device, Tensor};
use redline_kernels::gradients::{FrozenLinear, LoraLinear, TrainedLinear};
use redline_kernels::is_plain;
use redline_kernels::packed::{self, Packed, PackedMatrix};

use super::{Dropout, LoraDelta};
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Weight, // (out, in)
    bias: Option<Tensor>,
    delta: Option<LoraDelta>,
}

#[derive(Debug, Clone)]
enum Weight {
    /// For any device, any type, and training.
    Dense(Tensor),
    /// For inference on the CPU.
    Packed(Packed),
}

impl Linear {
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::Dense(weight), bias, delta: None }
    }

    pub(crate) fn from_packed(weight: Packed, bias: Option<Tensor>) -> Self {
        Self { weight: Weight::Packed(weight), bias, delta: None }
    }

    pub(crate) fn with_delta(mut self, delta: Option<LoraDelta>) -> Self {
        self.delta = delta;
        self
    }

    /// From now on the inference kernels, where they can run.
    pub(crate) fn pack(&mut self) {
        if let (Weight::Dense(weight), None) = (&self.weight, &self.delta)
            && let Some(matrix) = PackedMatrix::from_tensor(weight)
        {
            self.weight = Weight::Packed(Packed::new(matrix));
        }
    }

    /// From now on the plain product.
    pub(crate) fn unpack(&mut self) -> Result<()> {
        if let Weight::Packed(packed) = &self.weight {
            self.weight = Weight::Dense(packed.widened()?);
        }
        Ok(())
    }

    /// From now on on another device, where only plain products run.
    pub(crate) fn move_to(&mut self, device: &Device) -> Result<()> {
        self.unpack()?;
        if let Weight::Dense(weight) = &mut self.weight {
            *weight = weight.to_device(device)?;
        }
        if let Some(bias) = &mut self.bias {
            *bias = bias.to_device(device)?;
        }
        if let Some(delta) = &mut self.delta {
            (delta.a, delta.b) = (delta.a.to_device(device)?, delta.b.to_device(device)?);
        }
        Ok(())
    }

    /// The products of the same lines with several layers, as [`Linear::forward`] of each.
    pub(crate) fn forward_all<const M: usize>(x: &Tensor, layers: [&Self; M]) -> Result<[Tensor; M]> {
        let packed: Vec<&Packed> = layers.iter().filter_map(|layer| layer.packed(x)).collect();
        let outputs: Vec<Tensor> = match <[&Packed; M]>::try_from(packed) {
            Ok(packed) => {
                let outputs = layers.iter().zip(packed::products(x, packed)?);
                outputs.map(|(layer, y)| layer.add_bias(y)).collect::<Result<_>>()?
            }
            Err(_) => layers.iter().map(|layer| layer.forward(x)).collect::<Result<_>>()?,
        };
        Ok(outputs.try_into().unwrap_or_else(|_| unreachable!("one output a layer")))
    }

    /// (n, in) → (n, out)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let Some(packed) = self.packed(x) {
            let [y] = packed::products(x, [packed])?;
            return self.add_bias(y);
        }
        let weight = match &self.weight {
            Weight::Dense(weight) => weight,
            Weight::Packed(packed) => &packed.widened()?.to_dtype(x.dtype())?,
        };
        let y = match &self.delta {
            None => product(x, weight)?,
            Some(delta) if is_fused(weight, delta) => {
                let kernel = LoraLinear { weight: weight.clone(), scale: delta.scale as f32 };
                x.contiguous()?.apply_op3(&delta.a, &delta.b, kernel)?
            }
            Some(delta) => (product(x, weight)? + delta.forward(x)?)?,
        };
        self.add_bias(y)
    }

    /// The packed weights, where they are the way for these lines.
    fn packed(&self, x: &Tensor) -> Option<&Packed> {
        match &self.weight {
            Weight::Packed(packed) if self.delta.is_none() && is_plain(x) && !x.track_op() => Some(packed),
            _ => None,
        }
    }

    fn add_bias(&self, y: Tensor) -> Result<Tensor> {
        Ok(match &self.bias {
            None => y,
            Some(bias) => y.broadcast_add(bias)?,
        })
    }
}

/// Whether weight and delta can go through one kernel: in training, on the CPU, with nothing in between.
fn is_fused(weight: &Tensor, delta: &LoraDelta) -> bool {
    delta.a.track_op() && delta.dropout.is_none() && is_plain(weight) && weight.is_contiguous() && !weight.track_op()
}

impl LoraDelta {
    /// (n, in) → (n, out)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = match &self.dropout {
            None => x.clone(),
            Some(dropout) => dropout.forward(x)?,
        };
        let inner = (product(&x, &self.a)? * self.scale)?; // (n, rank)
        product(&inner, &self.b)
    }
}

impl Dropout {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mask = Tensor::from_vec(self.mask(x.elem_count()), x.shape(), x.device())?.to_dtype(x.dtype())?;
        Ok((x * mask)?)
    }
}

/// x Wᵀ: the plain product, or on the CPU under training the one whose gradient is cheap.
fn product(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let on_cpu = weight.device().is_cpu();
    Ok(match () {
        () if on_cpu && weight.track_op() => x.contiguous()?.apply_op2(weight, TrainedLinear)?,
        () if on_cpu && x.track_op() => x.contiguous()?.apply_op1(FrozenLinear { weight: weight.clone() })?,
        () => x.matmul(&weight.t()?)?,
    })
}

//! y = x Wᵀ + b, with W stored (out, in) as in Hugging Face files; in training, plus a low-rank delta.

use candle_core::{DType, Tensor};

use super::gradients::{FrozenLinear, LoraLinear, TrainedLinear};
use super::packed::{self, Packed};
use super::{Dropout, LoraDelta};
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Tensor, // (out, in)
    bias: Option<Tensor>,
    delta: Option<LoraDelta>,
    /// The same weights as they lie in the file, for passes over few lines.
    packed: Option<Packed>,
}

impl Linear {
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias, delta: None, packed: None }
    }

    pub(crate) fn with_delta(mut self, delta: Option<LoraDelta>) -> Self {
        self.delta = delta;
        self
    }

    pub(crate) fn with_packed(mut self, packed: Option<Packed>) -> Self {
        self.packed = packed;
        self
    }

    /// From now on the product with f32 weights for any number of lines.
    pub(crate) fn unpack(&mut self) {
        self.packed = None;
    }

    /// The products of the same lines with several layers, as [`Linear::forward`] of each.
    pub(crate) fn forward_all<const M: usize>(x: &Tensor, layers: [&Self; M]) -> Result<[Tensor; M]> {
        let outputs = match layers.map(|layer| layer.packed.as_ref()) {
            all if Packed::takes(x) && all.iter().all(Option::is_some) => {
                packed::products(x, all.map(|packed| packed.expect("checked")))?
            }
            _ => {
                let outputs = layers.iter().map(|layer| layer.forward(x)).collect::<Result<Vec<_>>>()?;
                return Ok(outputs.try_into().unwrap_or_else(|_| unreachable!("one output a layer")));
            }
        };
        let biased = layers.iter().zip(outputs).map(|(layer, y)| layer.add_bias(y)).collect::<Result<Vec<_>>>()?;
        Ok(biased.try_into().unwrap_or_else(|_| unreachable!("one output a layer")))
    }

    /// (n, in) → (n, out)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        if let Some(packed) = self.packed.as_ref().filter(|_| Packed::takes(x)) {
            let [y] = packed::products(x, [packed])?;
            return self.add_bias(y);
        }
        let y = match &self.delta {
            None => product(x, &self.weight)?,
            Some(delta) if self.is_fused(delta) => {
                let kernel = LoraLinear { weight: self.weight.clone(), scale: delta.scale as f32 };
                x.contiguous()?.apply_op3(&delta.a, &delta.b, kernel)?
            }
            Some(delta) => (product(x, &self.weight)? + delta.forward(x)?)?,
        };
        self.add_bias(y)
    }

    fn add_bias(&self, y: Tensor) -> Result<Tensor> {
        Ok(match &self.bias {
            None => y,
            Some(bias) => y.broadcast_add(bias)?,
        })
    }

    /// Whether weight and delta can go through one kernel: in training, on the CPU, with nothing in between.
    fn is_fused(&self, delta: &LoraDelta) -> bool {
        let weight = &self.weight;
        delta.a.track_op()
            && delta.dropout.is_none()
            && weight.device().is_cpu()
            && weight.dtype() == DType::F32
            && weight.is_contiguous()
            && !weight.track_op()
    }
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

//! Propensity to first order: what every direction would do, from one pass forwards and one back.
//!
//! With v_l added at layer l over the positions of a range, the derivative of log p(correction) − log p(answer) by v_l at v = 0 is the
//! gradient at those positions, summed over them. The slope of the propensity at coefficient 0 along any control vector is then
//! Σ_l gradient_l · v_l: one dot product, so that thousands of control directions can be compared
//! ([`null_slopes`](crate::controls::null_slopes)). Holds near coefficient 0 and for [`Operator::Add`](crate::Operator::Add) only; where
//! the dial bends, [`propensity`](crate::propensity()) measures it.

use std::collections::BTreeMap;

use redline_model::train::Example;
use redline_model::train::loss::correction_loss;
use redline_model::{Decoder, Kernels};
use redline_probe::ContrastPair;
use serde::{Deserialize, Serialize};

use crate::propensity::text_limit;
use crate::trained::{SteeredRow, Variables};
use crate::{ControlVector, Error, PropensityOptions, Result};

/// Derivative of the propensity by what is added at each layer, in nats a unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PropensityGradient {
    /// Layer → gradient, as wide as the vectors added there.
    pub layers: BTreeMap<usize, Vec<f64>>,
}

impl PropensityGradient {
    /// Slope of the propensity at coefficient 0 along `vector`, in nats a unit of coefficient.
    ///
    /// # Errors
    /// [`Error::LayerNotRead`], [`Error::VectorSize`].
    pub fn slope(&self, vector: &ControlVector) -> Result<f64> {
        let along = |(&layer, values): (&usize, &Vec<f32>)| {
            let gradient = self.layers.get(&layer).ok_or(Error::LayerNotRead { layer })?;
            if gradient.len() != values.len() {
                return Err(Error::VectorSize { layer, got: values.len(), expected: gradient.len() });
            }
            Ok(gradient.iter().zip(values).map(|(g, v)| g * f64::from(*v)).sum::<f64>())
        };
        vector.check_is_direction("a first-order slope")?;
        vector.layers.iter().map(along).sum()
    }

    /// The mean of the gradients of several pairs, whose slope is the mean of theirs; empty without any.
    ///
    /// # Errors
    /// [`Error::LayerNotRead`] where they are of different layers.
    pub fn mean(gradients: &[Self]) -> Result<Self> {
        let Some(first) = gradients.first() else { return Ok(Self::default()) };
        let layer = |(&layer, values): (&usize, &Vec<f64>)| {
            let mut sum = vec![0.0; values.len()];
            for gradient in gradients {
                let own = gradient.layers.get(&layer).ok_or(Error::LayerNotRead { layer })?;
                sum.iter_mut().zip(own).for_each(|(sum, value)| *sum += value / gradients.len() as f64);
            }
            Ok((layer, sum))
        };
        Ok(Self { layers: first.layers.iter().map(layer).collect::<Result<_>>()? })
    }
}

/// The gradient of each pair's propensity at the layers and the site of `like`, over the positions and the tokens that
/// [`propensity`](crate::propensity()) would steer and score.
///
/// The decoder's weights are widened to f32 first and compositions of plain operations are used, so small differences of rounding to
/// [`propensity`](crate::propensity()) remain. `on_pair(done, total)` is called after each pair and can end the run with an error.
///
/// # Errors
/// [`Error::OutOfRange`] for another operator than addition, a vector that does not fit the model, a text beyond the context, or
/// whatever `on_pair` returns.
pub fn propensity_gradients(
    decoder: &Decoder,
    pairs: &[ContrastPair],
    like: &ControlVector,
    options: &PropensityOptions,
    on_pair: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<PropensityGradient>> {
    like.check_is_direction("a first-order slope")?;
    if options.operator != crate::Operator::Add {
        let operator = options.operator.to_string();
        return Err(Error::OperatorNotLinear { operator });
    }
    like.check(decoder.config())?;
    let decoder = decoder.clone().with_kernels(Kernels::Differentiable)?;
    let mut gradients = Vec::with_capacity(pairs.len());
    for (done, pair) in pairs.iter().enumerate() {
        gradients.push(pair_gradient(&decoder, pair, like, options)?);
        on_pair(done + 1, pairs.len())?;
    }
    Ok(gradients)
}

fn pair_gradient(
    decoder: &Decoder,
    pair: &ContrastPair,
    like: &ControlVector,
    options: &PropensityOptions,
) -> Result<PropensityGradient> {
    let mut layers: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let prompt = &pair.positive.prompt;
    // a loss is −log p: the correction's counts against it
    for (output, sign) in [(&pair.positive.output, -1.0), (&pair.negative.output, 1.0)] {
        let tokens = [prompt.as_slice(), &output[..text_limit(pair, output, options)]].concat();
        let example = Example { row: 0, tokens, prompt_len: prompt.len() };
        let offsets = Variables::zeros(like, options.range, decoder.device())?;
        let row = SteeredRow { coefficient: 1.0, prompt_len: prompt.len() };
        let loss = correction_loss(decoder, &[&example], sign, &mut offsets.hook([(0, row)].into()))?;
        let store = loss.backward().map_err(redline_model::Error::from)?;
        for (layer, offset) in offsets.iter() {
            let width = offset.dims()[1];
            let sum = layers.entry(layer).or_insert_with(|| vec![0.0; width]);
            let Some(gradient) = store.get(offset) else { continue };
            let values = gradient.flatten_all().and_then(|gradient| gradient.to_vec1::<f32>());
            let values = values.map_err(redline_model::Error::from)?;
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(value));
        }
    }
    Ok(PropensityGradient { layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_gradient_has_the_mean_slope() {
        let of = |values: [f64; 2]| PropensityGradient { layers: [(3, values.to_vec())].into() };
        let both = [of([1.0, 2.0]), of([3.0, -4.0])];
        let vector = ControlVector::new([(3, vec![1.0, 0.5])].into()).unwrap();
        let slopes: Vec<f64> = both.iter().map(|gradient| gradient.slope(&vector).unwrap()).collect();
        assert_eq!(slopes, [2.0, 1.0]);
        assert_eq!(PropensityGradient::mean(&both).unwrap().slope(&vector).unwrap(), 1.5);
        let elsewhere = ControlVector::new([(4, vec![1.0, 0.5])].into()).unwrap();
        assert!(matches!(both[0].slope(&elsewhere), Err(Error::LayerNotRead { layer: 4 })));
    }
}

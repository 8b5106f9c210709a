//! Rotary position embedding (Su et al. 2021), rotating the two halves of each head.

use candle_core::{Device, Tensor};

use super::Kernels;
use crate::config::RopeScaling;
use crate::{ModelConfig, Result};

/// Which frequencies a layer rotates by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// Those of the model.
    Global,
    /// Those of layers with a window, where they differ.
    Local,
    /// None: queries and keys stay as they are.
    None,
}

impl Rotation {
    /// Of a layer.
    pub(crate) fn of(config: &ModelConfig, layer: usize) -> Self {
        match config.windows[layer] {
            _ if config.unrotated_layers.contains(&layer) => Self::None,
            Some(_) if config.local_rope_theta.is_some() => Self::Local,
            _ => Self::Global,
        }
    }
}

/// Frequencies of a model.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    inverse_frequencies: Vec<f32>, // (rotary_dim / 2)
    /// Factor of cosines and sines.
    magnitude: f32,
}

/// The frequencies of every kind of layer that a model has.
#[derive(Debug, Clone)]
pub(crate) struct Ropes {
    global: Rope,
    local: Option<Rope>,
    none: Option<Rope>,
}

/// Cosines and sines of a pass, for every kind of layer.
pub(crate) struct PassRotary {
    global: RotaryTables,
    local: Option<RotaryTables>,
    none: Option<RotaryTables>,
}

impl Ropes {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self { global: Rope::new(config), local: Rope::local(config), none: Rope::none(config) }
    }

    pub(crate) fn tables(&self, positions: &[usize], device: &Device) -> Result<PassRotary> {
        let tables = |rope: &Option<Rope>| rope.as_ref().map(|rope| rope.tables(positions, device)).transpose();
        Ok(PassRotary {
            global: self.global.tables(positions, device)?,
            local: tables(&self.local)?,
            none: tables(&self.none)?,
        })
    }
}

impl PassRotary {
    /// Those of a layer.
    pub(crate) fn of(&self, rotation: Rotation) -> &RotaryTables {
        let own = match rotation {
            Rotation::Global => &None,
            Rotation::Local => &self.local,
            Rotation::None => &self.none,
        };
        own.as_ref().unwrap_or(&self.global)
    }
}

/// Cosines and sines for the positions of one packed pass: each (n_tokens, rotary_dim / 2).
#[derive(Debug, Clone)]
pub(crate) struct RotaryTables {
    pub(crate) cos: Tensor,
    pub(crate) sin: Tensor,
}

impl Rope {
    /// Of layers that look at everything, or of all.
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let plain = Self::plain(config.rotary_dim, config.rope_theta).inverse_frequencies;
        let (inverse_frequencies, magnitude) = match &config.rope_scaling {
            RopeScaling::None => (plain, 1.0),
            RopeScaling::Linear { factor } => (plain.iter().map(|f| f / factor).collect(), 1.0),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let stretch = |f| stretch_llama3(f, *factor, *low_freq_factor, *high_freq_factor, *original_context);
                (plain.into_iter().map(stretch).collect(), 1.0)
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor } => {
                let turns = [*beta_fast, *beta_slow];
                let ramp = yarn_ramp(config, turns, *original_context, *truncate);
                let stretch = |(f, slow): (f32, f32)| f / factor * slow + f * (1.0 - slow);
                (plain.into_iter().zip(ramp).map(stretch).collect(), *attention_factor)
            }
            RopeScaling::Factors { factors, attention_factor } => {
                (plain.iter().zip(factors).map(|(f, factor)| f / factor).collect(), *attention_factor)
            }
        };
        Self { inverse_frequencies, magnitude }
    }

    /// Of layers with a window, where they differ.
    pub(crate) fn local(config: &ModelConfig) -> Option<Self> {
        Some(Self::plain(config.rotary_dim, config.local_rope_theta?))
    }

    /// By what plain frequencies are divided.
    pub(crate) fn divisors(config: &ModelConfig) -> Vec<f32> {
        let plain = Self::plain(config.rotary_dim, config.rope_theta).inverse_frequencies;
        plain.iter().zip(Self::new(config).inverse_frequencies).map(|(plain, f)| plain / f).collect()
    }

    fn plain(dim: usize, theta: f32) -> Self {
        let frequencies = (0..dim / 2).map(|i| 1.0 / theta.powf((2 * i) as f32 / dim as f32));
        Self { inverse_frequencies: frequencies.collect(), magnitude: 1.0 }
    }

    /// Of layers that do not rotate.
    pub(crate) fn none(config: &ModelConfig) -> Option<Self> {
        let frequencies = vec![0.0; config.rotary_dim / 2];
        (!config.unrotated_layers.is_empty()).then_some(Self { inverse_frequencies: frequencies, magnitude: 1.0 })
    }

    pub(crate) fn tables(&self, positions: &[usize], device: &Device) -> Result<RotaryTables> {
        let shape = (positions.len(), self.inverse_frequencies.len());
        let angles = positions.iter().flat_map(|&p| self.inverse_frequencies.iter().map(move |f| p as f32 * f));
        let scaled = |(sin, cos): (f32, f32)| (sin * self.magnitude, cos * self.magnitude);
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles.map(f32::sin_cos).map(scaled).unzip();
        Ok(RotaryTables { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
    }
}

impl RotaryTables {
    /// (n_tokens, heads, head_dim) → (n_tokens, heads, head_dim)
    pub(crate) fn rotate(&self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        let (n, heads, width) = x.dims3()?;
        let dim = 2 * self.cos.dim(1)?;
        match kernels {
            Kernels::Fused if dim == width => {
                // one "batch" a token, so that tokens run in parallel
                let x = x.contiguous()?.reshape((n, 1, heads, dim))?;
                let cos = self.cos.reshape((n, 1, dim / 2))?;
                let sin = self.sin.reshape((n, 1, dim / 2))?;
                Ok(candle_nn::rotary_emb::rope_thd(&x, &cos, &sin)?.reshape((n, heads, dim))?)
            }
            _ => {
                let table = |x: &Tensor, table: &Tensor| table.unsqueeze(1)?.to_dtype(x.dtype()); // (n, 1, dim / 2)
                let (cos, sin) = (table(x, &self.cos)?, table(x, &self.sin)?);
                let first = x.narrow(2, 0, dim / 2)?;
                let second = x.narrow(2, dim / 2, dim / 2)?;
                let rotated_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
                let rotated_second = (first.broadcast_mul(&sin)? + second.broadcast_mul(&cos)?)?;
                let mut parts = vec![rotated_first, rotated_second];
                if width > dim {
                    parts.push(x.narrow(2, dim, width - dim)?);
                }
                Ok(Tensor::cat(&parts, 2)?)
            }
        }
    }
}

/// Llama 3's stretching of one inverse frequency.
fn stretch_llama3(frequency: f32, factor: f32, low: f32, high: f32, original_context: f32) -> f32 {
    let wavelength = 2.0 * std::f32::consts::PI / frequency;
    if wavelength < original_context / high {
        frequency
    } else if wavelength > original_context / low {
        frequency / factor
    } else {
        let smooth = (original_context / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}

/// YaRN's share of the slow treatment for each frequency: 0 where it turns more than `turns[0]` times within the original context, 1
/// where it turns less than `turns[1]` times, a ramp over the dimensions between (Peng et al. 2023, section 3.2).
fn yarn_ramp(config: &ModelConfig, turns: [f32; 2], original_context: f32, truncate: bool) -> Vec<f32> {
    let (dim, theta) = (config.rotary_dim as f32, config.rope_theta);
    let dimension =
        |turns: f32| dim * (original_context / (turns * 2.0 * std::f32::consts::PI)).ln() / (2.0 * theta.ln());
    let [mut low, mut high] = turns.map(dimension);
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, high) = (low.max(0.0), high.min(dim - 1.0));
    let width = if high == low { 0.001 } else { high - low };
    (0..config.rotary_dim / 2).map(|i| ((i as f32 - low) / width).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    /// Tolerance 1e-6 relative: both sides compute in f32 or better.
    #[test]
    fn frequencies_of_every_kind_equal_transformers() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/rope.json");
        let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(cases.len(), 7);
        let folder = tempfile::tempdir().unwrap();
        for case in cases {
            let path = folder.path().join("config.json");
            std::fs::write(&path, case["config"].to_string()).unwrap();
            let config = ModelConfig::from_hugging_face(&path).unwrap();
            let rope = Rope::new(&config);
            let expected = case["inverse_frequencies"].as_array().unwrap();
            assert_eq!(rope.inverse_frequencies.len(), expected.len(), "{}", case["name"]);
            for (got, expected) in rope.inverse_frequencies.iter().zip(expected) {
                let expected = expected.as_f64().unwrap();
                assert!((f64::from(*got) - expected).abs() < 2e-6 * expected, "{}: {got} for {expected}", case["name"]);
            }
            let factor = case["attention_factor"].as_f64().unwrap();
            assert!((f64::from(rope.magnitude) - factor).abs() < 1e-6, "{}: {}", case["name"], rope.magnitude);
            // texts beyond the original context would need other frequencies, so there are none
            let is_bounded = case["name"] == "longrope";
            assert_eq!(config.context, if is_bounded { 512 } else { 4096 }, "{}", case["name"]);
        }
    }
}

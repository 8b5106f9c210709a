//! What GGUF metadata says about rotation, as llama.cpp takes it.

use super::gguf::Metadata;
use super::rope::{RopeScaling, long_rope_magnitude, yarn_magnitude};
use crate::Result;

/// Factors of every text length, one for each frequency.
const FACTORS: &str = "rope_freqs.weight";
/// LongRoPE's factors for short texts.
const SHORT_FACTORS: &str = "rope_factors_short.weight";
/// LongRoPE's factors for long texts, beyond the context that is offered.
const LONG_FACTORS: &str = "rope_factors_long.weight";

/// Names of the tensors that hold factors of frequencies.
pub(crate) const FACTOR_TENSORS: [&str; 3] = [FACTORS, SHORT_FACTORS, LONG_FACTORS];

/// How frequencies are stretched, and up to which length that is right.
pub(super) fn read(metadata: &Metadata<'_>, context: usize) -> Result<(RopeScaling, usize)> {
    let number = |name: &str| metadata.number(&format!("rope.scaling.{name}"));
    let kind = metadata.text("rope.scaling.type")?;
    // 0 stands for a factor that is not given, a factor without a type for a linear one
    let factor = match number("factor")? {
        Some(factor) => Some(factor),
        None => metadata.number("rope.scale_linear")?,
    };
    let factor = factor.filter(|factor| *factor != 0.0 && kind != Some("none")).unwrap_or(1.0) as f32;
    if !(factor.is_finite() && factor > 0.0) {
        return Err(metadata.problem("rope.scaling.factor", format!("is {factor}, but must be positive and finite")));
    }
    let attn_factor = number("attn_factor")?;
    let original = number("original_context_length")?.unwrap_or(context as f64);
    let factors = |name: &str| -> Result<Vec<f32>> { Ok(metadata.file.tensor_f32(name)?.flatten_all()?.to_vec1()?) };
    let has = |name: &str| metadata.file.tensor_info(name).is_some();
    let both = |name: &str| {
        let problem = format!("is {factor} beside the factors of `{name}`; only one of them is supported");
        Err(metadata.problem("rope.scaling.factor", problem))
    };
    if has(FACTORS) {
        if factor != 1.0 {
            return both(FACTORS);
        }
        refuse_magnitude(metadata, attn_factor)?;
        return Ok((RopeScaling::Factors { factors: factors(FACTORS)?, attention_factor: 1.0 }, context));
    }
    if has(SHORT_FACTORS) {
        if factor != 1.0 {
            return both(SHORT_FACTORS);
        }
        let attention_factor = match attn_factor {
            Some(factor) => factor as f32,
            None => long_rope_magnitude((context as f64 / original) as f32, original as f32),
        };
        let scaling = RopeScaling::Factors { factors: factors(SHORT_FACTORS)?, attention_factor };
        return Ok((scaling, context.min(original as usize)));
    }
    let scaling = match kind {
        Some("none") | None | Some("linear") if factor == 1.0 => RopeScaling::None,
        None | Some("linear") => RopeScaling::Linear { factor },
        Some("yarn") => {
            let attention_factor = attn_factor.unwrap_or(1.0) as f32 * yarn_magnitude(factor, 1.0);
            let (beta_fast, beta_slow, truncate) = (32.0, 1.0, true);
            let original_context = original as f32;
            return Ok((
                RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor },
                context,
            ));
        }
        Some(other) => {
            let problem = format!("is `{other}`; supported: none, linear, yarn");
            return Err(metadata.problem("rope.scaling.type", problem));
        }
    };
    refuse_magnitude(metadata, attn_factor)?;
    Ok((scaling, context))
}

/// Rotated vectors that are scaled though frequencies are not stretched by YaRN or LongRoPE.
fn refuse_magnitude(metadata: &Metadata<'_>, attn_factor: Option<f64>) -> Result<()> {
    match attn_factor {
        None | Some(1.0) => Ok(()),
        Some(factor) => {
            let problem = format!("is {factor}; without YaRN or LongRoPE only 1 is supported");
            Err(metadata.problem("rope.scaling.attn_factor", problem))
        }
    }
}

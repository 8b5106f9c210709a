//! Exponentials of many numbers, without a call for each: the loops become vector instructions.

/// eˣ within 2e-7 relative, for finite x; 0 and the largest finite power of 2 stand at the ends of the range. x = n ln 2 + r with |r| ≤ ln 2 / 2;
/// eʳ is a polynomial (Cephes, Moshier 1989), 2ⁿ is put together from its bits.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Added to a number and subtracted, it rounds it to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + coefficient;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127).wrapping_shl(23));
    (p * r * r + r + 1.0) * power
}

vectorised! {
/// Softmax of one line in place; −∞ has no share.
pub fn softmax(line: &mut [f32]) {
    let max = maximum(line);
    line.iter_mut().for_each(|x| *x = exp(*x - max));
    let inverse = 1.0 / sum(line);
    line.iter_mut().for_each(|x| *x *= inverse);
}
}

/// 1 / (1 + e⁻ˣ)
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

vectorised! {
/// silu(gate) · up = gate · up / (1 + e⁻ᵍᵃᵗᵉ)
pub fn swiglu(gate: &[f32], up: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(gate).zip(up).for_each(|((y, gate), up)| *y = gate * up / (1.0 + exp(-gate)));
}
}

/// √(8/π): tanh(x) = 2 σ(2x) − 1 makes gelu's ½ z (1 + tanh(√(2/π) (z + 0.044715 z³))) a product with a sigmoid.
pub const GELU_LINEAR: f32 = 2.0 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2;
/// 0.044715
pub const GELU_CUBIC: f32 = 0.044_715;

/// What stands in the sigmoid of gelu.
#[inline(always)]
pub fn gelu_inner(z: f32) -> f32 {
    GELU_LINEAR * (z + GELU_CUBIC * z * z * z)
}

vectorised! {
/// gelu(gate) · up, by the tanh approximation
pub fn geglu(gate: &[f32], up: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(gate).zip(up).for_each(|((y, gate), up)| *y = gate * up / (1.0 + exp(-gelu_inner(*gate))));
}
}

const LANES: usize = 16;

#[inline(always)]
fn maximum(line: &[f32]) -> f32 {
    let (lanes, rest) = line.as_chunks::<LANES>();
    let mut best = [f32::NEG_INFINITY; LANES];
    for values in lanes {
        best.iter_mut().zip(values).for_each(|(best, x)| *best = if *x > *best { *x } else { *best });
    }
    best.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn sum(line: &[f32]) -> f32 {
    let (lanes, rest) = line.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for values in lanes {
        sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_close_over_the_whole_range() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) - expected).abs() < 2e-7 * expected, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(-1e30) < 1e-37 && exp(1e30).is_finite());
    }

    #[test]
    fn softmax_sums_to_one() {
        let mut line: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).sin() * 9.0).collect();
        let expected: Vec<f64> = line.iter().map(|x| f64::from(*x).exp()).collect();
        let total: f64 = expected.iter().sum();
        softmax(&mut line);
        line.iter().zip(expected).for_each(|(got, e)| assert!((f64::from(*got) - e / total).abs() < 1e-6));
    }
}

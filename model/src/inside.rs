//! A small network inside a model: after chosen blocks h ← h + g · W_up φ(W_down h), φ(x) = x / (1 + e⁻ˣ) (SiLU).
//!
//! The model's weights stay as they are; g is a number that each row chooses, and at g = 0 nothing is computed. [`InsideBlock::add_to`]
//! works on one activation at a time, in an order of its own, so what a row gets does not depend on the rows beside it.
//! [`inside_delta`] is the same as operations that gradients flow through.

use candle_core::Tensor;

use crate::{Error, Result};

/// Lanes of a sum: a fixed order that compilers turn into vector instructions.
const LANES: usize = 8;

/// W_down and W_up of one block.
#[derive(Debug, Clone, PartialEq)]
pub struct InsideBlock {
    width: usize,
    down: Vec<f32>, // (rank, width)
    up: Vec<f32>,   // (width, rank)
}

impl InsideBlock {
    /// A network of these matrices, row by row.
    ///
    /// # Shapes
    /// `down` (rank, width), `up` (width, rank).
    ///
    /// # Errors
    /// [`Error::Request`] for sizes that do not belong together, or a value that is not finite.
    pub fn new(width: usize, down: Vec<f32>, up: Vec<f32>) -> Result<Self> {
        if width == 0 || down.is_empty() || down.len() != up.len() || !down.len().is_multiple_of(width) {
            return Err(Error::Request {
                what: "the matrices of a network inside a block",
                got: format!("{} and {} values for a width of {width}", down.len(), up.len()),
                expected: "rank × width values each".into(),
            });
        }
        match down.iter().chain(&up).find(|value| !value.is_finite()) {
            None => Ok(Self { width, down, up }),
            Some(value) => Err(Error::Request {
                what: "a value of a network inside a block",
                got: value.to_string(),
                expected: "finite numbers".into(),
            }),
        }
    }

    /// Values of an activation.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows of W_down.
    pub fn rank(&self) -> usize {
        self.down.len() / self.width
    }

    /// W_down, row by row: (rank, width).
    pub fn down(&self) -> &[f32] {
        &self.down
    }

    /// W_up, row by row: (width, rank).
    pub fn up(&self) -> &[f32] {
        &self.up
    }

    /// Numbers that it is made of.
    pub fn n_parameters(&self) -> usize {
        self.down.len() + self.up.len()
    }

    /// The same with W_up times `factor`.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self { up: self.up.iter().map(|value| value * factor).collect(), ..self.clone() }
    }

    /// A network that adds what both add: their ranks stand side by side.
    ///
    /// # Errors
    /// [`Error::Request`] for another width.
    pub fn beside(&self, other: &Self) -> Result<Self> {
        let rows = self.up.chunks_exact(self.rank()).zip(other.up.chunks_exact(other.rank()));
        let up = rows.flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        Self::new(self.width, [self.down.as_slice(), &other.down].concat(), up)
    }

    /// Adds `factor` times the network's output to the activation that it reads; returns the length of what was added.
    ///
    /// # Shapes
    /// `activation` (width).
    pub fn add_to(&self, activation: &mut [f32], factor: f32) -> f64 {
        let inner: Vec<f32> = self.down.chunks_exact(self.width).map(|row| silu(dot(row, activation))).collect();
        let mut square = 0.0;
        for (value, row) in activation.iter_mut().zip(self.up.chunks_exact(inner.len())) {
            let added = factor * dot(row, &inner);
            square += f64::from(added).powi(2);
            *value += added;
        }
        square.sqrt()
    }
}

/// x / (1 + e⁻ˣ)
fn silu(x: f32) -> f32 {
    x / (1.0 + (-x).exp())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0f32; LANES];
    for (a, b) in a_whole.iter().zip(b_whole) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// W_up φ(W_down x) for every line of x, differentiable in all three.
///
/// # Shapes
/// `x` (n_tokens, width), `down` (rank, width), `up` (width, rank) → (n_tokens, width).
///
/// # Errors
/// As the tensor library reports.
pub fn inside_delta(x: &Tensor, down: &Tensor, up: &Tensor) -> Result<Tensor> {
    Ok(x.matmul(&down.t()?)?.silu()?.matmul(&up.t()?)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut random = crate::random::Random::named(&[seed], "inside tests");
        (0..n).map(|_| random.normal() as f32).collect()
    }

    fn tensor(values: &[f32], shape: (usize, usize)) -> Var {
        Var::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap()
    }

    #[test]
    fn plain_and_differentiable_agree() {
        let (width, rank, n) = (21, 3, 5);
        let block = InsideBlock::new(width, values(rank * width, 1), values(rank * width, 2)).unwrap();
        let x = values(n * width, 3);
        let delta = inside_delta(
            &tensor(&x, (n, width)),
            &tensor(block.down(), (rank, width)),
            &tensor(block.up(), (width, rank)),
        );
        let delta: Vec<Vec<f32>> = delta.unwrap().to_vec2().unwrap();
        for (line, expected) in x.chunks(width).zip(delta) {
            let mut changed = line.to_vec();
            let length = block.add_to(&mut changed, -0.5);
            for ((after, before), delta) in changed.iter().zip(line).zip(&expected) {
                assert!((after - (before - 0.5 * delta)).abs() < 1e-4, "{after} {before} {delta}");
            }
            let norm = expected.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt() * 0.5;
            assert!((length / norm - 1.0).abs() < 1e-4, "{length} {norm}");
        }
    }

    #[test]
    fn ranks_side_by_side_are_a_sum() {
        let block =
            |seed: u64, rank: usize| InsideBlock::new(8, values(rank * 8, seed), values(rank * 8, seed + 10)).unwrap();
        let (a, b, x) = (block(1, 2), block(2, 3), values(8, 9));
        let added = |block: &InsideBlock| {
            let mut h = x.clone();
            block.add_to(&mut h, 1.0);
            h.iter().zip(&x).map(|(after, before)| after - before).collect::<Vec<_>>()
        };
        let both = a.beside(&b).unwrap();
        assert_eq!(both.rank(), 5);
        for ((sum, a), b) in added(&both).iter().zip(added(&a)).zip(added(&b)) {
            assert!((sum - a - b).abs() < 1e-4, "{sum} {a} {b}");
        }
        let nothing = added(&a.beside(&a.scaled(-1.0)).unwrap());
        assert!(nothing.iter().all(|value| value.abs() < 1e-4), "{nothing:?}");
        assert!(a.beside(&InsideBlock::new(4, vec![0.0; 4], vec![0.0; 4]).unwrap()).is_err());
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let (width, rank, n) = (6, 2, 4);
        let given = [
            (values(n * width, 1), (n, width)),
            (values(rank * width, 2), (rank, width)),
            (values(rank * width, 3), (width, rank)),
        ];
        let weights = tensor(&values(n * width, 4), (n, width));
        let loss_of = |given: &[(Vec<f32>, (usize, usize)); 3]| {
            let variables = given.each_ref().map(|(values, shape)| tensor(values, *shape));
            let [x, down, up] = &variables;
            let loss = (inside_delta(x, down, up).unwrap() * weights.as_tensor()).unwrap().sum_all().unwrap();
            (loss, variables)
        };
        let (loss, variables) = loss_of(&given);
        let store = loss.backward().unwrap();
        for (which, variable) in variables.iter().enumerate() {
            let gradient: Vec<f32> = store.get(variable).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for (i, gradient) in gradient.iter().enumerate() {
                let at = |step: f32| {
                    let mut moved = given.clone();
                    moved[which].0[i] += step;
                    loss_of(&moved).0.to_scalar::<f32>().unwrap()
                };
                let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((slope - gradient).abs() < 1e-2 * gradient.abs().max(1.0), "{which} {i}: {slope} {gradient}");
            }
        }
    }

    #[test]
    fn sizes_and_values_are_checked() {
        assert!(InsideBlock::new(4, vec![1.0; 8], vec![1.0; 4]).is_err());
        assert!(InsideBlock::new(4, vec![1.0; 6], vec![1.0; 6]).is_err());
        assert!(InsideBlock::new(4, Vec::new(), Vec::new()).is_err());
        let error = InsideBlock::new(2, vec![f32::NAN; 2], vec![1.0; 2]).unwrap_err().to_string();
        assert!(error.contains("NaN"), "{error}");
    }
}

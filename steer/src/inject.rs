//! Injection: the add operator, h ← h + c · v, for any number of rows, vectors and coefficients in one batch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device, Tensor};
use redline_model::hook::{HookPoint, Site, TokenLayout};
use redline_model::{Hook, ModelConfig};
use serde::{Deserialize, Serialize};

use crate::control::norm;
use crate::{ControlVector, Error, Result};

/// Which positions of a row are steered. Position p of a prompt of n tokens predicts token p + 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum TokenRange {
    /// The last prompt token and every generated one: every position that predicts an output token. The prompt before
    /// it is untouched, so it is read once for all coefficients.
    #[default]
    Output,
    /// Every position.
    All,
    /// Every prompt position, the last included.
    Prompt,
    /// The last prompt token alone.
    LastPromptToken,
    /// Generated tokens alone, from the first on.
    Generated,
    /// Absolute positions, the end excluded.
    Positions {
        /// First steered position.
        start: usize,
        /// First position after the range.
        end: usize,
    },
}

impl TokenRange {
    /// Whether `position` of a row whose prompt holds `prompt_len` tokens is steered.
    pub fn contains(self, position: usize, prompt_len: usize) -> bool {
        match self {
            Self::Output => position + 1 >= prompt_len,
            Self::All => true,
            Self::Prompt => position < prompt_len,
            Self::LastPromptToken => position + 1 == prompt_len,
            Self::Generated => position >= prompt_len,
            Self::Positions { start, end } => (start..end).contains(&position),
        }
    }

    /// Whether no position before the last prompt token is steered, so that rows can share a prompt's prefix.
    pub fn leaves_prompt(self) -> bool {
        matches!(self, Self::Output | Self::LastPromptToken | Self::Generated)
    }
}

impl fmt::Display for TokenRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output => f.write_str("output"),
            Self::All => f.write_str("all"),
            Self::Prompt => f.write_str("prompt"),
            Self::LastPromptToken => f.write_str("last-prompt-token"),
            Self::Generated => f.write_str("generated"),
            Self::Positions { start, end } => write!(f, "{start}..{end}"),
        }
    }
}

impl FromStr for TokenRange {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let plain = [Self::Output, Self::All, Self::Prompt, Self::LastPromptToken, Self::Generated];
        if let Some(range) = plain.into_iter().find(|range| range.to_string() == name) {
            return Ok(range);
        }
        let positions = name.split_once("..").and_then(|(start, end)| Some((start.parse().ok()?, end.parse().ok()?)));
        match positions {
            Some((start, end)) if start < end => Ok(Self::Positions { start, end }),
            _ => Err(Error::UnknownTokenRange { name: name.into() }),
        }
    }
}

/// How one row is steered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSteering {
    /// Index of the vector.
    pub vector: usize,
    /// The signed strength.
    pub coefficient: f32,
    /// Tokens of the row's prompt.
    pub prompt_len: usize,
}

/// What an injection did at one layer: the proof of effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerEffect {
    /// (row, position) pairs whose activation was changed.
    pub edits: u64,
    /// Sum over edits of ‖Δ‖ / ‖h‖.
    pub relative_norm_sum: f64,
}

impl LayerEffect {
    /// Mean ‖Δ‖ / ‖h‖ over the edits; `None` without edits.
    pub fn mean_relative_norm(&self) -> Option<f64> {
        (self.edits > 0).then(|| self.relative_norm_sum / self.edits as f64)
    }
}

/// Adds the effects of `more` to `sum`, layer by layer.
pub fn add_effects(sum: &mut BTreeMap<usize, LayerEffect>, more: &BTreeMap<usize, LayerEffect>) {
    for (&layer, effect) in more {
        let total = sum.entry(layer).or_default();
        total.edits += effect.edits;
        total.relative_norm_sum += effect.relative_norm_sum;
    }
}

/// The hook that adds control vectors to block outputs. Rows without an entry are left alone.
pub struct Inject {
    range: TokenRange,
    rows: HashMap<usize, RowSteering>,
    layers: BTreeMap<usize, LayerVectors>,
    /// Row → layer → what was done.
    effects: BTreeMap<usize, BTreeMap<usize, LayerEffect>>,
}

/// A steered line of a pass.
struct SteeredLine {
    line: u32,
    row: usize,
    steering: RowSteering,
}

struct LayerVectors {
    matrix: Tensor,  // (n_vectors, hidden)
    norms: Vec<f64>, // (n_vectors)
}

impl LayerVectors {
    /// x (n_tokens, hidden) with the steered lines changed, and the squared norm of each of them before.
    fn add(&self, x: &Tensor, steered: &[SteeredLine]) -> redline_model::Result<(Tensor, Vec<f32>)> {
        if x.device().is_cpu() && x.dtype() == DType::F32 {
            return self.add_on_cpu(x, steered);
        }
        let n_vectors = self.norms.len();
        let mut coefficients = vec![0f32; x.dim(0)? * n_vectors];
        for SteeredLine { line, steering, .. } in steered {
            coefficients[*line as usize * n_vectors + steering.vector] = steering.coefficient;
        }
        let coefficients = Tensor::from_vec(coefficients, (x.dim(0)?, n_vectors), x.device())?.to_dtype(x.dtype())?;
        let delta = coefficients.matmul(&self.matrix.to_dtype(x.dtype())?)?; // (n_tokens, hidden)
        let lines: Vec<u32> = steered.iter().map(|line| line.line).collect();
        let lines = Tensor::new(lines.as_slice(), x.device())?;
        let squares = x.index_select(&lines, 0)?.to_dtype(DType::F32)?.sqr()?.sum(1)?.to_vec1()?;
        Ok(((x + delta)?, squares))
    }

    /// The same in one go.
    fn add_on_cpu(&self, x: &Tensor, steered: &[SteeredLine]) -> redline_model::Result<(Tensor, Vec<f32>)> {
        let hidden = x.dim(1)?;
        let vectors: Vec<Vec<f32>> = self.matrix.to_vec2()?;
        let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        let mut squares = Vec::with_capacity(steered.len());
        for SteeredLine { line, steering, .. } in steered {
            let activation = &mut values[*line as usize * hidden..][..hidden];
            squares.push(activation.iter().map(|value| value * value).sum());
            activation
                .iter_mut()
                .zip(&vectors[steering.vector])
                .for_each(|(value, v)| *value += steering.coefficient * v);
        }
        Ok((Tensor::from_vec(values, x.shape(), x.device())?, squares))
    }
}

impl Inject {
    /// A hook that injects these vectors over `range`.
    ///
    /// # Errors
    /// A vector that does not fit the model.
    pub fn new(vectors: &[&ControlVector], range: TokenRange, config: &ModelConfig, device: &Device) -> Result<Self> {
        for vector in vectors {
            vector.check(config)?;
        }
        let steered = vectors.iter().flat_map(|vector| vector.layers.keys().copied());
        let mut layers = BTreeMap::new();
        for layer in steered.collect::<std::collections::BTreeSet<_>>() {
            let zero = vec![0f32; config.hidden_size];
            let lines: Vec<&[f32]> =
                vectors.iter().map(|vector| vector.layers.get(&layer).map_or(zero.as_slice(), Vec::as_slice)).collect();
            let norms = lines.iter().map(|line| norm(line)).collect();
            let matrix = Tensor::from_vec(lines.concat(), (vectors.len(), config.hidden_size), device)
                .map_err(redline_model::Error::from)?;
            layers.insert(layer, LayerVectors { matrix, norms });
        }
        Ok(Self { range, rows: HashMap::new(), layers, effects: BTreeMap::new() })
    }

    /// Steers row `row`.
    ///
    /// # Errors
    /// A coefficient that is not finite, or a vector index beyond those given.
    pub fn steer(&mut self, row: usize, steering: RowSteering) -> Result<()> {
        if !steering.coefficient.is_finite() {
            return Err(Error::CoefficientNotFinite { coefficient: steering.coefficient });
        }
        let n_vectors = self.layers.values().next().map_or(0, |layer| layer.norms.len());
        if steering.vector >= n_vectors {
            return Err(Error::VectorIndex { got: steering.vector, n_vectors });
        }
        self.rows.insert(row, steering);
        Ok(())
    }

    /// Forgets all rows and what was done to them.
    pub fn clear_rows(&mut self) {
        self.rows.clear();
        self.effects.clear();
    }

    /// Steers a row no longer; what was done to it, per layer.
    pub fn forget(&mut self, row: usize) -> BTreeMap<usize, LayerEffect> {
        self.rows.remove(&row);
        self.effects.remove(&row).unwrap_or_default()
    }

    /// What was done to one row so far, per layer.
    pub fn row_effect(&self, row: usize) -> BTreeMap<usize, LayerEffect> {
        self.effects.get(&row).cloned().unwrap_or_default()
    }

    /// What was done to all rows so far, per layer.
    pub fn effect(&self) -> BTreeMap<usize, LayerEffect> {
        let mut sum = BTreeMap::new();
        self.effects.values().for_each(|layers| add_effects(&mut sum, layers));
        sum
    }

    /// The steered lines of a pass.
    fn steered(&self, layout: &TokenLayout) -> Vec<SteeredLine> {
        let mut steered = Vec::new();
        for span in &layout.spans {
            let Some(&steering) = self.rows.get(&span.row) else { continue };
            if steering.coefficient == 0.0 {
                continue;
            }
            for offset in 0..span.len {
                if self.range.contains(span.position + offset, steering.prompt_len) {
                    steered.push(SteeredLine { line: (span.start + offset) as u32, row: span.row, steering });
                }
            }
        }
        steered
    }
}

impl Hook for Inject {
    fn wants(&self, point: HookPoint) -> bool {
        match point {
            HookPoint::Block { layer, site: Site::ResidPost } => self.layers.contains_key(&layer),
            _ => false,
        }
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> redline_model::Result<Option<Tensor>> {
        let HookPoint::Block { layer, .. } = point else { return Ok(None) };
        let Some(vectors) = self.layers.get(&layer) else { return Ok(None) };
        let mut steered = self.steered(layout);
        steered.retain(|line| vectors.norms[line.steering.vector] > 0.0);
        if steered.is_empty() {
            return Ok(None);
        }
        let (changed, squares) = vectors.add(x, &steered)?;
        for (SteeredLine { row, steering, .. }, square) in steered.iter().zip(squares) {
            let delta_norm = f64::from(steering.coefficient.abs()) * vectors.norms[steering.vector];
            let effect = self.effects.entry(*row).or_default().entry(layer).or_default();
            effect.edits += 1;
            effect.relative_norm_sum += delta_norm / f64::from(square).sqrt().max(f64::MIN_POSITIVE);
        }
        Ok(Some(changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_position() {
        // a prompt of 3 tokens: positions 0, 1, 2; generated from 3
        let steered = |range: TokenRange| -> Vec<usize> { (0..6).filter(|&p| range.contains(p, 3)).collect() };
        assert_eq!(steered(TokenRange::Output), [2, 3, 4, 5]);
        assert_eq!(steered(TokenRange::All), [0, 1, 2, 3, 4, 5]);
        assert_eq!(steered(TokenRange::Prompt), [0, 1, 2]);
        assert_eq!(steered(TokenRange::LastPromptToken), [2]);
        assert_eq!(steered(TokenRange::Generated), [3, 4, 5]);
        assert_eq!(steered(TokenRange::Positions { start: 1, end: 4 }), [1, 2, 3]);
    }

    #[test]
    fn range_names_round_trip() {
        for name in ["output", "all", "prompt", "last-prompt-token", "generated", "3..9"] {
            assert_eq!(name.parse::<TokenRange>().unwrap().to_string(), name);
        }
        for name in ["", "9..3", "everything"] {
            assert!(name.parse::<TokenRange>().is_err(), "{name}");
        }
    }
}

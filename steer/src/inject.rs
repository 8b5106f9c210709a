//! Injection: changes activations along vectors, for any number of rows, vectors, coefficients and operators in one batch.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use redline_model::hook::{HookPoint, Site, TokenLayout};
use redline_model::{Hook, InsideBlock, ModelConfig};
use serde::{Deserialize, Serialize};

use crate::control::norm;
use crate::{ControlVector, Error, Gate, Operator, Result};

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

/// How one row is steered along one vector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSteering {
    /// Index of the vector.
    pub vector: usize,
    /// The signed strength.
    pub coefficient: f32,
    /// Tokens of the row's prompt.
    pub prompt_len: usize,
    /// How the vector meets the activation.
    pub operator: Operator,
    /// Positions that are steered; `None`: those that the hook was made for.
    pub range: Option<TokenRange>,
}

impl RowSteering {
    /// Addition of a vector over the hook's own range.
    pub fn new(vector: usize, coefficient: f32, prompt_len: usize) -> Self {
        Self { vector, coefficient, prompt_len, operator: Operator::Add, range: None }
    }

    /// The same by another operator.
    #[must_use]
    pub fn by(self, operator: Operator) -> Self {
        Self { operator, ..self }
    }

    /// The same over other positions.
    #[must_use]
    pub fn over(self, range: TokenRange) -> Self {
        Self { range: Some(range), ..self }
    }
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

/// The changes of a row, summed by layer.
fn effect_of(places: &BTreeMap<HookPoint, Vec<(usize, f64)>>) -> BTreeMap<usize, LayerEffect> {
    let mut effect: BTreeMap<usize, LayerEffect> = BTreeMap::new();
    for (point, changes) in places {
        let HookPoint::Block { layer, .. } = *point else { continue };
        let total = effect.entry(layer).or_default();
        total.edits += changes.len() as u64;
        changes.iter().for_each(|(_, relative)| total.relative_norm_sum += relative);
    }
    effect
}

/// The hook that changes activations along control vectors. Rows without an entry are left alone.
pub struct Inject {
    range: TokenRange,
    /// Whether each vector can only be added.
    only_added: Vec<bool>,
    rows: HashMap<usize, Vec<RowSteering>>,
    points: BTreeMap<HookPoint, PointVectors>,
    gate: Option<Gate>,
    /// Row → place → position and ‖Δ‖ / ‖h‖ of every change, ascending.
    changes: BTreeMap<usize, BTreeMap<HookPoint, Vec<(usize, f64)>>>,
}

/// A steered line of a pass.
struct SteeredLine {
    line: u32,
    row: usize,
    position: usize,
    terms: Vec<RowSteering>,
}

/// Each vector at one place; without values where it has none there.
struct PointVectors {
    vectors: Vec<Vec<f32>>,
    norms: Vec<f64>,
    networks: Vec<Option<Arc<InsideBlock>>>,
}

impl PointVectors {
    /// No vector has anything here.
    fn none(n_vectors: usize) -> Self {
        Self { vectors: vec![Vec::new(); n_vectors], norms: vec![0.0; n_vectors], networks: vec![None; n_vectors] }
    }

    /// Whether a vector does anything here.
    fn acts(&self, vector: usize) -> bool {
        self.norms[vector] > 0.0 || self.networks[vector].is_some()
    }

    /// Changes the activation of a line; returns ‖Δ‖.
    fn change(&self, activation: &mut [f32], terms: &[RowSteering]) -> f64 {
        if let [term] = terms
            && term.operator == Operator::Add
        {
            let norm = self.norms[term.vector];
            match &self.networks[term.vector] {
                Some(network) if norm == 0.0 => return network.add_to(activation, term.coefficient),
                Some(_) => {}
                None => {
                    term.operator.apply(activation, &self.vectors[term.vector], norm, term.coefficient);
                    return f64::from(term.coefficient.abs()) * norm;
                }
            }
        }
        let before = activation.to_vec();
        for term in terms {
            // a network reads what its own vector has not changed yet
            if let Some(network) = &self.networks[term.vector] {
                network.add_to(activation, term.coefficient);
            }
            let (vector, norm) = (&self.vectors[term.vector], self.norms[term.vector]);
            if norm > 0.0 {
                term.operator.apply(activation, vector, norm, term.coefficient);
            }
        }
        let differences = activation.iter().zip(&before).map(|(after, before)| after - before);
        norm(&differences.collect::<Vec<_>>())
    }

    /// x (n_tokens, …) with the steered lines changed, and ‖Δ‖ and ‖h‖ of each.
    fn apply(&self, x: &Tensor, steered: &[SteeredLine]) -> redline_model::Result<(Tensor, Vec<[f64; 2]>)> {
        let width = x.elem_count() / x.dim(0)?;
        let mut changes = Vec::with_capacity(steered.len());
        let mut change = |activation: &mut [f32], terms: &[RowSteering]| {
            let before = activation.iter().map(|value| value * value).sum::<f32>();
            changes.push([self.change(activation, terms), f64::from(before).sqrt()]);
        };
        if x.device().is_cpu() && x.dtype() == DType::F32 {
            let mut values: Vec<f32> = x.flatten_all()?.to_vec1()?;
            for SteeredLine { line, terms, .. } in steered {
                change(&mut values[*line as usize * width..][..width], terms);
            }
            return Ok((Tensor::from_vec(values, x.shape(), x.device())?, changes));
        }
        // elsewhere only the steered lines travel
        let lines: Vec<u32> = steered.iter().map(|line| line.line).collect();
        let lines = Tensor::new(lines.as_slice(), x.device())?;
        let before = x.index_select(&lines, 0)?;
        let mut values: Vec<f32> = before.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        for (activation, SteeredLine { terms, .. }) in values.chunks_exact_mut(width).zip(steered) {
            change(activation, terms);
        }
        let after = Tensor::from_vec(values, before.shape(), x.device())?.to_dtype(x.dtype())?;
        Ok((x.index_add(&lines, &(after - before)?, 0)?, changes))
    }
}

impl Inject {
    /// A hook that injects these vectors over `range`.
    ///
    /// # Shapes
    /// A vector is (hidden size) at each of its layers; activations it meets are (tokens, hidden size).
    ///
    /// # Errors
    /// A vector that does not fit the model.
    pub fn new(vectors: &[&ControlVector], range: TokenRange, config: &ModelConfig) -> Result<Self> {
        for vector in vectors {
            vector.check(config)?;
        }
        let mut points: BTreeMap<HookPoint, PointVectors> = BTreeMap::new();
        let none = || PointVectors::none(vectors.len());
        for (index, vector) in vectors.iter().enumerate() {
            for (&layer, values) in &vector.layers {
                let place = points.entry(HookPoint::Block { layer, site: vector.site }).or_insert_with(none);
                place.norms[index] = norm(values);
                place.vectors[index].clone_from(values);
            }
            for (&layer, network) in vector.inside.iter().filter(|(_, network)| norm(network.up()) > 0.0) {
                let place = points.entry(HookPoint::Block { layer, site: vector.site }).or_insert_with(none);
                place.networks[index] = Some(network.clone());
            }
        }
        let only_added = vectors.iter().map(|vector| vector.has_networks()).collect();
        Ok(Self { range, only_added, rows: HashMap::new(), points, gate: None, changes: BTreeMap::new() })
    }

    /// The same, at positions where a gate fires.
    ///
    /// # Errors
    /// A layer is steered before the gate's.
    pub fn where_fires(mut self, gate: Gate, config: &ModelConfig) -> Result<Self> {
        for point in self.points.keys() {
            let HookPoint::Block { layer, site } = *point else { continue };
            if layer < gate.layer() || layer == gate.layer() && site != Site::ResidPost {
                return Err(Error::GateAfterLayer { gate: gate.layer(), layer });
            }
        }
        if gate.layer() >= config.n_layers {
            return Err(Error::NoSuchLayer { layer: gate.layer(), n_layers: config.n_layers });
        }
        self.gate = Some(gate);
        Ok(self)
    }

    /// The gate, where there is one.
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Steers row `row`, in this way only.
    ///
    /// # Errors
    /// A coefficient that is not finite, or a vector index beyond those given.
    pub fn steer(&mut self, row: usize, steering: RowSteering) -> Result<()> {
        self.check(&steering)?;
        self.rows.insert(row, vec![steering]);
        Ok(())
    }

    /// Steers row `row` in this way too, after those given before.
    ///
    /// # Errors
    /// As [`Inject::steer`].
    pub fn also_steer(&mut self, row: usize, steering: RowSteering) -> Result<()> {
        self.check(&steering)?;
        self.rows.entry(row).or_default().push(steering);
        Ok(())
    }

    fn check(&self, steering: &RowSteering) -> Result<()> {
        if !steering.coefficient.is_finite() {
            return Err(Error::CoefficientNotFinite { coefficient: steering.coefficient });
        }
        let n_vectors = self.only_added.len();
        if steering.vector >= n_vectors {
            return Err(Error::VectorIndex { got: steering.vector, n_vectors });
        }
        if self.only_added[steering.vector] && steering.operator != Operator::Add {
            return Err(Error::NetworkOnlyAdded { operator: steering.operator.to_string() });
        }
        Ok(())
    }

    /// Forgets all rows and what was done to them.
    pub fn clear_rows(&mut self) {
        self.rows.clear();
        self.changes.clear();
    }

    /// Forgets one row and what was done to it.
    pub fn clear_row(&mut self, row: usize) {
        self.rows.remove(&row);
        self.changes.remove(&row);
    }

    /// What was done to one row so far, per layer.
    pub fn row_effect(&self, row: usize) -> BTreeMap<usize, LayerEffect> {
        self.changes.get(&row).map_or_else(BTreeMap::new, effect_of)
    }

    /// What was done to all rows so far, per layer.
    pub fn effect(&self) -> BTreeMap<usize, LayerEffect> {
        let mut sum = BTreeMap::new();
        self.changes.values().for_each(|places| add_effects(&mut sum, &effect_of(places)));
        sum
    }

    /// Forgets changes at positions that are read again, as after drafts that did not stand.
    fn forget_from(&mut self, point: HookPoint, layout: &TokenLayout) {
        for span in &layout.spans {
            let changes = self.changes.get_mut(&span.row).and_then(|places| places.get_mut(&point));
            if let Some(changes) = changes {
                let kept = changes.partition_point(|(position, _)| *position < span.position);
                changes.truncate(kept);
            }
        }
    }

    /// The lines of a pass that are steered at a place.
    fn steered(&self, vectors: &PointVectors, layout: &TokenLayout) -> Vec<SteeredLine> {
        let mut steered = Vec::new();
        for span in &layout.spans {
            let Some(terms) = self.rows.get(&span.row) else { continue };
            let is_live = |term: &&RowSteering| term.coefficient != 0.0 && vectors.acts(term.vector);
            let live: Vec<RowSteering> = terms.iter().filter(is_live).copied().collect();
            if live.is_empty() {
                continue;
            }
            for offset in 0..span.len {
                let (line, position) = ((span.start + offset) as u32, span.position + offset);
                let reaches =
                    |term: &&RowSteering| term.range.unwrap_or(self.range).contains(position, term.prompt_len);
                let terms: Vec<RowSteering> = live.iter().filter(reaches).copied().collect();
                if !terms.is_empty() && self.gate.as_ref().is_none_or(|gate| gate.fired(line)) {
                    steered.push(SteeredLine { line, row: span.row, position, terms });
                }
            }
        }
        steered
    }
}

impl Hook for Inject {
    fn wants(&self, point: HookPoint) -> bool {
        self.points.contains_key(&point) || self.gate.as_ref().is_some_and(|gate| gate.point() == point)
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> redline_model::Result<Option<Tensor>> {
        if let Some(gate) = self.gate.as_mut().filter(|gate| gate.point() == point) {
            gate.read(x, layout)?;
        }
        self.forget_from(point, layout);
        let Some(vectors) = self.points.get(&point) else { return Ok(None) };
        let steered = self.steered(vectors, layout);
        if steered.is_empty() {
            return Ok(None);
        }
        let (changed, changes) = vectors.apply(x, &steered)?;
        for (SteeredLine { row, position, .. }, [delta, before]) in steered.iter().zip(changes) {
            if delta > 0.0 {
                let changes = self.changes.entry(*row).or_default().entry(point).or_default();
                changes.push((*position, delta / before.max(f64::MIN_POSITIVE)));
            }
        }
        Ok(Some(changed))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use redline_model::hook::TokenSpan;

    use super::*;

    #[test]
    fn positions_that_are_read_again_count_once() {
        let point = HookPoint::resid_post(0);
        let place = PointVectors { vectors: vec![vec![3.0, 4.0]], norms: vec![5.0], networks: vec![None] };
        let points = BTreeMap::from([(point, place)]);
        let mut inject = Inject {
            range: TokenRange::Generated,
            only_added: vec![false],
            rows: HashMap::new(),
            points,
            gate: None,
            changes: BTreeMap::new(),
        };
        inject.steer(7, RowSteering::new(0, 1.0, 2)).unwrap();
        let mut read = |position: usize, len: usize| {
            let x = Tensor::ones((len, 2), DType::F32, &Device::Cpu).unwrap();
            let spans = vec![TokenSpan { row: 7, start: 0, len, position }];
            inject.on(point, &x, &TokenLayout { spans }).unwrap();
            inject.row_effect(7).get(&0).map_or(0, |effect| effect.edits)
        };
        // a prompt of two tokens is left alone; of a draft of four tokens two stand
        assert_eq!([read(0, 3), read(3, 4), read(5, 1), read(6, 2)], [1, 5, 4, 6]);
        let effect = inject.row_effect(7)[&0];
        assert!((effect.mean_relative_norm().unwrap() - 5.0 / 2f64.sqrt()).abs() < 1e-6, "{effect:?}");
    }

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

//! A vector as variables that gradients reach: c · scale · u is added at each layer, over the steered positions of every row.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use redline_model::hook::{HookPoint, Site, TokenLayout};
use redline_model::{Hook, Result};

use crate::control::norm;
use crate::{ControlVector, TokenRange};

/// One variable a layer.
pub(crate) struct Variables {
    layers: BTreeMap<usize, Variable>,
    site: Site,
    range: TokenRange,
}

/// What is added at a layer: `scale` times `value`.
struct Variable {
    value: Var, // (1, width)
    scale: f64,
}

impl Variables {
    /// 0 at every layer of `like`.
    pub(crate) fn zeros(like: &ControlVector, range: TokenRange, device: &Device) -> Result<Self> {
        let zero = |(&layer, values): (&usize, &Vec<f32>)| {
            Ok((layer, Variable { value: Var::zeros((1, values.len()), DType::F32, device)?, scale: 1.0 }))
        };
        Ok(Self { layers: like.layers.iter().map(zero).collect::<Result<_>>()?, site: like.site, range })
    }

    /// `start`, each layer in units of its root mean square there: an optimiser's step then moves all layers by like shares.
    pub(crate) fn scaled(start: &ControlVector, range: TokenRange, device: &Device) -> Result<Self> {
        let scaled = |(&layer, values): (&usize, &Vec<f32>)| {
            let scale = root_mean_square(values);
            let values: Vec<f32> = values.iter().map(|value| (f64::from(*value) / scale) as f32).collect();
            let value = Var::from_vec(values, (1, start.layers[&layer].len()), device)?;
            Ok((layer, Variable { value, scale }))
        };
        Ok(Self { layers: start.layers.iter().map(scaled).collect::<Result<_>>()?, site: start.site, range })
    }

    /// The variables by layer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Var)> {
        self.layers.iter().map(|(&layer, variable)| (layer, &variable.value))
    }

    /// What one unit of coefficient adds now.
    pub(crate) fn vector(&self) -> crate::Result<ControlVector> {
        let values = |(&layer, variable): (&usize, &Variable)| -> Result<(usize, Vec<f32>)> {
            let values: Vec<f32> = variable.value.flatten_all()?.to_vec1()?;
            Ok((layer, values.iter().map(|value| (f64::from(*value) * variable.scale) as f32).collect()))
        };
        let layers = self.layers.iter().map(values).collect::<Result<_>>()?;
        Ok(ControlVector::new(layers)?.at(self.site))
    }

    /// A hook that adds the variables to these rows.
    pub(crate) fn hook(&self, rows: HashMap<usize, SteeredRow>) -> VariableHook<'_> {
        VariableHook { variables: self, rows }
    }
}

/// Root mean square of the values, 1 where all are 0.
fn root_mean_square(values: &[f32]) -> f64 {
    match norm(values) {
        0.0 => 1.0,
        norm => norm / (values.len() as f64).sqrt(),
    }
}

/// How a row is steered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SteeredRow {
    /// The signed strength.
    pub(crate) coefficient: f32,
    /// Tokens of its prompt.
    pub(crate) prompt_len: usize,
}

/// Adds variables, times each row's coefficient.
pub(crate) struct VariableHook<'a> {
    variables: &'a Variables,
    rows: HashMap<usize, SteeredRow>,
}

impl VariableHook<'_> {
    /// The factor of every line of a pass.
    fn factors(&self, layout: &TokenLayout, scale: f64) -> Vec<f32> {
        let of_span = |span: &redline_model::hook::TokenSpan| {
            let row = self.rows.get(&span.row).copied();
            (span.position..span.position + span.len).map(move |position| match row {
                Some(row) if self.variables.range.contains(position, row.prompt_len) => {
                    (f64::from(row.coefficient) * scale) as f32
                }
                _ => 0.0,
            })
        };
        layout.spans.iter().flat_map(of_span).collect()
    }
}

impl Hook for VariableHook<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        let Variables { layers, site, .. } = self.variables;
        matches!(point, HookPoint::Block { layer, site: here } if here == *site && layers.contains_key(&layer))
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        let HookPoint::Block { layer, .. } = point else { return Ok(None) };
        let Some(variable) = self.variables.layers.get(&layer) else { return Ok(None) };
        let factors = Tensor::from_vec(self.factors(layout, variable.scale), (layout.n_tokens(), 1), x.device())?;
        let added = factors.matmul(&variable.value)?; // (n_tokens, width)
        Ok(Some((x + added.reshape(x.shape())?)?))
    }
}

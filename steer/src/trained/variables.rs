//! A vector as variables that gradients reach: c · scale · u is added at each layer, over the steered positions of every row; and the
//! matrices of an Aligner inside a model likewise.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor, Var};
use redline_model::hook::{HookPoint, Site, TokenLayout};
use redline_model::train::Parameter;
use redline_model::{Hook, InsideBlock, Result, inside_delta};

use crate::control::norm;
use crate::{ControlVector, TokenRange};

/// How far one unit of W_up reaches, as a share of the activations' length that W_down is scaled to.
const UP_SHARE: f64 = 0.1;

/// One variable a layer, or two of a network.
pub(crate) struct Variables {
    layers: BTreeMap<usize, Variable>,
    networks: BTreeMap<usize, Network>,
    site: Site,
    range: TokenRange,
}

/// What is added at a layer: `scale` times `value`.
struct Variable {
    value: Var, // (1, width)
    scale: f64,
}

/// The matrices of a network, each with its scale.
struct Network {
    down: Variable, // (rank, width)
    up: Variable,   // (width, rank)
}

impl Variable {
    /// `values` in units of `scale`.
    fn new(values: &[f32], shape: (usize, usize), scale: f64, device: &Device) -> Result<Self> {
        let values: Vec<f32> = values.iter().map(|value| (f64::from(*value) / scale) as f32).collect();
        Ok(Self { value: Var::from_vec(values, shape, device)?, scale })
    }

    fn values(&self) -> Result<Vec<f32>> {
        let values: Vec<f32> = self.value.flatten_all()?.to_vec1()?;
        Ok(values.iter().map(|value| (f64::from(*value) * self.scale) as f32).collect())
    }

    fn scaled(&self) -> Result<Tensor> {
        Ok((self.value.as_tensor() * self.scale)?)
    }
}

impl Network {
    /// W_down in units of its root mean square ρ. It is drawn so that its outputs are of about 1, so activations have a root mean square of
    /// 1 / (ρ √width): W_up counts in a share of that.
    fn new(block: &InsideBlock, device: &Device) -> Result<Self> {
        let (rank, width) = (block.rank(), block.width());
        let root = root_mean_square(block.down());
        let up_scale = UP_SHARE / (root * (width as f64).sqrt() * (rank as f64).sqrt());
        let down = Variable::new(block.down(), (rank, width), root, device)?;
        Ok(Self { down, up: Variable::new(block.up(), (width, rank), up_scale, device)? })
    }

    fn block(&self) -> Result<InsideBlock> {
        InsideBlock::new(self.down.value.dim(1)?, self.down.values()?, self.up.values()?)
    }
}

impl Variables {
    /// 0 at every layer of `like`.
    pub(crate) fn zeros(like: &ControlVector, range: TokenRange, device: &Device) -> Result<Self> {
        let zero = |(&layer, values): (&usize, &Vec<f32>)| {
            Ok((layer, Variable { value: Var::zeros((1, values.len()), DType::F32, device)?, scale: 1.0 }))
        };
        let layers = like.layers.iter().map(zero).collect::<Result<_>>()?;
        Ok(Self { layers, networks: BTreeMap::new(), site: like.site, range })
    }

    /// `start`, each layer in units of its root mean square there: an optimiser's step then moves all layers by like shares.
    pub(crate) fn scaled(start: &ControlVector, range: TokenRange, device: &Device) -> Result<Self> {
        let scaled = |(&layer, values): (&usize, &Vec<f32>)| {
            Ok((layer, Variable::new(values, (1, values.len()), root_mean_square(values), device)?))
        };
        let network =
            |(&layer, block): (&usize, &std::sync::Arc<InsideBlock>)| Ok((layer, Network::new(block, device)?));
        let layers = start.layers.iter().map(scaled).collect::<Result<_>>()?;
        let networks = start.inside.iter().map(network).collect::<Result<_>>()?;
        Ok(Self { layers, networks, site: start.site, range })
    }

    /// The variables by layer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Var)> {
        self.layers.iter().map(|(&layer, variable)| (layer, &variable.value))
    }

    /// All variables with names that begin with `prefix`.
    pub(crate) fn parameters(&self, prefix: &str) -> Vec<Parameter> {
        let parameter = |name: String, variable: &Variable| Parameter { name, variable: variable.value.clone() };
        let vectors =
            self.layers.iter().map(|(layer, variable)| parameter(format!("{prefix}vector.{layer}"), variable));
        let networks = self.networks.iter().flat_map(|(layer, network)| {
            let name = |matrix: &str| format!("{prefix}blocks.{layer}.{matrix}");
            [parameter(name("down"), &network.down), parameter(name("up"), &network.up)]
        });
        vectors.chain(networks).collect()
    }

    /// What one unit of coefficient adds now.
    pub(crate) fn vector(&self) -> crate::Result<ControlVector> {
        if self.layers.is_empty() {
            let block = |(&layer, network): (&usize, &Network)| Ok((layer, network.block()?));
            let networks = self.networks.iter().map(block).collect::<Result<_>>()?;
            return Ok(ControlVector::of_networks(networks)?.at(self.site));
        }
        let values = |(&layer, variable): (&usize, &Variable)| Ok((layer, variable.values()?));
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
        let Variables { layers, networks, site, .. } = self.variables;
        let has = |layer: usize| layers.contains_key(&layer) || networks.contains_key(&layer);
        matches!(point, HookPoint::Block { layer, site: here } if here == *site && has(layer))
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        let HookPoint::Block { layer, .. } = point else { return Ok(None) };
        let factors = |scale: f64| -> Result<Tensor> {
            Ok(Tensor::from_vec(self.factors(layout, scale), (layout.n_tokens(), 1), x.device())?)
        };
        if let Some(Network { down, up }) = self.variables.networks.get(&layer) {
            let delta = inside_delta(x, &down.scaled()?, &up.scaled()?)?; // (n_tokens, width)
            return Ok(Some((x + delta.broadcast_mul(&factors(1.0)?)?)?));
        }
        let Some(variable) = self.variables.layers.get(&layer) else { return Ok(None) };
        let added = factors(variable.scale)?.matmul(&variable.value)?; // (n_tokens, width)
        Ok(Some((x + added.reshape(x.shape())?)?))
    }
}

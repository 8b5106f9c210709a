//! Hook points inside the decoder and the trait that reads or replaces activations there.
//!
//! Names follow TransformerLens. Activations travel *packed*: all tokens of all rows of one forward pass form one
//! matrix `(n_tokens, width)`, and a [`TokenLayout`] says which row and position each line belongs to. There is no
//! padding, so a hook never sees a token that does not exist.

use std::fmt;
use std::str::FromStr;

use candle_core::Tensor;

use crate::{Error, ModelConfig, Result};

/// A place inside one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Site {
    /// Residual stream entering the block.
    ResidPre,
    /// Residual stream between attention and MLP.
    ResidMid,
    /// Residual stream leaving the block.
    #[default]
    ResidPost,
    /// Output of the attention layer, before it is added.
    AttnOut,
    /// Output of the MLP, before it is added.
    MlpOut,
    /// Per-head attention output before the output projection, `(n_tokens, n_heads, head_dim)`.
    AttnZ,
    /// Attention probabilities, read-only, one call a chunk: `(rows, n_heads, new_tokens, positions)`.
    AttnPattern,
}

const SITES: [(Site, &str); 7] = [
    (Site::ResidPre, "hook_resid_pre"),
    (Site::ResidMid, "hook_resid_mid"),
    (Site::ResidPost, "hook_resid_post"),
    (Site::AttnOut, "hook_attn_out"),
    (Site::MlpOut, "hook_mlp_out"),
    (Site::AttnZ, "attn.hook_z"),
    (Site::AttnPattern, "attn.hook_pattern"),
];

/// A site of one layer, or a place outside the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HookPoint {
    /// Token embeddings: `hook_embed`.
    Embed,
    /// A site of a block: `blocks.{layer}.{site}`; layers count from 0.
    Block {
        /// The block.
        layer: usize,
        /// The place in the block.
        site: Site,
    },
    /// Output of the final norm: `ln_final.hook_normalized`.
    FinalNorm,
}

impl HookPoint {
    /// Residual stream leaving block `layer`.
    pub fn resid_post(layer: usize) -> Self {
        Self::Block { layer, site: Site::ResidPost }
    }
}

impl Site {
    /// Values of an activation here: all heads together at [`Site::AttnZ`]; `None` for attention patterns, which have no fixed width.
    pub fn width(self, config: &ModelConfig) -> Option<usize> {
        match self {
            Self::AttnPattern => None,
            Self::AttnZ => Some(config.n_heads * config.head_dim),
            Self::ResidPre | Self::ResidMid | Self::ResidPost | Self::AttnOut | Self::MlpOut => {
                Some(config.hidden_size)
            }
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SITES.iter().find(|(site, _)| site == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Site {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = SITES.iter().find(|(_, n)| *n == name || n.strip_prefix("hook_") == Some(name));
        found.map(|(site, _)| *site).ok_or_else(|| Error::UnknownHookPoint { name: name.into() })
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embed => f.write_str("hook_embed"),
            Self::Block { layer, site } => write!(f, "blocks.{layer}.{site}"),
            Self::FinalNorm => f.write_str("ln_final.hook_normalized"),
        }
    }
}

impl FromStr for HookPoint {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let unknown = || Error::UnknownHookPoint { name: name.into() };
        match name {
            "hook_embed" => Ok(Self::Embed),
            "ln_final.hook_normalized" => Ok(Self::FinalNorm),
            _ => {
                let (layer, site) =
                    name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')).ok_or_else(unknown)?;
                let layer = layer.parse().map_err(|_| unknown())?;
                Ok(Self::Block { layer, site: site.parse().map_err(|_| unknown())? })
            }
        }
    }
}

/// Row id of tokens that are computed once for several rows (a shared prompt).
pub const SHARED_ROW: usize = usize::MAX;

/// Consecutive tokens of one row inside a packed matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSpan {
    /// The caller's row id, or [`SHARED_ROW`].
    pub row: usize,
    /// First line of the packed matrix.
    pub start: usize,
    /// Number of lines.
    pub len: usize,
    /// Position of the first token in its sequence, from 0.
    pub position: usize,
}

/// Which row and position every line of a packed matrix belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenLayout {
    /// Spans in packed order, without gaps.
    pub spans: Vec<TokenSpan>,
}

impl TokenLayout {
    /// Number of lines of the packed matrix.
    pub fn n_tokens(&self) -> usize {
        self.spans.last().map_or(0, |span| span.start + span.len)
    }
}

/// Reads or replaces activations during a forward pass.
///
/// A hook is an argument of the pass: nothing is registered, so nothing has to be removed.
///
/// # Example
/// The residual stream behind the first block, pushed away from 0:
/// ```
/// use candle_core::Tensor;
/// use redline_model::hook::TokenLayout;
/// use redline_model::train::Parameters;
/// use redline_model::{Chunk, Hook, HookPoint, ModelConfig, NoHook, Past, Result, Wanted};
///
/// struct Double;
///
/// impl Hook for Double {
///     fn wants(&self, point: HookPoint) -> bool {
///         point == HookPoint::resid_post(0)
///     }
///
///     fn on(&mut self, _: HookPoint, x: &Tensor, _: &TokenLayout) -> Result<Option<Tensor>> {
///         Ok(Some((x * 2.0)?))
///     }
/// }
///
/// let decoder = Parameters::from_scratch(ModelConfig::llama([320, 32, 64, 2, 4], 256), 7)?.inference_decoder()?;
/// let mut last_states = |hook: &mut dyn Hook| -> Result<Vec<f32>> {
///     let mut chunks = [Chunk { tokens: &[3, 1, 4], past: Past::None { row: 0 } }];
///     let states = decoder.forward(&mut chunks, hook, &Wanted::LastOfRow)?;
///     Ok(states.map_or(Ok(Vec::new()), |states| states.flatten_all()?.to_vec1())?)
/// };
/// assert_ne!(last_states(&mut Double)?, last_states(&mut NoHook)?);
/// # Ok::<(), redline_model::Error>(())
/// ```
pub trait Hook {
    /// Whether [`Hook::on`] shall be called at `point`; a site nobody asked for costs nothing.
    fn wants(&self, point: HookPoint) -> bool;

    /// Sees the activation at `point`; `None` leaves it unchanged, `Some` replaces it.
    ///
    /// # Shapes
    /// `x`: (n_tokens, hidden_size), a line a token of `layout`; at [`Site::AttnZ`] (n_tokens, n_heads, head_dim), at
    /// [`Site::AttnPattern`] (rows, n_heads, new tokens, positions) of one chunk, which is read-only. What replaces it has the same shape.
    ///
    /// # Errors
    /// Any error ends the pass.
    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>>;

    /// The block after which this hook needs nothing more. When the caller wants no output either, the pass ends
    /// there.
    fn last_layer(&self) -> Option<usize> {
        None
    }
}

/// The hook that does nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;

impl Hook for NoHook {
    fn wants(&self, _: HookPoint) -> bool {
        false
    }

    fn on(&mut self, _: HookPoint, _: &Tensor, _: &TokenLayout) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// A hook that may be missing.
impl<H: Hook> Hook for Option<H> {
    fn wants(&self, point: HookPoint) -> bool {
        self.as_ref().is_some_and(|hook| hook.wants(point))
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        match self {
            Some(hook) => hook.on(point, x, layout),
            None => Ok(None),
        }
    }

    fn last_layer(&self) -> Option<usize> {
        self.as_ref().and_then(Hook::last_layer)
    }
}

/// Two hooks one after the other: the second sees what the first returned.
pub struct Then<'a>(pub &'a mut dyn Hook, pub &'a mut dyn Hook);

impl Hook for Then<'_> {
    fn wants(&self, point: HookPoint) -> bool {
        self.0.wants(point) || self.1.wants(point)
    }

    fn on(&mut self, point: HookPoint, x: &Tensor, layout: &TokenLayout) -> Result<Option<Tensor>> {
        let first = if self.0.wants(point) { self.0.on(point, x, layout)? } else { None };
        let second = match self.1.wants(point) {
            true => self.1.on(point, first.as_ref().unwrap_or(x), layout)?,
            false => None,
        };
        Ok(second.or(first))
    }

    fn last_layer(&self) -> Option<usize> {
        Some(self.0.last_layer()?.max(self.1.last_layer()?))
    }
}

/// Leading blocks in which a hook sees and changes nothing before their output.
pub(crate) fn untouched_blocks(hook: &dyn Hook, n_layers: usize) -> usize {
    let wants = |layer: usize, site: Site| hook.wants(HookPoint::Block { layer, site });
    let is_inside = |layer: usize| SITES.iter().any(|&(site, _)| site != Site::ResidPost && wants(layer, site));
    if hook.wants(HookPoint::Embed) {
        return 0;
    }
    for layer in 0..n_layers {
        if is_inside(layer) {
            return layer;
        }
        if wants(layer, Site::ResidPost) {
            return layer + 1;
        }
    }
    n_layers
}

/// Calls `hook` at `point` if it asked for it and checks the shape of what comes back.
pub(crate) fn visit(hook: &mut dyn Hook, point: HookPoint, x: Tensor, layout: &TokenLayout) -> Result<Tensor> {
    if !hook.wants(point) {
        return Ok(x);
    }
    match hook.on(point, &x, layout)? {
        None => Ok(x),
        Some(replaced) if replaced.dims() == x.dims() => Ok(replaced),
        Some(replaced) => Err(Error::HookShape {
            point: point.to_string(),
            got: replaced.dims().to_vec(),
            expected: x.dims().to_vec(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_is_told_all_sites() {
        let hint = "foo".parse::<Site>().unwrap_err().hint().unwrap_or_default();
        for (_, name) in SITES {
            let name = name.strip_prefix("hook_").unwrap_or(name);
            assert!(hint.contains(name), "{name}: {hint}");
        }
    }

    #[test]
    fn names_round_trip() {
        for name in [
            "hook_embed",
            "blocks.5.hook_resid_post",
            "blocks.0.attn.hook_z",
            "blocks.11.attn.hook_pattern",
            "ln_final.hook_normalized",
        ] {
            assert_eq!(name.parse::<HookPoint>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn blocks_are_untouched_up_to_the_first_point() {
        struct Wants(&'static str);
        impl Hook for Wants {
            fn wants(&self, point: HookPoint) -> bool {
                point.to_string() == self.0
            }

            fn on(&mut self, _: HookPoint, _: &Tensor, _: &TokenLayout) -> Result<Option<Tensor>> {
                Ok(None)
            }
        }
        let cases = [
            ("hook_embed", 0),
            ("blocks.2.hook_resid_post", 3),
            ("blocks.2.attn.hook_z", 2),
            ("blocks.0.hook_resid_pre", 0),
        ];
        for (name, expected) in cases {
            assert_eq!(untouched_blocks(&Wants(name), 4), expected, "{name}");
        }
        assert_eq!(untouched_blocks(&NoHook, 4), 4);
    }

    #[test]
    fn unknown_names_are_refused() {
        for name in ["", "blocks.5", "blocks.x.hook_resid_post", "blocks.1.hook_nothing", "resid_post"] {
            assert!(name.parse::<HookPoint>().is_err(), "{name}");
        }
    }

    #[test]
    fn sites_parse_with_and_without_prefix() {
        assert_eq!("resid_post".parse::<Site>().unwrap(), Site::ResidPost);
        assert_eq!("hook_mlp_out".parse::<Site>().unwrap(), Site::MlpOut);
    }
}

//! Which tensors a configuration asks for: whether a file holds them, and what else it holds.

use super::stored::{Part, Stored};
use crate::ModelConfig;

/// Ends of names that old files hold and no reader needs: frequencies are computed.
const NEEDLESS: [&str; 2] = ["rotary_emb.inv_freq", "masked_bias"];

/// A tensor of a file, by its Hugging Face name.
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
}

/// What a file holds beyond what is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unused {
    pub(crate) names: Vec<String>,
}

impl Unused {
    /// The names that are not among those used, of those that could mean something.
    pub(crate) fn new<'a>(held: impl Iterator<Item = &'a str>, used: &std::collections::HashSet<String>) -> Self {
        let is_unused = |name: &&str| !used.contains(*name) && !NEEDLESS.iter().any(|end| name.ends_with(end));
        let mut names: Vec<String> = held.filter(is_unused).map(str::to_owned).collect();
        names.sort_unstable();
        Self { names }
    }
}

/// Every tensor that a file of this configuration holds, fused where the family's files fuse.
pub(crate) fn expected(config: &ModelConfig) -> Vec<Expected> {
    let hidden = config.hidden_size;
    let mut all =
        vec![tensor("model.embed_tokens.weight", &[config.vocab_size, hidden]), tensor("model.norm.weight", &[hidden])];
    if !config.tie_embeddings {
        all.push(tensor("lm_head.weight", &[config.vocab_size, hidden]));
    }
    for layer in 0..config.n_layers {
        let norms = norms(config).into_iter().map(|(name, width)| (name, vec![width]));
        let linears = linears(config).into_iter().flat_map(|(name, [out, input], bias)| {
            let weight = (format!("{name}.weight"), vec![out, input]);
            [Some(weight), bias.then(|| (format!("{name}.bias"), vec![out]))].into_iter().flatten()
        });
        all.extend(norms.chain(linears).filter_map(|(name, shape)| in_file(layer, &name, shape, config)));
    }
    all
}

fn tensor(name: &str, shape: &[usize]) -> Expected {
    Expected { name: name.into(), shape: shape.to_vec() }
}

/// A part of a block as files hold it; `None` for all parts of a fused tensor but the first.
fn in_file(layer: usize, name: &str, mut shape: Vec<usize>, config: &ModelConfig) -> Option<Expected> {
    let Stored { name, part } = Stored::of(&format!("model.layers.{layer}.{name}"), config);
    match part {
        Some(Part { start, .. }) if start > 0 => return None,
        Some(Part { of, .. }) => shape[0] = of,
        None => {}
    }
    Some(Expected { name, shape })
}

fn norms(config: &ModelConfig) -> Vec<(String, usize)> {
    let (hidden, head) = (config.hidden_size, config.head_dim);
    let mut norms = vec![("input_layernorm", hidden), ("post_attention_layernorm", hidden)];
    if config.post_norms {
        norms.extend([("pre_feedforward_layernorm", hidden), ("post_feedforward_layernorm", hidden)]);
    }
    if config.qk_norm {
        norms.extend([("self_attn.q_norm", head), ("self_attn.k_norm", head)]);
    }
    norms.into_iter().map(|(name, width)| (format!("{name}.weight"), width)).collect()
}

/// Linear layers of a block: name, shape, whether they have a bias.
pub(crate) fn linears(config: &ModelConfig) -> [(&'static str, [usize; 2], bool); 7] {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
    [
        ("self_attn.q_proj", [q, hidden], config.qkv_bias),
        ("self_attn.k_proj", [kv, hidden], config.qkv_bias),
        ("self_attn.v_proj", [kv, hidden], config.qkv_bias),
        ("self_attn.o_proj", [hidden, q], config.output_bias),
        ("mlp.gate_proj", [inner, hidden], config.mlp_bias),
        ("mlp.up_proj", [inner, hidden], config.mlp_bias),
        ("mlp.down_proj", [hidden, inner], config.mlp_bias),
    ]
}

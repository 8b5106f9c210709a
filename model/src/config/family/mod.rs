//! What sets a family apart: every fact about one stands in [`table`], and nothing else compares a family's name.
//!
//! A model's own numbers are in [`super::ModelConfig`]; a family says what its files leave unsaid, which keys they have, and how their
//! tensors are stored.

mod table;

use std::path::Path;

use super::Activation;
use crate::{Error, Result};

use table::FAMILIES;

/// Architectures the decoder knows.
pub const SUPPORTED_ARCHITECTURES: &[&str] = &names();

const fn names() -> [&'static str; FAMILIES.len()] {
    let mut names = [""; FAMILIES.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = FAMILIES[i].name;
        i += 1;
    }
    names
}

/// A family of models.
#[derive(Debug)]
pub(crate) struct Family {
    /// Canonical name.
    pub(crate) name: &'static str,
    /// The function of the MLP's gate.
    pub(crate) activation: Activation,
    /// Whether q, k and v carry a bias though the configuration does not say so.
    pub(crate) qkv_bias: bool,
    /// Whether queries and keys are normalised per head.
    pub(crate) qk_norm: bool,
    /// Whether outputs of attention and MLP are normalised before they are added.
    pub(crate) post_norms: bool,
    /// Whether embeddings are multiplied with √hidden_size.
    pub(crate) scales_embeddings: bool,
    /// Whether the embedding is the output projection when the configuration does not say.
    pub(crate) ties_embeddings: bool,
    /// Which layers look at a window.
    pub(crate) pattern: WindowPattern,
    /// Every nth layer leaves queries and keys unrotated where the configuration does not say; `None`: all rotate them.
    pub(crate) unrotated_every: Option<usize>,
    /// What its `config.json` looks like.
    pub(crate) config: ConfigFacts,
    /// How Hugging Face files hold its tensors.
    pub(crate) weights: WeightFacts,
    /// What llama.cpp makes of it.
    pub(crate) gguf: GgufFacts,
}

/// Which layers look at a window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WindowPattern {
    /// None, whatever the configuration says.
    None,
    /// Every layer, where the configuration names a window.
    All,
    /// All but every nth.
    AllButEvery(usize),
    /// From `max_window_layers` on, where `use_sliding_window` is set.
    Last,
    /// Those that leave queries and keys unrotated, where `use_sliding_window` is set.
    Unrotated,
}

/// What a configuration says about which layers have a window.
#[derive(Debug, Default)]
pub(super) struct WindowHabit<'a> {
    /// The first of [`WindowPattern::Last`].
    pub(super) first: usize,
    /// The number of [`WindowPattern::AllButEvery`], where it is another than the family's.
    pub(super) every: Option<usize>,
    /// Layers that leave queries and keys unrotated.
    pub(super) unrotated: &'a [usize],
}

/// A family's `config.json`.
#[derive(Debug)]
pub(crate) struct ConfigFacts {
    /// `model_type`, of the text part where a model also sees images.
    pub(crate) model_type: &'static str,
    /// The name of its class in transformers.
    pub(crate) class_name: &'static str,
    /// Whether there are models whose `text_config` is one of this family.
    pub(crate) is_text_part: bool,
    /// The family whose `config.json` can say that layers have a window, where this one's cannot.
    pub(crate) windowed: Option<&'static str>,
    /// What transformers takes for a key that is absent; a key that is null says that there is none.
    pub(crate) defaults: &'static [(&'static str, f64)],
    /// The key that names the activation, and the names that mean the family's.
    pub(crate) activation: (&'static str, &'static [&'static str]),
    /// What `attention_bias` means.
    pub(crate) bias: BiasKey,
    /// Whether `mlp_bias` is a key.
    pub(crate) has_mlp_bias: bool,
    /// How rotation is described.
    pub(crate) rotation: RotationKeys,
    /// Whether `sliding_window_pattern` is a key.
    pub(crate) has_window_pattern: bool,
    /// Whether `query_pre_attn_scalar` is a key, from which scores get their factor.
    pub(crate) has_query_width: bool,
    /// Which of scores and logits can be capped.
    pub(crate) caps: Caps,
    /// Whether `embedding_multiplier`, `attention_multiplier`, `residual_multiplier` and `logits_scaling` are keys.
    pub(crate) has_multipliers: bool,
}

/// What `attention_bias` in `config.json` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BiasKey {
    /// That q, k, v and the output projection carry a bias.
    All,
    /// Nothing: q, k and v carry a bias, the output projection never.
    Ignored,
    /// It is no key: there is no bias.
    None,
}

/// How `config.json` describes rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RotationKeys {
    /// By one dictionary.
    One,
    /// By one dictionary for layers that see all positions and one for layers with a window.
    ByLayerKind,
    /// By one dictionary that knows LongRoPE only, with a share of the dimensions that rotate.
    Long,
}

/// Which values can be capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caps {
    /// None.
    None,
    /// Logits; the key for scores is there, and does nothing.
    Logits,
    /// Attention scores and logits.
    ScoresAndLogits,
}

/// A family's tensors in Hugging Face files.
#[derive(Debug)]
pub(crate) struct WeightFacts {
    /// What norm weights leave out: Gemma's hold w − 1.
    pub(crate) norm_offset: f64,
    /// Whether q, k, v are one matrix, and gate and up.
    pub(crate) fuses_projections: bool,
}

/// A family in llama.cpp.
#[derive(Debug)]
pub(crate) struct GgufFacts {
    /// llama.cpp's name.
    pub(crate) architecture: &'static str,
    /// Whether rows of q and k are stored for the rotation of neighbouring pairs.
    pub(crate) permutes_rows: bool,
    /// Which linear layers may carry a bias.
    pub(crate) biases: GgufBiases,
    /// Whether rotary frequencies may have a divisor each.
    pub(crate) has_frequency_divisors: bool,
    /// What becomes of a window.
    pub(crate) window: GgufWindow,
    /// The window where the file names none.
    pub(crate) default_window: Option<usize>,
    /// Caps of scores and logits where the file names none; `None`: nothing is capped.
    pub(crate) default_caps: Option<[f32; 2]>,
    /// Number of blocks of the model whose queries are scaled by hidden_size / n_heads instead of the heads' width.
    pub(crate) n_layers_scaled_by_hidden_size: Option<usize>,
    /// Whether the embedding is the output projection in all its files.
    pub(crate) always_ties: bool,
    /// Whether files hold factors of embeddings, scores, outputs of blocks' parts, and logits. Then they also say whether anything
    /// rotates, by a key that means nothing elsewhere.
    pub(crate) has_scales: bool,
}

/// Linear layers with a bias in llama.cpp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GgufBiases {
    /// Any.
    Any,
    /// Those of q, k and v.
    Qkv,
    /// None.
    None,
}

/// What llama.cpp makes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GgufWindow {
    /// Files have none.
    None,
    /// Files name it for all layers, and llama.cpp passes over it.
    Ignored,
    /// It follows the family's pattern.
    Pattern,
}

impl Family {
    /// The family that most others are described by.
    pub(crate) const LLAMA: Self = table::LLAMA;

    /// The family of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.name == name)
    }

    /// The family of a file.
    ///
    /// # Errors
    /// [`Error::UnsupportedArchitecture`] for a name that is none's.
    pub(super) fn of_file(path: &Path, name: &str) -> Result<&'static Self> {
        Self::named(name).ok_or_else(|| Error::UnsupportedArchitecture {
            path: path.into(),
            got: name.into(),
            supported: SUPPORTED_ARCHITECTURES.join(", "),
        })
    }

    /// The family of this `model_type`.
    pub(super) fn of_model_type(path: &Path, model_type: &str) -> Result<&'static Self> {
        Self::of_file(path, model_type.strip_suffix("_text").unwrap_or(model_type))
    }

    /// Whether layers with a window rotate by frequencies of their own.
    pub(crate) fn has_local_rope(&self) -> bool {
        self.config.rotation == RotationKeys::ByLayerKind
    }

    /// Whether windows differ between layers, so that `config.json` names the kind of each.
    pub(crate) fn names_layer_kinds(&self) -> bool {
        !matches!(self.pattern, WindowPattern::None | WindowPattern::All)
    }

    /// Whether windows count only where `use_sliding_window` is set.
    pub(crate) fn switches_windows(&self) -> bool {
        matches!(self.pattern, WindowPattern::Last | WindowPattern::Unrotated)
    }

    /// The layers that leave queries and keys unrotated, where every nth does.
    pub(crate) fn unrotated_layers(every: Option<usize>, n_layers: usize) -> Vec<usize> {
        let is_unrotated = |layer: &usize| every.is_some_and(|every| (layer + 1).is_multiple_of(every));
        (0..n_layers).filter(is_unrotated).collect()
    }

    /// Whether scores can be capped.
    pub(crate) fn caps_scores(&self) -> bool {
        self.config.caps == Caps::ScoresAndLogits
    }

    /// Whether logits can be capped.
    pub(crate) fn caps_logits(&self) -> bool {
        self.config.caps != Caps::None
    }

    /// The window of each layer.
    pub(super) fn windows(
        &self,
        window: Option<usize>,
        n_layers: usize,
        habit: &WindowHabit<'_>,
    ) -> Vec<Option<usize>> {
        let has_window = |layer: usize| match self.pattern {
            WindowPattern::None => false,
            WindowPattern::All => true,
            WindowPattern::AllButEvery(n) => !(layer + 1).is_multiple_of(habit.every.unwrap_or(n)),
            WindowPattern::Last => layer >= habit.first,
            WindowPattern::Unrotated => habit.unrotated.contains(&layer),
        };
        (0..n_layers).map(|layer| window.filter(|_| has_window(layer))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_one_family() {
        for name in SUPPORTED_ARCHITECTURES {
            assert_eq!(FAMILIES.iter().filter(|family| family.name == *name).count(), 1, "{name}");
            assert_eq!(Family::of_file(Path::new("x"), name).unwrap().name, *name);
        }
        assert!(Family::of_file(Path::new("x"), "mamba").is_err());
    }

    #[test]
    fn facts_of_a_family_agree_with_each_other() {
        for family in FAMILIES {
            let name = family.name;
            let by_type = Family::of_model_type(Path::new("x"), family.config.model_type).unwrap();
            assert_eq!(by_type.name, name);
            assert!(Family::named(family.gguf.architecture).is_some(), "{name}: a GGUF file of it cannot be read");
            assert_eq!(family.qkv_bias, family.config.bias == BiasKey::Ignored, "{name}");
            assert!(family.config.windowed.is_none_or(|other| Family::named(other).is_some()), "{name}");
            assert!(family.gguf.default_caps.is_none() || family.caps_scores(), "{name}");
        }
    }

    #[test]
    fn windows_by_pattern() {
        let habit = WindowHabit { first: 2, every: None, unrotated: &[1] };
        let windows = |name: &str, n| Family::named(name).unwrap().windows(Some(8), n, &habit);
        assert_eq!(windows("mistral", 2), [Some(8), Some(8)]);
        assert_eq!(windows("gemma2", 4), [Some(8), None, Some(8), None]);
        assert_eq!(windows("gemma3", 7)[4..], [Some(8), None, Some(8)]);
        assert_eq!(windows("qwen2", 3), [None, None, Some(8)]);
        assert_eq!(windows("llama", 2), [None, None]);
        let gemma3 = Family::named("gemma3").unwrap();
        let every = WindowHabit { every: Some(2), ..WindowHabit::default() };
        assert_eq!(gemma3.windows(Some(8), 3, &every), [Some(8), None, Some(8)]);
        assert_eq!(windows("smollm3", 3), [None, Some(8), None]);
    }
}

//! What sets a family apart where its files do not say it.

use std::path::Path;

use super::Activation;
use crate::{Error, Result};

/// Architectures the decoder knows.
pub const SUPPORTED_ARCHITECTURES: &[&str] =
    &["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "phi3"];

/// Which layers look at a window only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowPattern {
    /// None, whatever the configuration says.
    None,
    /// Every layer, where the configuration names a window.
    All,
    /// All but every nth.
    AllButEvery(usize),
    /// From `max_window_layers` on, where `use_sliding_window` is set.
    Last,
}

/// Constants of a family.
pub(super) struct Family {
    /// Canonical name.
    pub(super) name: &'static str,
    pub(super) activation: Activation,
    /// Whether q, k and v carry a bias though the configuration does not say so.
    pub(super) qkv_bias: bool,
    pub(super) qk_norm: bool,
    pub(super) post_norms: bool,
    /// Whether embeddings are multiplied with √hidden_size.
    pub(super) scales_embeddings: bool,
    /// Whether the embedding is the output projection when the configuration does not say.
    pub(super) ties_embeddings: bool,
    pub(super) pattern: WindowPattern,
}

const LLAMA: Family = Family {
    name: "llama",
    activation: Activation::Silu,
    qkv_bias: false,
    qk_norm: false,
    post_norms: false,
    scales_embeddings: false,
    ties_embeddings: false,
    pattern: WindowPattern::None,
};

const GEMMA: Family =
    Family { name: "gemma", activation: Activation::GeluTanh, scales_embeddings: true, ties_embeddings: true, ..LLAMA };

const GEMMA2: Family = Family { name: "gemma2", post_norms: true, pattern: WindowPattern::AllButEvery(2), ..GEMMA };

const FAMILIES: [Family; 8] = [
    LLAMA,
    Family { name: "mistral", pattern: WindowPattern::All, ..LLAMA },
    Family { name: "qwen2", qkv_bias: true, pattern: WindowPattern::Last, ..LLAMA },
    Family { name: "qwen3", qk_norm: true, pattern: WindowPattern::Last, ..LLAMA },
    GEMMA,
    GEMMA2,
    Family { name: "gemma3", qk_norm: true, pattern: WindowPattern::AllButEvery(6), ..GEMMA2 },
    Family { name: "phi3", pattern: WindowPattern::All, ..LLAMA },
];

/// The family of this name.
pub(super) fn family(path: &Path, name: &str) -> Result<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| Error::UnsupportedArchitecture {
        path: path.into(),
        got: name.into(),
        supported: SUPPORTED_ARCHITECTURES.join(", "),
    })
}

impl Family {
    /// The window of each layer; `first` is the first layer with one, where the pattern is [`WindowPattern::Last`], `every` the
    /// number of [`WindowPattern::AllButEvery`] where the file says another.
    pub(super) fn windows(
        &self,
        window: Option<usize>,
        n_layers: usize,
        first: usize,
        every: Option<usize>,
    ) -> Vec<Option<usize>> {
        let has_window = |layer: usize| match self.pattern {
            WindowPattern::None => false,
            WindowPattern::All => true,
            WindowPattern::AllButEvery(n) => !(layer + 1).is_multiple_of(every.unwrap_or(n)),
            WindowPattern::Last => layer >= first,
        };
        (0..n_layers).map(|layer| window.filter(|_| has_window(layer))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_family() {
        for name in SUPPORTED_ARCHITECTURES {
            assert_eq!(family(Path::new("x"), name).unwrap().name, *name);
        }
        assert_eq!(FAMILIES.len(), SUPPORTED_ARCHITECTURES.len());
        assert!(family(Path::new("x"), "mamba").is_err());
    }

    #[test]
    fn windows_by_pattern() {
        let windows = |name: &str, n| family(Path::new("x"), name).unwrap().windows(Some(8), n, 2, None);
        assert_eq!(windows("mistral", 2), [Some(8), Some(8)]);
        assert_eq!(windows("gemma2", 4), [Some(8), None, Some(8), None]);
        assert_eq!(windows("gemma3", 7)[4..], [Some(8), None, Some(8)]);
        assert_eq!(windows("qwen2", 3), [None, None, Some(8)]);
        assert_eq!(windows("llama", 2), [None, None]);
        let gemma3 = family(Path::new("x"), "gemma3").unwrap();
        assert_eq!(gemma3.windows(Some(8), 3, 0, Some(2)), [Some(8), None, Some(8)]);
    }
}

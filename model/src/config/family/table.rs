//! The table of families: a row each, by what differs from Llama or from its own forerunner.

use super::{
    BiasKey, Caps, ConfigFacts, Family, GgufBiases, GgufFacts, GgufWindow, RotationKeys, WeightFacts, WindowPattern,
};
use crate::config::Activation;

/// Every family that the decoder knows.
pub(super) const FAMILIES: &[Family] = &[LLAMA, MISTRAL, QWEN2, QWEN3, GEMMA, GEMMA2, GEMMA3, PHI3, SMOLLM3, GRANITE];

const SILU: &[&str] = &["silu", "swish"];
const GELU: &[&str] = &["gelu_pytorch_tanh"];
/// In the first Gemma files `gelu` stands for its tanh approximation.
const OLD_GELU: &[&str] = &["gelu_pytorch_tanh", "gelu"];
const WINDOW: (&str, f64) = ("sliding_window", 4096.0);

pub(super) const LLAMA: Family = Family {
    name: "llama",
    activation: Activation::Silu,
    qkv_bias: false,
    qk_norm: false,
    post_norms: false,
    scales_embeddings: false,
    ties_embeddings: false,
    pattern: WindowPattern::None,
    unrotated_every: None,
    config: LLAMA_CONFIG,
    weights: WeightFacts { norm_offset: 0.0, fuses_projections: false },
    gguf: LLAMA_GGUF,
};

const LLAMA_CONFIG: ConfigFacts = ConfigFacts {
    model_type: "llama",
    class_name: "LlamaForCausalLM",
    is_text_part: false,
    windowed: Some("mistral"),
    defaults: &[],
    activation: ("hidden_act", SILU),
    bias: BiasKey::All,
    has_mlp_bias: true,
    rotation: RotationKeys::One,
    has_window_pattern: false,
    has_query_width: false,
    caps: Caps::None,
    has_multipliers: false,
};

/// Mistral's files have the architecture of Llama's.
const LLAMA_GGUF: GgufFacts = GgufFacts {
    architecture: "llama",
    permutes_rows: true,
    biases: GgufBiases::Any,
    has_frequency_divisors: true,
    window: GgufWindow::Ignored,
    ..OTHER_GGUF
};

/// What most families but Llama have in llama.cpp.
const OTHER_GGUF: GgufFacts = GgufFacts {
    architecture: "",
    permutes_rows: false,
    biases: GgufBiases::None,
    has_frequency_divisors: false,
    window: GgufWindow::None,
    default_window: None,
    default_caps: None,
    n_layers_scaled_by_hidden_size: None,
    always_ties: false,
    has_scales: false,
};

const MISTRAL: Family = Family {
    name: "mistral",
    pattern: WindowPattern::All,
    config: ConfigFacts {
        model_type: "mistral",
        class_name: "MistralForCausalLM",
        windowed: None,
        defaults: &[("num_key_value_heads", 8.0), WINDOW],
        bias: BiasKey::None,
        has_mlp_bias: false,
        ..LLAMA_CONFIG
    },
    ..LLAMA
};

const QWEN2: Family = Family {
    name: "qwen2",
    qkv_bias: true,
    pattern: WindowPattern::Last,
    config: ConfigFacts {
        model_type: "qwen2",
        class_name: "Qwen2ForCausalLM",
        windowed: None,
        defaults: &[("num_key_value_heads", 32.0), WINDOW, ("max_window_layers", 28.0)],
        bias: BiasKey::Ignored,
        has_mlp_bias: false,
        ..LLAMA_CONFIG
    },
    gguf: GgufFacts { architecture: "qwen2", biases: GgufBiases::Qkv, ..OTHER_GGUF },
    ..LLAMA
};

const QWEN3: Family = Family {
    name: "qwen3",
    qk_norm: true,
    pattern: WindowPattern::Last,
    config: ConfigFacts {
        model_type: "qwen3",
        class_name: "Qwen3ForCausalLM",
        windowed: None,
        defaults: &[("num_key_value_heads", 32.0), ("head_dim", 128.0), WINDOW, ("max_window_layers", 28.0)],
        has_mlp_bias: false,
        ..LLAMA_CONFIG
    },
    gguf: GgufFacts { architecture: "qwen3", ..OTHER_GGUF },
    ..LLAMA
};

const GEMMA: Family = Family {
    name: "gemma",
    activation: Activation::GeluTanh,
    scales_embeddings: true,
    ties_embeddings: true,
    config: ConfigFacts {
        model_type: "gemma",
        class_name: "GemmaForCausalLM",
        windowed: None,
        defaults: &[("num_key_value_heads", 16.0), ("head_dim", 256.0)],
        activation: ("hidden_act", OLD_GELU),
        has_mlp_bias: false,
        ..LLAMA_CONFIG
    },
    weights: WeightFacts { norm_offset: 1.0, fuses_projections: false },
    gguf: GgufFacts { architecture: "gemma", always_ties: true, ..OTHER_GGUF },
    ..LLAMA
};

const GEMMA2: Family = Family {
    name: "gemma2",
    post_norms: true,
    pattern: WindowPattern::AllButEvery(2),
    config: ConfigFacts {
        model_type: "gemma2",
        class_name: "Gemma2ForCausalLM",
        defaults: &[
            ("num_key_value_heads", 4.0),
            ("head_dim", 256.0),
            WINDOW,
            ("query_pre_attn_scalar", 256.0),
            ("attn_logit_softcapping", 50.0),
            ("final_logit_softcapping", 30.0),
        ],
        activation: ("hidden_activation", GELU),
        has_query_width: true,
        caps: Caps::ScoresAndLogits,
        ..GEMMA.config
    },
    gguf: GgufFacts {
        architecture: "gemma2",
        window: GgufWindow::Pattern,
        default_window: Some(4096),
        default_caps: Some([50.0, 30.0]),
        n_layers_scaled_by_hidden_size: Some(46), // 27 billion parameters
        always_ties: true,
        ..OTHER_GGUF
    },
    ..GEMMA
};

const GEMMA3: Family = Family {
    name: "gemma3",
    qk_norm: true,
    pattern: WindowPattern::AllButEvery(6),
    config: ConfigFacts {
        model_type: "gemma3_text",
        class_name: "Gemma3ForCausalLM",
        is_text_part: true,
        defaults: &[
            ("vocab_size", 262_208.0),
            ("num_attention_heads", 8.0),
            ("max_position_embeddings", 131_072.0),
            ("num_key_value_heads", 4.0),
            ("head_dim", 256.0),
            WINDOW,
            ("sliding_window_pattern", 6.0),
            ("query_pre_attn_scalar", 256.0),
            ("rope_theta", 1_000_000.0),
        ],
        rotation: RotationKeys::ByLayerKind,
        has_window_pattern: true,
        caps: Caps::Logits,
        ..GEMMA2.config
    },
    gguf: GgufFacts {
        architecture: "gemma3",
        window: GgufWindow::Pattern,
        n_layers_scaled_by_hidden_size: Some(62), // 27 billion parameters
        ..OTHER_GGUF
    },
    ..GEMMA2
};

const PHI3: Family = Family {
    name: "phi3",
    pattern: WindowPattern::All,
    config: ConfigFacts {
        model_type: "phi3",
        class_name: "Phi3ForCausalLM",
        windowed: None,
        defaults: &[("rms_norm_eps", 1e-5), ("original_max_position_embeddings", 4096.0)],
        bias: BiasKey::None,
        has_mlp_bias: false,
        rotation: RotationKeys::Long,
        ..LLAMA_CONFIG
    },
    weights: WeightFacts { norm_offset: 0.0, fuses_projections: true },
    gguf: GgufFacts { architecture: "phi3", window: GgufWindow::Ignored, ..OTHER_GGUF },
    ..LLAMA
};

const SMOLLM3: Family = Family {
    name: "smollm3",
    ties_embeddings: true,
    pattern: WindowPattern::Unrotated,
    unrotated_every: Some(4),
    config: ConfigFacts {
        model_type: "smollm3",
        class_name: "SmolLM3ForCausalLM",
        windowed: None,
        defaults: &[("num_key_value_heads", 4.0), ("rope_theta", 2_000_000.0)],
        ..LLAMA_CONFIG
    },
    gguf: GgufFacts { architecture: "smollm3", permutes_rows: true, ..OTHER_GGUF },
    ..LLAMA
};

const GRANITE: Family = Family {
    name: "granite",
    config: ConfigFacts {
        model_type: "granite",
        class_name: "GraniteForCausalLM",
        windowed: None,
        defaults: &[
            ("embedding_multiplier", 1.0),
            ("attention_multiplier", 1.0),
            ("residual_multiplier", 1.0),
            ("logits_scaling", 1.0),
        ],
        has_multipliers: true,
        ..LLAMA_CONFIG
    },
    gguf: GgufFacts { architecture: "granite", window: GgufWindow::None, has_scales: true, ..LLAMA_GGUF },
    ..LLAMA
};

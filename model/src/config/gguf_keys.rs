//! The keys of a GGUF file's metadata, without the architecture's name that they begin with.
//!
//! llama.cpp takes numbers from keys that begin with the architecture's name only, and texts are cut into tokens by those that begin with
//! `tokenizer.`; all others but a few of `general.…` are remarks of the programs that wrote the file.

use super::family::{Family, GgufWindow};
use super::keys::Neutral::{Flag, Number, Text};
use super::keys::{Key, KeyList, Neutral, only, only_if, read, read_if};

const HAS_SCALES: fn(&Family) -> bool = |family| family.gguf.has_scales;
const CAPS: fn(&Family) -> bool = |family| family.gguf.default_caps.is_some();
const OFF: &[Neutral] = &[Flag(false)];
const ZERO: &[Neutral] = &[Number(0.0)];
const ONE: &[Neutral] = &[Number(1.0)];
/// llama.cpp takes 0 for a factor that is not given.
const ZERO_OR_ONE: &[Neutral] = &[Number(0.0), Number(1.0)];

const EXPERTS: &str = "a mixture of experts";
const ROTATION: &str = "another rotation of queries and keys";
const SCALE: &str = "scaled activations";
const WINDOW: &str = "a sliding window, which the family does not have";
const SHAPES: &str = "heads of another width in some layers";
const LATENT: &str = "latent attention";

/// Keys that begin with the architecture's name.
pub(crate) const GGUF_KEYS: KeyList = KeyList { keys: KEYS, harmless: HARMLESS };

/// Keys of the file as a whole.
pub(crate) const GENERAL_KEYS: KeyList =
    KeyList { keys: &[only("general.type", "no model", &[Text("model")])], harmless: &[] };

/// Keys that begin with `tokenizer.`, but for chat templates.
pub(crate) const TOKENIZER_KEYS: KeyList = KeyList {
    keys: &[
        read("ggml.model"),
        read("ggml.pre"),
        read("ggml.tokens"),
        read("ggml.token_type"),
        read("ggml.scores"),
        read("ggml.merges"),
        read("ggml.bos_token_id"),
        read("ggml.eos_token_id"),
        read("ggml.eot_token_id"),
        read("ggml.eom_token_id"),
        read("ggml.unknown_token_id"),
        read("ggml.add_bos_token"),
        read("ggml.add_eos_token"),
        read("ggml.add_space_prefix"),
        only("ggml.add_sep_token", "a separator after each text", OFF),
        only("ggml.normalizer.lowercase", "texts in lower case", OFF),
    ],
    harmless: &[
        "ggml.padding_token_id",
        "ggml.seperator_token_id",
        "ggml.separator_token_id",
        "ggml.cls_token_id",
        "ggml.mask_token_id",
        "ggml.prefix_token_id",
        "ggml.suffix_token_id",
        "ggml.middle_token_id",
        "ggml.fim_pre_token_id",
        "ggml.fim_suf_token_id",
        "ggml.fim_mid_token_id",
        "ggml.fim_pad_token_id",
        "ggml.fim_rep_token_id",
        "ggml.fim_sep_token_id",
        "ggml.token_type_count",
        "ggml.added_tokens",
        // llama.cpp heeds these for unigram vocabularies only, which are refused
        "ggml.remove_extra_whitespaces",
        "ggml.precompiled_charsmap",
        "huggingface.json",
        "rwkv.world",
    ],
};

const KEYS: &[Key] = &[
    read("vocab_size"),
    read("context_length"),
    read("embedding_length"),
    read("block_count"),
    read("feed_forward_length"),
    read("attention.head_count"),
    read("attention.head_count_kv"),
    read("attention.key_length"),
    read("attention.value_length"),
    read("attention.layer_norm_rms_epsilon"),
    read("rope.dimension_count"),
    read("rope.freq_base"),
    read("rope.scale_linear"),
    read("rope.scaling.type"),
    read("rope.scaling.factor"),
    read("rope.scaling.original_context_length"),
    read("rope.scaling.attn_factor"),
    read_if("rope.freq_base_swa", Family::has_local_rope),
    only("rope.freq_base_swa", ROTATION, &[]),
    only("rope.freq_base_per_layer", ROTATION, &[]),
    only("rope.dimension_count_swa", ROTATION, &[]),
    only("rope.dimension_sections", ROTATION, &[]),
    only("rope.scaling.alpha", ROTATION, ZERO_OR_ONE),
    only("rope.scaling.yarn_log_multiplier", ROTATION, ZERO),
    only("rope.scaling.yarn_ext_factor", ROTATION, &[Number(-1.0), Number(1.0)]),
    only("rope.scaling.yarn_attn_factor", ROTATION, ONE),
    only("rope.scaling.yarn_beta_fast", ROTATION, &[Number(32.0)]),
    only("rope.scaling.yarn_beta_slow", ROTATION, ONE),
    read_if("attention.sliding_window", |family| family.gguf.window != GgufWindow::None),
    only("attention.sliding_window", WINDOW, ZERO),
    read_if("attention.sliding_window_pattern", |family| family.gguf.window == GgufWindow::Pattern),
    only("attention.sliding_window_pattern", WINDOW, &[]),
    read_if("attn_logit_softcapping", CAPS),
    only("attn_logit_softcapping", "capped scores, which the family does not have", ZERO),
    read_if("final_logit_softcapping", CAPS),
    only("final_logit_softcapping", "capped logits, which the family does not have", ZERO),
    only("router_logit_softcapping", EXPERTS, ZERO),
    read_if("logit_scale", HAS_SCALES),
    only("logit_scale", SCALE, ZERO_OR_ONE),
    read_if("residual_scale", HAS_SCALES),
    only("residual_scale", SCALE, ZERO_OR_ONE),
    read_if("embedding_scale", HAS_SCALES),
    only("embedding_scale", SCALE, ZERO_OR_ONE),
    read_if("attention.scale", HAS_SCALES),
    only("attention.scale", SCALE, ZERO),
    only_if("rope.scaling.finetuned", HAS_SCALES, "no rotation", &[Flag(true)]),
    only("attention.output_scale", SCALE, ZERO_OR_ONE),
    only("attention.value_scale", SCALE, ZERO_OR_ONE),
    only("attention.temperature_length", SCALE, ZERO),
    only("attention.temperature_scale", SCALE, ZERO),
    only("attention.max_alibi_bias", "ALiBi", ZERO),
    only("attention.clamp_kqv", "clipped queries, keys and values", ZERO),
    only("attention.layer_norm_epsilon", "layer norm instead of RMS norm", &[]),
    only("attention.group_norm_epsilon", "group norm instead of RMS norm", &[]),
    only("attention.group_norm_groups", "group norm instead of RMS norm", &[]),
    only("attention.causal", "attention to later positions", &[Flag(true)]),
    only("attention.relative_buckets_count", "another position embedding", &[]),
    only("attention.key_length_swa", SHAPES, &[]),
    only("attention.value_length_swa", SHAPES, &[]),
    only("attention.key_length_mla", LATENT, &[]),
    only("attention.value_length_mla", LATENT, &[]),
    only("attention.q_lora_rank", LATENT, &[]),
    only("attention.kv_lora_rank", LATENT, &[]),
    only("attention.shared_kv_layers", "keys and values that layers share", ZERO),
    only("attention.recurrent_layers", "recurrent layers", &[]),
    only("full_attention_interval", "attention of another kind in some layers", &[]),
    only("use_parallel_residual", "parallel blocks", OFF),
    only("hidden_activation", "another activation", &[]),
    only("swin_norm", "another order of norms", OFF),
    only("rescale_every_n_layers", SCALE, ZERO),
    only("pooling_type", "an embedding model", ZERO),
    only("classifier.output_labels", "a classifier", &[]),
    only("embedding_length_out", "an embedding model", &[]),
    only("embedding_length_per_layer_input", "embeddings of each layer", ZERO),
    only("decoder_block_count", "an encoder", &[]),
    only("decoder_start_token_id", "an encoder", &[]),
    only("expert_count", EXPERTS, ZERO),
    only("expert_used_count", EXPERTS, ZERO),
    only("expert_shared_count", EXPERTS, ZERO),
    only("expert_feed_forward_length", EXPERTS, ZERO),
    only("expert_shared_feed_forward_length", EXPERTS, ZERO),
    only("expert_group_count", EXPERTS, ZERO),
    only("expert_group_used_count", EXPERTS, ZERO),
    only("expert_weights_scale", EXPERTS, ZERO_OR_ONE),
    only("expert_weights_norm", EXPERTS, OFF),
    only("expert_gating_func", EXPERTS, ZERO),
    only("moe_every_n_layers", EXPERTS, ZERO),
    only("leading_dense_block_count", EXPERTS, ZERO),
    only("interleave_moe_layer_step", EXPERTS, ZERO),
    only("nextn_predict_layers", "layers that predict further tokens", ZERO),
    only("n_deepstack_layers", "features of images in some layers", ZERO),
];

const HARMLESS: &[&str] = &["rope.scaling.finetuned", "tensor_data_layout"];

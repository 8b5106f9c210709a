//! Reading the metadata of a GGUF file.

use super::family::{Family, family};
use super::rope::{self, Stretched};
use super::{ModelConfig, checked_layers, checked_size, config_problem, scale_of};
use crate::gguf::GgufFile;
use crate::{Error, Result};

/// Numbers of blocks of the two models whose queries are scaled by hidden_size / n_heads instead of the heads' width: Gemma 2
/// and Gemma 3 with 27 billion parameters. Files do not say it.
const SCALED_BY_HIDDEN_SIZE: [(&str, usize); 2] = [("gemma2", 46), ("gemma3", 62)];

impl ModelConfig {
    /// Reads and checks the metadata of a GGUF file.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, or impossible.
    pub fn from_gguf(file: &GgufFile) -> Result<Self> {
        let path = file.path();
        let architecture = file
            .str("general.architecture")
            .ok_or_else(|| config_problem(path, "general.architecture", "is missing"))?;
        let family = family(path, architecture)?;
        Keys { file, architecture }.config(family)?.checked(path)
    }
}

/// The metadata of one architecture.
struct Keys<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
}

impl Keys<'_> {
    fn config(&self, family: &Family) -> Result<ModelConfig> {
        let hidden_size = self.required("embedding_length")?;
        let n_heads = self.required("attention.head_count")?;
        let head_dim = self.size("attention.key_length")?.unwrap_or(hidden_size / n_heads.max(1));
        let n_layers = checked_layers(self.file.path(), &self.key("block_count"), self.required("block_count")?)?;
        let Stretched { scaling, context } =
            rope::of_gguf(self.file, self.architecture, self.required("context_length")?)?;
        let query_width = match SCALED_BY_HIDDEN_SIZE.contains(&(family.name, n_layers)) {
            true => hidden_size / n_heads.max(1),
            false => head_dim,
        };
        let softcap = |name: &str, default: f32| match self.file.f64(&self.key(name)) {
            Some(cap) => Some(cap as f32),
            None => (family.name == "gemma2").then_some(default),
        };
        let has = |tensor: &str| self.file.tensor_info(tensor).is_some();
        let local_theta = self.file.f64(&self.key("rope.freq_base_swa")).unwrap_or(10_000.0) as f32;
        Ok(ModelConfig {
            architecture: family.name.into(),
            vocab_size: self.vocab_size()?,
            hidden_size,
            intermediate_size: self.required("feed_forward_length")?,
            n_layers,
            n_heads,
            n_kv_heads: self.size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            rotary_dim: self.size("rope.dimension_count")?.unwrap_or(head_dim),
            rms_norm_eps: self.file.f64(&self.key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-5),
            rope_theta: self.file.f64(&self.key("rope.freq_base")).unwrap_or(10_000.0) as f32,
            rope_scaling: scaling,
            local_rope_theta: (family.name == "gemma3").then_some(local_theta),
            windows: self.windows(family, n_layers)?,
            context,
            tie_embeddings: !has("output.weight"),
            qkv_bias: has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"),
            output_bias: has("blk.0.attn_output.bias"),
            mlp_bias: has("blk.0.ffn_up.bias"),
            qk_norm: family.qk_norm,
            post_norms: family.post_norms,
            activation: family.activation,
            embedding_scale: if family.scales_embeddings { (hidden_size as f32).sqrt() } else { 1.0 },
            attention_scale: scale_of(query_width as f64),
            attention_softcap: softcap("attn_logit_softcapping", 50.0),
            logit_softcap: softcap("final_logit_softcapping", 30.0),
            eos_token_ids: self.file.u64("tokenizer.ggml.eos_token_id").map(|id| id as u32).into_iter().collect(),
        })
    }

    /// The window of each layer, by the family's habit: files only say how wide it is.
    fn windows(&self, family: &Family, n_layers: usize) -> Result<Vec<Option<usize>>> {
        let window = self.size("attention.sliding_window")?.filter(|window| *window > 0);
        let window = window.or((family.name == "gemma2").then_some(4096));
        Ok(family.windows(window, n_layers, n_layers))
    }

    fn vocab_size(&self) -> Result<usize> {
        let embedding = self.file.tensor_info("token_embd.weight").and_then(|info| info.dims.first().copied());
        let missing = || Error::TensorMissing { path: self.file.path().into(), tensor: "token_embd.weight".into() };
        self.size("vocab_size")?.or(embedding).ok_or_else(missing)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn size(&self, name: &str) -> Result<Option<usize>> {
        let key = self.key(name);
        self.file.u64(&key).map(|value| checked_size(self.file.path(), &key, value)).transpose()
    }

    fn required(&self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| config_problem(self.file.path(), &self.key(name), "is missing"))
    }
}

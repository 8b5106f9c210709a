//! What a GGUF file says about a model: its metadata, and what has to be done with its tensors so that llama.cpp computes the same.

use crate::config::{Family, GgufBiases, GgufWindow, WindowPattern, query_width, yarn_magnitude};
use crate::gguf::GgufValue;
use crate::layers::Rope;
use crate::{Error, ModelConfig, Result, RopeScaling};

/// A model as llama.cpp sees it.
pub(super) struct GgufShape {
    pub(super) family: &'static Family,
    pub(super) metadata: Vec<(String, GgufValue)>,
    /// Divisors of the rotary frequencies, where there is one for each.
    pub(super) frequency_divisors: Option<Vec<f32>>,
    /// Factor of the queries: files do not say by what scores are scaled.
    pub(super) query_factor: f64,
    /// What llama.cpp does otherwise, a sentence each.
    pub(super) notes: Vec<String>,
}

impl GgufShape {
    /// The shape of a model.
    ///
    /// # Errors
    /// [`Error::Request`] for what llama.cpp's model of this family cannot do.
    pub(super) fn of(config: &ModelConfig) -> Result<Self> {
        let Some(family) = Family::named(&config.architecture) else {
            return refuse("a family that llama.cpp does not know", &config.architecture);
        };
        let mut shape = Self {
            family,
            metadata: Vec::new(),
            frequency_divisors: None,
            query_factor: query_factor(family, config),
            notes: Vec::new(),
        };
        shape.check_biases(config)?;
        if family.gguf.always_ties && !config.tie_embeddings {
            return refuse("an output projection of its own", shape.architecture());
        }
        shape.add_sizes(config);
        shape.add_rope(config)?;
        shape.add_windows(config)?;
        shape.add_caps(config)?;
        shape.add_scales(config)?;
        Ok(shape)
    }

    fn architecture(&self) -> &'static str {
        self.family.gguf.architecture
    }

    fn add(&mut self, name: &str, value: GgufValue) {
        self.metadata.push((format!("{}.{name}", self.architecture()), value));
    }

    fn check_biases(&self, config: &ModelConfig) -> Result<()> {
        match (self.family.gguf.biases, config.qkv_bias, config.output_bias || config.mlp_bias) {
            (GgufBiases::Any, ..) | (GgufBiases::Qkv, _, false) | (_, false, false) => Ok(()),
            _ => refuse("biases of linear layers", self.architecture()),
        }
    }

    fn add_sizes(&mut self, config: &ModelConfig) {
        for (name, size) in [
            ("vocab_size", config.vocab_size),
            ("context_length", config.context),
            ("embedding_length", config.hidden_size),
            ("block_count", config.n_layers),
            ("feed_forward_length", config.intermediate_size),
            ("attention.head_count", config.n_heads),
            ("attention.head_count_kv", config.n_kv_heads),
            ("attention.key_length", config.head_dim),
            ("attention.value_length", config.head_dim),
            ("rope.dimension_count", config.rotary_dim),
        ] {
            self.add(name, GgufValue::U32(size as u32));
        }
        self.add("rope.freq_base", GgufValue::F32(config.rope_theta));
        self.add("attention.layer_norm_rms_epsilon", GgufValue::F32(config.rms_norm_eps as f32));
    }

    fn add_rope(&mut self, config: &ModelConfig) -> Result<()> {
        if config.unrotated_layers != Family::unrotated_layers(self.family.unrotated_every, config.n_layers) {
            return refuse("rotation left out in other layers than is usual", self.architecture());
        }
        // llama.cpp's own value; other bases have no key that all its versions read
        if config.local_rope_theta.is_some_and(|theta| theta != 10_000.0) {
            return refuse("another rotary base in layers with a window", self.architecture());
        }
        match &config.rope_scaling {
            RopeScaling::None => {}
            RopeScaling::Linear { factor } => {
                self.add("rope.scaling.type", GgufValue::String("linear".into()));
                self.add("rope.scaling.factor", GgufValue::F32(*factor));
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor } => {
                let is_usual = *beta_fast == 32.0 && *beta_slow == 1.0 && *truncate;
                if !is_usual || self.family.has_local_rope() {
                    return refuse("YaRN with these settings", self.architecture());
                }
                self.add("rope.scaling.type", GgufValue::String("yarn".into()));
                self.add("rope.scaling.factor", GgufValue::F32(*factor));
                self.add("rope.scaling.original_context_length", GgufValue::U32(*original_context as u32));
                let more = attention_factor / yarn_magnitude(*factor, 1.0);
                if (more - 1.0).abs() > 1e-6 {
                    self.add("rope.scaling.attn_factor", GgufValue::F32(more));
                }
            }
            RopeScaling::Llama3 { .. } if self.family.gguf.has_frequency_divisors => {
                self.frequency_divisors = Some(Rope::divisors(config));
            }
            RopeScaling::Factors { factors, attention_factor: 1.0 } if self.family.gguf.has_frequency_divisors => {
                self.frequency_divisors = Some(factors.clone());
            }
            RopeScaling::Llama3 { .. } | RopeScaling::Factors { .. } => {
                return refuse("rotary frequencies with a factor for each", self.architecture());
            }
        }
        Ok(())
    }

    fn add_windows(&mut self, config: &ModelConfig) -> Result<()> {
        let window = config.window();
        if let (GgufWindow::Pattern, WindowPattern::AllButEvery(every)) = (self.family.gguf.window, self.family.pattern)
        {
            let is_usual =
                |(layer, window): (usize, &Option<usize>)| window.is_some() != (layer + 1).is_multiple_of(every);
            if window.is_some() && !config.windows.iter().enumerate().all(is_usual) {
                return refuse("windows in other layers than is usual", self.architecture());
            }
            // a window as wide as the context is none
            self.add("attention.sliding_window", GgufValue::U32(window.unwrap_or(config.context) as u32));
            return Ok(());
        }
        let Some(window) = window else { return Ok(()) };
        if self.family.gguf.window != GgufWindow::Ignored || config.windows.iter().any(Option::is_none) {
            return refuse("a sliding window", self.architecture());
        }
        self.add("attention.sliding_window", GgufValue::U32(window as u32));
        if window < config.context {
            self.notes.push(format!(
                "llama.cpp lets every position of {} models see all before it: texts of more than {window} tokens come out \
                 otherwise there, where this model sees {window}",
                config.architecture
            ));
        }
        Ok(())
    }

    fn add_scales(&mut self, config: &ModelConfig) -> Result<()> {
        let ModelConfig { embedding_scale, attention_scale, residual_scale, logit_divisor, .. } = *config;
        if !self.family.gguf.has_scales {
            return match (residual_scale, logit_divisor) {
                (1.0, 1.0) => Ok(()),
                _ => refuse("factors of what blocks add, or of logits", self.architecture()),
            };
        }
        for (name, scale) in [
            ("embedding_scale", embedding_scale),
            ("attention.scale", attention_scale),
            ("residual_scale", residual_scale),
            ("logit_scale", logit_divisor),
        ] {
            self.add(name, GgufValue::F32(scale));
        }
        Ok(())
    }

    fn add_caps(&mut self, config: &ModelConfig) -> Result<()> {
        let has_caps = self.family.gguf.default_caps.is_some();
        match (has_caps, config.attention_softcap, config.logit_softcap) {
            (true, Some(attention), Some(logits)) => {
                self.add("attn_logit_softcapping", GgufValue::F32(attention));
                self.add("final_logit_softcapping", GgufValue::F32(logits));
                Ok(())
            }
            (true, ..) => refuse("scores or logits without a cap", self.architecture()),
            (_, None, None) => Ok(()),
            _ => refuse("capped scores or logits", self.architecture()),
        }
    }
}

/// What queries are multiplied with so that scores are scaled as the model has it.
fn query_factor(family: &Family, config: &ModelConfig) -> f64 {
    if family.gguf.has_scales {
        return 1.0;
    }
    let ModelConfig { n_layers, hidden_size, n_heads, head_dim, .. } = *config;
    let width = query_width(family, n_layers, hidden_size, n_heads, head_dim);
    let factor = f64::from(config.attention_scale) * (width as f64).sqrt();
    if (factor - 1.0).abs() < 1e-6 { 1.0 } else { factor }
}

fn refuse<T>(got: &str, family: &str) -> Result<T> {
    let (got, expected) = (format!("{got}, in a {family} model"), "what llama.cpp computes for this family".to_owned());
    Err(Error::Request { what: "model to export as GGUF", got, expected })
}

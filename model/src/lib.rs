//! The network under Redline: configuration, weights, tokenizer, decoder, hooks, cache and generation.
//!
//! One generic [`Decoder`] runs every supported family. A forward pass takes its cache and its hooks as arguments, so
//! weights are never mutated and no hook has to be removed. Tokens of all rows travel packed, without padding.
//!
//! # Example
//! A prompt, continued in two rows. [`Model::load`] opens a folder or a GGUF file; here the weights are random:
//! ```
//! use std::ops::ControlFlow;
//!
//! use redline_model::generate::{GenerateOptions, Prompt, generate};
//! use redline_model::train::Parameters;
//! use redline_model::{ModelConfig, NoHook};
//!
//! // vocabulary, width, inner width, blocks, heads; positions
//! let config = ModelConfig::llama([320, 32, 64, 2, 4], 256);
//! let decoder = Parameters::from_scratch(config, 7)?.inference_decoder()?;
//! let options = GenerateOptions { max_new_tokens: 5, ..GenerateOptions::default() };
//! let prompt = Prompt::new(vec![3, 1, 4, 1, 5], vec![0, 1]);
//! let rows = generate(&decoder, &[prompt], &options, &mut NoHook, &mut |_, _| Ok(ControlFlow::Continue(())))?;
//! assert_eq!(rows[0].tokens.len(), 5);
//! assert_eq!(rows[0].tokens, rows[1].tokens, "the most likely token is always taken");
//! # Ok::<(), redline_model::Error>(())
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adapter;
mod cache;
mod config;
mod decoder;
mod device;
mod error;
pub mod files;
pub mod generate;
pub mod gguf;
pub mod guard;
pub mod hook;
mod inflate;
mod inside;
mod json_array;
mod json_value;
mod layers;
mod log_prob;
pub mod memory;
mod model;
mod names;
mod pass;
mod precision;
pub mod qac;
pub mod random;
mod reward;
pub mod sampling;
pub mod summary;
pub mod template;
mod text_tree;
pub mod tokenizer;
pub mod train;
mod weights;

pub use adapter::{Adapter, LoraOptions};
pub use cache::{KvCache, SharedPrefix};
pub use candle_core::Device;
pub use config::{Activation, ModelConfig, RopeScaling, SUPPORTED_ARCHITECTURES};
pub use decoder::{Chunk, Decoder, Past, Wanted};
pub use device::device;
pub use error::{Error, Result};
pub use generate::batch;
pub use hook::{Hook, HookPoint, NoHook, Site};
pub use inside::{InsideBlock, inside_delta};
pub use json_value::parse_settings;
pub use layers::Kernels;
pub use log_prob::{Continuation, log_probs};
pub use model::Model;
pub use names::UnknownName;
pub use precision::{MatmulPrecision, matmul_kernel, matmul_precision, set_matmul_precision};
pub use qac::{Qac, Question};
pub use reward::RewardModel;
pub use template::{AlignerTemplate, PromptPart, RenderedPrompt};
pub use text_tree::{ReadText, log_probs_of_texts};
pub use tokenizer::{StreamDecoder, Tokenizer, TrimmedStream};
pub use weights::Weights;

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod reference_tests;

//! Redline reads, steers and measures correction in Aligner language models.
//!
//! An Aligner reads a question and another model's answer and writes a corrected answer: it copies what is good and
//! rewrites what is not. This crate is a facade: [`model`] runs a transformer with hooks at every layer, [`probe`] finds out
//! where it is about to correct, [`steer`] turns that into a dial and measures what the dial does; [`lab`] is what people do
//! with the three, module by module: [`data`] reads, corrupts and makes triples, [`experiment`] chains all of it, [`profile`]
//! keeps a tuned dial, [`embedded`] is a small built-in Aligner, [`reference`](mod@reference) compares a model with
//! numbers from elsewhere, [`self_test`] with itself.
//!
//! Features: `report` brings plots, pages and notebook displays (`plot`, `figures`, `report`, `notebook`), `serve` the HTTP
//! server (`serve`); `cli`, on by default, builds the program. A library needs none of them:
//! `redline = { version = "0.1", default-features = false }`.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub use redline_lab as lab;
pub use redline_model as model;
pub use redline_probe as probe;
pub use redline_steer as steer;

#[cfg(feature = "hub")]
pub use redline_hub as hub;
pub use redline_lab::{aligner, chat, conversation, data, embedded, experiment, form, profile, reference, self_test};
#[cfg(feature = "report")]
pub use redline_report::{figures, notebook, plot, report, reproduction};
#[cfg(feature = "serve")]
pub use redline_serve as serve;

pub mod prelude;

//! Redline reads, steers and measures correction in Aligner language models.
//!
//! An Aligner reads a question and another model's answer and writes a corrected answer: it copies what is good and
//! rewrites what is not. This crate is a facade over three: [`model`] runs a transformer with hooks at every layer,
//! [`probe`] finds out where it is about to correct, [`steer`] turns that into a dial and measures what the dial does.
//! [`data`] reads, corrupts and makes triples, [`plot`] draws the results, [`report`] puts them on a page, [`experiment`] chains
//! all of it, [`profile`] keeps a tuned dial, [`embedded`] is a small Aligner inside the program,
//! [`reference`](mod@reference) compares a model with numbers from elsewhere, [`self_test`] with itself.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub use redline_model as model;
pub use redline_probe as probe;
pub use redline_steer as steer;

pub mod aligner;
pub mod chat;
pub mod data;
pub mod embedded;
pub mod experiment;
pub mod notebook;
pub mod plot;
pub mod prelude;
pub mod profile;
pub mod reference;
pub mod report;
pub mod self_test;
pub mod serve;

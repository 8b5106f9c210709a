//! Correcting answers: one way to write ([`write()`]), and an Aligner with its vector, which counts what was done to rows
//! ([`Corrector`]), alone or [one after the other](Chain).

mod chain;
mod corrector;
mod write;

pub use chain::{Chain, Chained};
pub use corrector::{Check, Corrected, Corrector, CorrectorOptions, Effect, OnText, Outcome};
pub use write::{Asked, Injection, OnToken, WriteOptions, Wrote, write};

//! The program and the library from outside: what a user types, what comes back, what lies on disk afterwards.
//!
//! Everything runs on a model of 0.2 million parameters that [`fixture`] makes. Tests that need what a clone does not
//! hold (the data files, SmolLM2) say so loudly on standard error when it is absent.
#![allow(clippy::unwrap_used)]

mod annotate;
mod bad_input;
mod baselines;
mod bench;
mod book;
mod browser;
mod cases;
mod check;
mod choosing;
mod cli;
mod completions;
mod data;
mod data_sets;
mod domain;
mod embedded;
mod examples;
mod families;
mod faults;
mod fixture;
mod fuzz;
mod gate;
mod gemma3;
mod hub;
mod inside;
mod inspect;
mod iterate;
mod json;
mod judging;
mod layout;
mod limits;
mod model_files;
mod notebooks;
mod outputs;
mod parts;
mod plot;
mod preferences;
mod program;
mod ratio;
mod readme;
mod report;
mod reproduce;
mod rows;
mod serve;
mod smollm2;
mod stack;
mod stack_upstream;
mod stacking;
mod steering;
mod train;
mod trained;
mod traits;
mod tune;

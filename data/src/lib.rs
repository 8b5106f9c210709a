//! Data: reading and cleaning question–answer files, putting graded flaws into clean answers, and a corpus made from facts.
//!
//! [`readers`] finds out what a file holds, [`mod@convert`] makes rows of one kind of those of another ([`parquet_file`] reads and writes Parquet), [`filter`] removes what is of no use, [`clean`] what a set of [`filters`]
//! and [`near`]-duplicates say, with a [`funnel`]; [`separate`] keeps parts apart by question, [`apart`] by fact and phrase ([`shared`] counts), [`cluster_split`] by nearness; [`scramble`] makes texts to copy; [`corrupt`] turns
//! clean answers into training triples with a hidden strictness, and [`synth`] writes the clean answers themselves; [`traits`] writes rows that teach a trait, and rows with an instruction.
//!
//! # Example
//! ```
//! use redline_data::corrupt::{CorruptOptions, Corruptor};
//! use redline_data::synth::Corpus;
//!
//! let texts = Corpus::built_in()?.texts(7, 3)?;
//! let corruptor = Corruptor::new(CorruptOptions { seed: 7, ..CorruptOptions::default() })?;
//! let row = texts[0].corrupted(0, &corruptor)?;
//! println!("{}\n{}\n{}", row.question, row.answer, row.correction);
//! # Ok::<(), redline_data::DataError>(())
//! ```
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod apart;
pub mod chat;
pub mod clean;
pub mod cluster_split;
pub mod clusters;
pub mod conversation;
#[cfg(feature = "tables")]
pub mod convert;
pub mod corrupt;
mod error;
pub mod filter;
pub mod filters;
pub mod funnel;
pub mod labelled;
mod left_out;
mod material;
pub mod near;
pub mod near_leak;
pub mod observer;
pub mod pairs;
#[cfg(feature = "tables")]
pub mod parquet_file;
mod phrase;
mod preference;
pub mod raw;
pub mod readers;
mod row;
pub mod scramble;
pub mod separate;
pub mod shared;
pub mod synth;
#[cfg(test)]
mod tests;
pub mod traits;
pub mod turns;
mod write;

pub use error::DataError;
pub use filter::{FilterOptions, FilterReport, filter_rows};
pub use left_out::{LeftOutRows, ReadReport, RowFault};
pub use readers::{DataFile, Need, ReadOptions, read_corrupted, read_data, read_each};
pub use row::{DataRow, RowFormat, value};
pub use separate::{check_leak, shared_questions, split_rows};
pub use write::{to_json_lines, write_json_lines};

//! A direction as files: a reading vector for Redline, a control vector for llama.cpp and repeng.
//!
//! `cargo run --release --example save_a_vector`

use redline::prelude::*;
use redline::steer::control_file::{read_control_vector, write_control_vector};

/// The whole example; public, because a test runs it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aligner = Aligner::embedded()?;
    let triples = redline::embedded::triples()?;
    let extracted = aligner.extract().run(&triples[..64])?;
    for warning in &extracted.warnings {
        println!("note: {warning}");
    }

    let folder = tempfile::tempdir()?;
    let (reading, control) = (folder.path().join("vector.safetensors"), folder.path().join("vector.gguf"));
    extracted.reading.save(&reading)?;
    // scales are part of a control vector, so layers and unit are settled here
    let vector = extracted.control_vector(&"1-3".parse()?, Unit::Gap)?;
    write_control_vector(&control, &vector, &aligner.model.decoder.config().architecture)?;

    let read = Reading::load(&reading)?;
    println!("reading vector: {} layers, made from {} pairs", read.layers.len(), read.provenance.n_pairs);
    let same = read_control_vector(&control)?.vector == vector;
    println!("control vector: layers {:?}, unchanged on disk: {same}", vector.layers.keys().collect::<Vec<_>>());
    Ok(())
}

//! Which layers, at which output tokens, lean towards correction: the LAT scan of a triple, in the terminal.
//!
//! `cargo run --release --example scan`

use redline::figures::heatmap;
use redline::plot::ascii::{AsciiOptions, heatmap as draw};
use redline::prelude::*;

/// The whole example; public, because a test runs it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aligner = Aligner::embedded()?;
    let triples = redline::embedded::triples()?;
    let extracted = aligner.extract().run(&triples[..64])?;
    for layer in &extracted.report {
        println!(
            "layer {}: pair accuracy {:.2}",
            layer.layer,
            layer.pair_accuracy.map_or(f64::NAN, |found| found.value)
        );
    }
    for scan in aligner.scan(&extracted.reading, &triples[70])? {
        println!("{}", draw(&heatmap(&scan, &scan.label), &AsciiOptions { color: false, ..AsciiOptions::default() })?);
    }
    Ok(())
}

//! One answer, corrected more or less: the same Aligner at three coefficients.
//!
//! `cargo run --release --example correct_with_a_dial`

use redline::prelude::*;

/// The whole example; public, because a test runs it.
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let aligner = Aligner::embedded()?;
    let triples = redline::embedded::triples()?;
    let extracted = aligner.extract().method(Method::MeanDiff).run(&triples[..64])?;
    let vector = extracted.control_vector(&LayerSpec::All, Unit::Gap)?;

    // a triple that the direction has not seen
    let Qac { question, answer, correction } = &triples[70];
    println!("question    {question}\nanswer      {answer}\nreference   {correction}");
    for coefficient in [-1.0, 0.0, 1.0] {
        let output = aligner.correct().steered(&vector, coefficient).run(question, answer)?;
        let ratio = EditRatios::new(answer, &output).char.unwrap_or_default();
        println!("{coefficient:>4} ratio {ratio:.3}  {output}");
    }
    Ok(())
}

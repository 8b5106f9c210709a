use redline_model::Site;
use redline_probe::{Method, Scaling};
use redline_steer::Unit;

use super::*;
use crate::experiment::{ExtractionSettings, LayerSpec};

#[test]
fn builders_chain_from_triples_to_a_coefficient() {
    let aligner = Aligner::embedded().unwrap();
    let triples = embedded::triples().unwrap();
    let (pairs, prompts) = (&triples[..48], &triples[48..96]);
    assert_eq!(shared_questions(pairs, prompts), Vec::<String>::new());
    let extracted = aligner.extract().method(Method::MeanDiff).scaling(Scaling::None).run(pairs).unwrap();
    let vector = extracted.control_vector(&LayerSpec::All, Unit::Gap).unwrap();
    let sweep = aligner.sweep(&vector).coefficients(&[-2.0, 0.0, 2.0]).max_new_tokens(48).run(prompts).unwrap();
    assert_eq!(sweep.rows.len(), 144);
    let fit = sweep.analyse().unwrap().fit.unwrap();
    let tuned = sweep.tune(fit.line.at(0.5)).unwrap();
    assert!((tuned.coefficient - 0.5).abs() < 1e-9, "{tuned:?}");

    let [correction, copy] = aligner.scan(&extracted.reading, &prompts[0]).unwrap();
    assert_eq!((correction.label.as_str(), copy.label.as_str()), ("correction", "copy"));

    // the sweep's output is what correcting alone writes
    let qac = &prompts[0];
    let alone = aligner.correct().steered(&vector, 2.0).max_new_tokens(48).run(&qac.question, &qac.answer).unwrap();
    let swept = sweep.rows.iter().find(|row| row.row == 0 && row.coefficient == 2.0).unwrap();
    assert_eq!(alone, swept.output.trim());
}

#[test]
fn a_direction_is_injected_at_the_site_where_it_was_read() {
    let aligner = Aligner::embedded().unwrap();
    let triples = embedded::triples().unwrap();
    let settings = ExtractionSettings { site: Site::AttnOut.to_string(), ..ExtractionSettings::default() };
    let extracted = aligner.extract().settings(settings).run(&triples[..24]).unwrap();
    assert_eq!(extracted.control_vector(&LayerSpec::All, Unit::Gap).unwrap().site, Site::AttnOut);
}

#[test]
fn every_question_of_the_rows_inside_comes_once_and_differs() {
    let triples = embedded::triples().unwrap();
    assert!(triples.len() >= 200, "{}", triples.len());
    let questions: std::collections::HashSet<String> =
        triples.iter().map(|qac| split::normalise(&qac.question)).collect();
    assert_eq!(questions.len(), triples.len());
    assert!(triples.iter().all(|qac| qac.answer.trim() != qac.correction.trim()));
}

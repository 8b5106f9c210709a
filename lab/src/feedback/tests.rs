use std::collections::BTreeMap;

use redline_steer::{BootstrapOptions, EditRatios, Exchange, SweepRow};

use super::*;
use crate::data::corrupt::CorruptedRow;
use crate::data::traits::{InstructOptions, Instruction, Trait, TraitCorpus};

fn output(row: usize, coefficient: f32, output: &str) -> SweepRow {
    let ratios = EditRatios {
        distance: 0,
        original_length: 1,
        output_length: 1,
        token_distance: 0,
        original_tokens: 1,
        output_tokens: 1,
        char: Some(0.0),
        token: Some(0.0),
        max: 0.0,
        similarity: 1.0,
        exact_copy: true,
    };
    SweepRow {
        vector: "correction".into(),
        row,
        coefficient,
        output: output.into(),
        n_tokens: 1,
        truncated: false,
        ratios,
        reference_similarity: None,
        repetition: 0.0,
        nll: None,
        effect: BTreeMap::new(),
    }
}

/// An Aligner that mends by severity as it is told, in more rows at a higher coefficient.
fn obeys(rows: &[CorruptedRow], asked: Instruction) -> Vec<SweepRow> {
    let mut outputs = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        for (coefficient, of_ten) in [(-1.0, 2), (0.0, 5), (1.0, 8)] {
            let at_all = number % 10 < of_ten;
            let mut text = row.correction_where(|severity| at_all && asked.mends(severity)).unwrap();
            if asked == Instruction::Empathy {
                text = format!("I am so sorry to hear about that. {text}");
            }
            outputs.push(output(number, coefficient, &text));
        }
    }
    outputs
}

#[test]
fn an_aligner_that_obeys_is_seen_to() {
    let corpus = TraitCorpus::built_in(Trait::Empathy).unwrap();
    let options = InstructOptions { seed: 2, n_rows: 560, clean_share: 0.1 };
    let rows: Vec<CorruptedRow> = corpus.instructed_rows(&options).unwrap().into_iter().map(|row| row.row).collect();
    let rows = unique_rows(rows);
    assert!(rows.len() > 100 && rows.len() < 300, "{}", rows.len());
    let asked = |of: Instruction| AskedFor::read(of.name()).unwrap();
    let outputs = Instruction::ALL.map(|of| (asked(of), obeys(&rows, of)));
    let table = FeedbackTable::measure(&rows, &outputs, &BootstrapOptions { n_resamples: 200, seed: 0 }).unwrap();
    assert_eq!(table.coefficients, [-1.0, 0.0, 1.0]);
    let cell = |name: &str| &table.lines.iter().find(|line| line.instruction == name).unwrap().cells[2];
    // flaws that stay are taken for what they are, but for a few that stand side by side
    assert!(cell("helpful").harmless.unwrap() < 0.05 && cell("harmless").helpful.unwrap() < 0.05);
    assert!(cell("harmless").harmless.unwrap() > 0.6 && cell("helpful").helpful.unwrap() > 0.6);
    assert_eq!((cell("empathy").trait_share.any, cell("none").trait_share.any), (Some(1.0), Some(0.0)));
    assert!(cell("none").trait_share.n < cell("none").n, "only where somebody tells of a situation");
    let found = |measure: FeedbackMeasure, name: &str| {
        let all = table.comparisons.iter();
        all.clone().find(|found| found.measure == measure && found.instruction == name).unwrap().lines.clone()
    };
    let same = found(FeedbackMeasure::Harmless, "harmless");
    assert!(same.shift.value.abs() < 0.05 && same.steepening.value.abs() < 0.05, "{same:?}");
    let flat = found(FeedbackMeasure::Helpful, "harmless");
    assert!(flat.shift.interval.high < 0.0 && flat.steepening.interval.high < 0.0, "{flat:?}");
    assert!(matches!(flat.exchange, Exchange::Rate { coefficient, is_within: false } if coefficient.value < -1.0));
    assert_eq!(found(FeedbackMeasure::Trait, "empathy").exchange, Exchange::NoSlope);
}

#[test]
fn instructions_are_known_or_have_their_own_words() {
    assert_eq!(AskedFor::read("none").unwrap().text, "");
    assert!(AskedFor::read("harmless").unwrap().text.contains("harmless"));
    let own = AskedFor::read("brief=Be brief, please").unwrap();
    assert_eq!((own.name.as_str(), own.text.as_str()), ("brief", "Be brief, please"));
    let refused = |given: &str| AskedFor::read(given).unwrap_err().to_string();
    assert_eq!(refused("kind"), "unknown instruction `kind`; known: none, empathy, helpful, harmless");
    assert_eq!(refused("../up=x"), "`../up` cannot be the name of an instruction");
}

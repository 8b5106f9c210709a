use redline_model::Qac;

use super::VerdictKind::{
    Corrects, DamagesCleanText, DeletesRatherThanCorrects, MostPromptsDoNotMove, MovesAwayFromReference,
    NotDistinguishableFromShuffled, TextsBreak,
};
use super::*;
use crate::quality::{OracleRun, ReferenceRun, Sample};
use redline_data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use redline_data::synth::Corpus;
use redline_model::random::Random;

const COEFFICIENTS: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

fn rows() -> Vec<CorruptedRow> {
    let corruptor = Corruptor::new(CorruptOptions { seed: 4, clean_share: 0.3 }).unwrap();
    let texts = Corpus::built_in().unwrap().texts(4, 60).unwrap();
    (0..).zip(&texts).map(|(number, text)| text.corrupted(number, &corruptor).unwrap()).collect()
}

/// What a dial writes: a row and a coefficient to a text.
type Dial = fn(&CorruptedRow, f64) -> String;

fn outputs(rows: &[CorruptedRow], dial: Dial) -> Vec<(usize, f64, String)> {
    let of = |(number, row)| COEFFICIENTS.map(|coefficient| (number, coefficient, dial(row, coefficient)));
    rows.iter().enumerate().flat_map(of).collect()
}

fn samples(outputs: &[(usize, f64, String)]) -> Vec<Sample<'_>> {
    let sample = |(row, coefficient, output)| Sample { row, coefficient, output, truncated: false, nll: None };
    outputs.iter().map(|(row, coefficient, output)| sample((*row, *coefficient, output.as_str()))).collect()
}

fn by_oracle(dial: Dial) -> QualityTable {
    let rows = rows();
    let outputs = outputs(&rows, dial);
    QualityTable::new(Some(&OracleRun::new(&rows, &samples(&outputs)).unwrap()), None, None)
}

/// The same outputs for a reader who knows the clean texts only.
fn by_reference(dial: Dial) -> QualityTable {
    let rows: Vec<CorruptedRow> = rows().into_iter().filter(|row| !row.is_clean()).collect();
    let outputs = outputs(&rows, dial);
    let triples: Vec<Qac> = rows.iter().map(|row| Qac { correction: row.clean.clone(), ..row.to_qac() }).collect();
    QualityTable::new(None, Some(&ReferenceRun::new(&triples, &samples(&outputs)).unwrap()), None)
}

fn kinds(table: &QualityTable, evidence: &Evidence) -> Vec<VerdictKind> {
    verdicts(table, evidence).unwrap().into_iter().map(|verdict| verdict.id).collect()
}

/// From copying to mending everything.
fn perfect(row: &CorruptedRow, coefficient: f64) -> String {
    let strictness = match coefficient {
        -1.0 => return row.answer.clone(),
        -0.5 => 5,
        0.0 => 4,
        0.5 => 2,
        _ => 1,
    };
    row.correction_at(strictness).unwrap()
}

/// Mends the gravest flaws everywhere, and loses more and more of the end of the text.
fn deleting(row: &CorruptedRow, coefficient: f64) -> String {
    let text = row.correction_at(4).unwrap();
    let n = text.chars().count();
    text.chars().take(n - (n as f64 * 0.25 * (coefficient + 1.0)) as usize).collect()
}

/// As the perfect one below 0.5; from there letters of the text in random order.
fn broken(row: &CorruptedRow, coefficient: f64) -> String {
    if coefficient < 0.5 {
        return perfect(row, coefficient);
    }
    let mut letters: Vec<char> = row.answer.chars().collect();
    Random::of_row(1, 2, letters.len() as u64).shuffle(&mut letters);
    letters.into_iter().collect()
}

fn nothing(row: &CorruptedRow, _: f64) -> String {
    row.correction_at(4).unwrap()
}

#[test]
fn planted_dials_get_the_verdicts_they_deserve() {
    let all = |dial| kinds(&by_oracle(dial), &Evidence::default());
    assert_eq!(all(perfect), [Corrects]);
    assert_eq!(all(deleting), [DeletesRatherThanCorrects, MovesAwayFromReference, DamagesCleanText, TextsBreak]);
    assert_eq!(all(broken), [Corrects, MovesAwayFromReference, DamagesCleanText, TextsBreak]);
    assert_eq!(all(nothing), [MostPromptsDoNotMove]);
}

#[test]
fn a_reference_alone_gives_the_verdicts_that_it_can() {
    let all = |dial| kinds(&by_reference(dial), &Evidence::default());
    assert_eq!(all(perfect), [Corrects]);
    assert_eq!(all(deleting), [DeletesRatherThanCorrects, MovesAwayFromReference, TextsBreak]);
    assert!(all(broken).contains(&MovesAwayFromReference));
    assert_eq!(all(nothing), [MostPromptsDoNotMove]);
}

#[test]
fn a_dial_that_is_wrong_side_up_does_not_correct() {
    let upside_down: Dial = |row, coefficient| perfect(row, -coefficient);
    assert_eq!(kinds(&by_oracle(upside_down), &Evidence::default()), [MovesAwayFromReference]);
}

#[test]
fn nulls_count_where_they_are_known() {
    let table = by_oracle(perfect);
    let with = |p| kinds(&table, &Evidence { shuffled_p: Some(p), ..Evidence::default() });
    assert_eq!(with(0.05), [Corrects]);
    assert_eq!(with(0.2), [Corrects, NotDistinguishableFromShuffled]);
}

#[test]
fn a_verdict_says_what_it_rests_on() {
    let found = verdicts(&by_oracle(deleting), &Evidence::default()).unwrap();
    for verdict in &found {
        assert!(verdict.figure >= verdict.threshold, "{verdict:?}");
        assert!(verdict.sentence.ends_with('.') && verdict.sentence.contains(char::is_numeric), "{verdict:?}");
    }
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(json["id"], "deletes_rather_than_corrects");
    assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), found[0]);
}

#[test]
fn every_anchor_is_a_section_of_the_book() {
    let book = include_str!("../../../../docs/when-steering-fails.md");
    let anchors: Vec<String> = book
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(|title| {
            let kept =
                title.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -".contains(*c)).collect::<String>();
            kept.replace(' ', "-")
        })
        .collect();
    for kind in [
        Corrects,
        DamagesCleanText,
        DeletesRatherThanCorrects,
        MostPromptsDoNotMove,
        MovesAwayFromReference,
        NotDistinguishableFromShuffled,
        TextsBreak,
    ] {
        assert!(anchors.iter().any(|anchor| anchor == kind.anchor()), "{kind:?}: {anchors:?}");
    }
}

#[test]
fn the_range_ends_where_the_first_figure_leaves_its_bound() {
    let range = |dial| quality_range(&by_oracle(dial), &QualityBounds::default()).unwrap();
    let whole = range(perfect);
    assert_eq!((whole.low, whole.high, whole.ended_below, whole.ended_above), (-1.0, 1.0, None, None));
    let end = range(broken);
    assert_eq!((end.low, end.high), (-1.0, 0.0));
    let ended = end.ended_above.unwrap();
    assert_eq!((ended.coefficient, ended.figure), (0.5, Bounded::Damage));
    assert!(!end.contains(0.3) && end.contains(-0.7));
    let tight = QualityBounds { damage: 1.0, stray: 1.0, ..QualityBounds::default() };
    let deleted = quality_range(&by_oracle(deleting), &tight).unwrap().ended_above.unwrap();
    assert_eq!(deleted.figure, Bounded::Shortfall);
    let mut table = by_oracle(perfect);
    table.oracle.iter_mut().for_each(|line| line.nll = Some(0.02));
    table.oracle[0].nll = Some(0.38);
    let below = quality_range(&table, &QualityBounds::default()).unwrap();
    assert_eq!((below.low, below.ended_below.unwrap().figure), (-0.5, Bounded::Nll));
    table.oracle[3].nll = None;
    assert_eq!(
        quality_range(&table, &QualityBounds::default()).unwrap().high,
        0.0,
        "a figure that is missing is outside"
    );
    table.oracle.remove(2);
    assert!(matches!(quality_range(&table, &QualityBounds::default()), Err(QualityError::NoBaseline)));
    assert!(matches!(quality_range(&QualityTable::default(), &QualityBounds::default()), Err(QualityError::NoOutputs)));
}

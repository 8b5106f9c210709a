//! Passes of a writer that mends one more severity each time, and what the table says of them.

use std::collections::BTreeMap;

use redline_model::Qac;

use super::*;
use crate::correct::{Asked, Corrected, Outcome};
use crate::data::corrupt::{CorruptOptions, CorruptedRow, Corruptor};
use crate::judge::record::AnswerRecord;

const CLEAN: &str =
    "Bees collect nectar from flowers. They carry it home. The water in it dries off within 3 days. The rest is honey.";
const TOKENS: usize = 10;

fn rows() -> Vec<CorruptedRow> {
    let corruptor = Corruptor::new(CorruptOptions { seed: 6, clean_share: 0.2 }).unwrap();
    (0..40).map(|row| corruptor.corrupt(row, &format!("question {row}"), CLEAN).unwrap()).collect()
}

/// The texts on the way from the answer to the clean one: all flaws, those below severity 5, 4 … none.
fn way(row: &CorruptedRow) -> Vec<String> {
    let mended = (1..=5).rev().map(|strictness| row.correction_at(strictness).unwrap());
    let mut way = vec![row.answer.clone()];
    for text in mended {
        if way.last() != Some(&text) {
            way.push(text);
        }
    }
    way
}

/// The next text on the way; the last one stays.
fn next(row: &CorruptedRow, text: &str) -> String {
    let way = way(row);
    let at = way.iter().position(|own| own == text).unwrap();
    way[(at + 1).min(way.len() - 1)].clone()
}

fn corrected(text: String, n_tokens: usize) -> Corrected {
    Corrected {
        text,
        truncated: false,
        scan: None,
        kept: Vec::new(),
        standing: None,
        n_tokens,
        context: 20,
        coefficient: None,
    }
}

fn record(row: usize, of: &CorruptedRow, at: Option<f64>, output: &str, n_tokens: usize) -> AnswerRecord {
    AnswerRecord {
        row,
        system: stack_system(1),
        coefficient: at,
        question: of.question.clone(),
        answer: of.answer.clone(),
        output: output.into(),
        n_tokens: Some(n_tokens),
        passes: 1,
        context: 20,
        seconds: 0.5,
        made_by: "a made writer".into(),
        is_unread: false,
    }
}

/// Answers of the writer to depth `most`, and how often it was asked.
fn answers(rows: &[CorruptedRow], most: usize) -> (Vec<AnswerRecord>, usize) {
    let first = |(row, of): (usize, &CorruptedRow)| record(row, of, Some(0.0), &next(of, &of.answer), TOKENS);
    let mut answers: Vec<AnswerRecord> = rows.iter().enumerate().map(first).collect();
    let triples: Vec<Qac> = rows.iter().map(CorruptedRow::to_qac).collect();
    let open: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
    let mut n_asked = 0;
    for depth in 2..=most {
        let before = passes_before(&answers, depth, Some(0.0));
        let mut correct = |asked: &[Asked<'_>]| {
            n_asked += asked.len();
            let one = |one: &Asked<'_>| -> Outcome { Ok(corrected(next(&rows[one.row], one.answer), TOKENS)) };
            Ok(asked.iter().map(one).collect())
        };
        let mut run = StackRun { depth, coefficient: Some(0.0), batch_rows: 7, correct: &mut correct };
        let mut new = Vec::new();
        let mut keep = |record| {
            new.push(record);
            Ok(())
        };
        run.answer(&open, &before, &mut keep, &mut ()).unwrap();
        answers.extend(new);
    }
    (answers, n_asked)
}

#[test]
fn every_pass_reads_what_the_one_before_wrote_and_fixed_texts_are_not_asked_again() {
    let rows = rows();
    let (answers, n_asked) = answers(&rows, 4);
    assert_eq!(answers.len(), 4 * rows.len());
    let mut expected = 0;
    for (row, of) in rows.iter().enumerate() {
        let own: Vec<&AnswerRecord> = answers.iter().filter(|record| record.row == row).collect();
        let way = way(of);
        for (depth, record) in (1..).zip(&own) {
            assert_eq!(record.output, way[depth.min(way.len() - 1)], "row {row} depth {depth}");
            // the pass that finds nothing is made, and is the last
            let n_passes = depth.min(way.len());
            assert_eq!(
                (record.passes, record.n_tokens),
                (n_passes, Some(TOKENS * n_passes)),
                "row {row} depth {depth}"
            );
            assert_eq!((record.name(), &record.answer), (format!("{}@0", stack_system(depth)), &of.answer));
        }
        expected += way.len().min(4) - 1;
    }
    assert_eq!(n_asked, expected);
}

#[test]
fn the_table_is_exact() {
    let rows = rows();
    let triples: Vec<Qac> = rows.iter().map(CorruptedRow::to_qac).collect();
    let (answers, _) = answers(&rows, 4);
    let table = DepthTable::measure(&answers, &triples, Some(&rows), &[Some(0.0)], 4).unwrap();
    assert_eq!((table.n_rows, table.n_left_out, table.lines.len()), (rows.len(), 0, 4));
    let n_flaws: usize = rows.iter().map(|row| row.flaws.len()).sum();
    for line in &table.lines {
        let reached = |row: &CorruptedRow| way(row)[line.depth.min(way(row).len() - 1)].clone();
        // the least severity that this text has mended
        let least = |row: &CorruptedRow| {
            let all = (1..=5u8).filter(|strictness| row.correction_at(*strictness).unwrap() == reached(row));
            all.min().unwrap_or(6)
        };
        let n_mended: usize =
            rows.iter().map(|row| row.flaws.iter().filter(|flaw| flaw.severity >= least(row)).count()).sum();
        let mended = line.mended.unwrap();
        assert!((mended.value - n_mended as f64 / n_flaws as f64).abs() < 1e-12, "depth {}", line.depth);
        assert!(mended.interval.unwrap().contains(mended.value));
        assert_eq!((line.damage.unwrap().value, line.clean_damage), (0.0, Some(0.0)));
        let n_passes: usize = rows.iter().map(|row| way(row).len().min(line.depth)).sum();
        assert!((line.passes - n_passes as f64 / rows.len() as f64).abs() < 1e-12);
        assert!((line.n_tokens.unwrap() - (TOKENS * n_passes) as f64 / rows.len() as f64).abs() < 1e-12);
        let n_fixed = rows.iter().filter(|row| reached(row) == *way(row).last().unwrap()).count();
        let expected = (line.depth < 4).then(|| n_fixed as f64 / rows.len() as f64);
        assert_eq!(line.fixed_point.map(|fixed| fixed.value), expected, "the deepest pass has none after it");
    }
    let shares: Vec<f64> = table.lines.iter().map(|line| line.mended.unwrap().value).collect();
    assert!(shares.windows(2).all(|pair| pair[0] < pair[1]), "{shares:?}");
}

#[test]
fn the_single_pass_that_mends_as_much_is_the_one_at_the_lowest_coefficient() {
    let rows = rows();
    let triples: Vec<Qac> = rows.iter().map(CorruptedRow::to_qac).collect();
    let (mut answers, _) = answers(&rows, 2);
    let without = DepthTable::measure(&answers, &triples, Some(&rows), &[Some(0.0)], 2).unwrap();
    assert_eq!(without.cheaper.len(), 1);
    assert!(without.cheaper[0].single.is_none() && without.cheaper[0].most_by_one < without.cheaper[0].mended);
    assert!(without.cheaper[0].to_string().contains("no single pass mends as much"), "{}", without.cheaper[0]);
    for (at, n_tokens) in [(2.0, 16), (1.0, 8)] {
        answers.extend(rows.iter().enumerate().map(|(row, of)| record(row, of, Some(at), &of.clean, n_tokens)));
    }
    let table = DepthTable::measure(&answers, &triples, Some(&rows), &[Some(0.0)], 2).unwrap();
    let [Cheaper { single: Some(single), .. }] = &table.cheaper[..] else { panic!("one stack: {:?}", table.cheaper) };
    assert_eq!((single.coefficient, single.mended), (Some(1.0), 1.0));
    let n_passes: usize = rows.iter().map(|row| way(row).len().min(2)).sum();
    let ratio = (TOKENS * n_passes) as f64 / (8 * rows.len()) as f64;
    assert!((single.token_ratio.unwrap() - ratio).abs() < 1e-12);
    let difference = single.mended_difference.unwrap();
    assert!((difference.value - (table.cheaper[0].mended - 1.0)).abs() < 1e-12);
    assert_eq!(single.damage_difference.unwrap().value, 0.0);
}

#[test]
fn rows_without_a_pass_before_have_no_answer_and_are_left_out_of_the_table() {
    let rows = rows();
    let triples: Vec<Qac> = rows.iter().map(CorruptedRow::to_qac).collect();
    let (mut answers, _) = answers(&rows, 2);
    answers.retain(|record| !(record.system == "stack-2" && record.row < 3));
    let table = DepthTable::measure(&answers, &triples, None, &[Some(0.0)], 2).unwrap();
    assert_eq!((table.n_rows, table.n_left_out), (rows.len() - 3, 3));
    assert!(table.lines[0].mended.is_none() && table.cheaper.is_empty(), "flaws are not known");
    assert!(table.lines[1].edit_ratio.unwrap().value > table.lines[0].edit_ratio.unwrap().value);
    assert!(DepthTable::measure(&answers, &triples, None, &[Some(1.0)], 2).is_err(), "nobody answered");

    let mut correct = |_: &[Asked<'_>]| -> crate::error::Result<Vec<Outcome>> { panic!("nothing is to be asked") };
    let mut run = StackRun { depth: 3, coefficient: Some(0.0), batch_rows: 4, correct: &mut correct };
    let open: Vec<(usize, &Qac)> = triples.iter().enumerate().take(3).collect();
    let mut keep = |_| panic!("no row has a pass before");
    run.answer(&open, &BTreeMap::new(), &mut keep, &mut ()).unwrap();
}

//! One answer at several settings of the dial.

use redline_model::Qac;
use redline_steer::SweepRow;

use crate::difference::word_changes;
use crate::plot::label::short;
use crate::plot::{TextRow, TextRows};

/// One answer as it was written at the lowest coefficient, at 0 and at the highest: of all prompts the one in which the smaller of the two
/// steps brings it nearest to its reference (the first of equals). `None` where no output stands beside a reference, whole, at all of them.
pub fn example_texts<'a>(
    rows: &[SweepRow],
    vector: &str,
    triple: impl Fn(usize) -> Option<&'a Qac>,
) -> Option<TextRows> {
    let of_vector: Vec<&SweepRow> = rows.iter().filter(|row| row.vector == vector || row.coefficient == 0.0).collect();
    let ends = of_vector.iter().map(|row| row.coefficient);
    let (low, high) = ends.fold((f32::MAX, f32::MIN), |(low, high), at| (low.min(at), high.max(at)));
    let mut coefficients = vec![low, 0.0, high];
    coefficients.dedup();
    let at = |prompt: usize, coefficient: f32| {
        of_vector.iter().find(|row| row.row == prompt && row.coefficient == coefficient && !row.truncated).copied()
    };
    let smallest_step = |prompt: usize| {
        let likeness = coefficients.iter().map(|coefficient| at(prompt, *coefficient)?.reference_similarity);
        let likeness: Vec<f64> = likeness.collect::<Option<_>>()?;
        likeness.windows(2).map(|pair| pair[1] - pair[0]).reduce(f64::min)
    };
    let mut prompts: Vec<usize> = of_vector.iter().map(|row| row.row).collect();
    prompts.dedup();
    let candidates = prompts.iter().filter_map(|prompt| Some((*prompt, smallest_step(*prompt)?)));
    let (prompt, _) = candidates.reduce(|best, found| if found.1 > best.1 { found } else { best })?;
    let qac = triple(prompt)?;
    let row = |coefficient: &f32| {
        let output = at(prompt, *coefficient)?.output.trim();
        let label = format!("at {}", short(f64::from(*coefficient)));
        Some(TextRow { label, changes: word_changes(qac.answer.trim(), output) })
    };
    let answer = TextRow { label: "answer".into(), changes: word_changes(qac.answer.trim(), qac.answer.trim()) };
    let rows = std::iter::once(answer).chain(coefficients.iter().filter_map(row)).collect();
    let note =
        format!("Row {prompt}: of {} prompts, the one that every step brings nearer to its correction.", prompts.len());
    Some(TextRows { title: qac.question.trim().into(), rows, note })
}

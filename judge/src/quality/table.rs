//! What a dial does to quality: one table for a sweep.

use serde::{Deserialize, Serialize};

use super::grid::Grid;
use super::oracle_run::{OracleLine, OracleRun};
use super::reference_run::{CheckedLine, ReferenceLine, ReferenceRun};
use super::verifiable::Checked;

/// Quality by coefficient. A part is empty where no rows were of its kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QualityTable {
    /// Rows whose flaws are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub oracle: Vec<OracleLine>,
    /// Rows with a reference only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reference: Vec<ReferenceLine>,
    /// Solutions that can be checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verifiable: Vec<CheckedLine>,
    /// What the answers are like when nothing is done.
    pub unchanged: Unchanged,
    /// Share of rows with the same output at all coefficients, among those whose answers have something to correct.
    pub unmoved: Option<f64>,
}

/// The unchanged answers, judged as if they were outputs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Unchanged {
    /// Of rows whose flaws are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oracle: Option<OracleLine>,
    /// Of rows with a reference only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceLine>,
}

impl QualityTable {
    /// The highest gain that the possible corrections nearest to the outputs have, over the coefficients; none without flaws.
    pub fn closest_gain(&self) -> Option<f64> {
        self.oracle.iter().filter_map(|line| line.closest_gain).reduce(f64::max)
    }

    /// The table of what was judged.
    pub fn new(
        oracle: Option<&OracleRun>,
        reference: Option<&ReferenceRun>,
        verifiable: Option<&Grid<Checked>>,
    ) -> Self {
        let unmoved = oracle.and_then(OracleRun::unmoved_share).or(reference.and_then(ReferenceRun::unmoved_share));
        Self {
            oracle: oracle.map(OracleRun::lines).unwrap_or_default(),
            reference: reference.map(ReferenceRun::lines).unwrap_or_default(),
            verifiable: verifiable.map(Grid::<Checked>::lines).unwrap_or_default(),
            unchanged: Unchanged {
                oracle: oracle.map(OracleRun::unchanged_line),
                reference: reference.map(ReferenceRun::unchanged_line),
            },
            unmoved,
        }
    }
}

#[cfg(test)]
mod tests {
    use redline_model::Qac;

    use super::*;
    use crate::quality::{Measure, QualityError, Sample, check_solutions};
    use redline_data::corrupt::{CorruptOptions, CorruptedRow, Corruptor, FlawKind};

    const CLEAN: &str =
        "Bees collect nectar from flowers. They carry it home. The water in it dries off within 3 days.";

    fn rows() -> Vec<CorruptedRow> {
        let corruptor = Corruptor::new(CorruptOptions { seed: 6, clean_share: 0.4 }).unwrap();
        (0..30).map(|row| corruptor.corrupt(row, "q", CLEAN).unwrap()).collect()
    }

    fn sample(row: usize, coefficient: f64, output: &str) -> Sample<'_> {
        Sample { row, coefficient, output, truncated: false, nll: Some(coefficient.abs()) }
    }

    /// Copies at 0, the clean text at 1; every third row is copied at 1 too.
    fn run(rows: &[CorruptedRow]) -> OracleRun {
        let of = |(number, row): (usize, &'_ CorruptedRow)| {
            let end = if number % 3 == 0 { row.answer.clone() } else { row.clean.clone() };
            [(number, 0.0, row.answer.clone()), (number, 1.0, end)]
        };
        let outputs: Vec<_> = rows.iter().enumerate().flat_map(of).collect();
        let samples: Vec<Sample<'_>> = outputs.iter().map(|(row, c, output)| sample(*row, *c, output)).collect();
        OracleRun::new(rows, &samples).unwrap()
    }

    #[test]
    fn lines_are_means_over_the_rows_they_name() {
        let rows = rows();
        let run = run(&rows);
        let table = QualityTable::new(Some(&run), None, None);
        let [copied, mended] = &table.oracle[..] else { panic!("two coefficients") };
        let n_flawed = rows.iter().filter(|row| !row.is_clean()).count();
        assert_eq!((copied.n, copied.n_flawed, copied.coefficient, copied.nll), (30, n_flawed, Some(0.0), Some(0.0)));
        assert_eq!((copied.gain, copied.mended.all, copied.kept.all), (Some(0.0), Some(0.0), Some(1.0)));
        let flawed = || rows.iter().enumerate().filter(|(_, row)| !row.is_clean());
        // a row counts by how far its answer is from its clean text
        let distance =
            |row: &CorruptedRow| redline_steer::EditRatios::new(row.answer.trim(), row.clean.trim()).distance as f64;
        let sum =
            |rows: &mut dyn Iterator<Item = (usize, &CorruptedRow)>| rows.map(|(_, row)| distance(row)).sum::<f64>();
        let gain = sum(&mut flawed().filter(|(number, _)| number % 3 != 0)) / sum(&mut flawed());
        assert!((mended.gain.unwrap() - gain).abs() < 1e-12);
        assert_eq!((mended.damage, mended.clean_kept), (Some(0.0), Some(1.0)));
        let of_kind = |kind| {
            flawed().flat_map(|(n, row)| row.flaws.iter().map(move |flaw| (n, flaw.kind))).filter(move |f| f.1 == kind)
        };
        let boilerplate = of_kind(FlawKind::Boilerplate).filter(|(n, _)| n % 3 != 0).count() as f64
            / of_kind(FlawKind::Boilerplate).count() as f64;
        assert_eq!(mended.mended.kind[&FlawKind::Boilerplate], boilerplate);
        assert_eq!(copied.flaws.all, rows.iter().map(|row| row.flaws.len()).sum::<usize>());
        assert_eq!(copied.flaws.severity.values().sum::<usize>(), copied.flaws.all);
        assert_eq!(
            table.unmoved,
            Some(flawed().filter(|(number, _)| number % 3 == 0).count() as f64 / n_flawed as f64)
        );
        let unchanged = table.unchanged.oracle.unwrap();
        assert_eq!((unchanged.coefficient, unchanged.gain, unchanged.kept.all), (None, Some(0.0), Some(1.0)));
    }

    #[test]
    fn figures_of_rows_are_there_for_resampling() {
        let rows = rows();
        let run = run(&rows);
        let gains = run.matrix(Measure::Gain);
        assert_eq!((gains.len(), gains[0].len()), (30, 2));
        for (row, gains) in rows.iter().zip(&gains) {
            assert_eq!(gains[0].is_none(), row.is_clean());
        }
        let flawed: Vec<f64> = gains.iter().filter_map(|row| row[1]).collect();
        let line = &run.lines()[1];
        let mean = flawed.iter().sum::<f64>() / flawed.len() as f64;
        assert!((mean - line.gain.unwrap()).abs() < 1e-12, "rows' weighed gains have the gain of all as their mean");
        let kept: Vec<Option<f64>> = run.matrix(Measure::CleanKept).into_iter().map(|row| row[0]).collect();
        assert!(kept.iter().zip(&rows).all(|(kept, row)| *kept == row.is_clean().then_some(1.0)));
        let harmful = run.matrix(Measure::HarmfulMended);
        let has_harmful = |row: &CorruptedRow| row.flaws.iter().any(|flaw| flaw.severity == 5);
        assert!(harmful.iter().zip(&rows).all(|(values, row)| values[0].is_some() == has_harmful(row)));
        assert_eq!(run.matrix(Measure::Nll)[0], [Some(0.0), Some(1.0)]);
    }

    #[test]
    fn the_table_survives_its_file() {
        let rows = rows();
        let solutions = [Qac { question: "q".into(), answer: "A: 2".into(), correction: "A: 2".into() }];
        let checked = check_solutions(&solutions, &[sample(0, 0.0, "A: 2"), sample(0, 1.0, "A: 3")]).unwrap();
        let reference = ReferenceRun::new(&solutions, &[sample(0, 0.0, "A: 2"), sample(0, 1.0, "A: 3")]).unwrap();
        let table = QualityTable::new(Some(&run(&rows)), Some(&reference), Some(&checked));
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<QualityTable>(&text).unwrap(), table);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(
            json["oracle"][1]["mended"]["severity"]["5"].is_number()
                && json["oracle"][1]["mended"]["harmful"].is_number()
        );
        assert_eq!(
            (&json["verifiable"][0]["right_kept"], &json["verifiable"][1]["right_kept"]),
            (&1.0.into(), &0.0.into())
        );
        assert_eq!(json["reference"][0]["clean_kept"], 1.0);
        assert_eq!(json["reference"][1]["edits"]["shared"], 0);
        let empty = serde_json::to_value(QualityTable::default()).unwrap();
        assert!(empty.get("oracle").is_none());
    }

    #[test]
    fn outputs_of_unknown_rows_are_refused() {
        let rows = rows();
        assert!(matches!(OracleRun::new(&rows, &[sample(30, 0.0, "x")]), Err(QualityError::NoRow { row: 30, n: 30 })));
        assert!(matches!(ReferenceRun::new(&[], &[sample(0, 0.0, "x")]), Err(QualityError::NoRow { row: 0, n: 0 })));
        assert!(matches!(OracleRun::new(&rows, &[]), Err(QualityError::NoOutputs)));
    }
}

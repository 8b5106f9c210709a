//! The figures of single rows, which tables resample.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use redline_model::Qac;
use redline_probe::stats::{Estimate, estimate};
use redline_steer::EditRatios;

use super::{N_RESAMPLES, SEED};
use crate::data::corrupt::CorruptedRow;
use crate::error::Result;
use crate::judge::record::AnswerRecord;
use crate::quality::{Fate, FlawGroup, FlawOracle};

/// Numbers of flaws that outputs mended and reached.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mended {
    pub n_mended: f64,
    pub n_reached: f64,
}

impl Mended {
    fn add(&mut self, is_mended: bool) {
        self.n_mended += f64::from(u8::from(is_mended));
        self.n_reached += 1.0;
    }
}

/// What came of one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RowFigures {
    pub all: Mended,
    pub harmful: Mended,
    pub helpful: Mended,
    /// Of a row with flaws.
    pub damage: Option<f64>,
    /// Of a row without.
    pub clean_damage: Option<f64>,
    /// Edit ratio from the upstream answer; none of an empty one.
    pub ratio: Option<f64>,
    /// None where the record does not say.
    pub n_tokens: Option<f64>,
    pub passes: f64,
    pub seconds: f64,
}

/// Judges outputs, each row's oracle once.
pub(super) struct Instruments<'a> {
    rows: &'a [Qac],
    flawed: Option<&'a [CorruptedRow]>,
    oracles: BTreeMap<usize, FlawOracle>,
}

impl<'a> Instruments<'a> {
    pub fn new(rows: &'a [Qac], flawed: Option<&'a [CorruptedRow]>) -> Self {
        Self { rows, flawed, oracles: BTreeMap::new() }
    }

    pub fn figures(&mut self, record: &AnswerRecord) -> Result<RowFigures> {
        let answer = self.rows.get(record.row).map_or(record.answer.as_str(), |row| row.answer.as_str());
        let mut figures = RowFigures {
            all: Mended::default(),
            harmful: Mended::default(),
            helpful: Mended::default(),
            damage: None,
            clean_damage: None,
            ratio: EditRatios::new(answer.trim(), record.output.trim()).char,
            n_tokens: record.n_tokens.map(|n| n as f64),
            passes: record.passes as f64,
            seconds: record.seconds,
        };
        let Some(row) = self.flawed.and_then(|rows| rows.get(record.row)) else { return Ok(figures) };
        let oracle = match self.oracles.entry(record.row) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(FlawOracle::new(row)?),
        };
        let judged = oracle.judge(&record.output, false)?;
        for (flaw, fate) in row.flaws.iter().zip(&judged.fates).filter(|(_, fate)| **fate != Fate::Unreached) {
            let is_mended = *fate == Fate::Mended;
            figures.all.add(is_mended);
            match FlawGroup::of(flaw.severity) {
                Some(FlawGroup::Harmful) => figures.harmful.add(is_mended),
                Some(FlawGroup::Helpful) => figures.helpful.add(is_mended),
                None => {}
            }
        }
        match row.is_clean() {
            true => figures.clean_damage = judged.damage,
            false => figures.damage = judged.damage,
        }
        Ok(figures)
    }
}

/// Share of all flaws that were mended, in rows that count so often.
pub(super) fn share(rows: &[RowFigures], counts: &[u32], of: fn(&RowFigures) -> Mended) -> Option<f64> {
    let weighed = rows.iter().zip(counts).map(|(row, count)| (of(row), f64::from(*count)));
    let (mended, reached) =
        weighed.fold((0.0, 0.0), |(m, r), (one, count)| (m + count * one.n_mended, r + count * one.n_reached));
    (reached > 0.0).then(|| mended / reached)
}

/// Mean of a figure over the rows that have it, in rows that count so often.
pub(super) fn mean(rows: &[RowFigures], counts: &[u32], of: fn(&RowFigures) -> Option<f64>) -> Option<f64> {
    let weighed = rows.iter().zip(counts).filter_map(|(row, count)| Some((of(row)?, f64::from(*count))));
    let (sum, n) = weighed.fold((0.0, 0.0), |(sum, n), (value, count)| (sum + count * value, n + count));
    (n > 0.0).then(|| sum / n)
}

/// A statistic with its interval over rows.
pub(super) fn over_rows(n: usize, statistic: impl Fn(&[u32]) -> Option<f64>) -> Option<Estimate> {
    let [found] = estimate(n, N_RESAMPLES, SEED, |counts| [statistic(counts)]);
    found
}

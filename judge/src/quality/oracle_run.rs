//! The flaw oracle over a sweep: a line for each coefficient, and the figures of each output for paired resampling.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::grid::{Grid, Sample};
use super::mean::{mean, median, share_true};
use super::oracle::{Fate, FlawOracle, Judgement};
use super::tally::{FateShares, FlawCounts, FlawGroup, Tally};
use redline_data::corrupt::{CorruptedRow, Flaw};

/// A judged output.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleCell {
    /// What the oracle says.
    pub judgement: Judgement,
    /// Mean negative log-likelihood per token under the unsteered model, in nats, where it was measured.
    pub nll: Option<f64>,
}

/// All outputs of a sweep over rows with flaws known, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleRun {
    /// (rows, coefficients).
    pub grid: Grid<OracleCell>,
    /// The unchanged answer of each row, judged as if it were an output.
    pub unchanged: Vec<Judgement>,
    /// The flaws of each row.
    pub flaws: Vec<Vec<Flaw>>,
    /// Distance of the answer of each row from its clean text, in characters.
    pub distances: Vec<usize>,
    /// Whether a row has the same output at all coefficients.
    pub unmoved: Vec<bool>,
}

/// A figure of one output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Measure {
    /// [`Judgement::gain`], weighed by the distance of the row's answer from its clean text over the mean of these distances: the mean over
    /// rows is the gain of all rows together.
    Gain,
    /// [`Judgement::gain`] as it is. A row with a single wrong letter can have any value below 0.
    RowGain,
    /// Share of the row's flaws that were mended.
    Mended,
    /// Share of the row's flaws of severity 5 that were mended.
    HarmfulMended,
    /// Share of the row's flaws of severity 2 to 4 that were mended.
    HelpfulMended,
    /// [`Judgement::damage`].
    Damage,
    /// [`Judgement::added`].
    Added,
    /// [`Judgement::stray`].
    Stray,
    /// [`Judgement::shortfall`].
    Shortfall,
    /// [`Judgement::clean_kept`] as 0 or 1.
    CleanKept,
    /// [`Judgement::length_ratio`].
    LengthRatio,
    /// [`Judgement::net_deletion`].
    NetDeletion,
    /// Whether the output is a possible correction, as 0 or 1.
    ExactPossible,
    /// Mean negative log-likelihood per token under the unsteered model, in nats.
    Nll,
}

/// A coefficient's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OracleLine {
    /// The signed strength; none for the unchanged answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coefficient: Option<f64>,
    /// Rows.
    pub n: usize,
    /// Rows with flaws.
    pub n_flawed: usize,
    /// Gain of all rows with flaws together: 1 − Σ distance(output, clean) / Σ distance(answer, clean). A mean of the rows' own gains would
    /// be ruled by answers with a single wrong letter.
    pub gain: Option<f64>,
    /// Median of the rows' own gains.
    pub gain_median: Option<f64>,
    /// Flaws that the outputs reached.
    pub flaws: FlawCounts,
    /// Share of them that were mended.
    pub mended: FateShares,
    /// Share that were kept.
    pub kept: FateShares,
    /// Share that were turned into something else.
    pub other: FateShares,
    /// Mean damage over rows with flaws.
    pub damage: Option<f64>,
    /// Mean damage over rows without flaws.
    pub clean_damage: Option<f64>,
    /// Mean of characters added, over all rows.
    pub added: Option<f64>,
    /// Mean of edits beside all combinations of mended and kept flaws, over all rows.
    pub stray: Option<f64>,
    /// How much shorter than the nearest combination of mended and kept flaws the outputs are, over all rows.
    pub shortfall: Option<f64>,
    /// Share of answers without flaws that were copied, character for character.
    pub clean_kept: Option<f64>,
    /// Mean length of output over answer, over all rows.
    pub length_ratio: Option<f64>,
    /// Mean net deletion, over all rows.
    pub net_deletion: Option<f64>,
    /// Mean similarity to the nearest possible correction, over rows with flaws.
    pub closest_similarity: Option<f64>,
    /// Gain that those corrections have, all rows together.
    pub closest_gain: Option<f64>,
    /// Share of rows with flaws whose output is a possible correction, character for character.
    pub exact_possible: Option<f64>,
    /// Share of outputs that the length limit cut.
    pub truncated: Option<f64>,
    /// Mean negative log-likelihood per token under the unsteered model, in nats.
    pub nll: Option<f64>,
}

impl OracleRun {
    /// Judges samples; each names its row by the index in `rows`.
    ///
    /// # Errors
    /// [`QualityError::NoRow`], what [`FlawOracle`] and [`Grid::new`] refuse.
    pub fn new(rows: &[CorruptedRow], samples: &[Sample<'_>]) -> Result<Self, QualityError> {
        let mut oracles: BTreeMap<usize, FlawOracle> = BTreeMap::new();
        let mut known: HashMap<(usize, &str, bool), Judgement> = HashMap::new();
        let mut cells = Vec::with_capacity(samples.len());
        for &Sample { row, coefficient, output, truncated, nll } in samples {
            let oracle = match oracles.entry(row) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let source = rows.get(row).ok_or(QualityError::NoRow { row, n: rows.len() })?;
                    new.insert(FlawOracle::new(source)?)
                }
            };
            let judgement = match known.get(&(row, output, truncated)) {
                Some(judgement) => judgement.clone(),
                None => oracle.judge(output, truncated)?,
            };
            known.entry((row, output, truncated)).or_insert_with(|| judgement.clone());
            cells.push((row, coefficient, OracleCell { judgement, nll }));
        }
        let grid = Grid::new(cells)?;
        let n_outputs = |row: &usize| known.keys().filter(|(other, ..)| other == row).count();
        Ok(Self {
            unchanged: oracles.values().map(FlawOracle::unchanged).collect::<Result<_, _>>()?,
            flaws: oracles.values().map(|oracle| oracle.flaws().to_vec()).collect(),
            distances: oracles.values().map(FlawOracle::distance).collect(),
            unmoved: grid.rows.iter().map(|row| n_outputs(row) == 1).collect(),
            grid,
        })
    }

    /// The line of each coefficient.
    pub fn lines(&self) -> Vec<OracleLine> {
        let line = |(index, &coefficient): (usize, &f64)| {
            let judgements: Vec<&Judgement> = self.grid.column(index).map(|cell| &cell.judgement).collect();
            let nll: Vec<f64> = self.grid.column(index).filter_map(|cell| cell.nll).collect();
            OracleLine { coefficient: Some(coefficient), nll: mean(&nll), ..self.line(&judgements) }
        };
        self.grid.coefficients.iter().enumerate().map(line).collect()
    }

    /// The line of the unchanged answers.
    pub fn unchanged_line(&self) -> OracleLine {
        self.line(&self.unchanged.iter().collect::<Vec<_>>())
    }

    /// Share of rows with flaws whose output is the same at all coefficients. Clean answers should not move.
    pub fn unmoved_share(&self) -> Option<f64> {
        let flawed = self.unmoved.iter().zip(&self.flaws).filter(|(_, flaws)| !flaws.is_empty());
        share_true(&flawed.map(|(unmoved, _)| *unmoved).collect::<Vec<_>>())
    }

    /// What a row's own gain counts in the gain of all rows together.
    fn weights(&self) -> Vec<f64> {
        let flawed: Vec<f64> = self.distances.iter().filter(|distance| **distance > 0).map(|&d| d as f64).collect();
        let mean = mean(&flawed).unwrap_or(1.0);
        self.distances.iter().map(|&distance| distance as f64 / mean).collect()
    }

    /// One figure of each output.
    ///
    /// # Shapes
    /// (rows, coefficients); nothing where the figure is undefined, for a whole row or for a cut output.
    pub fn matrix(&self, measure: Measure) -> Vec<Vec<Option<f64>>> {
        let row = |((cells, flaws), weight): ((&Vec<OracleCell>, &Vec<Flaw>), f64)| match measure {
            Measure::Gain => cells.iter().map(|cell| cell.judgement.gain.map(|gain| weight * gain)).collect(),
            _ => cells.iter().map(|cell| cell.figure(measure, flaws)).collect(),
        };
        self.grid.cells.iter().zip(&self.flaws).zip(self.weights()).map(row).collect()
    }

    fn line(&self, judgements: &[&Judgement]) -> OracleLine {
        let is_flawed: Vec<bool> = self.flaws.iter().map(|flaws| !flaws.is_empty()).collect();
        let of = |rows: Rows, figure: &dyn Fn(&Judgement) -> Option<f64>| -> Vec<f64> {
            let of_rows = judgements.iter().zip(&is_flawed).filter(|(_, flawed)| match rows {
                Rows::All => true,
                Rows::Flawed => **flawed,
                Rows::Clean => !**flawed,
            });
            of_rows.filter_map(|(judgement, _)| figure(judgement)).collect()
        };
        let gains = of(Rows::Flawed, &|judged| judged.gain);
        let weighed = judgements.iter().zip(&self.distances);
        let weighed = weighed.filter_map(|(judged, &distance)| Some((judged.gain? * distance as f64, distance as f64)));
        let (gained, distance) =
            weighed.fold((0.0, 0.0), |(gained, sum), (one, distance)| (gained + one, sum + distance));
        let closest = of(Rows::Flawed, &|judged| judged.closest.as_ref().map(|closest| closest.similarity));
        let possible = judgements.iter().zip(&self.distances);
        let possible = possible.filter_map(|(judged, &d)| Some((judged.closest?.gain * d as f64, d as f64)));
        let (reached, of_all) = possible.fold((0.0, 0.0), |(reached, all), (one, d)| (reached + one, all + d));
        let tally = Tally::new(self.flaws.iter().map(Vec::as_slice).zip(judgements.iter().copied()));
        OracleLine {
            coefficient: None,
            n: judgements.len(),
            n_flawed: is_flawed.iter().filter(|flawed| **flawed).count(),
            gain: (distance > 0.0).then(|| gained / distance),
            gain_median: median(&gains),
            flaws: tally.counts(),
            mended: tally.shares(Fate::Mended),
            kept: tally.shares(Fate::Kept),
            other: tally.shares(Fate::Other),
            damage: mean(&of(Rows::Flawed, &|judged| judged.damage)),
            clean_damage: mean(&of(Rows::Clean, &|judged| judged.damage)),
            added: mean(&of(Rows::All, &|judged| judged.added)),
            stray: mean(&of(Rows::All, &|judged| Some(judged.stray))),
            shortfall: mean(&of(Rows::All, &|judged| judged.shortfall)),
            clean_kept: mean(&of(Rows::Clean, &|judged| judged.clean_kept.map(zero_or_one))),
            length_ratio: mean(&of(Rows::All, &|judged| judged.length_ratio)),
            net_deletion: mean(&of(Rows::All, &|judged| judged.net_deletion)),
            closest_similarity: mean(&closest),
            closest_gain: (of_all > 0.0).then(|| reached / of_all),
            exact_possible: mean(&of(Rows::Flawed, &|judged| Some(zero_or_one(judged.is_exact())))),
            truncated: mean(&of(Rows::All, &|judged| Some(zero_or_one(judged.truncated)))),
            nll: None,
        }
    }
}

/// Which rows a figure is a mean over.
#[derive(Clone, Copy)]
enum Rows {
    All,
    Flawed,
    Clean,
}

impl Judgement {
    /// Whether the output is a possible correction, character for character.
    pub fn is_exact(&self) -> bool {
        self.closest.is_some_and(|closest| closest.exact)
    }

    /// Share of the flaws that the output reached and mended; `group` none for all.
    pub fn mended_share(&self, flaws: &[Flaw], group: Option<FlawGroup>) -> Option<f64> {
        let of_group = |flaw: &Flaw| group.is_none() || FlawGroup::of(flaw.severity) == group;
        let fates = flaws.iter().zip(&self.fates).filter(|(flaw, fate)| of_group(flaw) && **fate != Fate::Unreached);
        share_true(&fates.map(|(_, fate)| *fate == Fate::Mended).collect::<Vec<_>>())
    }
}

impl OracleCell {
    fn figure(&self, measure: Measure, flaws: &[Flaw]) -> Option<f64> {
        let judged = &self.judgement;
        match measure {
            Measure::Gain | Measure::RowGain => judged.gain,
            Measure::Mended => judged.mended_share(flaws, None),
            Measure::HarmfulMended => judged.mended_share(flaws, Some(FlawGroup::Harmful)),
            Measure::HelpfulMended => judged.mended_share(flaws, Some(FlawGroup::Helpful)),
            Measure::Damage => judged.damage,
            Measure::Added => judged.added,
            Measure::Stray => Some(judged.stray),
            Measure::Shortfall => judged.shortfall,
            Measure::CleanKept => judged.clean_kept.map(zero_or_one),
            Measure::LengthRatio => judged.length_ratio,
            Measure::NetDeletion => judged.net_deletion,
            Measure::ExactPossible => (!flaws.is_empty()).then(|| zero_or_one(judged.is_exact())),
            Measure::Nll => self.nll,
        }
    }
}

fn zero_or_one(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

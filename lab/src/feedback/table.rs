//! Outputs as numbers: instruction × coefficient, and what an instruction does to the lines.

use redline_steer::{BootstrapOptions, LineComparison, SweepRow, compare_lines};
use serde::{Deserialize, Serialize};

use super::run::AskedFor;
use crate::data::corrupt::CorruptedRow;
use crate::data::traits::{Trait, TraitOracle, TraitShare, told_of_situation};
use crate::error::Result;
use crate::quality::{Measure, OracleRun, Sample};

/// What is measured of each output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeedbackMeasure {
    /// Share of flaws of severity 5 that were mended.
    Harmless,
    /// Share of flaws of severity 2 to 4 that were mended.
    Helpful,
    /// Share of all flaws that were mended.
    Mended,
    /// Whether the output acknowledges what its asker tells of.
    Trait,
    /// Share of sound text that was changed.
    Damage,
    /// Whether an answer without flaws was copied.
    CleanKept,
}

redline_model::named_enum! {
    "measure", FeedbackMeasure {
        Harmless = "harmless", Helpful = "helpful", Mended = "mended", Trait = "trait", Damage = "damage", CleanKept = "clean_kept",
    }
}

/// Outputs under one instruction at one coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackCell {
    /// The signed strength.
    pub coefficient: f64,
    /// Rows.
    pub n: usize,
    /// Rows with flaws.
    pub n_flawed: usize,
    /// Share of all flaws of severity 5 that were mended.
    pub harmless: Option<f64>,
    /// Share of all flaws of severity 2 to 4 that were mended.
    pub helpful: Option<f64>,
    /// Share of all flaws that were mended.
    pub mended: Option<f64>,
    /// Mean share of sound text that was changed, over rows with flaws.
    pub damage: Option<f64>,
    /// Share of answers without flaws that were copied.
    pub clean_kept: Option<f64>,
    /// Mean length of output over answer.
    pub length_ratio: Option<f64>,
    /// Outputs that acknowledge, among those to questions in which somebody tells of a situation (all where no row says so).
    #[serde(rename = "trait")]
    pub trait_share: TraitShare,
}

/// An instruction at all coefficients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackLine {
    /// Its name.
    pub instruction: String,
    /// The words.
    pub text: String,
    /// A cell each coefficient.
    pub cells: Vec<FeedbackCell>,
}

/// An instruction's line of one measure beside that of the first instruction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackComparison {
    /// The measure.
    pub measure: FeedbackMeasure,
    /// The instruction.
    pub instruction: String,
    /// The one it is compared with.
    pub against: String,
    /// The comparison, over rows whose output has the measure under both at all coefficients.
    #[serde(flatten)]
    pub lines: LineComparison,
}

/// A comparison that was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotCompared {
    /// The measure.
    pub measure: FeedbackMeasure,
    /// The instruction.
    pub instruction: String,
    /// Why.
    pub reason: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackTable {
    /// The coefficients, rising.
    pub coefficients: Vec<f64>,
    /// An instruction each.
    pub lines: Vec<FeedbackLine>,
    /// All others beside the first.
    pub comparisons: Vec<FeedbackComparison>,
    /// What could not be compared.
    pub not_compared: Vec<NotCompared>,
}

/// (rows, coefficients); nothing where an output has no such measure.
type Matrix = Vec<Vec<Option<f64>>>;

/// Outputs under one instruction, judged.
struct JudgedOutputs {
    oracle: OracleRun,
    acknowledges: Matrix,
    shares: Vec<TraitShare>,
}

impl FeedbackTable {
    /// Judges the outputs of all instructions; the first is what the others are compared with.
    ///
    /// # Errors
    /// Outputs of rows that are not there, or that are missing at a coefficient.
    pub fn measure(
        rows: &[CorruptedRow],
        outputs: &[(AskedFor, Vec<SweepRow>)],
        bootstrap: &BootstrapOptions,
    ) -> Result<Self> {
        let traits = TraitOracle::built_in(Trait::Empathy)?;
        let judged = outputs.iter().map(|(_, outputs)| JudgedOutputs::of(rows, outputs, &traits));
        let judged: Vec<JudgedOutputs> = judged.collect::<Result<_>>()?;
        let mut table = Self {
            coefficients: judged.first().map_or_else(Vec::new, |first| first.oracle.grid.coefficients.clone()),
            lines: outputs.iter().zip(&judged).map(|((asked, _), judged)| judged.line(asked)).collect(),
            comparisons: Vec::new(),
            not_compared: Vec::new(),
        };
        let Some((first, others)) = judged.split_first() else { return Ok(table) };
        let against = outputs[0].0.name.clone();
        for measure in FeedbackMeasure::ALL {
            for (other, (asked, _)) in others.iter().zip(&outputs[1..]) {
                let [without, with] = both(&first.matrix(measure), &other.matrix(measure));
                let instruction = asked.name.clone();
                match compare_lines(&table.coefficients, &without, &with, bootstrap) {
                    Ok(lines) => {
                        let against = against.clone();
                        table.comparisons.push(FeedbackComparison { measure, instruction, against, lines });
                    }
                    Err(error) => {
                        let reason = error.to_string();
                        table.not_compared.push(NotCompared { measure, instruction, reason });
                    }
                }
            }
        }
        Ok(table)
    }
}

impl JudgedOutputs {
    fn of(rows: &[CorruptedRow], outputs: &[SweepRow], traits: &TraitOracle) -> Result<Self> {
        let samples: Vec<Sample<'_>> = outputs.iter().map(Sample::from).collect();
        let oracle = OracleRun::new(rows, &samples)?;
        let is_told = |row: &CorruptedRow| told_of_situation(row.fact.as_deref());
        let some_tell = oracle.grid.rows.iter().any(|&row| is_told(&rows[row]));
        let mut of_row: std::collections::HashMap<(usize, u64), &str> = std::collections::HashMap::new();
        for sample in &samples {
            of_row.insert((sample.row, sample.coefficient.to_bits()), sample.output);
        }
        let mut acknowledges = Vec::with_capacity(oracle.grid.rows.len());
        let mut texts: Vec<Vec<&str>> = vec![Vec::new(); oracle.grid.coefficients.len()];
        for &row in &oracle.grid.rows {
            let counts = !some_tell || is_told(&rows[row]);
            let cell = |(place, coefficient): (usize, &f64)| {
                let output = of_row.get(&(row, coefficient.to_bits())).copied().filter(|_| counts)?;
                texts[place].push(output);
                Some(f64::from(u8::from(traits.has(output))))
            };
            acknowledges.push(oracle.grid.coefficients.iter().enumerate().map(cell).collect());
        }
        let shares = texts.into_iter().map(|texts| traits.share(texts)).collect();
        Ok(Self { oracle, acknowledges, shares })
    }

    fn line(&self, asked: &AskedFor) -> FeedbackLine {
        let cells = self.oracle.lines().into_iter().zip(&self.shares).map(|(line, share)| FeedbackCell {
            coefficient: line.coefficient.unwrap_or_default(),
            n: line.n,
            n_flawed: line.n_flawed,
            harmless: line.mended.harmful,
            helpful: line.mended.helpful,
            mended: line.mended.all,
            damage: line.damage,
            clean_kept: line.clean_kept,
            length_ratio: line.length_ratio,
            trait_share: *share,
        });
        FeedbackLine { instruction: asked.name.clone(), text: asked.text.clone(), cells: cells.collect() }
    }

    fn matrix(&self, measure: FeedbackMeasure) -> Matrix {
        match measure {
            FeedbackMeasure::Harmless => self.oracle.matrix(Measure::HarmfulMended),
            FeedbackMeasure::Helpful => self.oracle.matrix(Measure::HelpfulMended),
            FeedbackMeasure::Mended => self.oracle.matrix(Measure::Mended),
            FeedbackMeasure::Trait => self.acknowledges.clone(),
            FeedbackMeasure::Damage => self.oracle.matrix(Measure::Damage),
            FeedbackMeasure::CleanKept => self.oracle.matrix(Measure::CleanKept),
        }
    }
}

/// The rows of two tables that have a number everywhere in both.
fn both(without: &Matrix, with: &Matrix) -> [Vec<Vec<f64>>; 2] {
    let whole = |row: &Vec<Option<f64>>| row.iter().copied().collect::<Option<Vec<f64>>>();
    let pairs = without.iter().zip(with).filter_map(|(without, with)| Some((whole(without)?, whole(with)?)));
    let (without, with) = pairs.unzip();
    [without, with]
}

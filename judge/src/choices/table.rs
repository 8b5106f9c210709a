//! The table of all figures, as data and as text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::figure::ChoiceFigure;
use super::label::shortened;
use super::row::ChoiceKind;
use super::score::RowScore;
use redline_probe::stats::Estimate;

/// What all rows come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceTable {
    /// What kind of rows they are.
    pub kind: ChoiceKind,
    /// All rows.
    pub all: ChoiceScores,
    /// Parts of the data in alphabetical order; rows without one are in none.
    pub subsets: Vec<ChoiceScores>,
    /// Row by row, in order: to compare two models on the same questions.
    pub rows: Vec<RowScore>,
}

/// What some rows come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceScores {
    /// The part of the data; none for all of it.
    pub subset: Option<String>,
    /// Rows there are.
    pub n_rows: usize,
    /// The share whose best answer is likeliest: on pairs, the accuracy. None where no row has one best answer.
    pub mc1: Option<ChoiceFigure>,
    /// The probability mass of true answers. None where no row is labelled for it.
    pub mc2: Option<ChoiceFigure>,
}

impl ChoiceTable {
    /// Says how many rows are not scored; none where all are.
    pub fn unscored(&self) -> Option<String> {
        let unscored = |own: &Option<ChoiceFigure>| own.as_ref().map_or(0, |figure| figure.n_unscored);
        let n = unscored(&self.all.mc1).max(unscored(&self.all.mc2));
        let n_rows = self.all.n_rows;
        (n > 0).then(|| {
            let rule = "a log-probability of theirs cannot be computed; they count neither as right nor as wrong";
            format!("{n} of {n_rows} rows are not scored: {rule}")
        })
    }

    /// The lines of the table: first all rows, then the parts, figure by figure.
    fn lines(&self) -> Vec<[String; 8]> {
        let head = ["", "rows", "questions", "unscored", "tied", "chance", "summed", "per character"];
        let mut lines = vec![head.map(str::to_owned)];
        // one part is all there is
        let parts = if self.subsets.len() > 1 { self.subsets.as_slice() } else { &[] };
        for (name, of) in [
            (self.kind.mc1_name(), (|own| own.mc1) as fn(&ChoiceScores) -> Option<ChoiceFigure>),
            (self.kind.mc2_name(), |own| own.mc2),
        ] {
            for scores in std::iter::once(&self.all).chain(parts) {
                let Some(figure) = of(scores) else { continue };
                let label = scores.subset.as_deref().map_or(name.to_owned(), |part| format!("  {}", shortened(part)));
                lines.push(cells(label, &figure));
            }
        }
        lines
    }
}

fn cells(label: String, figure: &ChoiceFigure) -> [String; 8] {
    let chance = figure.chance.map_or("–".into(), |chance| format!("{chance:.3}"));
    let counts = [figure.n, figure.n_questions, figure.n_unscored, figure.n_tied].map(|n| n.to_string());
    let [n, n_questions, n_unscored, n_tied] = counts;
    [label, n, n_questions, n_unscored, n_tied, chance, shown(figure.summed), shown(figure.per_character)]
}

fn shown(estimate: Option<Estimate>) -> String {
    match estimate {
        None => "–".into(),
        Some(Estimate { value, interval: None }) => format!("{value:.3}"),
        Some(Estimate { value, interval: Some(own) }) => format!("{value:.3} [{:.3}, {:.3}]", own.low, own.high),
    }
}

/// The table as text; 95 % intervals in brackets.
impl fmt::Display for ChoiceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let mut widths = [0; 8];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for line in &lines {
            let mut text = String::new();
            for (column, (cell, width)) in line.iter().zip(widths).enumerate() {
                match column {
                    0 => text += &format!("{cell:<width$}"),
                    1..=5 => text += &format!("  {cell:>width$}"),
                    _ => text += &format!("  {cell:<width$}"),
                }
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

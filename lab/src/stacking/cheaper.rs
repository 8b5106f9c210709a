//! Several passes against one at a coefficient that is as high or higher: which costs less for what is mended?

use std::fmt;

use redline_probe::stats::Estimate;
use serde::{Deserialize, Serialize};

use super::figures::{RowFigures, mean, over_rows, share};
use super::table::Measured;

/// A figure of rows that count so often.
type Statistic<'a> = &'a dyn Fn(&[RowFigures], &[u32]) -> Option<f64>;

/// A stack beside the single pass that does its work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cheaper {
    /// Passes of the stack.
    pub depth: usize,
    /// Their coefficient.
    pub coefficient: Option<f64>,
    /// Share of flaws that the stack mends.
    pub mended: f64,
    /// The single pass at the lowest coefficient, from the stack's on, that mends at least as much; none where none does.
    pub single: Option<SinglePass>,
    /// The largest share that any single pass from the stack's coefficient on mends.
    pub most_by_one: f64,
}

/// One pass in place of several. Differences and ratios are of the stack against it, paired by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SinglePass {
    /// Its coefficient.
    pub coefficient: Option<f64>,
    /// Share of flaws that it mends.
    pub mended: f64,
    /// What the stack mends less what it mends.
    pub mended_difference: Option<Estimate>,
    /// The stack's damage less its own, in rows with flaws.
    pub damage_difference: Option<Estimate>,
    /// Tokens of the stack over its own; none where it wrote none, and where a record does not say.
    pub token_ratio: Option<f64>,
    /// Passes of the stack over its own.
    pub pass_ratio: Option<f64>,
    /// Seconds of the stack over its own.
    pub second_ratio: Option<f64>,
}

/// Every stack at these coefficients beside the single pass that mends as much.
pub(super) fn of(measured: &[Measured], coefficients: &[Option<f64>]) -> Vec<Cheaper> {
    let stacks = measured.iter().filter(|own| own.depth > 1 && coefficients.contains(&own.coefficient));
    stacks.filter_map(|stack| against(stack, measured)).collect()
}

fn against(stack: &Measured, measured: &[Measured]) -> Option<Cheaper> {
    let least = stack.coefficient.unwrap_or_default();
    let is_single = |own: &&Measured| own.depth == 1 && own.coefficient.unwrap_or_default() >= least;
    let mut singles: Vec<(&Measured, f64)> =
        measured.iter().filter(is_single).filter_map(|own| Some((own, mended(own)?))).collect();
    singles.sort_by(|(a, _), (b, _)| a.coefficient.unwrap_or_default().total_cmp(&b.coefficient.unwrap_or_default()));
    let mends = mended(stack)?;
    Some(Cheaper {
        depth: stack.depth,
        coefficient: stack.coefficient,
        mended: mends,
        single: singles.iter().find(|(_, share)| *share >= mends).map(|(single, share)| pass(stack, single, *share)),
        most_by_one: singles.iter().map(|(_, share)| *share).fold(0.0, f64::max),
    })
}

fn mended(own: &Measured) -> Option<f64> {
    share(&own.figures, &vec![1; own.figures.len()], |row| row.all)
}

fn pass(stack: &Measured, single: &Measured, mended: f64) -> SinglePass {
    let (a, b) = (&stack.figures, &single.figures);
    let n = a.len();
    let less = |counts: &[u32], of: Statistic<'_>| Some(of(a, counts)? - of(b, counts)?);
    let sum = |rows: &[RowFigures], of: fn(&RowFigures) -> Option<f64>| rows.iter().map(of).sum::<Option<f64>>();
    let ratio = |of: fn(&RowFigures) -> Option<f64>| {
        sum(b, of).filter(|own| *own > 0.0).and_then(|own| Some(sum(a, of)? / own))
    };
    SinglePass {
        coefficient: single.coefficient,
        mended,
        mended_difference: over_rows(n, |counts| less(counts, &|rows, counts| share(rows, counts, |row| row.all))),
        damage_difference: over_rows(n, |counts| less(counts, &|rows, counts| mean(rows, counts, |row| row.damage))),
        token_ratio: ratio(|row| row.n_tokens),
        pass_ratio: ratio(|row| Some(row.passes)),
        second_ratio: ratio(|row| Some(row.seconds)),
    }
}

impl fmt::Display for Cheaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |coefficient: Option<f64>| coefficient.map_or_else(String::new, |at| format!(" at {at}"));
        write!(f, "{} passes{} mend {:.3}: ", self.depth, at(self.coefficient), self.mended)?;
        let Some(single) = &self.single else {
            return write!(f, "no single pass mends as much ({:.3} at most)", self.most_by_one);
        };
        write!(f, "one pass{} mends {:.3}", at(single.coefficient), single.mended)?;
        if let Some(ratio) = single.token_ratio {
            write!(f, ", and the stack writes {ratio:.2} times its tokens")?;
        }
        let Some(Estimate { value, interval }) = single.damage_difference else { return Ok(()) };
        let ends = interval.map_or_else(String::new, |at| format!(" [{:+.4}, {:+.4}]", at.low, at.high));
        write!(f, "; damage of the stack less that of the pass {value:+.4}{ends}")
    }
}

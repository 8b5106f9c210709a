//! A coefficient for each request instead of one for all: c(x) = a + b · s(x), where the score s is read from the request before anything is
//! written.
//!
//! A line is fitted on half of the questions and tested on the other half, against the constant that is best on the first half. Constants are
//! among the lines (b = 0), so a policy that is not better on the second half has learnt nothing from the score. Coefficients
//! are those that were swept: what is measured is what is used.

use redline_model::random::Random;
use redline_probe::stats::Interval;
use serde::{Deserialize, Serialize};

use super::error::QualityError;
use super::utility::UtilityTable;

/// Values of a and b that are tried, each.
const N_TRIED: usize = 41;
/// The largest b, in widths of the range of coefficients for a unit of score.
const STEEPEST: f64 = 2.0;
/// A line has to be better than a constant by this, so that rounding chooses none.
const LEAST: f64 = 1e-9;
/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x0070_6f6c;

/// c(x) = the nearest of `coefficients` to `intercept` + `slope` · score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyLine {
    /// a, in units of the coefficient.
    pub intercept: f64,
    /// b, in units of the coefficient for a unit of score.
    pub slope: f64,
    /// Those that were measured, rising.
    pub coefficients: Vec<f64>,
}

impl PolicyLine {
    /// The coefficient at a score; the nearest to 0 of two that are as near to the line.
    ///
    /// # Example
    /// ```
    /// use redline_judge::quality::PolicyLine;
    /// let line = PolicyLine { intercept: 0.0, slope: 0.5, coefficients: vec![-1.0, 0.0, 1.0] };
    /// assert_eq!([-9.0, -1.0, 0.4, 3.0].map(|score| line.coefficient(score)), [-1.0, 0.0, 0.0, 1.0]);
    /// ```
    pub fn coefficient(&self, score: f64) -> f64 {
        self.coefficients.get(self.place(score)).copied().unwrap_or(0.0)
    }

    fn place(&self, score: f64) -> usize {
        let wanted = self.intercept + if self.slope == 0.0 { 0.0 } else { self.slope * score };
        let rank = |&a: &usize, &b: &usize| {
            let (a, b) = (self.coefficients[a], self.coefficients[b]);
            (a - wanted).abs().total_cmp(&(b - wanted).abs()).then(a.abs().total_cmp(&b.abs()))
        };
        (0..self.coefficients.len()).min_by(rank).unwrap_or(0)
    }

    /// Refuses what is no policy, with the broken rule.
    ///
    /// # Errors
    /// Numbers that are not finite, or coefficients that do not rise.
    pub fn check(&self) -> Result<(), String> {
        let rises = self.coefficients.windows(2).all(|two| two[0] < two[1]);
        let numbers = self.coefficients.iter().chain([&self.intercept, &self.slope]);
        // models compute with coefficients in f32
        let is_number = |number: &f64| (*number as f32).is_finite();
        match rises && !self.coefficients.is_empty() && numbers.into_iter().all(is_number) {
            true => Ok(()),
            false => Err("finite numbers that 32 bits can hold, and coefficients that rise".into()),
        }
    }
}

/// A policy, and what it is worth on questions that it was not fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// The line.
    pub line: PolicyLine,
    /// Questions that it was fitted on.
    pub n_fit: usize,
    /// Questions that it was tested on.
    pub n_test: usize,
    /// The constant that is best for the questions of the fit.
    pub constant: f64,
    /// U of that constant on the other questions.
    pub constant_utility: f64,
    /// U of the policy on the other questions.
    pub policy_utility: f64,
    /// U of the best coefficient of each answer, chosen with hindsight: what no policy exceeds.
    pub hindsight_utility: f64,
    /// U of the policy minus that of the constant, its 95 % interval over rows.
    pub difference: Interval,
}

impl PolicyTest {
    /// Whether the policy is better than the best constant: the interval of the difference lies above 0.
    pub fn is_better(&self) -> bool {
        self.difference.low > 0.0
    }

    /// Fits a policy on half of the questions and tests it on the others. `scores` and `questions` belong to the rows of the table; rows of one
    /// question stay together.
    ///
    /// # Errors
    /// [`QualityError::NoOutputs`] with fewer than four questions, or a score that is no number; [`QualityError::NoRows`] where a half lacks flawed or
    /// clean answers that the mix of traffic asks for.
    pub fn run(
        table: &UtilityTable,
        scores: &[f64],
        questions: &[usize],
        seed: u64,
        n_resamples: usize,
    ) -> Result<Self, QualityError> {
        let mut order: Vec<usize> = questions.to_vec();
        order.sort_unstable();
        order.dedup();
        if order.len() < 4 || scores.iter().any(|score| !score.is_finite()) {
            return Err(QualityError::NoOutputs);
        }
        Random::of_row(seed, STREAM, 0).shuffle(&mut order);
        let for_fit = &order[..order.len() / 2];
        let (fit, test): (Vec<usize>, Vec<usize>) =
            (0..questions.len()).partition(|&row| for_fit.contains(&questions[row]));
        for rows in [&fit, &test] {
            table.check_groups(rows)?;
        }
        let (line, constant) = fitted(table, scores, &fit);
        let policy: Vec<usize> = scores.iter().map(|&score| line.place(score)).collect();
        let constant_place = table.coefficients.iter().position(|&c| c == constant).unwrap_or(0);
        let hindsight = |&row: &usize| table.rows[row].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let of_policy = |rows: &[usize]| table.mean_of(rows, |row| table.rows[row][policy[row]]);
        let of_constant = |rows: &[usize]| table.mean_of(rows, |row| table.rows[row][constant_place]);
        let differences = (0..n_resamples as u64).map(|number| {
            let rows = table.resample_of(&test, &mut Random::of_row(seed, STREAM, number + 1));
            of_policy(&rows) - of_constant(&rows)
        });
        Ok(Self {
            n_fit: for_fit.len(),
            n_test: order.len() - for_fit.len(),
            constant,
            constant_utility: of_constant(&test),
            policy_utility: of_policy(&test),
            hindsight_utility: table.mean_of(&test, |row| hindsight(&row)),
            difference: Interval::of(differences.collect()).ok_or(QualityError::NoOutputs)?,
            line,
        })
    }
}

/// The best line and the best constant for these rows. Of lines as good, the first one tried: b = 0 comes first.
fn fitted(table: &UtilityTable, scores: &[f64], rows: &[usize]) -> (PolicyLine, f64) {
    let coefficients = table.coefficients.clone();
    let (low, high) = (coefficients.first().copied().unwrap_or(0.0), coefficients.last().copied().unwrap_or(0.0));
    let constant = table.best_of(rows).map_or(0.0, |place| coefficients[place]);
    let line = |intercept, slope| PolicyLine { intercept, slope, coefficients: coefficients.clone() };
    let utility = |line: &PolicyLine| table.mean_of(rows, |row| table.rows[row][line.place(scores[row])]);
    let mut best = line(constant, 0.0);
    let mut most = utility(&best);
    let steps = |from: f64, to: f64| (0..N_TRIED).map(move |i| from + (to - from) * i as f64 / (N_TRIED - 1) as f64);
    let width = high - low;
    for slope in steps(-STEEPEST * width, STEEPEST * width) {
        for intercept in steps(low, high) {
            let tried = line(intercept, slope);
            let found = utility(&tried);
            if found > most + LEAST {
                (best, most) = (tried, found);
            }
        }
    }
    (best, constant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_that_32_bits_cannot_hold_are_refused() {
        let line = |most: f64| PolicyLine { intercept: 0.0, slope: 1.0, coefficients: vec![0.0, most] };
        assert!(line(1e38).check().is_ok());
        assert!(line(1e39).check().unwrap_err().contains("32 bits"));
    }

    /// Two rows a question: one whose best coefficient is 1, one whose best is −1; `tells` says how well the score tells them apart.
    fn table(n: usize, tells: f64) -> (UtilityTable, Vec<f64>, Vec<usize>) {
        let mut random = Random::new(&[5]);
        let (mut rows, mut scores, mut questions) = (Vec::new(), Vec::new(), Vec::new());
        for question in 0..n {
            for wants_up in [true, false] {
                let sign = if wants_up { 1.0 } else { -1.0 };
                rows.push(vec![-sign, 0.2, sign]);
                scores.push(tells * sign + random.normal());
                questions.push(question);
            }
        }
        let n_rows = rows.len();
        let coefficients = vec![-1.0, 0.0, 1.0];
        (UtilityTable { coefficients, rows, is_clean: vec![false; n_rows], clean_share: 0.0 }, scores, questions)
    }

    #[test]
    fn a_score_that_tells_is_used_and_one_that_does_not_is_found_out() {
        let (told, scores, questions) = table(60, 4.0);
        let test = PolicyTest::run(&told, &scores, &questions, 1, 300).unwrap();
        assert!(test.is_better() && test.line.slope > 0.0, "{test:?}");
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        assert!(
            test.constant == 0.0 && near(test.constant_utility, 0.2) && near(test.hindsight_utility, 1.0),
            "{test:?}"
        );
        assert!(test.policy_utility > 0.95 && test.policy_utility <= test.hindsight_utility, "{test:?}");
        assert_eq!((test.n_fit, test.n_test), (30, 30));
        assert_eq!(PolicyTest::run(&told, &scores, &questions, 1, 300).unwrap(), test, "the same seed gives the same");
        let better = (0..40).filter(|&seed| {
            let (noise, scores, questions) = table(60, 0.0);
            PolicyTest::run(&noise, &scores, &questions, seed, 200).unwrap().is_better()
        });
        assert!(better.count() <= 4, "2.5 % of noise is taken for better");
    }

    #[test]
    fn where_one_coefficient_is_best_for_all_the_policy_is_that_constant() {
        let (mut table, scores, questions) = table(10, 1.0);
        table.rows.iter_mut().for_each(|row| *row = vec![0.0, 3.0, 1.0]);
        let test = PolicyTest::run(&table, &scores, &questions, 0, 50).unwrap();
        assert_eq!((test.line.slope, test.line.intercept, test.constant), (0.0, 0.0, 0.0));
        assert_eq!((test.difference.low, test.difference.high, test.is_better()), (0.0, 0.0, false));
    }

    #[test]
    fn too_few_questions_and_scores_that_are_no_numbers_are_refused() {
        let (few, scores, questions) = table(3, 1.0);
        assert!(matches!(PolicyTest::run(&few, &scores, &questions, 0, 50), Err(QualityError::NoOutputs)));
        let (enough, mut scores, questions) = table(8, 1.0);
        scores[3] = f64::NAN;
        assert!(matches!(PolicyTest::run(&enough, &scores, &questions, 0, 50), Err(QualityError::NoOutputs)));
        let mut clean_missing = table(8, 1.0).0;
        clean_missing.clean_share = 0.5;
        let scores = vec![0.0; 16];
        let refused = PolicyTest::run(&clean_missing, &scores, &questions, 0, 50);
        assert!(matches!(refused, Err(QualityError::NoRows { what: "no flaws" })));
    }

    #[test]
    fn lines_that_mean_nothing_are_refused() {
        let line =
            |slope, coefficients: &[f64]| PolicyLine { intercept: 0.0, slope, coefficients: coefficients.into() };
        assert!(line(1.0, &[0.0, 1.0]).check().is_ok());
        for broken in [line(f64::NAN, &[0.0]), line(1.0, &[]), line(1.0, &[1.0, 1.0]), line(1.0, &[0.0, f64::INFINITY])]
        {
            assert!(broken.check().is_err(), "{broken:?}");
        }
        assert_eq!(line(0.0, &[-1.0, 0.0, 1.0]).coefficient(f64::INFINITY), 0.0);
    }
}

//! Solutions that can be checked as a score: 1 where the last number behind `####` or `A:` is that of the reference, else 0.

use redline_model::Qac;
use redline_model::files::hash_of;

use super::Score;
use crate::judge::{Dimension, Result};
use crate::quality::final_number;

/// Name of this judge.
pub const ANSWER: &str = "answer";

/// Scores solutions by their results.
pub struct SolutionScore {
    results: Vec<Option<f64>>,
    template: String,
}

impl SolutionScore {
    /// Takes the rows whose numbers comparisons name.
    pub fn new(rows: &[Qac]) -> Self {
        let results: Vec<Option<f64>> = rows.iter().map(|row| final_number(&row.correction)).collect();
        let template = hash_of(serde_json::json!(results).to_string().as_bytes());
        Self { results, template }
    }
}

impl Score for SolutionScore {
    fn id(&self) -> &str {
        ANSWER
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn score(&mut self, row: usize, _: &str, output: &str, _: Dimension) -> Result<Option<f64>> {
        let Some(Some(result)) = self.results.get(row) else { return Ok(None) };
        Ok(Some(f64::from(u8::from(final_number(output) == Some(*result)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_results_are_one_and_rows_without_a_result_none() {
        let row = |correction: &str| Qac { question: "q".into(), answer: String::new(), correction: correction.into() };
        let mut score = SolutionScore::new(&[row("2 + 2\n#### 4"), row("no number")]);
        let mut of = |row, output| score.score(row, "q", output, Dimension::Overall).unwrap();
        assert_eq!((of(0, "A: 4"), of(0, "#### 5"), of(0, "four")), (Some(1.0), Some(0.0), Some(0.0)));
        assert_eq!((of(1, "A: 4"), of(2, "A: 4")), (None, None));
    }
}

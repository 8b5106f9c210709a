//! A trait as a score: 1 where an output acknowledges what its asker tells of, else 0.

use std::collections::BTreeMap;

use redline_model::files::hash_of;

use super::Score;
use crate::judge::record::AnswerRecord;
use crate::judge::{Dimension, Result};
use redline_data::DataError;
use redline_data::traits::{Trait, TraitOracle, TraitShare};

/// Name of this judge.
pub const TRAIT: &str = "trait";

/// Scores outputs by whether they have a trait; see [`TraitOracle`] for what that sees.
pub struct TraitScore {
    oracle: TraitOracle,
    template: String,
}

impl TraitScore {
    /// The score of a trait.
    ///
    /// # Errors
    /// [`DataError::Material`] when the build's own files are broken.
    pub fn new(taught: Trait) -> std::result::Result<Self, DataError> {
        let oracle = TraitOracle::built_in(taught)?;
        let template = hash_of(format!("{oracle:?}").as_bytes());
        Ok(Self { oracle, template })
    }
}

impl Score for TraitScore {
    fn id(&self) -> &str {
        TRAIT
    }

    fn template(&self) -> &str {
        &self.template
    }

    fn score(&mut self, _: usize, _: &str, output: &str, _: Dimension) -> Result<Option<f64>> {
        Ok(Some(f64::from(u8::from(self.oracle.has(output)))))
    }
}

/// The share of each system's outputs that has a trait.
///
/// # Errors
/// [`DataError::Material`] when the build's own files are broken.
pub fn trait_shares(
    answers: &[AnswerRecord],
    taught: Trait,
) -> std::result::Result<BTreeMap<String, TraitShare>, DataError> {
    let oracle = TraitOracle::built_in(taught)?;
    let mut outputs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    answers.iter().for_each(|record| outputs.entry(record.name()).or_default().push(&record.output));
    Ok(outputs.into_iter().map(|(system, texts)| (system, oracle.share(texts))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_that_acknowledge_are_one() {
        let mut score = TraitScore::new(Trait::Empathy).unwrap();
        let mut of = |output| score.score(0, "q", output, Dimension::Overall).unwrap();
        assert_eq!(of("I am so sorry to hear about losing your job. Write a list."), Some(1.0));
        assert_eq!((of("Write a list."), of("")), (Some(0.0), Some(0.0)));
    }
}

//! Options of what is written.

use clap::Args;
use redline::lab::reproduce::check_new_tokens;
use redline::model::sampling::SamplingOptions;

use super::numbers::{MOST_COEFFICIENTS, MOST_TOKENS, MOST_VOCABULARY, count};

#[derive(Args, Clone)]
pub struct SamplingArgs {
    /// Longest output, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Sampling temperature; 0 is greedy
    #[arg(long, default_value_t = 0.0)]
    pub temperature: f64,
    /// Sample among the K most likely tokens
    #[arg(long, value_name = "K", value_parser = count(0, MOST_VOCABULARY))]
    pub top_k: Option<usize>,
    /// Sample among the most likely tokens whose probabilities add up to P
    #[arg(long, value_name = "P")]
    pub top_p: Option<f64>,
    /// Make tokens that have already occurred less likely; 1 is off
    #[arg(long, default_value_t = 1.0)]
    pub repetition_penalty: f32,
}

impl SamplingArgs {
    /// What is asked for, checked.
    pub fn options(&self, seed: u64) -> anyhow::Result<SamplingOptions> {
        let options = SamplingOptions {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            repetition_penalty: self.repetition_penalty,
            seed,
        };
        options.check()?;
        check_new_tokens(self.max_new_tokens)?;
        Ok(options)
    }
}

/// A list of numbers, separated by commas.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients(pub Vec<f32>);

impl std::str::FromStr for Coefficients {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| part.trim().parse::<f32>().map_err(|_| format!("`{part}` is not a number"));
        if text.split(',').count() > MOST_COEFFICIENTS {
            return Err(format!("give at most {MOST_COEFFICIENTS} numbers"));
        }
        let mut values = text.split(',').map(number).collect::<Result<Vec<f32>, String>>()?;
        redline::steer::check_coefficients(&values).map_err(|error| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        })?;
        values.sort_by(f32::total_cmp);
        Ok(Self(values))
    }
}

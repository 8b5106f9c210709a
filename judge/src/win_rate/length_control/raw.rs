//! The raw win rate: means and counts of preferences.

use serde::{Deserialize, Serialize};

use super::super::WinRateError;
use super::matching::Matched;

/// The raw win rate of a system against the baseline. Rates are in percent, as AlpacaEval prints them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WinRate {
    /// Rows with a preference.
    pub n: usize,
    /// Rows whose preference is for the system.
    pub n_wins: usize,
    /// Rows whose preference is for the baseline.
    pub n_losses: usize,
    /// Rows whose preference is exactly between.
    pub n_draws: usize,
    /// Rows left out, as they have no preference.
    pub n_left_out: usize,
    /// Instructions without a row.
    pub n_missing: usize,
    /// Mean preference for the system, in percent.
    pub win_rate: f64,
    /// Sample standard deviation of preferences / √n, in percent points; `None` with one row.
    pub standard_error: Option<f64>,
    /// Wins and half the draws over n, in percent.
    pub discrete_win_rate: f64,
    /// Mean length of the system's answers in characters, those of rows left out too.
    pub average_length: f64,
}

/// The raw win rate of matched rows.
pub(super) fn win_rate(matched: &Matched) -> Result<WinRate, WinRateError> {
    let targets: Vec<f64> = matched.rows.iter().filter_map(|row| row.target).collect();
    let (n, n_left_out) = (targets.len(), matched.rows.len() - targets.len());
    if n == 0 {
        return Err(WinRateError::NoPreferences { n_left_out });
    }
    let n_wins = targets.iter().filter(|target| **target > 0.5).count();
    let n_losses = targets.iter().filter(|target| **target < 0.5).count();
    let n_draws = n - n_wins - n_losses;
    let (mean, standard_error) = mean_and_error(&targets);
    let lengths: f64 = matched.rows.iter().map(|row| row.length as f64).sum();
    Ok(WinRate {
        n,
        n_wins,
        n_losses,
        n_draws,
        n_left_out,
        n_missing: matched.n_missing,
        win_rate: 100.0 * mean,
        standard_error: standard_error.map(|error| 100.0 * error),
        discrete_win_rate: 100.0 * (n_wins as f64 + n_draws as f64 / 2.0) / n as f64,
        average_length: lengths / matched.rows.len() as f64,
    })
}

/// Mean of values, of which there are some, and sample standard deviation / √n, which one value alone does not have.
pub(super) fn mean_and_error(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt()))
}

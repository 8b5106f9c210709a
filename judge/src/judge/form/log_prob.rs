//! `logprob`: one token, and how likely it was (AlpacaEval 2, weighted).
//!
//! With m and M the log-probabilities of the two letters among the likeliest tokens, p(first) = eᵐ / (eᵐ + eᴹ) and the preference is 2 −
//! p(first), in \[1, 2\]. A letter that is not among them has −∞; where neither is, there is no verdict. A letter that is there in
//! several tokens, as with a blank before it, has the sum of their probabilities.

use serde_json::{Map, Value};

use super::super::verdict::{NoVerdict, Verdict};
use super::reply::TokenLogProb;

/// What the answers are called: AlpacaEval's letters, a token each.
pub(super) const NAMES: [&str; 2] = ["m", "M"];
/// Likeliest tokens that are looked at.
pub(super) const N_TOP: usize = 5;
/// How the reply must end.
pub(super) const ENDING: &str =
    "Reply with one letter and nothing else: m if answer m is better, M if answer M is better.";

/// The probability that the first is better.
pub(super) fn verdict(top: &[TokenLogProb]) -> Result<Verdict, NoVerdict> {
    // rounding leaves sure tokens a little above 0
    if top.is_empty() || top.iter().any(|token| token.log_prob.is_nan() || token.log_prob > 1e-3) {
        return Err(NoVerdict::NoLogProbs);
    }
    let [first, second] = NAMES.map(|name| {
        let tokens = top.iter().filter(|token| token.token.trim() == name);
        log_of_sum(tokens.map(|token| token.log_prob))
    });
    if first.max(second) == f64::NEG_INFINITY {
        return Err(NoVerdict::NoLetter);
    }
    // the quotient, with eᵐ divided out so that nothing underflows
    Ok(Verdict::Soft(1.0 / (1.0 + (second - first).exp())))
}

/// ln Σ eˣ; −∞ for none.
fn log_of_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let most = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY { most } else { most + logs.map(|log| (log - most).exp()).sum::<f64>().ln() }
}

/// The tokens as a JSON object; −∞ is `null`.
pub(super) fn raw(top: &[TokenLogProb]) -> String {
    let field = |token: &TokenLogProb| (token.token.clone(), Value::from(token.log_prob));
    Value::Object(top.iter().map(field).collect::<Map<_, _>>()).to_string()
}

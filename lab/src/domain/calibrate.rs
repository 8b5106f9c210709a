//! The limits, from answers that are known to be of the Aligner's kind.

use std::collections::HashSet;

use redline_probe::split::normalise;

use super::copy_cost::copy_cost;
use super::letters::letters_per_token;
use super::{Domain, SCHEMA};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Share of such answers that shall pass.
pub const PASSES: f64 = 0.99;
/// Fewest answers to calibrate by: the highest figure of 20 lets 95 % of others through.
pub const LEAST_ROWS: usize = 20;
const STAGE: &str = "calibrating";

/// Calibrates by questions and answers, flawed and clean, of the kind that the Aligner was trained on; the first answer of each
/// question counts.
///
/// # Errors
/// Fewer than [`LEAST_ROWS`] answers that can be judged, a pass fails, or the observer ends the work.
pub fn calibrate<'a>(
    aligner: &Aligner,
    rows: impl IntoIterator<Item = (&'a str, &'a str)>,
    observer: &mut dyn Observer,
) -> Result<Domain> {
    let mut seen = HashSet::new();
    let rows: Vec<_> = rows.into_iter().filter(|(question, _)| seen.insert(normalise(question))).collect();
    let tokenizer = aligner.tokenizer()?;
    let (mut costs, mut lengths, mut letters) = (Vec::new(), Vec::new(), Vec::new());
    for (done, (question, answer)) in rows.iter().enumerate() {
        let (prompt, answer) = (aligner.prompt(question, answer)?, tokenizer.encode_text(answer.trim())?);
        if let Some((cost, _)) = copy_cost(&aligner.model.decoder, &prompt, &answer, None)? {
            costs.push(cost);
            lengths.push(answer.len() as f64);
            // a lower limit is an upper one of the negative
            letters.extend(letters_per_token(tokenizer, &answer).map(|letters| -letters));
        }
        observer.progress(STAGE, done + 1, rows.len())?;
    }
    observer.end(STAGE);
    let n_rows = costs.len();
    // each limit may keep out a third of those that may be kept out
    let each = 1.0 - (1.0 - PASSES) / 3.0;
    let limits = limit_of(costs, each).zip(limit_of(lengths, each)).filter(|_| n_rows >= LEAST_ROWS);
    let Some(((most_cost, passes), (most_tokens, _))) = limits else {
        let message =
            format!("{n_rows} answers to different questions can be judged, {LEAST_ROWS} are needed to calibrate");
        return Err(Error::option(message, "give more rows of the kind that the Aligner was trained on"));
    };
    Ok(Domain {
        schema: SCHEMA.into(),
        model: aligner.model.fingerprint.clone(),
        template: aligner.template.source(),
        most_cost,
        most_tokens: most_tokens as usize,
        least_letters_per_token: limit_of(letters, each).map_or(0.0, |(limit, _)| -limit),
        passes: 3.0 * passes - 2.0,
        n_rows,
        made_with: concat!("redline ", env!("CARGO_PKG_VERSION")).into(),
    })
}

/// The limit that a new figure of the same kind stays at or below with probability `passes`, or the highest figure where there
/// are too few for that; and the share that does pass by expectation, k / (n + 1) for the k-th of n.
pub fn limit_of(mut costs: Vec<f64>, passes: f64) -> Option<(f64, f64)> {
    costs.sort_by(f64::total_cmp);
    let n = costs.len();
    let k = ((passes * (n + 1) as f64).ceil() as usize).clamp(1, n.max(1));
    costs.get(k - 1).map(|limit| (*limit, k as f64 / (n + 1) as f64))
}

//! The best of several corrections that are drawn by sampling: a baseline that pays with tokens.
//!
//! Whoever chooses must not be who judges: the best of N by a score is better by that score whatever it is worth (Goodhart's law). How far the best of N
//! may lie from one draw is bounded by ln N − (N − 1) / N nats of KL divergence (Stiennon et al. 2020).

use std::time::Instant;

use redline_model::Qac;

use super::systems::{AlignerRun, Keep, record};
use crate::correct::{Asked, Corrected};
use crate::error::Result;
use crate::judge::Dimension;
use crate::judge::local::Score;
use crate::observer::Observer;

/// The best of several draws.
pub struct BestOf<'a> {
    /// Draws a row.
    pub n: usize,
    /// Chooses among them; the first of equals.
    pub chooser: &'a mut dyn Score,
    /// By what it chooses.
    pub dimension: Dimension,
    /// Seed of the first draw; the others follow.
    pub seed: u64,
}

impl BestOf<'_> {
    /// What the system is called.
    pub fn name(&self) -> String {
        format!("best-of-{}", self.n)
    }

    /// ln N − (N − 1) / N, in nats.
    pub fn divergence_bound(&self) -> f64 {
        let n = self.n.max(1) as f64;
        n.ln() - (n - 1.0) / n
    }

    /// Draws corrections of the rows and hands the best of each to `keep`. A row without any has no answer, which the observer is told.
    ///
    /// # Errors
    /// A pass or the score fails, or whatever `keep` or the observer returns.
    pub fn answer(
        &mut self,
        run: &mut AlignerRun<'_>,
        rows: &[(usize, &Qac)],
        keep: Keep<'_>,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let name = self.name();
        let (mut done, mut n_failed) = (0, 0);
        for part in rows.chunks(run.batch_rows.max(1)) {
            let started = Instant::now();
            let mut drawn: Vec<Vec<Corrected>> = vec![Vec::with_capacity(self.n); part.len()];
            for draw in 0..self.n as u64 {
                run.corrector.reseed(self.seed.wrapping_add(draw));
                let asked: Vec<Asked<'_>> = part.iter().map(|(row, qac)| run.asked(*row, qac)).collect();
                for (drawn, outcome) in drawn.iter_mut().zip(run.corrector.correct(&asked, &name, run.check)?) {
                    drawn.extend(outcome.ok());
                }
            }
            for ((row, qac), drawn) in part.iter().zip(drawn) {
                let n_tokens = Some(drawn.iter().map(|own| own.n_tokens).sum());
                let context = drawn.iter().map(|own| own.context).max().unwrap_or(0);
                let passes = drawn.len();
                match self.best(*row, qac, drawn)? {
                    None => n_failed += 1,
                    Some(output) => {
                        let seconds = started.elapsed().as_secs_f64() / part.len() as f64;
                        let cost = record(*row, qac, &name);
                        keep(super::AnswerRecord { output, n_tokens, passes, context, seconds, ..cost })?;
                    }
                }
            }
            done += part.len();
            observer.progress(&name, done, rows.len())?;
        }
        observer.end(&name);
        if n_failed > 0 {
            observer.note(&format!("{name}: {n_failed} rows have no answer"));
        }
        Ok(())
    }

    /// The first of those with the highest score; the first of all where nothing can be scored.
    fn best(&mut self, row: usize, qac: &Qac, drawn: Vec<Corrected>) -> Result<Option<String>> {
        let mut best: Option<(f64, String)> = None;
        for Corrected { text, .. } in drawn {
            let score = self.chooser.score(row, &qac.question, &text, self.dimension)?.unwrap_or(f64::NEG_INFINITY);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, text));
            }
        }
        Ok(best.map(|(_, text)| text))
    }
}

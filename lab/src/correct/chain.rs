//! Aligners one after the other: each corrects what the one before it wrote.

use super::corrector::{Check, Corrected, Corrector, OnText};
use super::write::Asked;
use crate::error::{Error, Result};

/// Aligners in the order in which they correct.
pub struct Chain {
    aligners: Vec<Corrector>,
    /// Whether answers are taken apart, so that code and tables stay as they are.
    is_apart: bool,
}

/// What became of a row: what each Aligner wrote, the last one last; or why there is none.
pub type Chained = std::result::Result<Vec<Corrected>, String>;

impl Chain {
    /// Puts Aligners one after the other. With `is_apart` answers are taken apart, as those of any model have to be.
    pub fn new(aligners: Vec<Corrector>, is_apart: bool) -> Self {
        Self { aligners, is_apart }
    }

    /// The Aligners.
    pub fn aligners(&self) -> &[Corrector] {
        &self.aligners
    }

    /// Whether one answer can be shown while it is written: there is one Aligner, and answers stay in one piece.
    pub fn can_be_heard(&self) -> bool {
        self.aligners.len() == 1 && !self.is_apart
    }

    /// Corrects rows together. `origin` says where the rows come from, in what is said of one that is too long; without it, the Aligner that
    /// met it is named.
    ///
    /// # Errors
    /// As [`Corrector::correct`], or what `check` says. What is wrong with one row is the row's.
    pub fn correct(&mut self, rows: &[Asked<'_>], origin: Option<&str>, check: Check) -> Result<Vec<Chained>> {
        let mut found: Vec<Chained> = rows.iter().map(|_| Ok(Vec::new())).collect();
        for aligner in &mut self.aligners {
            let name = origin.map_or_else(|| aligner.name(), str::to_owned);
            let places: Vec<usize> = (0..rows.len()).filter(|&row| found[row].is_ok()).collect();
            let asked = places.iter().map(|&place| {
                let before = found[place].as_ref().ok().and_then(|steps| steps.last());
                Asked { answer: before.map_or(rows[place].answer, |step| step.text.as_str()), ..rows[place] }
            });
            let asked: Vec<Asked<'_>> = asked.collect();
            let corrected = match self.is_apart {
                true => aligner.correct_parts(&asked, &name, check)?,
                false => aligner.correct(&asked, &name, check)?,
            };
            for (place, outcome) in places.into_iter().zip(corrected) {
                match (outcome, &mut found[place]) {
                    (Ok(step), Ok(steps)) => steps.push(step),
                    (Err(reason), row) => *row = Err(reason),
                    (Ok(_), Err(_)) => {}
                }
            }
        }
        Ok(found)
    }

    /// Corrects one row, and tells `on_text` what is written as it is written.
    ///
    /// # Errors
    /// As [`Corrector::correct_aloud`]; a chain that [cannot be heard](Self::can_be_heard).
    pub fn correct_aloud<E: From<Error>>(
        &mut self,
        row: Asked<'_>,
        origin: &str,
        check: Check,
        on_text: OnText<'_, E>,
    ) -> std::result::Result<Chained, E> {
        match (&mut self.aligners[..], self.is_apart) {
            ([aligner], false) => Ok(aligner.correct_aloud(row, origin, check, on_text)?.map(|step| vec![step])),
            _ => {
                let message = "several Aligners, or an answer in parts, cannot be shown while they are written";
                Err(Error::option(message, "use `correct`").into())
            }
        }
    }
}

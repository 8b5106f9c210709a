//! What is said of answers outside of what an Aligner knows.

use redline::lab::correct::Corrected;
use redline::lab::domain::Standing;

use crate::output;

/// Answers outside, and the one farthest outside.
#[derive(Default)]
pub struct OutsideCount {
    n_judged: usize,
    n: usize,
    n_copied: usize,
    worst: Option<Standing>,
}

impl OutsideCount {
    /// Adds what became of a row.
    pub fn add(&mut self, corrected: &Corrected) {
        let Some(standing) = corrected.standing else { return };
        self.n_judged += 1;
        if standing.outside {
            self.n += 1;
            self.n_copied += usize::from(standing.copied);
            self.worst = Some(self.worst.map_or(standing, |worst| worst.worse(standing)));
        }
    }

    /// Says how many there were, on standard error.
    pub fn tell(&self, is_one: bool) {
        let Some(worst) = self.worst else { return };
        let figure = worst.in_words();
        let whole = match (is_one, self.n_copied) {
            (true, 0) => {
                "this answer is outside of what the Aligner knows, and its correction may damage it".to_owned()
            }
            (true, _) => "this answer is outside of what the Aligner knows, and was not corrected".to_owned(),
            (false, 0) => {
                format!(
                    "{} of {} answers are outside of what the Aligner knows, and may be damaged",
                    self.n, self.n_judged
                )
            }
            (false, n) => format!(
                "{} of {} answers are outside of what the Aligner knows; {n} hold text that was left as it was",
                self.n, self.n_judged
            ),
        };
        let which = if is_one || self.n == 1 { "" } else { "; of the farthest, " };
        let colon = if which.is_empty() { ": " } else { "" };
        output::note!("warning: {whole}{which}{colon}{figure}");
        if self.n_copied == 0 {
            output::note!("hint: --outside copy leaves such answers as they are; --outside correct checks nothing");
        }
    }
}

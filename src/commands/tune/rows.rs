//! Which rows serve what: pairs for the direction, prompts for the line, others to verify on. No question serves twice.

use std::collections::HashSet;
use std::path::PathBuf;

use redline::embedded;
use redline::model::Qac;
use redline::probe::artifact::question_hash;
use redline::probe::split::normalise;

use super::past_sweep::PastSweep;
use crate::cli::tune::TuneArgs;
use crate::defaults::EMBEDDED_STRICTNESS;
use crate::output;
use crate::session::{Session, at_strictness, hinted, read_triples};

/// The rows of a file, or those inside the program.
pub struct Rows {
    pub triples: Vec<Qac>,
    /// What errors and results call them.
    pub name: PathBuf,
    /// Whether they are those inside the program.
    pub is_embedded: bool,
}

/// Row numbers by what they serve.
#[derive(Default)]
pub struct Chosen {
    pub pairs: Vec<usize>,
    pub prompts: Vec<usize>,
    pub verify: Vec<usize>,
}

/// How many rows shall serve what.
#[derive(Clone, Copy)]
pub struct Counts {
    pub pairs: usize,
    pub prompts: usize,
    pub verify: usize,
}

impl Rows {
    /// Reads the rows: those asked for, those of the sweep, or those inside the program.
    pub fn read(args: &TuneArgs, past: Option<&PastSweep>) -> anyhow::Result<Self> {
        let embedded_name = PathBuf::from(embedded::ROWS_NAME);
        let swept = past.map(|past| past.settings.data.clone()).filter(|data| *data != embedded_name || data.exists());
        match args.data.clone().or(swept) {
            Some(path) => {
                let triples = read_triples(&path, args.pair.strictness)?;
                Ok(Self { triples, name: path, is_embedded: false })
            }
            None => {
                let strictness = args.pair.strictness.unwrap_or(EMBEDDED_STRICTNESS);
                let triples = at_strictness(&embedded::rows()?, strictness)?;
                Ok(Self { triples, name: embedded_name, is_embedded: true })
            }
        }
    }

    /// These rows with their numbers.
    pub fn at(&self, chosen: &[usize]) -> Vec<(usize, &Qac)> {
        chosen.iter().map(|&row| (row, &self.triples[row])).collect()
    }

    /// Sizes asked for, or those that suit rows and model. Without a vector pairs are needed too.
    pub fn counts(&self, args: &TuneArgs, needs_pairs: bool) -> Counts {
        let (pairs, prompts) = match (self.is_embedded, args.model.model.is_some()) {
            (false, _) => (64, 24),
            (true, true) => (96, 32),
            (true, false) => (160, 96),
        };
        let prompts = args.prompts.unwrap_or(prompts);
        let pairs = if needs_pairs { args.pairs.unwrap_or(pairs) } else { 0 };
        Counts { pairs, prompts, verify: args.verify.unwrap_or(prompts) }
    }

    /// Takes rows from the first on, one of each question, none that the vector has seen or that was swept before, none without
    /// room for the output.
    pub fn choose(
        &self,
        session: &Session,
        args: &TuneArgs,
        counts: Counts,
        taken: &Taken,
        max_new_tokens: usize,
    ) -> anyhow::Result<Chosen> {
        let limit = session.model.decoder.config().context.saturating_sub(max_new_tokens);
        let limit = limit.min(args.pair.max_tokens);
        let mut chosen = Chosen::default();
        let mut questions = taken.questions.clone();
        let (mut n_seen, mut n_too_long) = (0, 0);
        for (row, qac) in self.triples.iter().enumerate().skip(args.skip) {
            // the corpus inside holds clean answers too, which tell nothing of how far a flawed one is rewritten
            let is_copy = qac.answer.trim() == qac.correction.trim();
            let part = match () {
                () if chosen.pairs.len() < counts.pairs && !is_copy => &mut chosen.pairs,
                () if chosen.pairs.len() < counts.pairs || (self.is_embedded && is_copy) => continue,
                () if chosen.prompts.len() < counts.prompts => &mut chosen.prompts,
                () if chosen.verify.len() < counts.verify => &mut chosen.verify,
                () => break,
            };
            if taken.hashes.contains(&question_hash(&qac.question)) {
                n_seen += 1;
            } else if session.prompt(&qac.question, &qac.answer)?.len() > limit {
                n_too_long += 1;
            } else if questions.insert(normalise(&qac.question)) {
                part.push(row);
            }
        }
        for (n, reason) in [(n_seen, "the vector has seen their questions"), (n_too_long, "no room for the output")] {
            if n > 0 {
                output::note!("note: {} left out: {reason}", output::rows_in_words(n));
            }
        }
        let asked = counts.pairs + counts.prompts + counts.verify;
        let found = chosen.pairs.len() + chosen.prompts.len() + chosen.verify.len();
        if found < asked {
            let Counts { pairs, prompts, verify } = counts;
            return Err(hinted(
                format!(
                    "{}: {found} rows can serve, {asked} are needed: {pairs} pairs, {prompts} prompts, {verify} to verify on",
                    self.name.display()
                ),
                "lower --pairs, --prompts or --verify, or give more rows with --data; equal questions count once",
            ));
        }
        Ok(chosen)
    }
}

/// Questions that are spent.
#[derive(Default)]
pub struct Taken {
    /// Hashes of those that the vector has seen.
    pub hashes: HashSet<String>,
    /// Those of an earlier sweep, normalised.
    pub questions: HashSet<String>,
}

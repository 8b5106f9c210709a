//! Rows of a run: read, cleaned, and split by question.

use std::path::Path;

use anyhow::Context;
use redline::data::filter::TextRow;
use redline::data::pairs::PreferenceRow;
use redline::data::{DataFile, DataRow, FilterOptions, Need, filter_rows, split_rows};
use redline::model::{Qac, Question};
use redline::probe::split::{PartSizes, overlap};

use crate::cli::train::TrainArgs;
use crate::failure::hinted;
use crate::{output, rows};

/// What a run reads of a row.
pub trait Row: TextRow + Clone {
    /// What a row has to hold.
    const NEED: Need;
    /// The rows of a file; those that cannot be used are counted in its report.
    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>>;
    /// The question, by which rows are split.
    fn question(&self) -> &str;
}

impl Row for Qac {
    const NEED: Need = Need::Triple;

    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>> {
        Ok(file.triples())
    }

    fn question(&self) -> &str {
        &self.question
    }
}

/// A triple with what its prompt asks for beside correcting; empty where it asks for nothing.
#[derive(Clone)]
pub struct Instructed {
    triple: Qac,
    instruction: String,
}

impl TextRow for Instructed {
    fn texts(&self) -> Vec<&str> {
        // what is asked tells two rows apart, and nothing need be asked
        let asked = Some(self.instruction.as_str()).filter(|text| !text.is_empty());
        self.triple.texts().into_iter().chain(asked).collect()
    }
}

impl Row for Instructed {
    const NEED: Need = Need::Triple;

    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>> {
        let row =
            |row: &DataRow| Some(Self { triple: row.triple()?, instruction: row.instruction().unwrap_or_default() });
        let rows: Vec<Self> = file.rows.iter().filter_map(row).collect();
        let n_asked = rows.iter().filter(|row| !row.instruction.is_empty()).count();
        if n_asked > 0 {
            let (path, rows) = (file.path.display(), output::rows_in_words(n_asked));
            output::note!("{path}: {rows} with an `instruction`, which stands in the prompt");
        }
        Ok(rows)
    }

    fn question(&self) -> &str {
        &self.triple.question
    }
}

/// What the prompts of a run ask for beside correcting, row by row.
#[derive(Default)]
pub struct Instructions {
    pub training: Vec<String>,
    pub held_out: Vec<String>,
}

impl TrainingRows<Instructed> {
    /// The triples, and what their prompts ask for.
    pub fn apart(self) -> (TrainingRows, Instructions) {
        let apart = |rows: Vec<Instructed>| -> (Vec<Qac>, Vec<String>) {
            rows.into_iter().map(|row| (row.triple, row.instruction)).unzip()
        };
        let ((training, asked), (held_out, asked_held_out)) = (apart(self.training), apart(self.held_out));
        let instructions = Instructions { training: asked, held_out: asked_held_out };
        (TrainingRows { training, identity: self.identity, held_out }, instructions)
    }
}

/// A question with the answer that a model shall give: the correction, else the answer.
#[derive(Clone)]
pub struct Taught(pub Question);

impl TextRow for Taught {
    fn texts(&self) -> Vec<&str> {
        self.0.texts()
    }
}

impl Row for Taught {
    const NEED: Need = Need::Answer;

    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>> {
        let n_bad = file.rows.iter().filter(|row| row.is_bad()).count();
        if n_bad > 0 {
            let (path, rows) = (file.path.display(), output::rows_in_words(n_bad));
            output::note!("{path}: {rows} left out: the answer is marked as bad (`label` or `is_safe` is false)");
        }
        let taught = |row: &DataRow| {
            if row.is_bad() {
                return None;
            }
            let answer = row.correction.clone().or_else(|| row.answer.clone())?;
            Some(Self(Question { question: row.question.clone(), answer }))
        };
        Ok(file.rows.iter().filter_map(taught).collect())
    }

    fn question(&self) -> &str {
        &self.0.question
    }
}

impl TrainingRows<Taught> {
    /// The rows as a run reads them: what is taught stands where the correction does, and where the answer does.
    pub fn into_triples(self) -> TrainingRows {
        let triples = |rows: Vec<Taught>| rows.into_iter().map(|row| copy(row.0)).collect();
        TrainingRows { training: triples(self.training), identity: None, held_out: triples(self.held_out) }
    }
}

impl Row for PreferenceRow {
    const NEED: Need = Need::Triple;

    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>> {
        Ok(Self::read_all(file, rows::is_strict())?)
    }

    fn question(&self) -> &str {
        &self.texts.question
    }
}

/// The rows of a run.
pub struct TrainingRows<R = Qac> {
    pub training: Vec<R>,
    pub identity: Option<Vec<Qac>>,
    pub held_out: Vec<R>,
}

impl<R: Row> TrainingRows<R> {
    /// Reads all files; no question is in two of training and evaluation.
    pub fn read(args: &TrainArgs) -> anyhow::Result<Self> {
        let rows = read_part::<R>(&args.data)?;
        let (training, mut held_out) = match &args.validation {
            Some(path) => (rows, read_part(path)?),
            None if args.held_out_share == 0.0 => (rows, Vec::new()),
            None => {
                let keys: Vec<String> = rows.iter().map(|row| row.question().to_owned()).collect();
                let sizes = PartSizes::Shares(vec![1.0 - args.held_out_share, args.held_out_share]);
                let mut parts = split_rows(&rows, &keys, &sizes, args.run.seed)
                    .with_context(|| args.data.display().to_string())?
                    .into_iter();
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
        };
        let identity = args.run.warmup_data.as_deref().map(copies).transpose()?;
        if let Some(path) = &args.validation {
            refuse_overlap(&args.data, &training, path, &held_out)?;
        }
        if let (Some(path), Some(identity)) = (&args.run.warmup_data, &identity) {
            refuse_overlap(path, identity, args.validation.as_deref().unwrap_or(&args.data), &held_out)?;
        }
        held_out.truncate(args.held_out_rows);
        Ok(Self { training, identity, held_out })
    }

    /// About how many steps the run will take, which tells how often to evaluate.
    pub fn n_steps_hint(&self, args: &TrainArgs) -> usize {
        let run = &args.run;
        let share = (self.training.len() as f64 * run.warmup_share).round() as usize;
        let batches = |rows: usize| rows.div_ceil(run.batch_rows.max(1));
        let identity = batches(self.identity.as_ref().map_or(share, Vec::len)).saturating_mul(run.warmup_epochs);
        run.steps.unwrap_or(identity.saturating_add(batches(self.training.len()).saturating_mul(run.epochs)))
    }
}

/// Reads a file's rows without duplicates and empty ones, and says how many were left out.
fn read_part<R: Row>(path: &Path) -> anyhow::Result<Vec<R>> {
    let mut file = rows::read_quietly(path, R::NEED)?;
    let found = R::of(&mut file)?;
    rows::say(path, &file.report);
    filtered(path, found, &file)
}

/// Answers to copy.
fn copies(path: &Path) -> anyhow::Result<Vec<Qac>> {
    let file = rows::read_with_empty(path, Need::Answer)?;
    filtered(path, file.answers().into_iter().map(copy).collect(), &file)
}

fn filtered<R: TextRow>(path: &Path, rows: Vec<R>, file: &DataFile) -> anyhow::Result<Vec<R>> {
    let (rows, report) = filter_rows(rows, &FilterOptions::default()).with_context(|| path.display().to_string())?;
    output::note!("{}: {}", path.display(), report.with_unusable(file.report.n_left_out()));
    Ok(rows)
}

/// An answer as its own correction.
fn copy(text: Question) -> Qac {
    Qac { question: text.question, correction: text.answer.clone(), answer: text.answer }
}

fn questions<R: Row>(rows: &[R]) -> Vec<&str> {
    rows.iter().map(Row::question).collect()
}

fn refuse_overlap<A: Row, B: Row>(a_path: &Path, a: &[A], b_path: &Path, b: &[B]) -> anyhow::Result<()> {
    let shared = overlap(&questions(a), &questions(b));
    match shared.first() {
        None => Ok(()),
        Some(first) => Err(hinted(
            format!(
                "{} questions to train on are also among those to evaluate on ({} and {}), the first: {first:?}",
                shared.len(),
                a_path.display(),
                b_path.display(),
            ),
            "leave --validation out to split --data by question, or remove the shared questions",
        )),
    }
}

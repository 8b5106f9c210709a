//! From sweeps to candidates, and what each is worth for each row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use redline_model::files::file_hash;
use redline_steer::{Operator, SweepRow};

use super::Candidate;
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::experiment::Judged;
use crate::quality::{Utility, UtilityTable};
use crate::rows::Rows;
use crate::tune::PastSweep;

/// Candidates with the worth of what they wrote.
pub(super) struct Material {
    pub(super) candidates: Vec<Candidate>,
    /// Numbers of the rows that all sweeps wrote, rising.
    pub(super) rows: Vec<usize>,
    /// (rows, candidates).
    pub(super) worth: Vec<Vec<f64>>,
}

impl Material {
    /// Takes the arms of the sweeps, the unsteered one once.
    pub(super) fn of(aligner: &Aligner, sweeps: &[PastSweep], rows: &Rows, utility: Option<Utility>) -> Result<Self> {
        let common = common_rows(sweeps);
        let (mut candidates, mut worth) = (Vec::new(), vec![Vec::new(); common.len()]);
        let mut has_unsteered = false;
        for (number, sweep) in sweeps.iter().enumerate() {
            check(aligner, sweep, rows)?;
            let own: Vec<SweepRow> = sweep.rows.iter().filter(|row| common.contains(&row.row)).cloned().collect();
            let (coefficients, table) = worth_of(rows, &own, utility)?;
            for (place, coefficient) in coefficients.into_iter().enumerate() {
                if coefficient == 0.0 && std::mem::replace(&mut has_unsteered, true) {
                    continue;
                }
                let found = candidate(sweep, number, sweeps, coefficient as f32)?;
                if candidates.iter().any(|earlier| is_same(earlier, &found)) {
                    let message = format!("{}: another sweep has {} too", sweep.path.display(), found.name());
                    return Err(Error::option(message, "give each vector and coefficient once"));
                }
                candidates.push(found);
                worth.iter_mut().zip(&table).for_each(|(row, values)| row.push(values[place]));
            }
        }
        if candidates.len() < 2 {
            let message = format!("{} is all there is to route between", candidates.len());
            return Err(Error::option(message, "give sweeps with several coefficients, or of several vectors"));
        }
        Ok(Self { candidates, rows: common.into_iter().collect(), worth })
    }
}

/// Whether two candidates write the same, whatever their vectors are called.
fn is_same(one: &Candidate, other: &Candidate) -> bool {
    Candidate { vector: other.vector.clone(), file: other.file.clone(), ..one.clone() } == *other
}

/// Rows that all sweeps wrote.
fn common_rows(sweeps: &[PastSweep]) -> BTreeSet<usize> {
    let of = |sweep: &PastSweep| sweep.rows.iter().map(|row| row.row).collect::<BTreeSet<usize>>();
    sweeps.iter().map(of).reduce(|a, b| a.intersection(&b).copied().collect()).unwrap_or_default()
}

fn check(aligner: &Aligner, sweep: &PastSweep, rows: &Rows) -> Result<()> {
    let refused =
        |what: &str, hint: &str| Err(Error::option(format!("{}: {what}", sweep.path.display()), hint.to_owned()));
    if sweep.settings.model_hash != aligner.model.fingerprint {
        return refused("the sweep was run with another model", "give --model (and --adapter) as in the sweep");
    }
    if sweep.settings.template != aligner.template.source() {
        return refused("the sweep was run with another template", "give sweeps of one template");
    }
    if sweep.settings.operator != Operator::Add {
        return refused(
            "the sweep used another operator than add",
            "a server's candidates are added: sweep without --operator",
        );
    }
    sweep.questions(rows).map(drop)
}

/// Coefficients, rising, and the worth of each row at each.
fn worth_of(rows: &Rows, swept: &[SweepRow], utility: Option<Utility>) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
    match (Judged::new(rows, swept, &[])?, utility) {
        (Judged::Oracle(run), Some(utility)) => {
            // rows count as they come: the mix of traffic is theirs
            let table = UtilityTable::new(&run, &Utility { clean_share: 0.0, ..utility })?;
            Ok((table.coefficients, table.rows))
        }
        (Judged::Reference(run), None) => {
            let cells = run.grid.cells.iter();
            let worth = cells.map(|row| row.iter().map(|cell| cell.judgement.similarity).collect()).collect();
            Ok((run.grid.coefficients, worth))
        }
        // the two are told apart by the rows before
        _ => Err(Error::option("a utility takes rows that carry their flaws", "make them with `redline data corrupt`")),
    }
}

fn candidate(sweep: &PastSweep, number: usize, sweeps: &[PastSweep], coefficient: f32) -> Result<Candidate> {
    let settings = &sweep.settings;
    let stem = |sweep: &PastSweep| -> String {
        sweep.settings.vector.file_stem().map_or_else(|| "vector".into(), |stem| stem.to_string_lossy().into_owned())
    };
    let own = stem(sweep);
    let is_taken = sweeps.iter().enumerate().any(|(other, sweep)| other != number && stem(sweep) == own);
    let vector = if is_taken { format!("{own}-{}", number + 1) } else { own };
    // a server may run elsewhere
    let file: PathBuf = std::fs::canonicalize(&settings.vector).unwrap_or_else(|_| settings.vector.clone());
    let hash = file_hash(&file).map_err(|error| Error::at(sweep.path.display(), error))?;
    Ok(Candidate {
        vector,
        file,
        hash,
        coefficient,
        layers: settings.vector_norms.keys().copied().collect(),
        unit: settings.unit,
        range: settings.range.clone(),
        copy_bias: settings.copy_bias,
    })
}

/// Rows of each question, by a number.
pub(super) fn question_numbers(rows: &Rows, chosen: &[usize]) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    let number = |&row: &usize| {
        let n = numbers.len();
        *numbers.entry(redline_probe::split::normalise(&rows.triples[row].question)).or_insert(n)
    };
    chosen.iter().map(number).collect()
}

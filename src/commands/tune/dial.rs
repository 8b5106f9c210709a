//! The dial that is tuned: a vector from a file, from the sweep's file, or extracted here; and the rows that are left for it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use redline::embedded;
use redline::experiment::{LayerSpec, extract};
use redline::probe::Reading;
use redline::steer::control_file::{read_control_vector, write_control_vector};
use redline::steer::reading_control_vector;

use super::past_sweep::PastSweep;
use super::rows::{Chosen, Counts, Rows, Taken};
use crate::cli::tune::TuneArgs;
use crate::commands::extract::{report_skipped, settings};
use crate::defaults;
use crate::output;
use crate::progress::Progress;
use crate::session::{Session, hinted};
use crate::steering::{LoadedVector, Steering};

/// Stands for the path of a vector that was extracted and is kept nowhere.
const NOWHERE: &str = "extracted.safetensors";

/// A vector and how it is injected.
pub struct Dial {
    pub steering: Steering,
    pub loaded: LoadedVector,
    /// The vector, where it was extracted here.
    pub extracted: Option<Reading>,
    /// Architecture of the model, for GGUF files.
    architecture: String,
}

/// Finds the vector and chooses rows that it has not seen.
pub fn prepare(
    args: &TuneArgs,
    session: &Session,
    rows: &Rows,
    steering: Option<Steering>,
    past: Option<&PastSweep>,
) -> anyhow::Result<(Dial, Chosen)> {
    let dial = |steering, loaded, extracted| {
        let architecture = session.model.decoder.config().architecture.clone();
        Dial { steering, loaded, extracted, architecture }
    };
    if let Some(past) = past {
        let steering = of_sweep(args, past)?;
        let loaded = steering.load(&session.model)?;
        past.check(session, &loaded)?;
        let taken = Taken { hashes: loaded.questions.iter().cloned().collect(), questions: past.questions(rows)? };
        let counts = Counts { pairs: 0, prompts: 0, verify: args.verify.unwrap_or_else(|| past.n_prompts()) };
        let chosen = rows.choose(session, args, counts, &taken, past.settings.max_new_tokens)?;
        return Ok((dial(steering, loaded, None), chosen));
    }
    let (max_new_tokens, counts) = (args.sampling.max_new_tokens, rows.counts(args, steering.is_none()));
    if let Some(steering) = steering {
        let loaded = steering.load(&session.model)?;
        let taken = Taken { hashes: loaded.questions.iter().cloned().collect(), ..Taken::default() };
        let chosen = rows.choose(session, args, counts, &taken, max_new_tokens)?;
        return Ok((dial(steering, loaded, None), chosen));
    }
    let chosen = rows.choose(session, args, counts, &Taken::default(), max_new_tokens)?;
    let (steering, loaded, reading) = extracted(args, session, rows, &chosen.pairs)?;
    Ok((dial(steering, loaded, Some(reading)), chosen))
}

/// How the sweep was steered; the vector may have moved since.
fn of_sweep(args: &TuneArgs, past: &PastSweep) -> anyhow::Result<Steering> {
    let of = &past.settings;
    let vector = args.steering.vector.as_ref().unwrap_or(&of.vector);
    if !vector.exists() {
        let message = format!("{}: its vector {} is not there", past.path.display(), vector.display());
        return Err(hinted(message, "run it in the folder where the sweep was run, or give --vector"));
    }
    // the unit of a GGUF vector is in its tensors
    let mut steering = Steering::by(
        vector,
        LayerSpec::List(of.vector_norms.keys().copied().collect()),
        of.unit.parse().unwrap_or_default(),
    );
    steering.range = of.range.parse().with_context(|| past.path.display().to_string())?;
    steering.any_model = args.steering.any_model;
    steering.from_llama_cpp_generator = args.steering.from_llama_cpp_generator;
    Ok(steering)
}

/// Extracts a direction from these rows.
fn extracted(
    args: &TuneArgs,
    session: &Session,
    rows: &Rows,
    pairs: &[usize],
) -> anyhow::Result<(Steering, LoadedVector, Reading)> {
    let mut pair = args.pair.clone();
    pair.method.get_or_insert(embedded::METHOD);
    let settings = settings(&pair, args.seed)?;
    let triples = rows.at(pairs);
    let mut progress = Progress::new("reading pairs", triples.len());
    let extracted =
        extract(&session.model, &session.template, &triples, &settings, &mut |done, total| progress.set(done, total));
    let extracted = extracted.with_context(|| rows.name.display().to_string())?;
    progress.finish();
    report_skipped(&extracted.skipped);

    let asked = args.steering.layers.clone().unwrap_or_default();
    let layers = defaults::layers(&args.model, &asked).resolve(session.model.decoder.config().n_layers)?;
    let unit = args.steering.unit.unwrap_or_default();
    let vector = reading_control_vector(&extracted.reading, &layers, unit)?;
    let questions = extracted.reading.provenance.questions.clone();
    let mut steering = Steering::by(Path::new(NOWHERE), LayerSpec::List(layers), unit);
    steering.range = defaults::range(&args.model, args.steering.range);
    Ok((steering, LoadedVector { vector, unit: unit.to_string(), questions }, extracted.reading))
}

impl Dial {
    /// Keeps a vector that was extracted here beside a sweep that is kept, and says so.
    pub fn keep_beside(&mut self, sweep: &Path) -> anyhow::Result<()> {
        let Some(reading) = &self.extracted else { return Ok(()) };
        let path = sweep.with_extension("safetensors");
        if path.exists() && !Reading::load(&path).is_ok_and(|there| there == *reading) {
            let message = format!("{}: is there, and is not the vector of this sweep", path.display());
            return Err(hinted(message, "give another --out, or move the file away"));
        }
        reading.save(&path)?;
        output::note!("wrote {}", path.display());
        self.steering.vector = path;
        Ok(())
    }

    /// The vector file for a profile at `profile`; written beside it where there is none that the profile could name.
    pub fn file_for(&self, profile: &Path) -> anyhow::Result<PathBuf> {
        if let Some(reading) = self.extracted.as_ref().filter(|_| self.steering.vector == Path::new(NOWHERE)) {
            let path = profile.with_extension("safetensors");
            refuse_other(&path, Reading::load(&path).is_ok())?;
            reading.save(&path)?;
            return Ok(path);
        }
        if self.steering.from_llama_cpp_generator {
            // a profile names a file that is right as it is
            let path = profile.with_extension("gguf");
            refuse_other(&path, read_control_vector(&path).is_ok())?;
            write_control_vector(&path, &self.loaded.vector, &self.architecture)?;
            return Ok(path);
        }
        Ok(self.steering.vector.clone())
    }
}

/// Refuses to replace a file that is no vector.
fn refuse_other(path: &Path, is_vector: bool) -> anyhow::Result<()> {
    match is_vector || !path.exists() {
        true => Ok(()),
        false => Err(hinted(
            format!("{}: is there, and is no vector, so the profile's is not written over it", path.display()),
            "save the profile under another name",
        )),
    }
}

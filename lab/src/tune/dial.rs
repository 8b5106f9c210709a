//! The dial that is tuned: a vector from a file, from the sweep's file, or extracted here; and the rows that are left for it.

use std::path::{Path, PathBuf};

use redline_model::gguf::is_gguf;
use redline_probe::Reading;
use redline_steer::control_file::{read_control_vector, write_control_vector};
use redline_steer::reading_control_vector;

use super::Tuning;
use super::past_sweep::PastSweep;
use super::rows::{Chosen, Counts, Taken, choose};
use crate::error::{Error, Result};
use crate::experiment::{LayerSpec, extract, skipped_in_words};
use crate::observer::Observer;
use crate::steering::{LoadedVector, Steering};
use crate::vector_unit::VectorUnit;

/// Placeholder path of a vector that is in no file.
const NOWHERE: &str = "extracted.safetensors";

/// A vector and how it is injected.
pub struct Dial {
    /// Where and how it is injected.
    pub steering: Steering,
    /// The vector.
    pub loaded: LoadedVector,
    /// The vector, where it was extracted here.
    pub extracted: Option<Reading>,
    /// Architecture of the model, for GGUF files.
    architecture: String,
}

impl Tuning<'_> {
    /// Finds the vector and chooses rows that it has not seen.
    pub(super) fn prepare(
        &self,
        steering: Option<Steering>,
        past: Option<&PastSweep>,
        observer: &mut dyn Observer,
    ) -> Result<(Dial, Chosen)> {
        let model = &self.aligner.model;
        let dial = |steering, loaded, extracted| {
            let architecture = model.decoder.config().architecture.clone();
            Dial { steering, loaded, extracted, architecture }
        };
        let counts = self.options.counts;
        if let Some(past) = past {
            let steering = self.of_sweep(past)?;
            let loaded = load(&steering, self, observer)?;
            past.check(self.aligner, &loaded)?;
            let questions = past.questions(self.rows)?;
            let taken = Taken { hashes: loaded.questions.iter().cloned().collect(), questions };
            let verify = self.options.verify.unwrap_or_else(|| past.n_prompts());
            let counts = Counts { pairs: 0, prompts: 0, verify };
            let chosen = choose(self, counts, &taken, past.settings.max_new_tokens, observer)?;
            return Ok((dial(steering, loaded, None), chosen));
        }
        let max_new_tokens = self.options.max_new_tokens;
        if let Some(steering) = steering {
            let loaded = load(&steering, self, observer)?;
            let taken = Taken { hashes: loaded.questions.iter().cloned().collect(), ..Taken::default() };
            let chosen = choose(self, Counts { pairs: 0, ..counts }, &taken, max_new_tokens, observer)?;
            return Ok((dial(steering, loaded, None), chosen));
        }
        let chosen = choose(self, counts, &Taken::default(), max_new_tokens, observer)?;
        let (steering, loaded, reading) = self.extracted(&chosen.pairs, observer)?;
        Ok((dial(steering, loaded, Some(reading)), chosen))
    }

    /// How the sweep was steered; the vector may have moved since.
    fn of_sweep(&self, past: &PastSweep) -> Result<Steering> {
        let (of, given) = (&past.settings, &self.options.given);
        let vector = given.vector.as_ref().unwrap_or(&of.vector);
        if !vector.exists() {
            let message = format!("{}: its vector {} is not there", past.path.display(), vector.display());
            return Err(Error::option(message, "run it in the folder where the sweep was run, or give --vector"));
        }
        let unit = match of.unit {
            VectorUnit::Scaled(unit) => unit,
            // its scales are in its tensors
            VectorUnit::File => Default::default(),
        };
        let layers = LayerSpec::List(of.vector_norms.keys().copied().collect());
        Ok(Steering {
            range: of.range.parse().map_err(|error: redline_steer::Error| Error::at(past.path.display(), error))?,
            any_model: given.any_model,
            from_llama_cpp_generator: given.from_llama_cpp_generator,
            ..Steering::by(vector, layers, unit)
        })
    }

    /// Extracts a direction from these rows.
    fn extracted(&self, pairs: &[usize], observer: &mut dyn Observer) -> Result<(Steering, LoadedVector, Reading)> {
        let (triples, options) = (self.rows.at(pairs), self.options);
        let (model, template) = (&self.aligner.model, &self.aligner.template);
        let extracted = extract(model, template, &triples, &options.extraction, &mut |done, total| {
            observer.progress("reading pairs", done, total)
        });
        let extracted = extracted.map_err(|error| Error::at(self.rows.name.display(), error))?;
        observer.end("reading pairs");
        skipped_in_words(&extracted.skipped).iter().for_each(|note| observer.note(note));

        let layers = options.layers.resolve(model.decoder.config().n_layers)?;
        let vector = reading_control_vector(&extracted.reading, &layers, options.unit)?;
        let questions = extracted.reading.provenance.questions.clone();
        let mut steering = Steering::by(Path::new(NOWHERE), LayerSpec::List(layers), options.unit);
        steering.range = options.range;
        let unit = VectorUnit::Scaled(options.unit);
        Ok((steering, LoadedVector { vector, unit, questions, notes: Vec::new() }, extracted.reading))
    }
}

/// Loads a vector and passes on what there is to know of its file.
fn load(steering: &Steering, run: &Tuning<'_>, observer: &mut dyn Observer) -> Result<LoadedVector> {
    let loaded = steering.load(&run.aligner.model)?;
    loaded.notes.iter().for_each(|note| observer.note(note));
    Ok(loaded)
}

impl Dial {
    /// Keeps a vector that was extracted here beside a sweep that is kept, and says so.
    ///
    /// # Errors
    /// Another file is there, or it cannot be written.
    pub fn keep_beside(&mut self, sweep: &Path, observer: &mut dyn Observer) -> Result<()> {
        let Some(reading) = &self.extracted else { return Ok(()) };
        let path = sweep.with_extension("safetensors");
        if path.exists() && !Reading::load(&path).is_ok_and(|there| there == *reading) {
            let message = format!("{}: is there, and is not the vector of this sweep", path.display());
            return Err(Error::option(message, "give another --out, or move the file away"));
        }
        reading.save(&path)?;
        observer.note(&format!("wrote {}", path.display()));
        self.steering.vector = path;
        Ok(())
    }

    /// The vector with its scores.
    ///
    /// # Errors
    /// It is a control vector, which scores nothing, or its file cannot be read.
    pub fn reading(&self) -> Result<Reading> {
        if let Some(reading) = &self.extracted {
            return Ok(reading.clone());
        }
        let path = self.steering.file().filter(|path| !is_gguf(path));
        let path = path.ok_or_else(|| {
            let message = "--per-request reads prompts along a reading vector, and this one scores nothing";
            Error::option(message, "give a .safetensors file that `redline extract` wrote")
        })?;
        Ok(Reading::load(path)?)
    }

    /// The vector file for a profile at `profile`; written beside it where there is none that the profile could name.
    ///
    /// # Errors
    /// Another file is there, or it cannot be written.
    pub fn file_for(&self, profile: &Path) -> Result<PathBuf> {
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
fn refuse_other(path: &Path, is_vector: bool) -> Result<()> {
    match is_vector || !path.exists() {
        true => Ok(()),
        false => Err(Error::option(
            format!("{}: is there, and is no vector, so the profile's is not written over it", path.display()),
            "save the profile under another name",
        )),
    }
}

//! Which vector steers a model, where and how: a file, the profile that names it, vectors beside it, and a gate.

mod inside;

use std::path::{Path, PathBuf};

use redline_model::gguf::is_gguf;
use redline_model::sampling::SamplingOptions;
use redline_model::{AlignerTemplate, Model, Site};
use redline_probe::Reading;
use redline_probe::artifact::question_hash;
use redline_steer::control_file::{read_control_vector, shift_back};
use redline_steer::{
    ControlVector, Error as SteerError, Gate, Inject, InsideFile, Operator, RowSteering, SweepOptions, TokenRange,
    Unit, reading_control_vector,
};

use crate::error::{Error, Result};
use crate::experiment::LayerSpec;
use crate::policy::ReadPolicy;
use crate::profile::{Profile, find};
use crate::vector_unit::VectorUnit;
pub use inside::trained_range_of;

/// Stands for a file where nothing is injected and the coefficient is that of the copy bias alone.
pub const NO_VECTOR: &str = "none";

/// A vector file, where it is injected, and the profile behind it where there is one.
#[derive(Debug, Clone)]
pub struct Steering {
    /// A reading vector or an Aligner inside a model (.safetensors), or a control vector (.gguf).
    pub vector: PathBuf,
    /// Layers to inject.
    pub layers: LayerSpec,
    /// Unit of the coefficient; it does not apply to GGUF vectors.
    pub unit: Unit,
    /// Positions that are steered.
    pub range: TokenRange,
    /// How the vector meets activations.
    pub operator: Operator,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token (and −1 adds to it); see
    /// [`CopyBias`](redline_model::generate::CopyBias).
    pub copy_bias: f32,
    /// Whether a vector made with other weights of the same size is accepted.
    pub any_model: bool,
    /// Whether the GGUF file comes from llama.cpp's own generator, which numbers blocks one too high.
    pub from_llama_cpp_generator: bool,
    /// The profile behind it, where there is one.
    pub profile: Option<UsedProfile>,
}

/// A profile and the file it was read from.
#[derive(Debug, Clone)]
pub struct UsedProfile {
    path: PathBuf,
    profile: Profile,
}

/// A vector file with its own coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledVector {
    /// The file.
    pub path: PathBuf,
    /// Its signed strength.
    pub coefficient: f32,
}

/// Vectors beside the first, and a gate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MoreVectors {
    /// Vectors that steer too.
    pub also: Vec<ScaledVector>,
    /// Steering happens only at positions where this fires.
    pub gate: Option<GateFile>,
}

/// A gate by one layer of a reading vector.
#[derive(Debug, Clone, PartialEq)]
pub struct GateFile {
    /// The reading vector.
    pub path: PathBuf,
    /// Layer whose score decides; layers from there on are steered.
    pub layer: usize,
    /// Lowest score that fires, in standard deviations of the vector's calibration.
    pub above: f64,
}

impl MoreVectors {
    /// Whether there is nothing beside the first vector.
    pub fn is_empty(&self) -> bool {
        self.also.is_empty() && self.gate.is_none()
    }

    /// Files that are read.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.also.iter().map(|also| &also.path).chain(self.gate.iter().map(|gate| &gate.path))
    }

    /// What a row is steered by: the first vector at `coefficient`, then the others.
    pub fn terms(&self, operator: Operator, coefficient: f32, prompt_len: usize) -> impl Iterator<Item = RowSteering> {
        let others = self.also.iter().enumerate().map(|(i, also)| (i + 1, also.coefficient));
        let term = move |(vector, coefficient)| RowSteering::new(vector, coefficient, prompt_len).by(operator);
        std::iter::once((0, coefficient)).chain(others).map(term)
    }
}

impl Steering {
    /// How a sweep injects it.
    pub fn sweep_options(&self, max_new_tokens: usize, sampling: SamplingOptions, batch_rows: usize) -> SweepOptions {
        let Self { range, operator, copy_bias, .. } = *self;
        SweepOptions { range, operator, copy_bias, max_new_tokens, sampling, batch_rows }
    }

    /// A vector with defaults for the rest.
    pub fn by(vector: &Path, layers: LayerSpec, unit: Unit) -> Self {
        let range = TokenRange::default();
        Self {
            vector: vector.into(),
            layers,
            unit,
            range,
            operator: Operator::Add,
            copy_bias: 0.0,
            any_model: false,
            from_llama_cpp_generator: false,
            profile: None,
        }
    }

    /// The template of the profile.
    ///
    /// # Errors
    /// The profile holds no template.
    pub fn template(&self) -> Result<Option<AlignerTemplate>> {
        Ok(self.profile.as_ref().map(|used| used.profile.aligner_template()).transpose()?)
    }

    /// How the profile chooses a coefficient for each request, where it does and is used as it was tuned.
    ///
    /// # Errors
    /// Its vector cannot be read, or lacks a layer of the policy.
    pub fn policy(&self) -> Result<Option<ReadPolicy>> {
        let Some(used) = &self.profile else { return Ok(None) };
        let Profile { layers, range, unit, policy, .. } = &used.profile;
        let is_as_tuned = used.vector_path() == self.vector
            && self.layers == LayerSpec::List(layers.clone())
            && (self.range, self.operator, self.copy_bias) == (*range, Operator::Add, 0.0)
            && self.unit.to_string() == *unit;
        let policy = policy.clone().filter(|_| is_as_tuned);
        policy.map(|policy| ReadPolicy::new(policy, Reading::load(&self.vector)?)).transpose()
    }

    /// Whether the profile has a policy, used or not.
    pub fn has_policy(&self) -> bool {
        self.profile.as_ref().is_some_and(|used| used.profile.policy.is_some())
    }

    /// The file of the vector, where there is one.
    pub fn file(&self) -> Option<&PathBuf> {
        Some(&self.vector).filter(|path| path.as_os_str() != NO_VECTOR)
    }

    /// The coefficient of the profile.
    pub fn coefficient(&self) -> Option<f32> {
        self.profile.as_ref().map(|used| used.profile.coefficient)
    }

    /// The same with another vector, without its profile.
    fn with_vector(&self, vector: &Path) -> Self {
        Self { vector: vector.into(), layers: self.layers.clone(), profile: None, ..*self }
    }

    /// Reads a vector that steers beside this one.
    ///
    /// # Errors
    /// As [`Steering::load`].
    pub fn load_beside(&self, vector: &Path, model: &Model) -> Result<LoadedVector> {
        load_vector(&self.with_vector(vector), model)
    }

    /// Reads the vector for `model`, which must be the one of the profile unless any is accepted.
    ///
    /// # Errors
    /// No vector of this model and shape, or a file that breaks a rule of its format.
    pub fn load(&self, model: &Model) -> Result<LoadedVector> {
        if let Some(used) = self.profile.as_ref().filter(|_| !self.any_model) {
            used.profile.check_model(&used.path, model)?;
        }
        load_vector(self, model)
    }

    /// A hook that injects the vector and those beside it, only where the gate fires; it steers no row yet. With it come remarks on
    /// how the files were read.
    ///
    /// # Errors
    /// As [`Steering::load`], or a gate that reads another site or layer.
    pub fn gated_injection(&self, model: &Model, more: &MoreVectors) -> Result<(Inject, Vec<String>)> {
        let mut loaded = vec![self.load(model)?];
        for also in &more.also {
            loaded.push(self.load_beside(&also.path, model)?);
        }
        let config = model.decoder.config();
        let vectors: Vec<&ControlVector> = loaded.iter().map(|loaded| &loaded.vector).collect();
        let inject = Inject::new(&vectors, self.range, config)?;
        let notes = loaded.iter().flat_map(|loaded| loaded.notes.iter().cloned()).collect();
        match &more.gate {
            Some(gate) => Ok((inject.where_fires(self.gate(gate, model)?, config)?, notes)),
            None => Ok((inject, notes)),
        }
    }

    fn gate(&self, GateFile { path, layer, above }: &GateFile, model: &Model) -> Result<Gate> {
        let reading = Reading::load(path)?;
        check_reading(&reading, path, model, self.any_model)?;
        let place = reading.layers.iter().position(|vector| vector.layer == *layer);
        let place = place.ok_or(SteerError::LayerNotRead { layer: *layer })?;
        if reading.site()? != Site::ResidPost {
            let message = format!("{}: reads {}; a gate reads the outputs of blocks", path.display(), reading.site()?);
            return Err(Error::option(message, "extract a reading vector with --site resid_post"));
        }
        let threshold = reading.calibration.as_ref().and_then(|calibration| calibration.score(place, *above));
        Ok(Gate::new(&reading.layers[place], threshold.ok_or(redline_probe::Error::NoCalibration)?)?)
    }
}

impl UsedProfile {
    /// Finds and reads a profile; where its own vector is used, that must be the one it was made with.
    ///
    /// # Errors
    /// No such profile, or one that breaks a rule of its format.
    pub fn open(name: &str, own_vector: bool) -> Result<Self> {
        let path = find(name)?;
        let profile = Profile::load(&path)?;
        if own_vector {
            profile.check_vector(&path)?;
        }
        Ok(Self { path, profile })
    }

    /// The profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Path of its vector.
    pub fn vector_path(&self) -> PathBuf {
        self.profile.vector_path(&self.path)
    }
}

/// A vector file, read.
#[derive(Debug, Clone)]
pub struct LoadedVector {
    /// What one unit of coefficient adds, layer by layer.
    pub vector: ControlVector,
    /// Unit the coefficients are in.
    pub unit: VectorUnit,
    /// Hashes of the questions the vector was made from, where known.
    pub questions: Vec<String>,
    /// What people should know about how the file was read.
    pub notes: Vec<String>,
}

/// Reads a vector for `model`: a reading vector (safetensors), a GGUF control vector or an Aligner inside a model.
fn load_vector(steering: &Steering, model: &Model) -> Result<LoadedVector> {
    let path = &steering.vector;
    let config = model.decoder.config();
    if path.as_os_str() == NO_VECTOR {
        let layers = [(0, vec![0.0; config.hidden_size])].into();
        let (vector, unit) = (ControlVector::new(layers)?, VectorUnit::Scaled(steering.unit));
        return Ok(LoadedVector { vector, unit, questions: Vec::new(), notes: Vec::new() });
    }
    if InsideFile::is_one(path) {
        return inside::load_inside(steering, model);
    }
    if !is_gguf(path) {
        let reading = Reading::load(path)?;
        check_reading(&reading, path, model, steering.any_model)?;
        let layers = steering.layers.of_reading(&reading, config.n_layers)?;
        let vector = reading_control_vector(&reading, &layers, steering.unit)?;
        let notes = training_notes(&reading, steering, &layers);
        let (unit, questions) = (VectorUnit::Scaled(steering.unit), reading.provenance.questions);
        return Ok(LoadedVector { vector, unit, questions, notes });
    }
    let at = |error: SteerError| Error::at(path.display(), error);
    let file = read_control_vector(path).map_err(at)?;
    let mut vector = file.vector;
    let mut notes = Vec::new();
    if steering.from_llama_cpp_generator {
        notes.push("note: every direction moved one block earlier, as files of llama.cpp's generator need it".into());
        vector = shift_back(&vector)?;
    }
    // `auto` and `all` are those that the file has
    if matches!(steering.layers, LayerSpec::List(_)) {
        let layers = steering.layers.resolve(config.n_layers)?;
        vector = vector.restrict(layers).map_err(at)?;
    }
    vector.check(config).map_err(at)?;
    if let Some(hint) = file.model_hint.filter(|hint| *hint != config.architecture) {
        let (path, architecture) = (path.display(), &config.architecture);
        notes.push(format!("warning: {path} was made for `{hint}`, this model is `{architecture}`"));
    }
    if steering.unit != Unit::Gap {
        notes.push("note: --unit does not apply to GGUF vectors; their scales are part of the tensors".into());
    }
    Ok(LoadedVector { vector, unit: VectorUnit::File, questions: Vec::new(), notes })
}

/// The positions that a vector was trained over; none of one that was only read.
pub fn trained_range(reading: &Reading) -> Option<TokenRange> {
    reading.provenance.training.as_ref()?.range.parse().ok()
}

/// Where a trained vector is not used as it was trained, in words.
pub fn training_notes(reading: &Reading, steering: &Steering, layers: &[usize]) -> Vec<String> {
    let Some(training) = &reading.provenance.training else { return Vec::new() };
    let trained: Vec<usize> = reading.layers.iter().map(|vector| vector.layer).collect();
    let Steering { range, unit, operator, .. } = steering;
    let differences = [
        (
            training.range != range.to_string(),
            format!("was trained over the positions `{}` and is used over `{range}`: give --range {0}", training.range),
        ),
        (trained != layers, "is used at some of the layers that it was trained for".to_owned()),
        (*unit != Unit::Gap, format!("is used in --unit {unit}; it was trained for coefficients in `gap`")),
        (*operator != Operator::Add, format!("meets activations by `{operator}`; it was trained to be added")),
    ];
    let said = differences.into_iter().filter(|(differs, _)| *differs);
    said.map(|(_, text)| format!("warning: {} {text}", steering.vector.display())).collect()
}

/// Refuses a reading vector of another shape, and one of other weights unless they are allowed.
///
/// # Errors
/// Another shape or, unless `any_model`, other weights.
pub fn check_reading(reading: &Reading, path: &Path, model: &Model, any_model: bool) -> Result<()> {
    let config = model.decoder.config();
    match any_model {
        true => reading.check_shape(path, config)?,
        false => reading.check_model(path, config, &model.fingerprint)?,
    }
    Ok(())
}

/// Refuses prompts whose question the vector has seen.
///
/// # Errors
/// A shared question, with the first as an example.
pub fn check_leak<'a>(seen: &[String], questions: impl IntoIterator<Item = &'a str>, allowed: bool) -> Result<()> {
    let seen: std::collections::HashSet<&str> = seen.iter().map(String::as_str).collect();
    let leaked: Vec<&str> =
        questions.into_iter().filter(|question| seen.contains(question_hash(question).as_str())).collect();
    if allowed || leaked.is_empty() {
        return Ok(());
    }
    let example: String = leaked[0].chars().take(60).collect();
    Err(Error::option(
        format!("{} of the prompts were used to extract the vector, the first: {example:?}", leaked.len()),
        "give rows with other questions, or --allow-overlap to measure on seen ones anyway",
    ))
}

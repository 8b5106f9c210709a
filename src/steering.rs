//! Which vector steers, and how: what the options say, what a profile says, what is the default, in this order.

use std::path::{Path, PathBuf};

use anyhow::Context;
use redline::experiment::LayerSpec;
use redline::model::gguf::is_gguf;
use redline::model::{AlignerTemplate, Model};
use redline::probe::Reading;
use redline::profile::{Profile, find};
use redline::steer::control_file::{read_control_vector, shift_back};
use redline::steer::{ControlVector, Operator, TokenRange, Unit, reading_control_vector};

use crate::cli::steering::SteeringArgs;
use crate::output;
use crate::session::check_reading;

/// A vector file, where it is injected, and the profile behind it where there is one.
pub struct Steering {
    pub vector: PathBuf,
    pub layers: LayerSpec,
    pub unit: Unit,
    pub range: TokenRange,
    pub operator: Operator,
    pub any_model: bool,
    pub from_llama_cpp_generator: bool,
    pub profile: Option<UsedProfile>,
}

/// A profile and the file it was read from.
pub struct UsedProfile {
    path: PathBuf,
    profile: Profile,
}

impl Steering {
    /// A vector with defaults for the rest.
    pub fn by(vector: &Path, layers: LayerSpec, unit: Unit) -> Self {
        let range = TokenRange::default();
        Self {
            vector: vector.into(),
            layers,
            unit,
            range,
            operator: Operator::Add,
            any_model: false,
            from_llama_cpp_generator: false,
            profile: None,
        }
    }

    /// What the options ask for; nothing when they name neither a vector nor a profile.
    pub fn resolve(args: &SteeringArgs) -> anyhow::Result<Option<Self>> {
        let profile = args.profile.as_deref().map(|name| UsedProfile::open(name, args.vector.is_none())).transpose()?;
        let of_profile = profile.as_ref().map(|used| used.profile.vector_path(&used.path));
        let Some(vector) = args.vector.clone().or(of_profile) else { return Ok(None) };
        let known = profile.as_ref().map(|used| &used.profile);
        Ok(Some(Self {
            vector,
            layers: args
                .layers
                .clone()
                .or(known.map(|known| LayerSpec::List(known.layers.clone())))
                .unwrap_or_default(),
            unit: args.unit.or(known.and_then(|known| known.unit.parse().ok())).unwrap_or_default(),
            range: args.range.or(known.map(|known| known.range)).unwrap_or_default(),
            operator: args.operator,
            any_model: args.any_model,
            from_llama_cpp_generator: args.from_llama_cpp_generator,
            profile,
        }))
    }

    /// The template of the profile.
    pub fn template(&self) -> anyhow::Result<Option<AlignerTemplate>> {
        Ok(self.profile.as_ref().map(|used| used.profile.aligner_template()).transpose()?)
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
    pub fn load_beside(&self, vector: &Path, model: &Model) -> anyhow::Result<LoadedVector> {
        load_vector(&self.with_vector(vector), model)
    }

    /// Reads the vector for `model`, which must be the one of the profile unless any is accepted.
    pub fn load(&self, model: &Model) -> anyhow::Result<LoadedVector> {
        if let Some(used) = self.profile.as_ref().filter(|_| !self.any_model) {
            used.profile.check_model(&used.path, model)?;
        }
        load_vector(self, model)
    }
}

impl UsedProfile {
    /// Finds and reads a profile; where its own vector shall be used, that must be the one it was made with.
    fn open(name: &str, own_vector: bool) -> anyhow::Result<Self> {
        let path = find(name)?;
        let profile = Profile::load(&path)?;
        if own_vector {
            profile.check_vector(&path)?;
        }
        Ok(Self { path, profile })
    }
}

/// A vector file, read.
pub struct LoadedVector {
    pub vector: ControlVector,
    /// Unit the coefficients are in: `gap`, `std`, `unit`, or `file` for GGUF, whose scales are in the tensors.
    pub unit: String,
    /// Hashes of the questions the vector was made from, where known.
    pub questions: Vec<String>,
}

/// Reads a vector for `model`: a reading vector (safetensors) or a GGUF control vector.
fn load_vector(steering: &Steering, model: &Model) -> anyhow::Result<LoadedVector> {
    let path = &steering.vector;
    let config = model.decoder.config();
    if !is_gguf(path) {
        let reading = Reading::load(path)?;
        check_reading(&reading, path, model, steering.any_model)?;
        let layers = steering.layers.resolve(config.n_layers)?;
        let vector = reading_control_vector(&reading, &layers, steering.unit)?;
        return Ok(LoadedVector { vector, unit: steering.unit.to_string(), questions: reading.provenance.questions });
    }
    let file = read_control_vector(path).with_context(|| path.display().to_string())?;
    let mut vector = file.vector;
    if steering.from_llama_cpp_generator {
        output::note!("note: every direction moved one block earlier, as files of llama.cpp's generator need it");
        vector = shift_back(&vector)?;
    }
    // `auto` and `all` are those that the file has
    if matches!(steering.layers, LayerSpec::List(_)) {
        let layers = steering.layers.resolve(config.n_layers)?;
        vector = vector.restrict(layers).with_context(|| path.display().to_string())?;
    }
    vector.check(config).with_context(|| path.display().to_string())?;
    if let Some(hint) = file.model_hint.filter(|hint| *hint != config.architecture) {
        output::note!("warning: {} was made for `{hint}`, this model is `{}`", path.display(), config.architecture);
    }
    if steering.unit != Unit::Gap {
        output::note!("note: --unit does not apply to GGUF vectors; their scales are part of the tensors");
    }
    Ok(LoadedVector { vector, unit: "file".into(), questions: Vec::new() })
}

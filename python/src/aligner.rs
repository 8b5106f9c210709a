//! An Aligner: a model with its prompt template.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::prelude::*;
use redline_hub::{Cache, HubError, HubName};
use redline_lab::Error;
use redline_lab::aligner::Aligner as LabAligner;
use redline_lab::built_in::BuiltIn;
use redline_lab::embedded;
use redline_model::{Adapter, AlignerTemplate, Model, Tokenizer, device};

use crate::error::OrRaise;
use crate::watch::{warn, watched};

/// Name of the Aligner inside the package.
const EMBEDDED: &str = "embedded";
/// Folder of models, where no variable names one.
const MODELS: &str = "models";

/// A model that reads a question and an answer and writes the corrected answer.
#[pyclass(frozen, module = "redline")]
#[derive(Clone)]
pub struct Aligner {
    pub aligner: Arc<LabAligner>,
    pub built_in: Option<BuiltIn>,
}

#[pymethods]
impl Aligner {
    /// Loads an Aligner: "embedded" (inside the package), "smollm2" (the adapter inside the package on SmolLM2-135M, whose file lies in
    /// models/ or REDLINE_MODELS), a Hugging Face folder or a GGUF file.
    ///
    /// adapter is a PEFT folder that is merged into the weights; template is a built-in name (aligner, aligner-7b, aligner-2b, smollm2) or
    /// a file, by default the one that the model's tokens speak for.
    #[staticmethod]
    #[pyo3(signature = (path=PathBuf::from(EMBEDDED), *, adapter=None, template=None, device="cpu"))]
    fn from_pretrained(
        py: Python<'_>,
        path: PathBuf,
        adapter: Option<PathBuf>,
        template: Option<&str>,
        device: &str,
    ) -> PyResult<Self> {
        let loaded = watched(py, Some(pyo3::types::PyBool::new(py, false).as_any()), |_| {
            open(&path, adapter.as_deref(), template, device)
        })?;
        loaded.aligner.model.warnings.iter().try_for_each(|text| warn(py, text))?;
        Ok(loaded)
    }

    /// Number of blocks.
    #[getter]
    fn n_layers(&self) -> usize {
        self.aligner.model.decoder.config().n_layers
    }

    /// Width of the residual stream.
    #[getter]
    fn hidden_size(&self) -> usize {
        self.aligner.model.decoder.config().hidden_size
    }

    /// Most tokens of prompt and output together.
    #[getter]
    fn context(&self) -> usize {
        self.aligner.model.decoder.config().context
    }

    /// Name of the architecture, such as "llama".
    #[getter]
    fn architecture(&self) -> &str {
        &self.aligner.model.decoder.config().architecture
    }

    /// Name of the prompt template.
    #[getter]
    fn template(&self) -> &str {
        self.aligner.template.name()
    }

    /// SHA-256 of the weights.
    #[getter]
    fn fingerprint(&self) -> &str {
        &self.aligner.model.fingerprint
    }

    /// Where it was loaded from.
    #[getter]
    fn path(&self) -> PathBuf {
        self.aligner.model.path.clone()
    }

    /// Token ids of a text, after the token that begins texts where the model has one.
    fn tokens(&self, py: Python<'_>, text: &str) -> PyResult<Vec<u32>> {
        self.aligner.tokenizer().and_then(|tokenizer| Ok(tokenizer.encode_prompt(text)?)).or_raise(py)
    }

    /// Token ids of the prompt of question and answer.
    fn prompt(&self, py: Python<'_>, question: &str, answer: &str) -> PyResult<Vec<u32>> {
        self.aligner.prompt(question, answer).or_raise(py)
    }

    /// The text of token ids.
    #[pyo3(signature = (tokens, *, skip_special=true))]
    fn decode(&self, py: Python<'_>, tokens: Vec<u32>, skip_special: bool) -> PyResult<String> {
        self.aligner.tokenizer().and_then(|tokenizer| Ok(tokenizer.decode(&tokens, skip_special)?)).or_raise(py)
    }

    fn __repr__(&self) -> String {
        let model = &self.aligner.model;
        let config = model.decoder.config();
        let name = model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let (n_layers, width) = (config.n_layers, config.hidden_size);
        format!("<redline.Aligner {name}: {}, {n_layers} layers of {width}>", config.architecture)
    }
}

impl Aligner {
    /// The Aligner inside the package.
    pub fn embedded(py: Python<'_>) -> PyResult<Self> {
        open(Path::new(EMBEDDED), None, None, "cpu").or_raise(py)
    }
}

fn open(path: &Path, adapter: Option<&Path>, template: Option<&str>, place: &str) -> Result<Aligner, Error> {
    // refused before weights are read
    let place = device(place)?;
    let template = template.map(AlignerTemplate::by_name_or_file).transpose()?;
    let adapter = adapter.map(named).transpose()?;
    let adapter = adapter.as_deref().map(Adapter::open).transpose()?;
    let built_in = built_in(path);
    let path = &match built_in {
        Some(_) => path.to_owned(),
        None => named(path)?,
    };
    if let (Some(BuiltIn::Embedded), Some(_)) = (built_in, &adapter) {
        return Err(Error::option("the Aligner inside the package takes no adapter", "name the model of the adapter"));
    }
    let model = match (built_in, adapter) {
        (Some(BuiltIn::Embedded), _) => embedded::model()?,
        (Some(BuiltIn::SmolLm2), adapter) => {
            let adapter = adapter.map_or_else(embedded::smollm2_adapter, Ok)?;
            Model::load_with_adapter(&smollm2_base()?, &adapter)?
        }
        (None, None) => Model::load(path)?,
        (None, Some(adapter)) => Model::load_with_adapter(path, &adapter)?,
    };
    let model = model.to_device(&place)?;
    let template = match template {
        Some(template) => template,
        None if built_in.is_some() => AlignerTemplate::by_name_or_file(embedded::TEMPLATE)?,
        None => AlignerTemplate::by_name_or_file(default_template(model.tokenizer()?))?,
    };
    Ok(Aligner { aligner: Arc::new(LabAligner::new(model, template)), built_in })
}

/// The file or folder, or what the local Hugging Face cache has under this name.
fn named(path: &Path) -> Result<PathBuf, Error> {
    let hinted = |error: HubError| Error::option(error.to_string(), error.hint().unwrap_or_default());
    let name = path.to_str().filter(|_| !path.exists()).map_or(Ok(None), HubName::parse).map_err(hinted)?;
    let Some(name) = name else { return Ok(path.to_owned()) };
    let cache = Cache::from_env(|name| std::env::var_os(name));
    cache.find(&name).ok_or_else(|| {
        let message = format!(
            "{}: no such file or folder here; {name}: not in the cache ({})",
            path.display(),
            cache.folder().display()
        );
        Error::option(message, "huggingface_hub.snapshot_download (or hf_hub_download for one file) puts it there")
    })
}

/// The project's Aligner of this name, unless a file or folder has it.
fn built_in(path: &Path) -> Option<BuiltIn> {
    match path.to_str() {
        _ if path.exists() => None,
        Some(EMBEDDED) => Some(BuiltIn::Embedded),
        Some(embedded::SMOLLM2) => Some(BuiltIn::SmolLm2),
        _ => None,
    }
}

fn smollm2_base() -> Result<PathBuf, Error> {
    let folders = std::env::var_os("REDLINE_MODELS").map(PathBuf::from).into_iter().chain([MODELS.into()]);
    let files: Vec<PathBuf> = folders.map(|folder| folder.join(embedded::SMOLLM2_BASE)).collect();
    let found = files.iter().find(|file| file.is_file()).cloned();
    found.ok_or_else(|| {
        let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        Error::option(
            format!("`smollm2` needs a file that is not there: {}", looked.join(" or ")),
            "scripts/fetch-smollm2.sh downloads it; REDLINE_MODELS names its folder",
        )
    })
}

/// A chat model that is no Aligner is prompted to act as one.
fn default_template(tokenizer: &Tokenizer) -> &'static str {
    if tokenizer.token_id("<|im_start|>").is_some() { "smollm2" } else { "aligner" }
}

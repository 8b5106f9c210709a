//! Which model the arguments name, and how it is prompted.

use std::path::{Path, PathBuf};

use redline::aligner::Aligner;
use redline::embedded;
use redline::model::{Adapter, AlignerTemplate, Error as ModelError, Model, Tokenizer};

use crate::cli::ModelArgs;
use crate::failure::hinted;
use crate::output;

/// The model that the arguments name, with the template asked for or found.
pub fn open(args: &ModelArgs) -> anyhow::Result<Aligner> {
    open_with(args, None)
}

/// The same, with the template of a profile or sweep, which none that is asked for may contradict.
pub fn open_with(args: &ModelArgs, fallback: Option<AlignerTemplate>) -> anyhow::Result<Aligner> {
    let asked = args.template.as_deref().map(AlignerTemplate::by_name_or_file).transpose()?;
    if let (Some(asked), Some(own)) = (&asked, &fallback)
        && !asked.is_same_text(own)
    {
        return Err(hinted(
            format!("--template {} is not the template that the profile or sweep was measured with", asked.name()),
            "leave --template out, or tune again with it",
        ));
    }
    let template = asked.or(fallback);
    let model = open_model(args)?;
    let tokenizer = model.tokenizer()?;
    let template = match template {
        Some(template) => template,
        None if args.built_in().is_some() => AlignerTemplate::by_name_or_file(embedded::TEMPLATE)?,
        None => choose_template(None, tokenizer)?,
    };
    Ok(Aligner::new(model, instructed(template, args.instruction.as_deref())?))
}

/// The template with what every prompt asks for.
fn instructed(template: AlignerTemplate, instruction: Option<&str>) -> anyhow::Result<AlignerTemplate> {
    let Some(text) = instruction else { return Ok(template) };
    if text.trim().is_empty() {
        return Err(hinted("--instruction is empty", "say what the prompt shall ask for, or leave it out"));
    }
    if !template.takes_instruction() {
        return Err(hinted(
            format!("--instruction is given, and the template {} has no place for it", template.name()),
            "put {instruction} into the template, or choose aligner with --template",
        ));
    }
    Ok(template.with_instruction(text)?)
}

/// What is said where the built-in Aligner is to correct answers from elsewhere.
pub const OWN_ALIGNER: &str = "warning: the built-in Aligner knows short texts of its own kind only, and damages others; give \
                               --model with an Aligner that was trained for these answers";

/// Says on standard error what a model's files hold that is not read, and may mean something elsewhere.
pub fn warn(warnings: &[String]) {
    for warning in warnings {
        output::note!("warning: {warning}");
    }
}

/// The model that the arguments name, with its adapter.
pub fn open_model(args: &ModelArgs) -> anyhow::Result<Model> {
    // refused before weights are read
    let device = args.device()?;
    let mut adapter = args.adapter.as_deref().map(Adapter::open).transpose()?;
    if adapter.is_none() && args.is_smollm2() {
        adapter = Some(embedded::smollm2_adapter()?);
    }
    if let Some(factor) = args.adapter_scale {
        let Some(whole) = adapter else {
            return Err(hinted(
                "--adapter-scale scales an adapter, and there is none",
                "give --adapter, or leave it out",
            ));
        };
        adapter = Some(whole.scaled(factor)?);
    }
    let model = match (&args.model, adapter) {
        (None, _) => embedded::model()?,
        (Some(_), Some(adapter)) if args.is_smollm2() => load_with_adapter(&smollm2_base()?, &adapter)?,
        (Some(path), None) => load_model(path)?,
        (Some(path), Some(adapter)) => load_with_adapter(path, &adapter)?,
    };
    Ok(model.to_device(&device)?)
}

/// Folders where the base model of `smollm2` is looked for.
pub fn model_folders() -> Vec<PathBuf> {
    let asked = std::env::var_os("REDLINE_MODELS").map(PathBuf::from);
    asked.into_iter().chain([PathBuf::from("models")]).collect()
}

/// The base model of the `smollm2` Aligner.
fn smollm2_base() -> anyhow::Result<PathBuf> {
    let folders = model_folders();
    let found = folders.iter().map(|folder| folder.join(embedded::SMOLLM2_BASE)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let looked: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        hinted(
            format!("`smollm2` needs {}, which is not in {}", embedded::SMOLLM2_BASE, looked.join(" or ")),
            "scripts/fetch-smollm2.sh downloads it into models/; REDLINE_MODELS names another folder",
        )
    })
}

/// A model with an adapter; what there is to say of the two is said.
pub fn load_with_adapter(path: &Path, adapter: &Adapter) -> anyhow::Result<Model> {
    Ok(warned(Model::load_with_adapter(path, adapter)?))
}

fn warned(model: Model) -> Model {
    warn(&model.warnings);
    model
}

/// Loads a model; when it is not there, says how to get one.
pub fn load_model(path: &Path) -> anyhow::Result<Model> {
    Model::load(path).map(warned).map_err(|error| match &error {
        ModelError::NotFound { path: missing } if missing == path => {
            hinted(error.to_string(), "check the path; scripts/fetch-smollm2.sh downloads a small model to start with")
        }
        ModelError::NotFound { .. } => hinted(
            error.to_string(),
            "a model is a Hugging Face folder (config.json, tokenizer.json, model.safetensors) or a .gguf file",
        ),
        _ => error.into(),
    })
}

/// The template asked for, or the one that the model's tokens speak for.
pub fn choose_template(asked: Option<&str>, tokenizer: &Tokenizer) -> anyhow::Result<AlignerTemplate> {
    let name = asked.unwrap_or_else(|| {
        let name = default_template(tokenizer);
        output::note!("template: {name} (choose another with --template)");
        name
    });
    Ok(AlignerTemplate::by_name_or_file(name)?)
}

/// A chat model that is no Aligner is prompted to act as one; all others get the template of the training code.
fn default_template(tokenizer: &Tokenizer) -> &'static str {
    if tokenizer.token_id("<|im_start|>").is_some() { "smollm2" } else { "aligner" }
}

//! What most verbs start with: a model, its template, triples, and vectors that fit.

use std::path::{Path, PathBuf};

use redline::data::DataError;
use redline::data::corrupt::CorruptedRow;
use redline::embedded;
use redline::model::{Adapter, AlignerTemplate, Error as ModelError, Model, Qac, Site, Tokenizer};
use redline::probe::Reading;
use redline::probe::artifact::question_hash;
use redline::steer::{Error as SteerError, Gate, Inject};

use crate::cli::ModelArgs;
use crate::cli::gate::GateArgs;
use crate::steering::Steering;
use crate::{output, rows};

/// An error with its cure, for rules that only the binary has.
#[derive(Debug)]
pub struct Hinted {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// An error with its cure.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { message: message.into(), hint: hint.into() }.into()
}

/// Most rows written together of which the answers are drafts.
const MOST_DRAFTED_ROWS: usize = 2;

/// A loaded model and the template it is prompted with.
pub struct Session {
    pub model: Model,
    pub template: AlignerTemplate,
}

impl Session {
    /// Loads the model and finds the template.
    pub fn open(args: &ModelArgs) -> anyhow::Result<Self> {
        Self::open_with(args, None)
    }

    /// The same, with a template that is taken where none was asked for.
    pub fn open_with(args: &ModelArgs, fallback: Option<AlignerTemplate>) -> anyhow::Result<Self> {
        let template = args.template.as_deref().map(AlignerTemplate::by_name_or_file).transpose()?.or(fallback);
        let model = open_model(args)?;
        let tokenizer = model.tokenizer()?;
        let template = match template {
            Some(template) => template,
            None if args.model.is_none() || args.is_smollm2() => AlignerTemplate::by_name_or_file(embedded::TEMPLATE)?,
            None => choose_template(None, tokenizer)?,
        };
        Ok(Self { model, template })
    }

    pub fn tokenizer(&self) -> anyhow::Result<&Tokenizer> {
        Ok(self.model.tokenizer()?)
    }

    /// Token ids of the Aligner's prompt.
    pub fn prompt(&self, question: &str, answer: &str) -> anyhow::Result<Vec<u32>> {
        Ok(self.tokenizer()?.encode_rendered(&self.template.render(question, answer))?)
    }

    /// The same, refused when it leaves no room for the output; `origin` says where the texts come from.
    pub fn prompt_with_room(&self, texts: [&str; 2], max_new_tokens: usize, origin: &str) -> anyhow::Result<Vec<u32>> {
        let tokens = self.prompt(texts[0], texts[1])?;
        let context = self.model.decoder.config().context;
        if tokens.len().saturating_add(max_new_tokens) > context {
            let n = tokens.len();
            return Err(hinted(
                format!(
                    "{origin}: the prompt of {n} tokens and {max_new_tokens} new ones exceed the context of {context}"
                ),
                "shorten the text, leave the row out, or lower --max-new-tokens",
            ));
        }
        Ok(tokens)
    }

    /// Tokens of an answer, to draft its correction from, where `n_together` rows are written together: empty where they are so many
    /// that checking several tokens of each costs more than it saves.
    pub fn draft(&self, answer: &str, n_together: usize) -> anyhow::Result<Vec<u32>> {
        match n_together {
            ..=MOST_DRAFTED_ROWS => Ok(self.tokenizer()?.encode_text(answer.trim())?),
            _ => Ok(Vec::new()),
        }
    }

    /// A hook that injects what was chosen; it steers no row yet.
    pub fn injection(&self, steering: &Steering) -> anyhow::Result<Inject> {
        self.gated_injection(steering, &GateArgs::default())
    }

    /// The same with other vectors beside it, and only where a gate fires.
    pub fn gated_injection(&self, steering: &Steering, more: &GateArgs) -> anyhow::Result<Inject> {
        let mut vectors = vec![steering.load(&self.model)?.vector];
        for also in &more.also {
            vectors.push(steering.load_beside(&also.path, &self.model)?.vector);
        }
        let config = self.model.decoder.config();
        let inject = Inject::new(&vectors.iter().collect::<Vec<_>>(), steering.range, config)?;
        match (&more.gate, more.gate_layer) {
            (Some(path), Some(layer)) => {
                let gate = self.gate(path, layer, more.gate_above, steering.any_model)?;
                Ok(inject.where_fires(gate, config)?)
            }
            _ => Ok(inject),
        }
    }

    /// A gate by one layer of a reading vector; `above` in standard deviations of its calibration.
    fn gate(&self, path: &Path, layer: usize, above: f64, any_model: bool) -> anyhow::Result<Gate> {
        let reading = Reading::load(path)?;
        check_reading(&reading, path, &self.model, any_model)?;
        let place = reading.layers.iter().position(|vector| vector.layer == layer);
        let place = place.ok_or(SteerError::LayerNotRead { layer })?;
        if reading.site()? != Site::ResidPost {
            let message = format!("{}: reads {}; a gate reads the outputs of blocks", path.display(), reading.site()?);
            return Err(hinted(message, "extract a reading vector with --site resid_post"));
        }
        let threshold = reading.calibration.as_ref().and_then(|calibration| calibration.score(place, above));
        Ok(Gate::new(&reading.layers[place], threshold.ok_or(redline::probe::Error::NoCalibration)?)?)
    }
}

/// What is said where the Aligner inside the program is to correct answers from elsewhere.
pub const OWN_ALIGNER: &str = "warning: the Aligner inside the program knows short texts of its own kind only, and damages others; give \
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
    let adapter = args.adapter.as_deref().map(Adapter::open).transpose()?;
    let model = match (&args.model, adapter) {
        (None, _) => embedded::model()?,
        (Some(_), adapter) if args.is_smollm2() => {
            let adapter = adapter.map_or_else(embedded::smollm2_adapter, Ok)?;
            warned(Model::load_with_adapter(&smollm2_base()?, &adapter)?)
        }
        (Some(path), None) => load_model(path)?,
        (Some(path), Some(adapter)) => warned(Model::load_with_adapter(path, &adapter)?),
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

/// Reads triples; with a strictness, of rows that carry their flaws, each with the correction of that strictness.
pub fn read_triples(path: &Path, strictness: Option<u8>) -> anyhow::Result<Vec<Qac>> {
    let Some(strictness) = strictness else { return rows::triples(path) };
    let rows = rows::corrupted(path)?.ok_or_else(|| {
        let message = format!("{}: --strictness is given, but the rows carry no flaws", path.display());
        hinted(message, "leave --strictness out, or make the rows with `redline data corrupt`")
    })?;
    Ok(at_strictness(&rows, strictness)?)
}

/// Each row with the correction of one strictness.
pub fn at_strictness(rows: &[CorruptedRow], strictness: u8) -> Result<Vec<Qac>, DataError> {
    let triple = |row: &CorruptedRow| Ok(Qac { correction: row.correction_at(strictness)?, ..row.to_qac() });
    rows.iter().map(triple).collect()
}

/// Refuses a reading vector of another shape, and one of other weights unless they are allowed.
pub fn check_reading(reading: &Reading, path: &Path, model: &Model, any_model: bool) -> anyhow::Result<()> {
    let config = model.decoder.config();
    match any_model {
        true => reading.check_shape(path, config)?,
        false => reading.check_model(path, config, &model.fingerprint)?,
    }
    Ok(())
}

/// Refuses prompts whose question the vector has seen.
pub fn check_leak<'a>(
    seen: &[String],
    triples: impl IntoIterator<Item = &'a Qac>,
    allowed: bool,
) -> anyhow::Result<()> {
    let seen: std::collections::HashSet<&str> = seen.iter().map(String::as_str).collect();
    let leaked: Vec<&str> = triples
        .into_iter()
        .filter(|qac| seen.contains(question_hash(&qac.question).as_str()))
        .map(|qac| qac.question.as_str())
        .collect();
    if allowed || leaked.is_empty() {
        return Ok(());
    }
    let example: String = leaked[0].chars().take(60).collect();
    Err(hinted(
        format!("{} of the prompts were used to extract the vector, the first: {example:?}", leaked.len()),
        "give other rows with --skip, or --allow-overlap to measure on seen questions anyway",
    ))
}

/// Makes sure that a folder is there.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).map_err(|error| cannot_write(path, &error))
}

/// An error about a place that cannot be written.
pub fn cannot_write(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "its folder is not there".to_string(),
        kind => kind.to_string(),
    };
    hinted(format!("{}: cannot be written: {reason}", path.display()), "choose another output that can be written")
}

//! Whole pieces of work: an Aligner evaluated, and the experiment with its controls.

use std::path::PathBuf;

use pyo3::prelude::*;
use redline_lab::Error;
use redline_lab::aligner::Aligner as LabAligner;
use redline_lab::built_in::{self, BuiltIn};
use redline_lab::correct::WriteOptions;
use redline_lab::evaluation::Evaluation;
use redline_lab::reproduce::{ReproduceOptions, reproduce as run_experiment};
use redline_lab::rows::Rows as LabRows;
use redline_model::{Qac, Question, matmul_kernel};
use redline_report::plot::svg_string;
use redline_report::report::SettingsGroup;
use redline_report::reproduction::{draw, page};
use serde_json::{Value, json};

use crate::aligner::Aligner;
use crate::convert::{layers as layers_of, named, to_dict};
use crate::correction::{Correction, write_many};
use crate::error::{OrRaise, message};
use crate::rows::Rows;
use crate::vector::ControlVector;
use crate::watch::watched;

#[pymethods]
impl Aligner {
    /// How good its corrections are: copies, similarity, and what the outputs are worth beside the unchanged answers. A dictionary, as
    /// `redline evaluate --json` prints it.
    #[pyo3(signature = (
        rows, *, vector=None, coefficient=0.0, max_new_tokens=256, range=None, batch_rows=16, any_model=false, strictness=None,
        progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn evaluate<'py>(
        &self,
        rows: &Bound<'py, PyAny>,
        vector: Option<&ControlVector>,
        coefficient: f32,
        max_new_tokens: usize,
        range: Option<&str>,
        batch_rows: usize,
        any_model: bool,
        strictness: Option<u8>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = rows.py();
        let options = WriteOptions { max_new_tokens, drafts: false, ..WriteOptions::default() };
        let asking = self.asking(py, vector, coefficient, (range, any_model), options)?;
        let rows = Rows::read(rows, strictness)?.rows;
        let aligner = &self.aligner;
        let result = watched(py, progress, |watch| {
            let question = |row: &Qac| Question { question: row.question.clone(), answer: row.answer.clone() };
            let questions: Vec<Question> = rows.triples.iter().map(question).collect();
            let corrections = write_many(aligner, &questions, &asking, batch_rows, watch)?;
            evaluation(aligner, &rows, &corrections)
        })?;
        to_dict(py, &result)
    }
}

/// What corrections are worth.
fn evaluation(aligner: &LabAligner, rows: &LabRows, corrections: &[Correction]) -> Result<Value, Error> {
    let tokenizer = aligner.tokenizer()?;
    let output = |one: &Correction| Ok(tokenizer.decode(&one.wrote.tokens, true)?);
    let outputs: Vec<String> = corrections.iter().map(output).collect::<Result<_, Error>>()?;
    let outputs: Vec<(&str, bool)> =
        outputs.iter().zip(corrections).map(|(output, one)| (output.as_str(), one.wrote.truncated)).collect();
    let Evaluation { quality, table, strictness } = Evaluation::of(&rows.triples, rows.flawed.as_deref(), &outputs)?;
    Ok(json!({
        "model_hash": aligner.model.fingerprint,
        "quality": quality,
        "oracle": table.oracle.first(),
        "reference": table.reference.first(),
        "solutions": table.verifiable.first(),
        "unchanged": table.unchanged,
        "strictness": strictness,
    }))
}

/// The whole experiment with its controls, in a folder that a later call with the same options continues: direction, held-out report,
/// scans, sweep, null directions, clean answers, prompting, propensity, the fitted line, and index.html, the report.
///
/// Without an Aligner it is the one inside the package, without rows those inside it. What is left out suits Aligner and rows, as in
/// `redline reproduce`.
#[pyfunction]
#[pyo3(signature = (
    out, aligner=None, rows=None, *, pairs=None, prompts=None, coefficients=None, method=None, layers=None, unit=None, range=None,
    max_new_tokens=None, random_generated=None, shuffled_generated=None, random_propensity=20, control_prompts=None, batch_rows=None,
    strictness=None, seed=0, progress=None
))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
pub fn reproduce(
    py: Python<'_>,
    out: PathBuf,
    aligner: Option<&Aligner>,
    rows: Option<&Bound<'_, PyAny>>,
    pairs: Option<usize>,
    prompts: Option<usize>,
    coefficients: Option<Vec<f32>>,
    method: Option<&str>,
    layers: Option<&Bound<'_, PyAny>>,
    unit: Option<&str>,
    range: Option<&str>,
    max_new_tokens: Option<usize>,
    random_generated: Option<usize>,
    shuffled_generated: Option<usize>,
    random_propensity: usize,
    control_prompts: Option<usize>,
    batch_rows: Option<usize>,
    strictness: Option<u8>,
    seed: u64,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<Reproduction> {
    let aligner = aligner.map_or_else(|| Aligner::embedded(py), |aligner| Ok(aligner.clone()))?;
    let (rows, is_own) = match rows {
        Some(rows) => (Rows::read(rows, strictness)?.rows, true),
        None => (Rows::from(LabRows::embedded(strictness).or_raise(py)?).rows, false),
    };
    let suited = match (is_own, aligner.built_in) {
        (true, model) => ReproduceOptions::for_model(model),
        (false, Some(BuiltIn::Embedded)) => ReproduceOptions::embedded(),
        (false, model) => ReproduceOptions::embedded_rows(model),
    };
    let mut extraction = suited.extraction.clone();
    if let Some(method) = method {
        extraction.extract.method = named(py, Some(method))?;
    }
    (extraction.seed, extraction.extract.seed) = (seed, seed);
    let layers = layers.map(|layers| layers_of(py, layers)).transpose()?.unwrap_or_default();
    let options = ReproduceOptions {
        n_pairs: pairs.unwrap_or(suited.n_pairs),
        n_prompts: prompts.unwrap_or(suited.n_prompts),
        coefficients: coefficients.unwrap_or(suited.coefficients),
        seed,
        extraction,
        layers: built_in::layers(aligner.built_in, &layers),
        unit: named(py, unit)?,
        range: aligner.positions(py, range)?,
        max_new_tokens: max_new_tokens.unwrap_or(suited.max_new_tokens),
        random_generated: random_generated.unwrap_or(suited.random_generated),
        shuffled_generated: shuffled_generated.unwrap_or(suited.shuffled_generated),
        random_propensity,
        control_prompts: control_prompts.unwrap_or(suited.control_prompts),
        batch_rows: batch_rows.unwrap_or(suited.batch_rows),
        ..suited
    };
    watched(py, progress, |watch| {
        let run = run_experiment(&aligner.aligner, &rows, &options, &out, watch)?;
        let defect =
            |error: &dyn std::error::Error| Error::option(message(error), "look at the folder of the experiment");
        let figure = draw(&run, &rows).map_err(|error| defect(&error))?;
        let svg = svg_string(&figure).map_err(|error| defect(&error))?;
        let program = program(&run.settings, &aligner.aligner, &rows);
        let report = run.folder.file("index.html");
        page(&run, &rows, figure, program).write(&report).map_err(|error| defect(&error))?;
        Ok(Reproduction { summary: run.summary(), svg, report })
    })
}

/// What made the numbers.
fn program(settings: &Value, aligner: &LabAligner, rows: &LabRows) -> SettingsGroup {
    let hash = |key: &str| settings[key].as_str().unwrap_or_default().to_owned();
    let lines = [
        ("command", "redline.reproduce, in Python".to_owned()),
        ("version", format!("redline {}", env!("CARGO_PKG_VERSION"))),
        ("machine", format!("{} {}", std::env::consts::ARCH, std::env::consts::OS)),
        ("products with quantised weights", matmul_kernel()),
        ("model", aligner.model.path.display().to_string()),
        ("model hash (SHA-256)", hash("model_hash")),
        ("data", rows.name.display().to_string()),
        ("data hash (SHA-256)", hash("data_hash")),
    ];
    SettingsGroup::new("Program, model and data", lines.map(|(name, value)| (name.to_owned(), value)).into())
}

/// A finished experiment.
#[pyclass(frozen, module = "redline")]
pub struct Reproduction {
    summary: Value,
    svg: String,
    report: PathBuf,
}

#[pymethods]
impl Reproduction {
    /// The whole result, as in summary.json.
    #[getter]
    fn summary<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_dict(py, &self.summary)
    }

    /// The report, one page that opens in any browser.
    #[getter]
    fn report(&self) -> PathBuf {
        self.report.clone()
    }

    /// The result as a dictionary.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.summary(py)
    }

    fn _repr_svg_(&self) -> &str {
        &self.svg
    }

    fn __repr__(&self) -> String {
        format!("<redline.Reproduction: slope {}, report {}>", self.summary["slope"], self.report.display())
    }
}

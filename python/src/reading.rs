//! Reading: directions from pairs, scans of texts, layers × places.

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use redline_lab::Error;
use redline_lab::correct::{Asked, WriteOptions};
use redline_lab::experiment::{
    ExtractionSettings, MIN_PAIRS, SCAN_CORRECTION, extract, places, profile_layers, scan_pair, scan_text,
    skipped_in_words,
};
use redline_lab::observer::Observer;
use redline_model::{Qac, Site};
use redline_probe::{ExtractOptions, LatScan, PairBuilder, PairDesign, ReadAt, Reading, TokenText};
use redline_report::figures::{heatmap, scan_title};
use redline_steer::Error as SteerError;

use crate::aligner::Aligner;
use crate::convert::{layers as layers_of, matrix, named, table, to_dict};
use crate::correction::write_one;
use crate::display::{svg, text};
use crate::error::{OrRaise, hinted};
use crate::rows::Rows;
use crate::vector::ControlVector;
use crate::watch::{warn, watched};

/// Longest prompt with output of a scan, in tokens.
const MOST_TOKENS: usize = 1536;

/// Options of pairs and directions that `extract` and `layers` share.
fn settings(
    py: Python<'_>,
    names: [Option<&str>; 5],
    (mirrored, seed): (bool, u64),
    (held_out_share, calibration_pairs, max_tokens): (f64, usize, usize),
) -> PyResult<ExtractionSettings> {
    let [method, design, read, site, scaling] = names;
    let design: PairDesign = named(py, design)?;
    let read = match read {
        Some(read) => read.parse::<ReadAt>().map_err(SteerError::from).or_raise(py)?,
        None => ReadAt::default_for(design),
    };
    let site: Site = named(py, site)?;
    if !(held_out_share > 0.0 && held_out_share < 1.0) {
        let message = format!("held_out_share is {held_out_share}");
        return Err(hinted(py, &message, Some("give a share between 0 and 1, such as 0.25")));
    }
    let defaults = ExtractOptions::default();
    let scaling = scaling.map_or_else(|| Ok(defaults.scaling), |name| named(py, Some(name)))?;
    Ok(ExtractionSettings {
        design,
        read,
        site: site.to_string(),
        extract: ExtractOptions { method: named(py, method)?, scaling, mirrored, seed },
        max_tokens,
        held_out_share,
        calibration_pairs,
        seed,
        ..ExtractionSettings::default()
    })
}

#[pymethods]
impl Aligner {
    /// Finds a direction from copy to correction in triples, and makes a control vector of it.
    ///
    /// rows are Rows, a path, dictionaries or a data frame; pairs takes the first so many. method is pca_diff, pca_center, mean_diff,
    /// logistic or random; layers "auto", "all", "8-25" or numbers; unit gap, std or unit.
    #[pyo3(signature = (
        rows, *, method=None, layers=None, pairs=None, unit=None, design=None, read=None, site=None, scaling=None, mirrored=true, seed=0,
        held_out_share=0.25, calibration_pairs=32, max_tokens=1536, strictness=None, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn extract(
        &self,
        rows: &Bound<'_, PyAny>,
        method: Option<&str>,
        layers: Option<&Bound<'_, PyAny>>,
        pairs: Option<usize>,
        unit: Option<&str>,
        design: Option<&str>,
        read: Option<&str>,
        site: Option<&str>,
        scaling: Option<&str>,
        mirrored: bool,
        seed: u64,
        held_out_share: f64,
        calibration_pairs: usize,
        max_tokens: usize,
        strictness: Option<u8>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<ControlVector> {
        let py = rows.py();
        let names = [method, design, read, site, scaling];
        let settings = settings(py, names, (mirrored, seed), (held_out_share, calibration_pairs, max_tokens))?;
        let unit = named(py, unit)?;
        let layers = self.layers_to_inject(py, layers)?;
        let rows = Rows::read(rows, strictness)?.rows;
        let (aligner, layers) = (&self.aligner, &layers);
        let (vector, notes) = watched(py, progress, |watch| {
            layers.resolve(aligner.model.decoder.config().n_layers)?;
            let triples: Vec<(usize, &Qac)> =
                rows.triples.iter().enumerate().take(pairs.unwrap_or(usize::MAX)).collect();
            let on_progress = &mut |done, total| watch.progress("reading pairs", done, total);
            let extracted = extract(&aligner.model, &aligner.template, &triples, &settings, on_progress)
                .map_err(|error| Error::at(rows.name.display(), error))?;
            let mut notes: Vec<String> = extracted.warnings.iter().map(ToString::to_string).collect();
            notes.extend(skipped_in_words(&extracted.skipped));
            Ok((ControlVector::extracted(extracted, layers, unit)?, notes))
        })?;
        notes.iter().try_for_each(|note| warn(py, note))?;
        Ok(vector)
    }

    /// Scores of what the Aligner writes for an answer, or of a correction that is given, at every layer and output token.
    ///
    /// vector is one that extract() made or load() read from safetensors.
    #[pyo3(signature = (question, answer, vector, *, correction=None, tokens=20, any_model=false, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn scan(
        &self,
        py: Python<'_>,
        question: &str,
        answer: &str,
        vector: &ControlVector,
        correction: Option<&str>,
        tokens: usize,
        any_model: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Scan> {
        let reading = reading_of(py, vector)?;
        let aligner = &self.aligner;
        watched(py, progress, |watch| {
            vector.check(aligner, any_model)?;
            let text = match correction {
                Some(correction) => {
                    let prompt = aligner.prompt_with_room([question, answer], 0, "the answer")?;
                    let output = aligner.tokenizer()?.encode_text(correction.trim())?;
                    TokenText { prompt, output }
                }
                None => {
                    let options = WriteOptions { max_new_tokens: tokens, ..WriteOptions::default() };
                    let asked = Asked { row: 0, question, answer };
                    let wrote = write_one(aligner, asked, &options, None, &mut |_| watch.look())?;
                    TokenText { prompt: wrote.prompt, output: wrote.tokens }
                }
            };
            let scan = scan_text(&aligner.model, reading, SCAN_CORRECTION, 0, &text, tokens)?;
            Ok(Scan { scan })
        })
    }

    /// The scans of a correction and of the unchanged answer after the same prompt, as `redline scan` makes them.
    #[pyo3(signature = (question, answer, correction, vector, *, row=0, tokens=20, any_model=false, progress=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn scan_pair(
        &self,
        py: Python<'_>,
        question: String,
        answer: String,
        correction: String,
        vector: &ControlVector,
        row: usize,
        tokens: usize,
        any_model: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(Scan, Scan)> {
        let reading = reading_of(py, vector)?;
        let aligner = &self.aligner;
        watched(py, progress, |_| {
            vector.check(aligner, any_model)?;
            let builder = PairBuilder::new(&aligner.model, &aligner.template, PairDesign::Forced, MOST_TOKENS)?;
            let pair = builder.pair(row, &Qac { question, answer, correction })?;
            let [correction, copy] = scan_pair(&aligner.model, reading, &pair, tokens)?;
            Ok((Scan { scan: correction }, Scan { scan: copy }))
        })
    }

    /// How well correction can be read, layer by layer, at places of the text: the last prompt token, the first output tokens, and the
    /// places around the first difference. A table with a row for each place and layer.
    #[pyo3(signature = (
        rows, *, tokens=20, around=0, method=None, design=None, site=None, scaling=None, seed=0, held_out_share=0.25, max_tokens=1536,
        strictness=None, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn layers<'py>(
        &self,
        rows: &Bound<'py, PyAny>,
        tokens: usize,
        around: usize,
        method: Option<&str>,
        design: Option<&str>,
        site: Option<&str>,
        scaling: Option<&str>,
        seed: u64,
        held_out_share: f64,
        max_tokens: usize,
        strictness: Option<u8>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = rows.py();
        let names = [method, design, None, site, scaling];
        let settings = settings(py, names, (true, seed), (held_out_share, 0, max_tokens))?;
        let rows = Rows::read(rows, strictness)?.rows;
        let aligner = &self.aligner;
        let found = watched(py, progress, |watch| {
            let triples: Vec<(usize, &Qac)> = rows.triples.iter().enumerate().collect();
            let on_progress = &mut |done, total| watch.progress("reading pairs", done, total);
            let places = places(tokens, around);
            Ok(profile_layers(&aligner.model, &aligner.template, &triples, &places, &settings, on_progress)?)
        })?;
        skipped_in_words(&found.skipped).iter().try_for_each(|note| warn(py, note))?;
        let few = found.places.iter().filter(|place| place.layers.is_empty()).map(|place| place.place.as_str());
        let few: Vec<&str> = few.collect();
        if !few.is_empty() {
            let places = few.join(", ");
            warn(
                py,
                &format!(
                    "left out, with fewer than {MIN_PAIRS} pairs to read or to hold out: {places}; give more rows"
                ),
            )?;
        }
        let of_place = |place: &redline_lab::experiment::PlaceProfile| {
            let row = |layer: &redline_probe::LayerReading| {
                let mut row = serde_json::json!(layer);
                row["place"] = place.place.clone().into();
                row
            };
            place.layers.iter().map(row).collect::<Vec<_>>()
        };
        table(py, &found.places.iter().flat_map(of_place).collect::<Vec<_>>())
    }
}

impl Aligner {
    /// The layers asked for, or those that suit the Aligner.
    fn layers_to_inject(
        &self,
        py: Python<'_>,
        asked: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<redline_lab::experiment::LayerSpec> {
        let asked = asked.map(|layers| layers_of(py, layers)).transpose()?.unwrap_or_default();
        Ok(redline_lab::built_in::layers(self.built_in, &asked))
    }
}

/// The reading vector behind a control vector, calibrated.
fn reading_of<'a>(py: Python<'_>, vector: &'a ControlVector) -> PyResult<&'a Reading> {
    let Some(reading) = vector.reading.as_deref() else {
        let hint = "scan along a vector that extract() made, or that load() read from a .safetensors file";
        return Err(hinted(py, "a vector that was computed or read from GGUF has no calibration", Some(hint)));
    };
    if reading.calibration.is_none() {
        return Err(crate::error::raised(py, redline_probe::Error::NoCalibration));
    }
    Ok(reading)
}

/// Scores of one text along a reading vector, for every layer and output token.
#[pyclass(frozen, module = "redline")]
pub struct Scan {
    scan: LatScan,
}

#[pymethods]
impl Scan {
    /// What the text is: correction or copy.
    #[getter]
    fn label(&self) -> &str {
        &self.scan.label
    }

    /// Text of each token.
    #[getter]
    fn tokens(&self) -> Vec<String> {
        self.scan.tokens.clone()
    }

    /// Block of each row of the scores.
    #[getter]
    fn layers<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        PyArray1::from_iter(py, self.scan.layers.iter().map(|&layer| layer as i64))
    }

    /// (x − centre) · direction, (layers, tokens): above 0 leans towards correction.
    #[getter]
    fn scores<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        matrix(py, &self.scan.scores)
    }

    /// The scores in standard deviations of the calibration texts, (layers, tokens).
    #[getter]
    fn z<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f32>>> {
        matrix(py, &self.scan.z)
    }

    /// The scan as dictionaries and lists.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_dict(py, &self.scan)
    }

    /// A pandas DataFrame with a row for each layer and token.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.cells())?.call_method0("to_pandas")
    }

    /// A polars DataFrame with a row for each layer and token.
    fn to_polars<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.cells())?.call_method0("to_polars")
    }

    /// The picture as SVG.
    fn to_svg(&self, py: Python<'_>) -> PyResult<String> {
        svg(py, &heatmap(&self.scan, &scan_title(&self.scan)))
    }

    fn _repr_svg_(&self, py: Python<'_>) -> PyResult<String> {
        self.to_svg(py)
    }

    /// The picture as text, for a terminal.
    fn to_text(&self, py: Python<'_>) -> PyResult<String> {
        text(py, &heatmap(&self.scan, &scan_title(&self.scan)))
    }

    fn __repr__(&self) -> String {
        let (n_layers, n_tokens) = (self.scan.layers.len(), self.scan.tokens.len());
        format!("<redline.Scan {}: {n_layers} layers × {n_tokens} tokens>", self.scan.label)
    }
}

impl Scan {
    fn cells(&self) -> Vec<serde_json::Value> {
        let LatScan { layers, tokens, scores, z, .. } = &self.scan;
        let cell = |place: usize, token: usize| {
            serde_json::json!({
                "layer": layers[place], "token": token, "text": tokens[token], "score": scores[place][token], "z": z[place][token],
            })
        };
        (0..layers.len()).flat_map(|place| (0..tokens.len()).map(move |token| cell(place, token))).collect()
    }
}

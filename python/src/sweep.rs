//! Sweeps over coefficients, and the line through them.

use numpy::{PyArray1, PyArray2};
use pyo3::prelude::*;
use redline_lab::Error;
use redline_lab::aligner::Sweep as LabSweep;
use redline_lab::built_in;
use redline_lab::experiment::{DEFAULT_COHERENCE_BOUND, SweepAnalysis, analyse, sweep_prompts};
use redline_lab::observer::Observer;
use redline_lab::steering::check_leak;
use redline_model::Qac;
use redline_report::figures::sweep_plot;
use redline_steer::{
    BootstrapOptions, CORRECTION, EditRatioVariant, Interval, NamedVector, Operator, SweepFit, SweepObserver,
    SweepOptions, SweepRow, Tuned, arms, sweep,
};
use serde_json::{Value, json};

use crate::aligner::Aligner;
use crate::convert::{matrix, named, table, to_dict};
use crate::correction::sampling;
use crate::display::{shown, svg};
use crate::error::{OrRaise, hinted};
use crate::rows::Rows;
use crate::vector::ControlVector;
use crate::watch::{Watch, watched};

#[pymethods]
impl Aligner {
    /// Corrects every answer at every coefficient and measures the outputs. 0 is the baseline and should be among the coefficients.
    ///
    /// The rows must not be those that the vector was made from; skip and prompts choose some of them.
    #[pyo3(signature = (
        rows, vector, coefficients=None, *, max_new_tokens=256, prompts=None, skip=0, range=None, temperature=0.0, top_k=None, top_p=None,
        repetition_penalty=1.0, seed=0, batch_rows=48, allow_overlap=false, any_model=false, strictness=None, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn sweep(
        &self,
        rows: &Bound<'_, PyAny>,
        vector: &ControlVector,
        coefficients: Option<Vec<f32>>,
        max_new_tokens: usize,
        prompts: Option<usize>,
        skip: usize,
        range: Option<&str>,
        temperature: f64,
        top_k: Option<usize>,
        top_p: Option<f64>,
        repetition_penalty: f32,
        seed: u64,
        batch_rows: usize,
        allow_overlap: bool,
        any_model: bool,
        strictness: Option<u8>,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Sweep> {
        let py = rows.py();
        let sampling = sampling(py, temperature, (top_k, top_p), repetition_penalty, seed)?;
        let range = self.positions(py, range)?;
        let (operator, copy_bias) = (Operator::Add, 0.0);
        let options = SweepOptions { range, operator, copy_bias, max_new_tokens, sampling, batch_rows };
        let coefficients = coefficients.unwrap_or_else(|| built_in::coefficients(self.built_in).to_vec());
        let rows = Rows::read(rows, strictness)?.rows;
        let aligner = &self.aligner;
        let swept = watched(py, progress, |watch| {
            vector.check(aligner, any_model)?;
            let chosen = rows.triples.iter().enumerate().skip(skip).take(prompts.unwrap_or(usize::MAX));
            let chosen: Vec<(usize, &Qac)> = chosen.collect();
            if chosen.is_empty() {
                let message = format!("{} rows; none is left after {skip}", rows.triples.len());
                return Err(Error::option(message, "lower skip, or raise prompts above 0"));
            }
            check_leak(vector.questions(), chosen.iter().map(|(_, qac)| qac.question.as_str()), allow_overlap)?;
            let arms = arms(1, &coefficients)?;
            let prompts = sweep_prompts(aligner, &chosen, max_new_tokens, &rows.name)?;
            let vectors = [NamedVector { name: CORRECTION.into(), vector: vector.vector.clone() }];
            let (model, each) = (&aligner.model, arms.len().saturating_mul(max_new_tokens));
            let mut kept = Kept {
                watch,
                rows: Vec::new(),
                tokens: 0,
                prompts: 0,
                each,
                total: each.saturating_mul(prompts.len()),
            };
            sweep(&model.decoder, model.tokenizer()?, &prompts, &vectors, &arms, &options, &mut kept)?;
            Ok(kept.rows)
        })?;
        Ok(Sweep { sweep: LabSweep { rows: swept }, unit: vector.unit.clone() })
    }
}

/// Keeps rows and says how far the sweep is; a finished prompt counts as all the tokens that it could have had.
struct Kept<'a> {
    watch: &'a mut Watch,
    rows: Vec<SweepRow>,
    tokens: usize,
    prompts: usize,
    each: usize,
    total: usize,
}

impl SweepObserver for Kept<'_> {
    fn on_token(&mut self) -> redline_model::Result<()> {
        self.tokens += 1;
        self.watch.progress("sweep", self.tokens.min(self.total), self.total)
    }

    fn on_rows(&mut self, rows: &[SweepRow]) -> redline_steer::Result<()> {
        self.rows.extend_from_slice(rows);
        self.prompts += 1;
        self.tokens = self.tokens.max(self.prompts.saturating_mul(self.each));
        Ok(self.watch.progress("sweep", self.tokens.min(self.total), self.total)?)
    }
}

/// The outputs of a sweep, measured.
#[pyclass(frozen, module = "redline")]
pub struct Sweep {
    sweep: LabSweep,
    unit: String,
}

#[pymethods]
impl Sweep {
    /// One output each: row, coefficient, output and its measures.
    #[getter]
    fn rows<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.sweep.rows.iter().map(flat).collect::<Vec<_>>())
    }

    /// Means by coefficient, with coherence beside them.
    #[getter]
    fn coefficients<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        table(py, &self.sweep.analyse().or_raise(py)?.coefficients)
    }

    /// The line through the mean edit ratios: within the coherent range, or through all coefficients.
    ///
    /// variant is char, token, max or micro; coherence_bound the largest change of the negative log-likelihood per token, in nats.
    #[pyo3(signature = (*, variant=None, coherence_bound=None, all_coefficients=false, n_resamples=None, seed=0))]
    fn fit(
        &self,
        py: Python<'_>,
        variant: Option<&str>,
        coherence_bound: Option<f64>,
        all_coefficients: bool,
        n_resamples: Option<usize>,
        seed: u64,
    ) -> PyResult<LineFit> {
        let variant: EditRatioVariant = named(py, variant)?;
        let bound = coherence_bound.unwrap_or(DEFAULT_COHERENCE_BOUND);
        redline_lab::reproduce::check_coherence_bound(bound).or_raise(py)?;
        let bootstrap = BootstrapOptions { seed, ..BootstrapOptions::default() };
        let bootstrap = n_resamples.map_or(bootstrap, |n_resamples| BootstrapOptions { n_resamples, ..bootstrap });
        let rows = &self.sweep.rows;
        let analysis = py.detach(|| analyse(rows, CORRECTION, variant, bound, &bootstrap)).or_raise(py)?;
        let fit = if all_coefficients { &analysis.fit_all } else { &analysis.fit };
        match fit.clone() {
            Some(fit) => Ok(LineFit { fit, analysis }),
            None => {
                let hint = "a line takes two prompts and three coherent coefficients, 0 among them; all_coefficients=True fits all";
                Err(hinted(py, "there is no line", Some(hint)))
            }
        }
    }

    /// The coefficient for a mean edit ratio, from the line within the coherent range, as a dictionary with its interval.
    fn tune<'py>(&self, py: Python<'py>, target_ratio: f64) -> PyResult<Bound<'py, PyAny>> {
        let sweep = &self.sweep;
        let tuned: Tuned = py.detach(|| sweep.tune(target_ratio)).or_raise(py)?;
        to_dict(py, &tuned)
    }

    /// A pandas DataFrame of the rows.
    fn to_pandas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.rows(py)?.call_method0("to_pandas")
    }

    /// A polars DataFrame of the rows.
    fn to_polars<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.rows(py)?.call_method0("to_polars")
    }

    /// Rows and analysis, as `redline sweep` and `redline fit` write them.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let analysis = self.sweep.analyse().or_raise(py)?;
        to_dict(py, &json!({ "unit": self.unit, "rows": self.sweep.rows, "analysis": analysis }))
    }

    /// The plot of the sweep as SVG.
    fn to_svg(&self, py: Python<'_>) -> PyResult<String> {
        let analysis: SweepAnalysis = self.sweep.analyse().or_raise(py)?;
        svg(py, &sweep_plot(&analysis, &self.unit, Vec::new(), Vec::new()))
    }

    fn _repr_svg_(&self, py: Python<'_>) -> PyResult<String> {
        self.to_svg(py)
    }

    fn __len__(&self) -> usize {
        self.sweep.rows.len()
    }

    fn __repr__(&self) -> String {
        let mut coefficients: Vec<f32> = self.sweep.rows.iter().map(|row| row.coefficient).collect();
        coefficients.sort_by(f32::total_cmp);
        coefficients.dedup();
        let n_prompts = self.sweep.rows.len() / coefficients.len().max(1);
        format!("<redline.Sweep: {n_prompts} prompts at {coefficients:?}>")
    }
}

/// An output without nesting.
fn flat(row: &SweepRow) -> Value {
    json!({
        "row": row.row,
        "coefficient": row.coefficient,
        "output": row.output,
        "edit_ratio": row.ratios.char,
        "similarity": row.ratios.similarity,
        "exact_copy": row.ratios.exact_copy,
        "reference_similarity": row.reference_similarity,
        "nll": row.nll,
        "repetition": row.repetition,
        "n_tokens": row.n_tokens,
        "truncated": row.truncated,
        "edits": row.effect.values().map(|layer| layer.edits).sum::<u64>(),
    })
}

/// A fitted line with its intervals over prompts.
#[pyclass(frozen, module = "redline")]
pub struct LineFit {
    fit: SweepFit,
    analysis: SweepAnalysis,
}

#[pymethods]
impl LineFit {
    /// Change of the mean edit ratio for one unit of coefficient.
    #[getter]
    fn slope(&self) -> f64 {
        self.fit.line.slope
    }

    /// 95 % interval of the slope over prompts.
    #[getter]
    fn slope_interval(&self) -> (f64, f64) {
        ends(self.fit.slope_interval)
    }

    /// The mean edit ratio at coefficient 0, by the line.
    #[getter]
    fn intercept(&self) -> f64 {
        self.fit.line.intercept
    }

    /// 95 % interval of the intercept over prompts.
    #[getter]
    fn intercept_interval(&self) -> (f64, f64) {
        ends(self.fit.intercept_interval)
    }

    /// Share of the variation of the means that the line explains; None where they are constant.
    #[getter]
    fn r2(&self) -> Option<f64> {
        self.fit.line.r2
    }

    /// Rank correlation of the means with the coefficients.
    #[getter]
    fn spearman(&self) -> Option<f64> {
        self.fit.spearman
    }

    /// Number of prompts.
    #[getter]
    fn n_prompts(&self) -> usize {
        self.fit.n_prompts
    }

    /// Share of prompts whose own line falls.
    #[getter]
    fn negative_slope_share(&self) -> f64 {
        self.fit.negative_slope_share
    }

    /// The coefficients that the line was fitted to.
    #[getter]
    fn coefficients<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.fit.coefficients)
    }

    /// Mean edit ratio at each of them.
    #[getter]
    fn mean_ratio<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<f64>> {
        PyArray1::from_slice(py, &self.fit.mean_ratio)
    }

    /// Edit ratios, (prompts, all coefficients).
    #[getter]
    fn per_prompt<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        matrix(py, &self.analysis.per_prompt)
    }

    /// Lowest and highest coefficient at which outputs stay coherent; None without a baseline.
    #[getter]
    fn coherent_range(&self) -> Option<(f64, f64)> {
        self.analysis.coherent_range.as_ref().map(|range| (range.low, range.high))
    }

    /// The line's edit ratio at a coefficient.
    fn at(&self, coefficient: f64) -> f64 {
        self.fit.line.at(coefficient)
    }

    /// The fit as dictionaries and lists.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_dict(py, &self.fit)
    }

    fn _repr_html_(&self, py: Python<'_>) -> PyResult<Option<String>> {
        shown(py, &self.fit, "text/html")
    }

    fn __repr__(&self) -> String {
        let (low, high) = self.slope_interval();
        let r2 = self.r2().map_or_else(|| "none".into(), |r2| format!("{r2:.3}"));
        format!(
            "<redline.LineFit: slope {:.4} [{low:.4}, {high:.4}], R² {r2}, {} prompts>",
            self.slope(),
            self.n_prompts()
        )
    }
}

fn ends(interval: Interval) -> (f64, f64) {
    (interval.low, interval.high)
}

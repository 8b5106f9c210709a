//! From an edit ratio to a coefficient, verified on other prompts and kept as a profile.

use pyo3::prelude::*;
use redline_lab::Error;
use redline_lab::built_in;
use redline_lab::embedded;
use redline_lab::experiment::{DEFAULT_COHERENCE_BOUND, ExtractionSettings};
use redline_lab::rows::Rows as LabRows;
use redline_lab::tune::{Counts, GivenVector, Goal, Place, TuneFiles, TuneOptions, save as save_profile, tune};
use redline_model::Error as ModelError;
use redline_model::sampling::SamplingOptions;
use serde_json::json;

use crate::aligner::Aligner;
use crate::convert::{layers as layers_of, named, to_dict};
use crate::error::{OrRaise, hinted};
use crate::rows::Rows;
use crate::vector::refuse_other;
use crate::watch::watched;

#[pymethods]
impl Aligner {
    /// Finds a direction, fits its line, reads the coefficient for a mean edit ratio from it and verifies it on other prompts. A dictionary, as
    /// `redline tune --json` prints it; save keeps it as a profile, by name in profiles/ or as FILE.json.
    #[pyo3(signature = (
        target_ratio, rows=None, *, pairs=None, prompts=None, verify=None, skip=0, coefficients=None, method=None, layers=None, unit=None,
        range=None, max_new_tokens=256, batch_rows=48, strictness=None, save=None, overwrite=false, seed=0, progress=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn tune<'py>(
        &self,
        py: Python<'py>,
        target_ratio: f64,
        rows: Option<&Bound<'py, PyAny>>,
        pairs: Option<usize>,
        prompts: Option<usize>,
        verify: Option<usize>,
        skip: usize,
        coefficients: Option<Vec<f32>>,
        method: Option<&str>,
        layers: Option<&Bound<'py, PyAny>>,
        unit: Option<&str>,
        range: Option<&str>,
        max_new_tokens: usize,
        batch_rows: usize,
        strictness: Option<u8>,
        save: Option<&str>,
        overwrite: bool,
        seed: u64,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if !(target_ratio.is_finite() && target_ratio >= 0.0) {
            let message = format!("target_ratio is {target_ratio}");
            return Err(hinted(py, &message, Some("give a ratio of at least 0, such as 0.25")));
        }
        let place = save.map(Place::new).transpose().or_raise(py)?;
        place.as_ref().map_or(Ok(()), |place| refuse_other(py, &place.path, overwrite))?;
        let rows = match rows {
            Some(rows) => Rows::read(rows, strictness)?.rows,
            None => Rows::from(LabRows::embedded(strictness).or_raise(py)?).rows,
        };
        let suited = Counts::suited(rows.is_embedded, self.built_in);
        let prompts = prompts.unwrap_or(suited.prompts);
        let mut extraction = ExtractionSettings { seed, ..ExtractionSettings::default() };
        extraction.extract.seed = seed;
        extraction.extract.method = method.map_or(Ok(embedded::METHOD), |method| named(py, Some(method)))?;
        let layers = layers.map(|layers| layers_of(py, layers)).transpose()?.unwrap_or_default();
        let options = TuneOptions {
            counts: Counts { pairs: pairs.unwrap_or(suited.pairs), prompts, verify: verify.unwrap_or(prompts) },
            verify,
            skip,
            variant: named(py, None)?,
            coefficients: coefficients.unwrap_or_else(|| built_in::coefficients(self.built_in).to_vec()),
            coherence_bound: DEFAULT_COHERENCE_BOUND,
            extraction,
            layers: built_in::layers(self.built_in, &layers),
            unit: named(py, unit)?,
            range: self.positions(py, range)?,
            given: GivenVector::default(),
            sampling: SamplingOptions { seed, ..SamplingOptions::default() },
            max_new_tokens,
            per_request: false,
            seed,
            batch_rows,
        };
        let aligner = &self.aligner;
        let found = watched(py, progress, |watch| {
            let scratch = tempfile::tempdir().map_err(|error| ModelError::io(&std::env::temp_dir(), error))?;
            let goal = Goal::Ratio(target_ratio);
            let outcome = tune(aligner, &rows, &options, goal, TuneFiles::default(), scratch.path(), watch)?;
            let saved = place.map(|place| save_profile(aligner, &outcome, &place)).transpose()?;
            Ok::<_, Error>(json!({
                "target": outcome.target,
                "coefficient": outcome.tuned.coefficient,
                "coefficient_interval": outcome.tuned.interval,
                "coherent_range": outcome.analysis.coherent_range,
                "fit": outcome.analysis.fit,
                "verified": outcome.verification,
                "target_in_verified_interval": outcome.verification.steered.interval.contains(outcome.target),
                "profile": saved.as_ref().map(|saved| &saved.path),
                "vector": saved.as_ref().map(|saved| &saved.vector),
            }))
        })?;
        to_dict(py, &found)
    }
}

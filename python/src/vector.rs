//! Control vectors: their directions as arrays, their algebra, their files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyKeyError, PyTypeError, PyZeroDivisionError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use redline_lab::Error;
use redline_lab::aligner::Aligner as LabAligner;
use redline_lab::experiment::{Extracted, LayerSpec};
use redline_lab::steering::check_reading;
use redline_model::Site;
use redline_model::gguf::is_gguf;
use redline_probe::{LayerReading, Reading};
use redline_steer::control_file::{read_control_vector, shift_back, write_control_vector};
use redline_steer::{ControlVector as Vector, Unit, reading_control_vector};

use crate::convert::{layers as layers_of, named, table, to_dict};
use crate::error::{OrRaise, hinted};

/// What one unit of coefficient adds to activations, layer by layer: a mapping from layers to arrays.
#[pyclass(frozen, mapping, module = "redline")]
#[derive(Clone)]
pub struct ControlVector {
    pub vector: Vector,
    /// What it was made from, unless it was computed or read from GGUF.
    pub reading: Option<Arc<Reading>>,
    report: Option<Arc<Vec<LayerReading>>>,
    /// Architecture of its model, where known.
    architecture: Option<String>,
    /// The unit of its coefficients.
    pub unit: String,
}

/// Unit of a vector whose scales are its own.
const OWN_UNIT: &str = "vector";

#[pymethods]
impl ControlVector {
    /// A vector of one array a layer: NumPy arrays, torch tensors, or anything that NumPy or DLPack reads.
    #[staticmethod]
    #[pyo3(signature = (directions, *, site=None, architecture=None))]
    fn from_numpy(directions: &Bound<'_, PyAny>, site: Option<&str>, architecture: Option<String>) -> PyResult<Self> {
        let py = directions.py();
        let site: Site = named(py, site)?;
        let convert = py.import("redline._arrays")?.getattr("as_vector")?;
        let mut layers = BTreeMap::new();
        for item in directions.call_method0("items")?.try_iter()? {
            let (layer, values): (usize, Bound<'_, PyAny>) = item?.extract()?;
            let array: PyReadonlyArray1<'_, f32> = convert.call1((values, layer))?.extract()?;
            layers.insert(layer, array.as_array().to_vec());
        }
        let vector = Vector::new(layers).or_raise(py)?.at(site);
        Ok(Self { architecture, ..Self::computed(vector) })
    }

    /// Reads a reading vector (.safetensors) or a control vector (.gguf). layers and unit are for reading vectors.
    #[staticmethod]
    #[pyo3(signature = (path, *, layers=None, unit=None, from_llama_cpp_generator=false))]
    fn load(
        py: Python<'_>,
        path: PathBuf,
        layers: Option<&Bound<'_, PyAny>>,
        unit: Option<&str>,
        from_llama_cpp_generator: bool,
    ) -> PyResult<Self> {
        let layers = layers.map(|layers| layers_of(py, layers)).transpose()?.unwrap_or_default();
        if !is_gguf(&path) {
            let reading = Reading::load(&path).or_raise(py)?;
            return Self::scaled(&Arc::new(reading), None, &layers, named(py, unit)?).or_raise(py);
        }
        let file = read_control_vector(&path).or_raise(py)?;
        let mut vector = file.vector;
        if from_llama_cpp_generator {
            vector = shift_back(&vector).or_raise(py)?;
        }
        if let LayerSpec::List(layers) = layers {
            vector = vector.restrict(layers).or_raise(py)?;
        }
        Ok(Self { architecture: file.model_hint, ..Self::computed(vector) })
    }

    /// Writes the vector as GGUF, the format of llama.cpp and repeng. Scales are part of it.
    #[pyo3(signature = (path, *, model_hint=None, overwrite=false))]
    fn to_gguf(&self, py: Python<'_>, path: PathBuf, model_hint: Option<&str>, overwrite: bool) -> PyResult<()> {
        refuse_other(py, &path, overwrite)?;
        let Some(hint) = model_hint.or(self.architecture.as_deref()) else {
            let message = "the vector does not say which architecture it is for";
            return Err(hinted(py, message, Some("give model_hint, such as \"llama\"")));
        };
        write_control_vector(&path, &self.vector, hint).or_raise(py)
    }

    /// Writes a file that load() reads: .gguf as to_gguf() does, else safetensors with where the vector came from, which scans and leak
    /// checks need.
    #[pyo3(signature = (path, *, overwrite=false))]
    fn save(&self, py: Python<'_>, path: PathBuf, overwrite: bool) -> PyResult<()> {
        if is_gguf(&path) {
            return self.to_gguf(py, path, None, overwrite);
        }
        refuse_other(py, &path, overwrite)?;
        let Some(reading) = &self.reading else {
            let message = format!("{}: a vector that was computed is no reading vector", path.display());
            return Err(hinted(py, &message, Some("name a file that ends in .gguf, or save the vector it came from")));
        };
        reading.save(&path).or_raise(py)
    }

    /// The same reading at other layers, or in another unit ("gap", "std", "unit").
    #[pyo3(signature = (layers, unit=None))]
    fn at_layers(&self, py: Python<'_>, layers: &Bound<'_, PyAny>, unit: Option<&str>) -> PyResult<Self> {
        let layers = layers_of(py, layers)?;
        match (&self.reading, unit, layers) {
            (Some(reading), _, layers) => {
                let unit = named(py, unit.or(Some(&self.unit)))?;
                Self::scaled(reading, self.report.clone(), &layers, unit).or_raise(py)
            }
            (None, None, LayerSpec::List(layers)) => {
                Ok(Self { vector: self.vector.restrict(layers).or_raise(py)?, ..self.clone() })
            }
            (None, None, _) => Ok(self.clone()),
            (None, Some(_), _) => {
                Err(hinted(py, "the vector's scales are its own", Some("leave unit out, or multiply the vector")))
            }
        }
    }

    /// Layer → array of what one unit of coefficient adds there, as a new dictionary.
    #[getter]
    fn directions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let directions = PyDict::new(py);
        for (&layer, values) in &self.vector.layers {
            directions.set_item(layer, PyArray1::from_slice(py, values))?;
        }
        Ok(directions)
    }

    /// Layer → Euclidean norm.
    #[getter]
    fn norms(&self) -> BTreeMap<usize, f64> {
        self.vector.norms()
    }

    /// Place in a block where it is added.
    #[getter]
    fn site(&self) -> String {
        self.vector.site.to_string()
    }

    /// Unit of the coefficient: gap, std, unit, or vector where the scales are its own.
    #[getter]
    fn unit(&self) -> &str {
        &self.unit
    }

    /// How well each layer tells held-out pairs apart, of a vector that was extracted here; else None.
    #[getter]
    fn report<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.report.as_deref().map(|report| table(py, report)).transpose()
    }

    /// Where the vector came from, as its file keeps it; None of one that was computed.
    #[getter]
    fn provenance<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reading.as_deref().map(|reading| to_dict(py, &reading.provenance)).transpose()
    }

    fn __len__(&self) -> usize {
        self.vector.layers.len()
    }

    fn __contains__(&self, layer: &Bound<'_, PyAny>) -> bool {
        layer.extract::<usize>().is_ok_and(|layer| self.vector.layers.contains_key(&layer))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, layer: usize) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let values = self.vector.layers.get(&layer).ok_or_else(|| PyKeyError::new_err(layer))?;
        Ok(PyArray1::from_slice(py, values))
    }

    /// The array of a layer, or something else where there is none.
    #[pyo3(signature = (layer, default=None))]
    fn get<'py>(&self, py: Python<'py>, layer: usize, default: Option<Bound<'py, PyAny>>) -> Option<Bound<'py, PyAny>> {
        self.vector.layers.get(&layer).map(|values| PyArray1::from_slice(py, values).into_any()).or(default)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.directions(py)?.call_method0("__iter__")
    }

    /// The layers.
    fn keys(&self) -> Vec<usize> {
        self.vector.layers.keys().copied().collect()
    }

    /// The arrays.
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.directions(py)?.call_method0("values")
    }

    /// Layers with their arrays.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.directions(py)?.call_method0("items")
    }

    fn __add__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.combined(py, other, |a, b| a + b)
    }

    fn __sub__(&self, py: Python<'_>, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.combined(py, other, |a, b| a - b)
    }

    fn __neg__(&self) -> Self {
        self.with(-&self.vector)
    }

    fn __mul__(&self, py: Python<'_>, factor: f32) -> PyResult<Self> {
        self.finite(py, &self.vector * factor)
    }

    fn __rmul__(&self, py: Python<'_>, factor: f32) -> PyResult<Self> {
        self.__mul__(py, factor)
    }

    fn __truediv__(&self, py: Python<'_>, divisor: f32) -> PyResult<Self> {
        if divisor == 0.0 {
            return Err(PyZeroDivisionError::new_err("a control vector divided by zero"));
        }
        let divided = |values: &Vec<f32>| values.iter().map(|value| value / divisor).collect();
        let layers = self.vector.layers.iter().map(|(&layer, values)| (layer, divided(values))).collect();
        // networks know products only
        let inside = (&self.vector * (1.0 / divisor)).inside;
        self.finite(py, Vector { layers, site: self.vector.site, inside })
    }

    fn __eq__(&self, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| other.get().vector == self.vector)
    }

    fn __repr__(&self) -> String {
        let layers: Vec<usize> = self.vector.layers.keys().copied().collect();
        let width = self.vector.layers.values().next().map_or(0, Vec::len);
        format!("<redline.ControlVector: {width} values at {} of layers {layers:?}, unit {}>", self.site(), self.unit)
    }
}

impl ControlVector {
    /// What was extracted, at these layers.
    pub fn extracted(extracted: Extracted, layers: &LayerSpec, unit: Unit) -> Result<Self, Error> {
        Self::scaled(&Arc::new(extracted.reading), Some(Arc::new(extracted.report)), layers, unit)
    }

    fn scaled(
        reading: &Arc<Reading>,
        report: Option<Arc<Vec<LayerReading>>>,
        layers: &LayerSpec,
        unit: Unit,
    ) -> Result<Self, Error> {
        let layers = layers.of_reading(reading, reading.provenance.n_layers)?;
        let vector = reading_control_vector(reading, &layers, unit)?;
        let architecture = Some(reading.provenance.architecture.clone());
        Ok(Self { vector, reading: Some(Arc::clone(reading)), report, architecture, unit: unit.to_string() })
    }

    fn computed(vector: Vector) -> Self {
        Self { vector, reading: None, report: None, architecture: None, unit: OWN_UNIT.into() }
    }

    /// The result of a computation, which is no longer what was read.
    fn with(&self, vector: Vector) -> Self {
        Self { architecture: self.architecture.clone(), ..Self::computed(vector) }
    }

    fn finite(&self, py: Python<'_>, vector: Vector) -> PyResult<Self> {
        let site = vector.site;
        Ok(self.with(Vector::new(vector.layers).or_raise(py)?.at(site)))
    }

    fn combined(
        &self,
        py: Python<'_>,
        other: &Bound<'_, PyAny>,
        combine: impl Fn(&Vector, &Vector) -> Vector,
    ) -> PyResult<Self> {
        let other = other.cast::<Self>().map_err(|_| PyTypeError::new_err("only control vectors can be added"))?.get();
        if self.vector.site != other.vector.site {
            let message = format!("one vector is for {}, the other for {}", self.site(), other.site());
            return Err(hinted(py, &message, Some("add vectors of one site")));
        }
        let width = |vector: &Vector| vector.layers.values().next().map_or(0, Vec::len);
        let (ours, theirs) = (width(&self.vector), width(&other.vector));
        if ours != theirs {
            let message = format!("one vector has {ours} values a layer, the other {theirs}");
            return Err(hinted(py, &message, Some("add vectors of one model")));
        }
        self.finite(py, combine(&self.vector, &other.vector))
    }

    /// Refuses a vector that does not fit the Aligner, and unless `any_model` one that was made from other weights.
    pub fn check(&self, aligner: &LabAligner, any_model: bool) -> Result<(), Error> {
        if let Some(reading) = &self.reading {
            check_reading(reading, Path::new("the vector"), &aligner.model, any_model)?;
        }
        Ok(self.vector.check(aligner.model.decoder.config())?)
    }

    /// Hashes of the questions that it was made from, where known.
    pub fn questions(&self) -> &[String] {
        self.reading.as_ref().map_or(&[], |reading| &reading.provenance.questions)
    }
}

/// Refuses to write over a file unless that is asked for.
pub fn refuse_other(py: Python<'_>, path: &Path, overwrite: bool) -> PyResult<()> {
    match path.exists() && !overwrite {
        true => {
            let message = format!("{} is there already", path.display());
            Err(hinted(py, &message, Some("give overwrite=True to replace it, or name another file")))
        }
        false => Ok(()),
    }
}

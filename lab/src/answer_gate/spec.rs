//! A gate as people write it: `cost=DIR:0.3`, `lat=VECTOR@3:1.2`, `lat=VECTOR` beside its calibration.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{AnswerGate, GateCalibration, GateKind, Instrument, load_instrument};
use crate::aligner::Aligner;
use crate::error::{Error, Result};
use crate::experiment::LayerSpec;

const FORM: &str = "give KIND=PATH, KIND=PATH:THRESHOLD or KIND=PATH:CALIBRATION.json with cost, reward or lat as KIND; lat=VECTOR@LAYERS \
                    reads these layers alone";

/// What a gate reads by, and where it opens.
#[derive(Debug, Clone, PartialEq)]
pub struct GateSpec {
    /// What it reads.
    pub kind: GateKind,
    /// Folder or `head.safetensors` of a reward or cost model, or the file of a reading vector.
    pub path: PathBuf,
    /// Layers of the vector that are read, where some were named.
    pub layers: Option<LayerSpec>,
    /// Where it opens.
    pub threshold: GateThreshold,
}

/// Where the threshold comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum GateThreshold {
    /// A calibration beside what it reads by.
    Beside,
    /// This calibration.
    File(PathBuf),
    /// This number.
    Number(f64),
}

impl FromStr for GateSpec {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (kind, rest) = text.split_once('=').ok_or(FORM)?;
        let kind: GateKind = kind.parse().map_err(|_| format!("`{kind}` is no kind of gate: {FORM}"))?;
        let (path, threshold) = match rest.rsplit_once(':') {
            Some((path, end)) => match end.parse::<f64>() {
                Ok(number) if number.is_finite() => (path, GateThreshold::Number(number)),
                Ok(_) => return Err(format!("the threshold `{end}` is no finite number")),
                Err(_) if end.ends_with(".json") => (path, GateThreshold::File(end.into())),
                Err(_) => return Err(format!("`{end}` is neither a number nor a calibration (.json): {FORM}")),
            },
            None => (rest, GateThreshold::Beside),
        };
        let (path, layers) = match path.rsplit_once('@').filter(|_| kind == GateKind::Lat) {
            Some((path, layers)) => (path, Some(layers.parse::<LayerSpec>()?)),
            None => (path, None),
        };
        if path.is_empty() {
            return Err(FORM.into());
        }
        Ok(Self { kind, path: path.into(), layers, threshold })
    }
}

impl GateSpec {
    /// Where the calibration stands unless another place is named: `vector.gate.json` beside `vector.safetensors`, `model.gate.json` beside the
    /// folder `model`.
    pub fn beside(&self) -> PathBuf {
        let mut name = match self.path.is_dir() {
            true => self.path.file_name(),
            false => self.path.file_stem(),
        }
        .map(std::ffi::OsStr::to_owned)
        .unwrap_or_default();
        name.push(".gate.json");
        self.path.with_file_name(name)
    }

    /// The layers named, as numbers.
    ///
    /// # Errors
    /// A layer that the Aligner lacks.
    pub(crate) fn resolved_layers(&self, aligner: &Aligner) -> Result<Option<Vec<usize>>> {
        let n_layers = aligner.model.decoder.config().n_layers;
        Ok(match &self.layers {
            None | Some(LayerSpec::All | LayerSpec::Auto) => None,
            Some(layers) => Some(layers.resolve(n_layers)?),
        })
    }

    /// The gate, ready to stand before an Aligner.
    ///
    /// # Errors
    /// No threshold, a calibration of another model, head, vector, Aligner or template, or what it reads by cannot be loaded.
    pub fn open(&self, aligner: &Aligner, any_model: bool) -> Result<AnswerGate> {
        let named = self.resolved_layers(aligner)?;
        let (place, file) = match &self.threshold {
            GateThreshold::Number(threshold) => {
                let instrument = load_instrument(aligner, self, named.as_deref(), any_model)?;
                let (kind, place) = (self.kind, self.path.clone());
                return Ok(AnswerGate { kind, threshold: *threshold, instrument, place, doubt: None });
            }
            GateThreshold::File(path) => (path.clone(), path.exists()),
            GateThreshold::Beside => (self.beside(), self.beside().exists()),
        };
        // a missing model or vector is said in its own words
        let instrument = |layers: Option<&[usize]>| load_instrument(aligner, self, layers, any_model);
        if !file {
            instrument(named.as_deref())?;
            return Err(self.uncalibrated(&place));
        }
        let calibration = GateCalibration::load(&place)?;
        let instrument = instrument(calibration.layers.as_deref())?;
        let reads_all = matches!(&instrument, Instrument::Lat(lat) if lat.reads_all());
        let is_other = match &self.layers {
            None | Some(LayerSpec::Auto) => false,
            Some(LayerSpec::All) => !reads_all,
            Some(LayerSpec::List(_)) => named != calibration.layers,
        };
        if is_other {
            let message = format!("{}: it was calibrated for other layers than {self}", place.display());
            return Err(Error::option(message, "leave the layers out, or calibrate again with `redline gate`"));
        }
        calibration.check_fits(&place, self, aligner, &instrument)?;
        let doubt = calibration.doubt();
        Ok(AnswerGate {
            kind: self.kind,
            threshold: calibration.threshold,
            instrument,
            place: self.path.clone(),
            doubt,
        })
    }

    fn uncalibrated(&self, place: &Path) -> Error {
        let Self { kind, path, .. } = self;
        let path = path.display();
        Error::option(
            format!("--gate {kind}={path}: nothing tells where the gate opens: there is no {}", place.display()),
            format!(
                "calibrate it: redline gate {kind}={path} --data ROWS; or give the threshold as a number: --gate {kind}={path}:NUMBER"
            ),
        )
    }
}

impl std::fmt::Display for GateSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.kind, self.path.display())?;
        self.layers.as_ref().map_or(Ok(()), |layers| write!(f, "@{layers}"))
    }
}

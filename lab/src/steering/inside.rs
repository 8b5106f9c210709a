//! Aligners inside a model, where a vector is named.

use std::path::Path;

use redline_model::Model;
use redline_probe::Reading;
use redline_steer::{Error as SteerError, InsideFile, Operator, TokenRange, Unit};

use super::{LoadedVector, Steering, trained_range};
use crate::error::{Error, Result};
use crate::experiment::LayerSpec;
use crate::vector_unit::VectorUnit;

/// The positions that the vector or the Aligner inside a model of a file was trained over; none of what was only read.
pub fn trained_range_of(path: &Path) -> Option<TokenRange> {
    match InsideFile::is_one(path) {
        true => InsideFile::load(path).ok()?.range().ok(),
        false => trained_range(&Reading::load(path).ok()?),
    }
}

/// Reads an Aligner inside a model for `model`.
pub(super) fn load_inside(steering: &Steering, model: &Model) -> Result<LoadedVector> {
    let (path, config) = (&steering.vector, model.decoder.config());
    let file = InsideFile::load(path)?;
    match steering.any_model {
        true => file.check_shape(path, config)?,
        false => file.check_model(path, config, &model.fingerprint)?,
    }
    if steering.operator != Operator::Add {
        let message = format!(
            "{}: an Aligner inside a model is added; --operator {} is for vectors",
            path.display(),
            steering.operator
        );
        return Err(Error::option(message, "leave --operator out"));
    }
    let at = |error: SteerError| Error::at(path.display(), error);
    let mut notes = Vec::new();
    let mut vector = file.control.clone();
    // `auto` and `all` are those that the file has
    if matches!(steering.layers, LayerSpec::List(_)) {
        vector = vector.restrict(steering.layers.resolve(config.n_layers)?).map_err(at)?;
        if vector.steered_layers() != file.origin.layers {
            notes.push(format!("warning: {} is used at some of the layers that it was trained for", path.display()));
        }
    }
    vector.check(config).map_err(at)?;
    let trained = file.range()?;
    if trained != steering.range {
        notes.push(format!(
            "warning: {} was trained over the positions `{trained}` and is used over `{}`: give --range {trained}",
            path.display(),
            steering.range
        ));
    }
    if steering.unit != Unit::Gap {
        notes.push("note: --unit does not apply to an Aligner inside a model: at 1 it is as it was trained".into());
    }
    Ok(LoadedVector { vector, unit: VectorUnit::File, questions: file.origin.questions, notes })
}

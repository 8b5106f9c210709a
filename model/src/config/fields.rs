//! Typed access to a JSON object, with the file's name in every error and the family's defaults.

use std::path::Path;

use serde_json::{Map, Value};

use super::family::Family;
use super::{checked_size, config_problem};
use crate::{Error, Result};

/// What transformers takes for an absent key in every family that has no other default.
const DEFAULTS: &[(&str, f64)] = &[("rms_norm_eps", 1e-6)];

/// Typed access to a JSON object.
pub(super) struct Fields<'a> {
    pub(super) path: &'a Path,
    pub(super) map: &'a Map<String, Value>,
    pub(super) family: &'static Family,
}

impl Fields<'_> {
    pub(super) fn problem(&self, field: &str, problem: impl Into<String>) -> Error {
        config_problem(self.path, field, problem)
    }

    /// The value of a key that is not null.
    pub(super) fn value(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// The family's value of a key that is absent.
    fn default(&self, field: &str) -> Option<f64> {
        if self.map.contains_key(field) { None } else { self.of_family(field) }
    }

    /// What transformers takes for a key that says nothing.
    pub(super) fn of_family(&self, field: &str) -> Option<f64> {
        let all = self.family.config.defaults.iter().chain(DEFAULTS);
        all.into_iter().find(|(name, _)| *name == field).map(|(_, value)| *value)
    }

    pub(super) fn optional_size(&self, field: &str) -> Result<Option<usize>> {
        let Some(value) = self.value(field) else { return Ok(self.default(field).map(|size| size as usize)) };
        let size = value.as_u64().ok_or_else(|| self.problem(field, format!("must be a size, but is {value}")))?;
        checked_size(self.path, field, size).map(Some)
    }

    pub(super) fn size(&self, field: &str) -> Result<usize> {
        self.optional_size(field)?.ok_or_else(|| self.problem(field, "is missing"))
    }

    pub(super) fn flag(&self, field: &str) -> Result<Option<bool>> {
        let of_another_kind = |value| self.problem(field, format!("must be true or false, but is {value}"));
        self.value(field).map(|value| value.as_bool().ok_or_else(|| of_another_kind(value))).transpose()
    }

    pub(super) fn number(&self, field: &str) -> Result<Option<f64>> {
        match self.value(field) {
            None => Ok(self.default(field)),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.problem(field, format!("must be a number, but is {value}"))),
            },
        }
    }

    pub(super) fn finite(&self, field: &str, value: &Value) -> Result<f32> {
        Ok(self.exact(field, value)? as f32)
    }

    pub(super) fn exact(&self, field: &str, value: &Value) -> Result<f64> {
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(number),
            _ => Err(self.problem(field, format!("must be a number, but is {value}"))),
        }
    }

    pub(super) fn object(&self, field: &str) -> Result<Option<&Map<String, Value>>> {
        let of_another_kind = |value| self.problem(field, format!("must be an object, but is {value}"));
        self.value(field).map(|value| value.as_object().ok_or_else(|| of_another_kind(value))).transpose()
    }
}

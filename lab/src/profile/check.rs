//! The rules of a profile's values.

use std::path::Path;

use redline_model::AlignerTemplate;
use redline_model::gguf::is_gguf;
use redline_steer::{Interval, Unit};

use crate::domain::Domain;
use crate::policy::Policy;

use super::{FILE_UNIT, OPERATOR, Profile, ProfileError, Result, SCHEMA};

/// Highest layer number believed; real models have at most some hundreds.
const MAX_LAYER: usize = 4096;

impl Profile {
    /// Refuses values that steer nothing or mean nothing. `path` is for messages.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let refuse = |key: &'static str, got: String, expected: &'static str| {
            Err(ProfileError::Value { path: path.into(), key, got, expected })
        };
        if self.schema != SCHEMA {
            return Err(ProfileError::Schema { path: path.into(), got: Some(self.schema.clone()) });
        }
        if self.operator != OPERATOR {
            return refuse("operator", format!("`{}`", self.operator), "`add`, the only operator that is a dial");
        }
        if self.vector.file.is_empty() {
            return refuse("vector.file", "empty".into(), "a path relative to the profile");
        }
        if !is_sha256(&self.vector.sha256) {
            return refuse("vector.sha256", format!("`{}`", self.vector.sha256), "64 hexadecimal digits");
        }
        match (is_gguf(Path::new(&self.vector.file)), self.unit.parse::<Unit>().is_ok(), self.unit == FILE_UNIT) {
            (_, _, true) | (false, true, _) => {}
            (true, _, _) => return refuse("unit", format!("`{}`", self.unit), "`file` for a GGUF vector"),
            _ => {
                let expected = "gap, std or unit for a reading vector, `file` for an Aligner inside a model";
                return refuse("unit", format!("`{}`", self.unit), expected);
            }
        }
        let ascending = self.layers.windows(2).all(|pair| pair[0] < pair[1]);
        if self.layers.is_empty() || !ascending || self.layers.iter().any(|layer| *layer > MAX_LAYER) {
            return refuse("layers", format!("{:?}", self.layers), "ascending layer numbers, at least one");
        }
        if let Some(Err(rule)) = self.domain.as_ref().map(Domain::check) {
            return refuse("domain", rule, "what `redline check --domain-out` writes");
        }
        if let Some(Err(rule)) = self.policy.as_ref().map(Policy::check) {
            return refuse("policy", rule, "what `redline tune --per-request` writes");
        }
        if self.model.fingerprint.is_empty() {
            return refuse("model.fingerprint", "empty".into(), "the fingerprint of the model");
        }
        AlignerTemplate::from_text(&self.template.name, &self.template.text).map_err(ProfileError::from)?;
        self.check_numbers(path)
    }

    fn check_numbers(&self, path: &Path) -> Result<()> {
        let refuse = |key: &'static str, got: String, expected: &'static str| {
            Err(ProfileError::Value { path: path.into(), key, got, expected })
        };
        let fit = &self.fit;
        let coefficient = f64::from(self.coefficient);
        if !coefficient.is_finite() {
            return refuse("coefficient", coefficient.to_string(), "a finite number");
        }
        let mut intervals = vec![
            ("coefficient_interval", self.coefficient_interval),
            ("fit.slope_interval", fit.slope_interval),
            ("fit.intercept_interval", fit.intercept_interval),
            ("fit.coherent_range", fit.coherent_range),
        ];
        if let Some(verified) = &self.verified {
            intervals.push(("verified.steered.interval", verified.steered.interval));
            intervals.push(("verified.unsteered.interval", verified.unsteered.interval));
        }
        for (key, Interval { low, high }) in intervals {
            if !(low.is_finite() && high.is_finite() && low <= high) {
                return refuse(key, format!("{low} to {high}"), "two finite numbers, the lower one first");
            }
        }
        for (key, value) in [("fit.slope", fit.slope), ("fit.intercept", fit.intercept), ("fit.target", fit.target)] {
            if !value.is_finite() {
                return refuse(key, value.to_string(), "a finite number");
            }
        }
        if !fit.coherent_range.contains(coefficient) {
            let Interval { low, high } = fit.coherent_range;
            return refuse(
                "coefficient",
                format!("{coefficient}, beyond {low} to {high}"),
                "one in the coherent range",
            );
        }
        Ok(())
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

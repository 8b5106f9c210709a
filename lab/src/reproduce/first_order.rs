//! Ten thousand null directions from one backward pass a pair: the derivative of log p(correction) − log p(answer) by what is added at each
//! layer, along the direction and along nulls of the same norm.

use redline_model::Qac;
use redline_probe::LayerPairs;
use redline_probe::stats::NullPlace;
use redline_steer::controls::{Null, null_slopes};
use redline_steer::{ControlVector, Operator, PropensityGradient, PropensityOptions, propensity_gradients};
use serde::{Deserialize, Serialize};

use super::Run;
use super::generation::PROPENSITY_TOKENS;
use crate::error::Result;
use crate::observer::Observer;

/// Null directions of each kind.
const N_NULLS: usize = 10_000;

/// Slopes at coefficient 0, in nats per unit of coefficient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FirstOrder {
    /// Pairs that were measured: other questions than the direction's.
    pub n_pairs: usize,
    /// Along the direction.
    pub slope: f64,
    /// Its places among nulls.
    pub places: FirstOrderPlaces,
}

/// Two-sided places of the slope among ten thousand directions of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FirstOrderPlaces {
    /// Among isotropic directions.
    pub isotropic: NullPlace,
    /// Among directions drawn from the covariance of the pair differences.
    pub covariance_matched: NullPlace,
    /// Among mean differences of exchanged labels.
    pub shuffled: NullPlace,
}

impl Run<'_> {
    /// Slopes to first order, on the pairs that propensity is measured on.
    pub(super) fn first_order(
        &self,
        control: &ControlVector,
        train: &[LayerPairs],
        prompts: &[usize],
        observer: &mut dyn Observer,
    ) -> Result<FirstOrder> {
        let triples: Vec<(usize, &Qac)> = self.rows.at(prompts);
        let pairs = self.propensity_pairs(&triples)?;
        let options =
            PropensityOptions { range: self.options.range, operator: Operator::Add, max_tokens: PROPENSITY_TOKENS };
        let decoder = &self.aligner.model.decoder;
        let gradients = propensity_gradients(decoder, &pairs, control, &options, &mut |done, total| {
            Ok(observer.progress("nulls to first order", done, total)?)
        })?;
        observer.end("nulls to first order");
        let gradient = PropensityGradient::mean(&gradients)?;
        let slope = gradient.slope(control)?;
        let place = |null| {
            let slopes = null_slopes(null, (control, train), &gradient, N_NULLS, self.options.seed)?;
            Ok::<_, crate::Error>(NullPlace::among(slope, &slopes)?)
        };
        let places = FirstOrderPlaces {
            isotropic: place(Null::Isotropic)?,
            covariance_matched: place(Null::CovarianceMatched)?,
            shuffled: place(Null::Shuffled)?,
        };
        Ok(FirstOrder { n_pairs: pairs.len(), slope, places })
    }
}

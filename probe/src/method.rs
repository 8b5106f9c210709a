//! How a direction is found, by name: the method and the scaling of the dimensions before it.

use serde::{Deserialize, Serialize};

/// How a direction is found from pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Method {
    /// Top principal component of the pair differences, their order flipped at random or mirrored: RepE's LAT method.
    #[default]
    PcaDiff,
    /// Top principal component of both poles, each centred by the midpoint of its pair: repeng's `pca_center`.
    PcaCenter,
    /// The mean of the pair differences.
    MeanDiff,
    /// The weights of a logistic regression that tells the poles apart, fitted on dimensions divided by their deviations.
    Logistic,
    /// A random direction, for control.
    Random,
}

impl Method {
    /// Whether the direction is a principal component; only then do scaling and mirroring matter.
    pub fn is_pca(self) -> bool {
        matches!(self, Self::PcaDiff | Self::PcaCenter)
    }
}

redline_model::named_enum! {
    "method", Method {
        PcaDiff = "pca_diff", PcaCenter = "pca_center", MeanDiff = "mean_diff", Logistic = "logistic", Random = "random",
    }
}

/// What the dimensions are divided by before a principal component analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scaling {
    /// Nothing: the activations as they are.
    None,
    /// The pooled standard deviation s of each dimension, against massive activations. The component w becomes the
    /// direction w · s: the change of activation that goes with it, as the mean difference is. Made for steering.
    #[default]
    PerDimension,
    /// The same, but the direction is w / s: it gives plain activations the scores that w gives scaled ones, and stays
    /// clear of massive dimensions. Made for reading.
    PerDimensionFilter,
}

redline_model::named_enum! {
    "scaling", Scaling { None = "none", PerDimension = "per-dimension", PerDimensionFilter = "per-dimension-filter" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_text_and_json() {
        for method in Method::ALL {
            assert_eq!(method.to_string().parse::<Method>().unwrap(), method);
            assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
        }
        for scaling in Scaling::ALL {
            assert_eq!(scaling.to_string().parse::<Scaling>().unwrap(), scaling);
            assert_eq!(serde_json::to_string(&scaling).unwrap(), format!("\"{scaling}\""));
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = "pca".parse::<Method>().unwrap_err().to_string();
        assert_eq!(error, "unknown method `pca`; known: pca_diff, pca_center, mean_diff, logistic, random");
        for method in Method::ALL {
            assert!(error.contains(method.name()));
        }
        let error = "z".parse::<Scaling>().unwrap_err().to_string();
        assert_eq!(error, "unknown scaling `z`; known: none, per-dimension, per-dimension-filter");
    }
}

//! Which layers are injected, as users write it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use redline_probe::Reading;
use redline_steer::{Error, Result};

/// A choice of layers that does not yet know the model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayerSpec {
    /// From a quarter of the depth to 85 % of it: wide, since a few layers steer little, without the first and last
    /// blocks, which work on single tokens.
    #[default]
    Auto,
    /// Every layer.
    All,
    /// These layers.
    List(Vec<usize>),
}

impl LayerSpec {
    /// Layer numbers, ascending, for a model of `n_layers`.
    ///
    /// # Errors
    /// A layer the model does not have.
    pub fn resolve(&self, n_layers: usize) -> Result<Vec<usize>> {
        match self {
            Self::Auto => {
                let first = (n_layers as f64 * 0.25).round() as usize;
                let last = (n_layers as f64 * 0.85) as usize;
                Ok((first.min(n_layers - 1)..=last.min(n_layers - 1)).collect())
            }
            Self::All => Ok((0..n_layers).collect()),
            Self::List(layers) => match layers.iter().find(|&&layer| layer >= n_layers) {
                Some(&layer) => Err(Error::NoSuchLayer { layer, n_layers }),
                None => Ok(layers.clone()),
            },
        }
    }
}

impl LayerSpec {
    /// The layers to inject of a vector: where they are left open, those that it was trained for, of a vector that was trained.
    ///
    /// # Errors
    /// A layer the model does not have.
    pub fn of_reading(&self, reading: &Reading, n_layers: usize) -> Result<Vec<usize>> {
        match (self, &reading.provenance.training) {
            (Self::Auto | Self::All, Some(_)) => Ok(reading.layers.iter().map(|vector| vector.layer).collect()),
            _ => self.resolve(n_layers),
        }
    }
}

impl FromStr for LayerSpec {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => return Ok(Self::Auto),
            "all" => return Ok(Self::All),
            _ => {}
        }
        let mut layers = BTreeSet::new();
        for part in text.split(',') {
            let number = |text: &str| {
                let wrong = || format!("`{text}` is not a layer; write auto, all, 8-25 or 3,5,7");
                text.trim().parse::<usize>().ok().filter(|&layer| layer < 4096).ok_or_else(wrong)
            };
            match part.split_once('-') {
                Some((first, last)) => layers.extend(number(first)?..=number(last)?),
                None => layers.extend([number(part)?]),
            }
        }
        match layers.is_empty() {
            true => Err(format!("`{text}` names no layer")),
            false => Ok(Self::List(layers.into_iter().collect())),
        }
    }
}

impl fmt::Display for LayerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::All => f.write_str("all"),
            Self::List(layers) => {
                let names: Vec<String> = layers.iter().map(usize::to_string).collect();
                f.write_str(&names.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves() {
        let layers = |text: &str, n| text.parse::<LayerSpec>().unwrap().resolve(n).unwrap();
        assert_eq!(layers("auto", 30), (8..=25).collect::<Vec<_>>());
        assert_eq!(layers("auto", 4), [1, 2, 3]);
        assert_eq!(layers("auto", 1), [0]);
        assert_eq!(layers("3,1-2,2", 5), [1, 2, 3]);
        assert_eq!(layers("all", 2), [0, 1]);
    }

    #[test]
    fn refuses() {
        for text in ["", "x", "3-1", "1-", "99999"] {
            assert!(text.parse::<LayerSpec>().is_err(), "{text}");
        }
        assert!(LayerSpec::List(vec![4]).resolve(4).is_err());
    }
}

//! Rows shared out between machines: contiguous parts, so that the results of all parts, one after the other, are those of one run.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use redline_model::UnknownName;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Most parts.
const MOST_PARTS: usize = 100_000;

/// One of several parts of the rows, counted from 1.
///
/// ```
/// let shard: redline_probe::shard::Shard = "2/3".parse().unwrap();
/// assert_eq!(shard.of_rows(10).rows(), 3..6);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl Shard {
    /// The part that holds everything.
    pub const WHOLE: Self = Self { part: 1, of: 1 };

    /// The rows of this part, of `n` in all; parts differ by one row at most, and are empty where there are more of them than rows.
    pub fn of_rows(self, n: usize) -> Share {
        let bound = |part: usize| (n as u128 * part as u128 / self.of as u128) as usize;
        Share { part: self.part, of: self.of, first: bound(self.part - 1), end: bound(self.part), n }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl FromStr for Shard {
    type Err = UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        let parts = name.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((part, of)) if (1..=of).contains(&part) && of <= MOST_PARTS => Ok(Self { part, of }),
            _ => Err(UnknownName { what: "part", name: name.into(), known: "I/N with I from 1 to N, such as 2/3" }),
        }
    }
}

/// The rows of a part, as files name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Which part, from 1.
    pub part: usize,
    /// How many parts there are.
    pub of: usize,
    /// Its first row, from 0.
    pub first: usize,
    /// The row after its last.
    pub end: usize,
    /// Rows of all parts.
    pub n: usize,
}

impl Share {
    /// Numbers of its rows.
    pub fn rows(&self) -> Range<usize> {
        self.first..self.end
    }

    /// Whether the numbers agree with each other.
    pub fn is_sound(&self) -> bool {
        (1..=self.of).contains(&self.part) && self.of <= MOST_PARTS && {
            let shard = Shard { part: self.part, of: self.of };
            shard.of_rows(self.n) == *self
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

/// Refuses files that are not all parts of one whole, each once.
///
/// # Errors
/// A part is missing or there twice, or parts are of different wholes.
pub fn check_complete(files: &[(PathBuf, Share)]) -> Result<()> {
    let Some((first, whole)) = files.first() else { return Ok(()) };
    let other = |path: &Path, rule: String| Error::Shards { path: path.into(), rule };
    let mut places: Vec<Option<usize>> = vec![None; whole.of];
    for (place, (path, share)) in files.iter().enumerate() {
        if !share.is_sound() {
            return Err(other(path, format!("part {share} of {} rows cannot be rows {:?}", share.n, share.rows())));
        }
        if (share.of, share.n) != (whole.of, whole.n) {
            let rule = format!(
                "is part {share} of {} rows, and {} is part {whole} of {}: they are not of one run",
                share.n,
                first.display(),
                whole.n
            );
            return Err(other(path, rule));
        }
        if let Some(before) = places[share.part - 1].replace(place) {
            return Err(other(path, format!("is part {share}, as {} is", files[before].0.display())));
        }
    }
    let missing = |(part, place): (usize, &Option<usize>)| place.is_none().then(|| (part + 1).to_string());
    let missing: Vec<String> = places.iter().enumerate().filter_map(missing).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::ShardsMissing { parts: missing, of: whole.of }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_rows_once() {
        for n in [0, 1, 2, 7, 100] {
            for of in [1, 2, 3, 8] {
                let shares: Vec<Share> =
                    (1..=of).map(|part| format!("{part}/{of}").parse::<Shard>().unwrap().of_rows(n)).collect();
                let rows: Vec<usize> = shares.iter().flat_map(Share::rows).collect();
                assert_eq!(rows, (0..n).collect::<Vec<_>>());
                assert!(shares.iter().all(Share::is_sound));
            }
        }
        assert_eq!(Shard::WHOLE.of_rows(5).rows(), 0..5);
    }

    #[test]
    fn other_forms_are_no_parts() {
        for name in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2", "1/18446744073709551615"] {
            assert!(name.parse::<Shard>().is_err(), "{name}");
        }
        assert_eq!("2/3".parse::<Shard>().unwrap().to_string(), "2/3");
    }

    #[test]
    fn files_that_make_no_whole_are_refused() {
        let file =
            |name: &str, shard: &str, n: usize| (PathBuf::from(name), shard.parse::<Shard>().unwrap().of_rows(n));
        check_complete(&[file("b", "2/2", 9), file("a", "1/2", 9)]).unwrap();
        let refused = |files: &[(PathBuf, Share)]| check_complete(files).unwrap_err().to_string();
        assert_eq!(refused(&[file("a", "1/3", 9)]), "parts 2, 3 of 3 are missing");
        assert_eq!(refused(&[file("a", "1/2", 9), file("b", "1/2", 9)]), "b: is part 1/2, as a is");
        assert!(refused(&[file("a", "1/2", 9), file("b", "2/2", 8)]).contains("not of one run"));
        let (path, share) = file("a", "1/2", 9);
        assert!(refused(&[(path, Share { end: 7, ..share })]).contains("cannot be rows 0..7"));
    }
}

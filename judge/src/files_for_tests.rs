//! Files that tests read: golden cases, and the shared data where they are at hand.

use std::io::Read;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use crate::judge::{NoVerdict, Verdict};
use crate::win_rate::{JudgedPair, Said};

/// A file of the shared data, beside the working tree or in `REDLINE_SHARED`; `None`, and a loud line, where it is absent.
pub fn data(path: &str) -> Option<PathBuf> {
    let beside = || [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared"].iter().collect();
    let found = std::env::var_os("REDLINE_SHARED").map_or_else(beside, PathBuf::from).join("data").join(path);
    let is_there = found.is_file();
    if !is_there {
        eprintln!("\n!!!! NOT TESTED: data/{path} is absent, so nothing of it was checked !!!!\n");
    }
    is_there.then_some(found)
}

/// A golden case, which is always there.
pub fn golden(path: &str) -> serde_json::Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", path].iter().collect();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The pairs of the golden win rates: the system is A in game 1 and B in game 2, letters are positions.
pub fn golden_pairs(judged: &serde_json::Value) -> Vec<JudgedPair> {
    let said = |letter: &serde_json::Value| -> Said {
        match letter.as_str().unwrap() {
            "A" => Ok(Verdict::First),
            "B" => Ok(Verdict::Second),
            "tie" => Ok(Verdict::Tie),
            "error" => Err(NoVerdict::NoToken),
            other => panic!("{other}"),
        }
    };
    let games = |name: &str| judged[name].as_array().unwrap().iter().map(said);
    let pair = |(first, second): (Said, Said)| JudgedPair::Both(first, second.map(Verdict::swapped));
    games("game_1").zip(games("game_2")).map(pair).collect()
}

/// A JSON file of the shared data; `None`, and a loud line, where it is absent.
pub fn data_json(path: &str) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(data(path)?).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The rows of a gzip JSON Lines file of the shared data; `None`, and a loud line, where it is absent.
pub fn data_rows<T: DeserializeOwned>(path: &str) -> Option<Vec<T>> {
    let bytes = std::fs::read(data(path)?).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

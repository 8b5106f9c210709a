//! Files that tests read: golden cases, and the shared data where they are at hand.

use std::io::Read;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::{JudgedPair, Said};
use crate::judge::{NoVerdict, Verdict};

fn shared(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "shared", path].iter().collect()
}

/// A golden case, which is always there.
pub(crate) fn golden(path: &str) -> serde_json::Value {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", path].iter().collect();
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// The pairs of the golden win rates: the system is A in game 1 and B in game 2, letters are positions.
pub(crate) fn golden_pairs(judged: &serde_json::Value) -> Vec<JudgedPair> {
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
pub(super) fn data_json(path: &str) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(shared(&format!("data/{path}")));
    report(path, text.ok()).map(|text| serde_json::from_str(&text).unwrap())
}

/// The rows of a gzip JSON Lines file of the shared data; `None`, and a loud line, where it is absent.
pub(super) fn data_rows<T: DeserializeOwned>(path: &str) -> Option<Vec<T>> {
    let bytes = report(path, std::fs::read(shared(&format!("data/{path}"))).ok())?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn report<T>(path: &str, found: Option<T>) -> Option<T> {
    if found.is_none() {
        eprintln!("\n!!!! NOT TESTED: data/{path} is absent, so nothing of it was checked !!!!\n");
    }
    found
}

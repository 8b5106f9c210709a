//! What several tests of this crate need.

use std::path::PathBuf;

fn repository(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", path].iter().collect()
}

/// A golden case.
pub fn golden(path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(repository("tests/golden").join(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The Aligner that is built into the program.
pub fn built_in() -> redline_model::Model {
    redline_model::Model::load(&repository("assets/aligner/redline-tiny.gguf")).unwrap()
}

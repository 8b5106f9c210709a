//! Rows from file to table.

mod measuring;
mod reading;
mod real_files;

use std::io::Write;
use std::path::PathBuf;

use super::{ChoiceError, Choices};

/// What a file of this name and these bytes reads as.
fn read(name: &str, bytes: impl AsRef<[u8]>) -> Result<Choices, ChoiceError> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    Choices::read(&path)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The reasons for which rows were left out, with their numbers and first lines.
fn left_out(choices: &Choices) -> Vec<(&'static str, usize, usize)> {
    choices.report.left_out.iter().map(|own| (own.reason, own.n_rows, own.first_line)).collect()
}

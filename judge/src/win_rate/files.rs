//! Files of preferences, instructions and gamed rows, as AlpacaEval's numbers are kept: JSON Lines or one array, plain or gzip.

use std::path::Path;

use redline_model::Error as ModelError;
use redline_model::qac::{JsonRow, read_objects};
use serde::de::DeserializeOwned;

/// Reads rows of [`Annotation`](super::Annotation), [`Instruction`](super::Instruction) or [`GamedRow`](super::GamedRow).
///
/// # Errors
/// The file cannot be read, or a row lacks a field or has one of another type, with its line.
pub fn read_rows<T: DeserializeOwned>(path: &Path) -> redline_model::Result<Vec<T>> {
    let row = |JsonRow { line, fields }: JsonRow| {
        let fields = fields.map_err(|fault| fault.at(path, line))?;
        fields.parse().map_err(|source| ModelError::MalformedLine { path: path.into(), line, source })
    };
    read_objects(path)?.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Annotation;
    use super::*;

    #[test]
    fn rows_are_read_and_faults_have_their_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read_rows::<Annotation>(&path)
        };
        let row = |index: u64, preference| Annotation { index, length: 3, preference };
        let text = "{\"index\":0,\"length\":3,\"preference\":1.5}\n{\"index\":4,\"length\":3,\"preference\":null}\n";
        assert_eq!(read(text).unwrap(), [row(0, Some(1.5)), row(4, None)]);
        let error = read("{\"index\":0,\"length\":3,\"preference\":2}\n{\"index\":\"a\",\"length\":3}\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("rows.jsonl:2"), "{error}");
    }
}

//! Rows as JSON Lines, written whole or not at all.

use std::io::Write;
use std::path::Path;

use redline_model::files::AtomicFile;
use serde::Serialize;

use super::error::DataError;

/// Writes each row as a line. The same rows give the same bytes.
///
/// # Errors
/// What the writer says.
pub fn to_json_lines<R: Serialize>(rows: &[R], out: &mut impl Write) -> std::io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut *out, row)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes rows to a file, which appears only when it is complete.
///
/// # Errors
/// [`DataError::Write`].
pub fn write_json_lines<R: Serialize>(rows: &[R], path: &Path) -> Result<(), DataError> {
    let write = || -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(AtomicFile::create(path)?);
        to_json_lines(rows, &mut file)?;
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.commit()
    };
    write().map_err(|source| DataError::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_lines_and_a_failed_write_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        write_json_lines(&[[1, 2], [3, 4]], &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[1,2]\n[3,4]\n");
        let lost = folder.path().join("no/such/rows.jsonl");
        assert!(matches!(write_json_lines(&[1], &lost), Err(DataError::Write { .. })));
    }
}

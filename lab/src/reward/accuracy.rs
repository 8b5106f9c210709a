//! What the run that made a reward model says of its worth.

use std::path::Path;

use redline_model::Error as ModelError;
use redline_model::files::{MOST_TEXT, read_if_there};
use serde_json::Value;

use crate::contest::HeldOutAccuracy;

/// The held-out accuracy of a reward or cost model, from the `summary.json` beside it; none where there is none.
///
/// # Errors
/// A summary that cannot be read.
pub fn held_out_accuracy(model: &Path) -> redline_model::Result<Option<HeldOutAccuracy>> {
    let path = model.with_file_name("summary.json");
    let Some(bytes) = read_if_there(&path, MOST_TEXT)? else { return Ok(None) };
    let malformed = |source| ModelError::MalformedLine { path: path.clone(), line: 1, source };
    let summary: Value = serde_json::from_slice(&bytes).map_err(malformed)?;
    // of a head alone, or of a run that trained the body too
    let found = [
        (&summary["held_out"]["accuracy"], &summary["held_out"]["n"]),
        (&summary["last_evaluation"]["pairs"]["accuracy"], &summary["n_rows"]["held_out"]),
    ];
    let found = found.into_iter().find_map(|(share, n)| Some((share.as_f64()?, n.as_u64()? as usize)));
    Ok(found.and_then(|(share, n)| HeldOutAccuracy::of((share * n as f64).round() as usize, n).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_runs_are_read_and_nothing_is_made_up() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        assert_eq!(held_out_accuracy(&model).unwrap(), None);
        let of = |text: &str| {
            std::fs::write(folder.path().join("summary.json"), text).unwrap();
            held_out_accuracy(&model).map(|found| found.map(|found| (found.value, found.n)))
        };
        assert_eq!(of(r#"{"held_out":{"accuracy":0.75,"n":8}}"#).unwrap(), Some((0.75, 8)));
        let trained = r#"{"last_evaluation":{"pairs":{"accuracy":0.5}},"n_rows":{"held_out":4}}"#;
        assert_eq!(of(trained).unwrap(), Some((0.5, 4)));
        assert_eq!(of(r#"{"held_out":null}"#).unwrap(), None);
        assert!(of("{").is_err());
    }
}

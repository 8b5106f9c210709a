//! Keeping parts of the data apart: splitting by a key, and checking that two files share no question.
//!
//! The key is the question, or for the synthetic corpus the fact, which is the stricter of the two.

use redline_probe::split::{PartSizes, overlap, split_by_question};

use super::error::DataError;
use super::readers::DataFile;

/// Splits rows so that all rows of a key land in one part; `keys` has one key a row.
///
/// # Errors
/// [`DataError::Split`] when the sizes are impossible.
pub fn split_rows<R: Clone, S: AsRef<str>>(
    rows: &[R],
    keys: &[S],
    sizes: &PartSizes,
    seed: u64,
) -> Result<Vec<Vec<R>>, DataError> {
    let parts = split_by_question(keys, sizes, seed)?;
    Ok(parts.iter().map(|part| part.iter().filter_map(|&row| rows.get(row).cloned()).collect()).collect())
}

/// The distinct questions that are in both files, in alphabetical order; the files may be of different kinds.
pub fn shared_questions(a: &DataFile, b: &DataFile) -> Vec<String> {
    overlap(&a.questions(), &b.questions())
}

/// Refuses two files that share a question.
///
/// # Errors
/// [`DataError::Leak`].
pub fn check_leak(a: &DataFile, b: &DataFile) -> Result<(), DataError> {
    let shared = shared_questions(a, b);
    let (a, b) = (a.path.clone(), b.path.clone());
    match shared.first() {
        None => Ok(()),
        Some(first) => Err(DataError::Leak { a, b, n_shared: shared.len(), first: first.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Need, ReadOptions, read_data};

    #[test]
    fn a_shared_question_is_named_even_across_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        std::fs::write(&a, "{\"question\": \"What  is it?\", \"answer\": \"a\"}\n").unwrap();
        std::fs::write(&b, "[{\"question\": \"what is it?\", \"chosen\": \"a\", \"rejected\": \"b\"}]").unwrap();
        std::fs::write(&c, "{\"question\": \"Else?\", \"answer\": \"a\"}\n").unwrap();
        let [a, b, c] = [a, b, c].map(|path| read_data(&path, &ReadOptions::new(Need::Question)).unwrap());
        let error = check_leak(&a, &b).unwrap_err();
        assert!(error.to_string().starts_with("1 questions are in both "), "{error}");
        assert!(error.to_string().ends_with("the first: \"what is it?\""), "{error}");
        check_leak(&a, &c).unwrap();
    }

    #[test]
    fn rows_follow_their_key() {
        let rows = [1, 2, 3, 4];
        let parts = split_rows(&rows, &["x", "y", "x", "z"], &PartSizes::Counts(vec![1, 2]), 3).unwrap();
        assert_eq!(parts.concat().len(), 4);
        assert!(parts.iter().all(|part| part.contains(&1) == part.contains(&3)));
        assert!(matches!(split_rows(&rows, &["x"; 4], &PartSizes::Counts(vec![2]), 3), Err(DataError::Split(_))));
    }
}

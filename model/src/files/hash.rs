//! SHA-256 as hexadecimal digits: how files, rows and questions are known again.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::for_each_part;
use crate::Result;

/// SHA-256 of bytes, as 64 hexadecimal digits.
///
/// # Example
/// ```
/// assert!(redline_model::files::hash_of(b"abc").starts_with("ba7816bf8f01cfea"));
/// ```
pub fn hash_of(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

/// [`hash_of`] what a file holds.
///
/// # Errors
/// It cannot be read.
pub fn file_hash(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    for_each_part(path, |part| hasher.update(part))?;
    Ok(hexadecimal(hasher))
}

/// The digits of what a hasher was given.
pub(crate) fn hexadecimal(hasher: Sha256) -> String {
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

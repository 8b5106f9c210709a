//! Whether there is memory for something, asked before it is taken: a failed allocation ends the program.

use crate::{Error, Result};

/// Smaller amounts are not asked for: they cost less than the question is worth.
const SMALL: u64 = 256 << 20;

/// Refuses to take more memory than the machine has left, where the system says how much that is (Linux).
///
/// # Errors
/// [`Error::Memory`].
pub fn check_memory(what: &'static str, bytes: u64) -> Result<()> {
    let available = available().unwrap_or(isize::MAX as u64);
    match bytes < SMALL || bytes <= available {
        true => Ok(()),
        false => Err(Error::Memory { what, bytes, available }),
    }
}

/// Bytes that programs can still get, as Linux counts them.
fn available() -> Option<u64> {
    let facts = crate::files::read_text(std::path::Path::new("/proc/meminfo"), crate::files::MOST_WRITTEN).ok()?;
    let line = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// The product of sizes; where it is beyond any memory, the largest number.
pub fn product(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |product: u64, &size| product.saturating_mul(size as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_refused() {
        check_memory("a test", SMALL - 1).unwrap();
        let error = check_memory("a test", product(&[usize::MAX, 2])).unwrap_err();
        assert!(matches!(error, Error::Memory { bytes: u64::MAX, .. }) && error.hint().is_some(), "{error}");
        assert_eq!(product(&[3, 0, usize::MAX]), 0);
    }
}

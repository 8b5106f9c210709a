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

/// Bytes that programs can still get, as Linux counts them, within what a container may take.
fn available() -> Option<u64> {
    let facts = read("/proc/meminfo")?;
    let line = facts.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let group = read("/proc/self/cgroup").and_then(|groups| left_in_group(&groups, read));
    kibibytes.checked_mul(1024).map(|bytes| group.map_or(bytes, |group| group.min(bytes)))
}

fn read(path: &str) -> Option<String> {
    crate::files::read_text(std::path::Path::new(path), crate::files::MOST_WRITTEN).ok()
}

/// Bytes that are left to this program's control group and to all around it; `None` without limits. Version 2 of control groups.
fn left_in_group(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut path = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/');
    let mut least = None;
    loop {
        let number = |name: &str| read(&format!("/sys/fs/cgroup{path}/{name}"))?.trim().parse::<u64>().ok();
        // without a limit it says "max"
        if let (Some(most), Some(taken)) = (number("memory.max"), number("memory.current")) {
            let left = most.saturating_sub(taken);
            least = Some(least.map_or(left, |least: u64| least.min(left)));
        }
        match path.rfind('/') {
            Some(end) => path = &path[..end],
            None => return least,
        }
    }
}

/// The product of sizes; where it is beyond any memory, the largest number.
pub fn product(sizes: &[usize]) -> u64 {
    sizes.iter().fold(1, |product: u64, &size| product.saturating_mul(size as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_may_take_is_all_there_is() {
        let files = |path: &str| match path {
            "/sys/fs/cgroup/a/b/memory.max" => Some("max\n".to_owned()),
            "/sys/fs/cgroup/a/memory.max" => Some("1000\n".into()),
            "/sys/fs/cgroup/memory.max" => Some("5000\n".into()),
            "/sys/fs/cgroup/a/memory.current" => Some("400\n".into()),
            _ if path.ends_with("memory.current") => Some("300\n".into()),
            _ => None,
        };
        assert_eq!(left_in_group("1:cpu:/x\n0::/a/b\n", files), Some(600));
        assert_eq!(left_in_group("0::/\n", files), Some(4700));
        assert_eq!((left_in_group("0::/\n", |_| None), left_in_group("1:memory:/x\n", files)), (None, None));
    }

    #[test]
    fn more_than_there_is_is_refused() {
        check_memory("a test", SMALL - 1).unwrap();
        let error = check_memory("a test", product(&[usize::MAX, 2])).unwrap_err();
        assert!(matches!(error, Error::Memory { bytes: u64::MAX, .. }) && error.hint().is_some(), "{error}");
        assert_eq!(product(&[3, 0, usize::MAX]), 0);
    }
}

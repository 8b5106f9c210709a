//! Means that are undefined for nothing.

/// The mean; none of no values.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    redline_probe::stats::mean(values.iter().copied())
}

/// The median, of an even number the mean of the two in the middle; none of no values.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
    Some((lower + upper) / 2.0)
}

/// The share that is so; none of none.
pub(super) fn share_true(values: &[bool]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().filter(|is_so| **is_so).count() as f64 / values.len() as f64)
}

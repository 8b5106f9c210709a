//! Rows that have read the same: one of them runs for all.

/// Which rows have read the same tokens.
#[derive(Debug)]
pub(super) struct Alike {
    /// For each row the first that has.
    pub(super) first: Vec<usize>,
    /// Blocks whose keys and values such rows have in common: no hook touched them.
    pub(super) n_blocks: usize,
}

/// One row for all that have read the same.
#[derive(Debug)]
pub(crate) struct LeadRows {
    /// Where each lead row stands in the cache.
    pub(crate) places: Vec<usize>,
    /// For each row of the cache its lead row, an index into `places`.
    pub(crate) of_row: Vec<usize>,
}

impl LeadRows {
    /// Every row for itself.
    pub(crate) fn all(n: usize) -> Self {
        Self { places: (0..n).collect(), of_row: (0..n).collect() }
    }
}

impl Alike {
    /// Rows that have read nothing yet, in a model of so many blocks.
    pub(super) fn new(n_rows: usize, n_blocks: usize) -> Self {
        Self { first: vec![0; n_rows], n_blocks }
    }

    /// Notes which rows no longer agree after these tokens, the same number for each.
    pub(super) fn tell_apart(&mut self, tokens: &[u32]) {
        let n_rows = self.first.len();
        let t = tokens.len() / n_rows.max(1);
        let own = |row: usize| (self.first[row], &tokens[row * t..][..t]);
        let first = |row: usize| (0..row).find(|&other| own(other) == own(row)).unwrap_or(row);
        self.first = (0..n_rows).map(first).collect();
    }

    /// Keeps only the rows at these indices.
    pub(super) fn keep(&mut self, indices: &[usize]) {
        let first = |&index: &usize| indices.iter().position(|&other| self.first[other] == self.first[index]);
        self.first = indices.iter().filter_map(first).collect();
    }

    /// One row for all that agree in the first `n_blocks` blocks; `None` where none agree.
    pub(super) fn lead_rows(&self, n_blocks: usize) -> Option<LeadRows> {
        let first = &self.first;
        let places: Vec<usize> = (0..first.len()).filter(|&row| first[row] == row).collect();
        if n_blocks > self.n_blocks || places.len() == first.len() {
            return None;
        }
        let of_row = first.iter().map(|first| places.partition_point(|place| place < first)).collect();
        Some(LeadRows { places, of_row })
    }
}

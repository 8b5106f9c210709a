//! Rows that belong together: connected components of a relation between rows.

use serde::{Deserialize, Serialize};

/// Which rows belong together. Each row is in one cluster, often alone; a cluster is named by its first row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// For each row the first row of its cluster.
    first: Vec<usize>,
}

impl Clusters {
    /// Joins rows of `n_rows` by pairs: whoever is connected by a chain of pairs belongs together. Pairs with a row that is not there are
    /// left out.
    ///
    /// # Example
    /// ```
    /// use redline_data::clusters::Clusters;
    /// let clusters = Clusters::of_pairs(5, [(4, 1), (3, 4)]);
    /// assert_eq!(clusters.groups(), [vec![0], vec![1, 3, 4], vec![2]]);
    /// assert_eq!(clusters.kept().collect::<Vec<_>>(), [0, 1, 2]);
    /// ```
    pub fn of_pairs(n_rows: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut forest = Forest::new(n_rows);
        pairs.into_iter().filter(|(a, b)| *a < n_rows && *b < n_rows).for_each(|(a, b)| {
            forest.join(a, b);
        });
        Self { first: (0..n_rows).map(|row| forest.root(row)).collect() }
    }

    /// Each row alone.
    pub fn single(n_rows: usize) -> Self {
        Self { first: (0..n_rows).collect() }
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.first.len()
    }

    /// Number of clusters, those of a single row included.
    pub fn n_clusters(&self) -> usize {
        self.kept().count()
    }

    /// The first row of a row's cluster; none for a row that is not there.
    pub fn first_of(&self, row: usize) -> Option<usize> {
        self.first.get(row).copied()
    }

    /// Whether a row is the first of its cluster.
    pub fn is_first(&self, row: usize) -> bool {
        self.first_of(row) == Some(row)
    }

    /// The first row of each cluster, in order: what is left when near-duplicates are removed.
    pub fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        self.first.iter().enumerate().filter(|(row, first)| row == *first).map(|(row, _)| row)
    }

    /// The rows of each cluster, in order of the first ones.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut places: Vec<usize> = Vec::with_capacity(self.first.len());
        for (row, &first) in self.first.iter().enumerate() {
            // a first row comes before the others of its cluster
            let place = if first == row { groups.len() } else { places.get(first).copied().unwrap_or(groups.len()) };
            places.push(place);
            match groups.get_mut(place) {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }

    /// The clusters of more than one row.
    pub fn shared(&self) -> Vec<Vec<usize>> {
        self.groups().into_iter().filter(|group| group.len() > 1).collect()
    }

    /// The same clusters over some of the rows, which are counted anew in the order given; rows that are not there are left out.
    pub fn among(&self, rows: &[usize]) -> Self {
        let mut new_first: Vec<Option<usize>> = vec![None; self.first.len()];
        let firsts = rows.iter().filter_map(|&row| self.first_of(row));
        let new = firsts.enumerate().map(|(number, first)| match new_first.get_mut(first) {
            Some(place) => *place.get_or_insert(number),
            None => number,
        });
        Self { first: new.collect() }
    }
}

/// Trees whose roots are the smallest of their members (union–find, paths halved).
#[derive(Debug, Clone)]
pub(super) struct Forest {
    parents: Vec<u32>,
}

impl Forest {
    /// Each member alone. Members beyond four thousand million, which no memory holds, would not be told apart.
    pub fn new(n: usize) -> Self {
        Self { parents: (0..u32::try_from(n).unwrap_or(u32::MAX)).collect() }
    }

    /// The root of a member, which must be there.
    pub fn root(&mut self, member: usize) -> usize {
        let mut at = member;
        loop {
            let parent = self.parents[at] as usize;
            if parent == at {
                return at;
            }
            let above = self.parents[parent];
            self.parents[at] = above;
            at = above as usize;
        }
    }

    /// Joins two trees; whether they were apart.
    pub fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.root(a), self.root(b));
        let (low, high) = (a.min(b), a.max(b));
        self.parents[high] = low as u32;
        low != high
    }

    /// Makes every member a child of its root, so that reading is one step.
    pub fn flatten(&mut self) {
        // a parent is never larger than its child, so it is flat already
        for member in 0..self.parents.len() {
            self.parents[member] = self.parents[self.parents[member] as usize];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_become_clusters_named_by_the_first_row() {
        let clusters = Clusters::of_pairs(7, [(5, 6), (2, 5), (6, 0), (3, 4), (9, 1)]);
        assert_eq!(clusters.groups(), [vec![0, 2, 5, 6], vec![1], vec![3, 4]]);
        assert_eq!(clusters.shared(), [vec![0, 2, 5, 6], vec![3, 4]]);
        assert_eq!((clusters.n_rows(), clusters.n_clusters()), (7, 3));
        assert!(clusters.is_first(3) && !clusters.is_first(4) && !clusters.is_first(7));
    }

    #[test]
    fn clusters_of_some_rows_are_counted_anew() {
        let clusters = Clusters::of_pairs(6, [(0, 3), (3, 5), (1, 4)]);
        assert_eq!(clusters.among(&[2, 3, 4, 5]).groups(), [vec![0], vec![1, 3], vec![2]]);
        assert_eq!(clusters.among(&[5, 0, 77]).groups(), [vec![0, 1]]);
        assert_eq!(Clusters::single(3), Clusters::of_pairs(3, []));
        assert_eq!(Clusters::single(0).n_clusters(), 0);
    }

    #[test]
    fn a_flat_forest_has_the_same_roots() {
        let mut forest = Forest::new(100);
        (0..90).for_each(|i| assert!(forest.join(99 - i, 98 - i)));
        assert!(!forest.join(99, 9));
        let mut flat = forest.clone();
        flat.flatten();
        assert!((0..100).all(|i| flat.parents[i] as usize == forest.root(i)));
        assert_eq!(forest.root(99), 9);
    }
}

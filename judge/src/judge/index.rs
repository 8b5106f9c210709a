//! Judgements by their key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::Result;
use super::error::JudgeError;
use super::record::{JudgementRecord, Records};

/// The judgements of a file, each found by its key.
#[derive(Debug, Clone, Default)]
pub struct JudgementIndex {
    by_key: HashMap<String, (usize, JudgementRecord)>,
    n_repeated: usize,
}

impl JudgementIndex {
    /// Takes the records of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`JudgeError::Conflict`] for two lines with one key and different verdicts.
    pub fn new(path: &Path, records: Records<JudgementRecord>) -> Result<Self> {
        let mut index = Self::default();
        for (line, record) in records.lines.into_iter().zip(records.rows) {
            index.insert(path, line, record)?;
        }
        Ok(index)
    }

    /// Takes a record of a line. The same verdict under the same key is counted, and the first one stays.
    pub(super) fn insert(&mut self, path: &Path, line: usize, record: JudgementRecord) -> Result<()> {
        match self.by_key.entry(record.key.clone()) {
            Entry::Vacant(place) => {
                place.insert((line, record));
            }
            Entry::Occupied(place) if place.get().1.verdict == record.verdict => self.n_repeated += 1,
            Entry::Occupied(place) => {
                let (path, first, key) = (path.into(), place.get().0, record.key);
                return Err(JudgeError::Conflict { path, first, second: line, key });
            }
        }
        Ok(())
    }

    /// The judgement of a key.
    pub fn get(&self, key: &str) -> Option<&JudgementRecord> {
        self.by_key.get(key).map(|(_, record)| record)
    }

    /// Different keys.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Lines that say again what another one says.
    pub fn n_repeated(&self) -> usize {
        self.n_repeated
    }

    /// Says that lines are repeated, where some are.
    pub fn note(&self, path: &Path) -> Option<String> {
        let text = || {
            format!("{}: {} judgements stand there more than once and are used once", path.display(), self.n_repeated)
        };
        (self.n_repeated > 0).then(text)
    }

    /// All judgements, in no order.
    pub(super) fn records(&self) -> impl Iterator<Item = &JudgementRecord> {
        self.by_key.values().map(|(_, record)| record)
    }

    /// Leaves out what is not of a kind.
    pub(super) fn retain(&mut self, mut is_kept: impl FnMut(&JudgementRecord) -> bool) {
        self.by_key.retain(|_, (_, record)| is_kept(record));
    }
}

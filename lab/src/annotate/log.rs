//! The file that annotations are written to as they come.

use std::collections::HashMap;
use std::path::Path;

use super::plan::Request;
use super::record::AnnotationRecord;
use crate::error::Result;
use crate::judge::record::{RecordLog, Records, read_records};

/// A file of annotations open for more. It is only ever written at its end, and may hold several models and kinds.
#[derive(Debug, Default)]
pub struct AnnotationLog {
    /// None where nothing is to be written.
    file: Option<RecordLog<AnnotationRecord>>,
    by_key: HashMap<String, AnnotationRecord>,
    notes: Vec<String>,
}

impl AnnotationLog {
    /// Starts a file, or continues one; what a kill left of its last line is cut off and noted.
    ///
    /// # Errors
    /// Those of [`RecordLog::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let (file, records) = RecordLog::open(path)?;
        Ok(Self { file: Some(file), ..Self::holding(path, records) })
    }

    /// What a file holds, without opening it for more; nothing where there is none.
    ///
    /// # Errors
    /// Those of [`read_records`].
    pub fn read(path: &Path) -> Result<Self> {
        match path.exists() {
            true => Ok(Self::holding(path, read_records(path)?)),
            false => Ok(Self::default()),
        }
    }

    fn holding(path: &Path, records: Records<AnnotationRecord>) -> Self {
        let mut log = Self { notes: records.note(path).into_iter().collect(), ..Self::default() };
        records.rows.into_iter().for_each(|record| log.take(record));
        log
    }

    /// What people should know of the file.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The annotation of a key, or why there is none. Of several one without a fault counts, else the last.
    pub fn get(&self, key: &str) -> Option<&AnnotationRecord> {
        self.by_key.get(key)
    }

    /// The annotations of requests, as far as they are there.
    pub fn of<'a>(&'a self, requests: &'a [Request]) -> impl Iterator<Item = &'a AnnotationRecord> {
        requests.iter().filter_map(|request| self.get(&request.key))
    }

    /// All annotations, in no order.
    pub(super) fn records(&self) -> impl Iterator<Item = &AnnotationRecord> {
        self.by_key.values()
    }

    /// Appends an annotation, which is on disk when this returns, if the log was opened for more.
    ///
    /// # Errors
    /// Those of [`RecordLog::append`].
    pub fn append(&mut self, record: AnnotationRecord) -> Result<()> {
        self.file.as_mut().map_or(Ok(0), |file| file.append(&record))?;
        self.take(record);
        Ok(())
    }

    fn take(&mut self, record: AnnotationRecord) {
        let is_better = |known: &AnnotationRecord| known.fault.is_some();
        if self.by_key.get(&record.key).is_none_or(is_better) {
            self.by_key.insert(record.key.clone(), record);
        }
    }
}

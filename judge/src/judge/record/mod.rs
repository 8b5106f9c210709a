//! Records: answers, judgements and preferences as JSON Lines.
//!
//! - Line 1 MUST have the key `schema`, with the name of the format and its version. Another one is refused.
//! - In `redline.answers.v1` and `redline.judgement.v1` line 1 is no row; other keys of it MAY be there, and are left unread. In
//!   `redline.preference.v1` it is the first row, with `schema` beside its fields, so that programs that know nothing of schemas read
//!   every line alike.
//! - Every further line MUST be one record. Further fields MAY be there, and are not kept. Empty lines MAY be there.
//! - Numbers MUST be finite. JSON has no others; `NaN` is refused with its line.
//! - A last line that does not end in a line break and is no whole record is what a kill left. It is left out, and [`Records::torn`] says
//!   so. If it is a whole record, it counts.
//! - A file MAY be compressed with gzip.

mod answers;
mod append;
mod fault;
mod judgement;
mod lines;
mod preference;
mod write;

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

use super::Result;

pub use answers::AnswerRecord;
pub use append::{Appended, RecordLog};
pub use fault::RecordFault;
pub use judgement::JudgementRecord;
pub use lines::{Records, Torn, read_records};
pub use preference::PreferenceRecord;
pub use write::write_records;

/// Where the schema stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstLine {
    /// In a line of its own.
    Header,
    /// Beside the fields of the first row.
    Row,
}

/// A line of a file with a schema.
pub trait Record: Serialize + DeserializeOwned {
    /// Name and version of the format.
    const SCHEMA: &'static str;
    /// Where it stands.
    const FIRST_LINE: FirstLine;

    /// Checks a record by itself, before it is written and after it is read.
    ///
    /// # Errors
    /// The rule that is broken.
    fn check(&self) -> std::result::Result<(), RecordFault>;

    /// Checks the records of a file against each other; `path` is for messages, and each record has its line.
    ///
    /// # Errors
    /// The rule that is broken, with the lines.
    fn check_all(path: &Path, records: &[(usize, &Self)]) -> Result<()> {
        let _ = (path, records);
        Ok(())
    }
}

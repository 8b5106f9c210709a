//! What can be wrong with a report or with the place it is written to.

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The numbers cannot be written as JSON.
    #[error("the report cannot be written as JSON")]
    Serialize(#[from] serde_json::Error),
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] redline_model::Error),
}

impl ReportError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Serialize(_) => Some("this is a defect of the program; report it with the command that was run"),
            Self::File(error) => error.hint(),
        }
    }
}

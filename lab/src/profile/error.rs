//! What can be wrong with a steering profile.

use std::path::PathBuf;

/// Result with [`ProfileError`].
pub type Result<T> = std::result::Result<T, ProfileError>;

/// Why a profile cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A file cannot be read or written, or the template breaks a rule.
    #[error(transparent)]
    Read(Box<redline_model::Error>),
    /// The vector cannot be used.
    #[error(transparent)]
    Steer(Box<redline_steer::Error>),
    /// There is no profile of that name.
    #[error("there is no profile `{name}`: neither a file of that name nor {}", place.display())]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where a profile of that name would lie.
        place: PathBuf,
        /// Profiles that are there.
        known: Vec<String>,
    },
    /// A name that cannot be that of a file.
    #[error("`{name}` is no name of a profile: use letters, digits, `-`, `_` and `.`, or a path that ends in .json")]
    BadName {
        /// What was given.
        name: String,
    },
    /// The file is larger than any profile.
    #[error("{}: more than the {most} bytes a profile may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size.
        most: u64,
    },
    /// The file is not JSON, or a key is missing, unknown or of another type.
    #[error("{}: not a steering profile: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// The file has another schema.
    #[error(
        "{}: not a steering profile: its schema is {}, expected `{}`",
        path.display(), got.as_ref().map_or("missing".into(), |got| format!("`{got}`")), super::SCHEMA
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its schema, where it has one.
        got: Option<String>,
    },
    /// A value breaks a rule.
    #[error("{}: `{key}` is {got}, expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What is there.
        got: String,
        /// What may be there.
        expected: &'static str,
    },
    /// The vector is not where the profile says.
    #[error("{}: its vector {} cannot be read", path.display(), vector.display())]
    VectorMissing {
        /// The profile.
        path: PathBuf,
        /// Where the vector should be.
        vector: PathBuf,
    },
    /// Another file lies where the vector was.
    #[error("{}: its vector {} has changed since the profile was made: the SHA-256 differs", path.display(), vector.display())]
    VectorChanged {
        /// The profile.
        path: PathBuf,
        /// The vector.
        vector: PathBuf,
    },
    /// The profile belongs to other weights.
    #[error("{}: made with other weights ({name})", path.display())]
    OtherModel {
        /// The profile.
        path: PathBuf,
        /// Name of the model it was made with.
        name: String,
    },
}

impl ProfileError {
    /// The cure, in one line, where there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read(source) => return source.hint().map(str::to_owned),
            Self::Steer(source) => return source.hint().map(str::to_owned),
            Self::Unknown { known, .. } if known.is_empty() => {
                "`redline tune --save NAME` makes one; REDLINE_PROFILES names another folder".into()
            }
            Self::Unknown { known, .. } => format!("there are: {}", known.join(", ")),
            Self::BadName { .. } => "for instance --save gentle, or --save profiles/gentle.json".into(),
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::Schema { .. } => {
                "give a file that `redline tune --save` wrote".into()
            }
            Self::Value { .. } => "make the profile again with `redline tune`; docs/formats.md has the rules".into(),
            Self::VectorMissing { .. } => "profile and vector belong together: move both, or tune again".into(),
            Self::VectorChanged { .. } => "put the old vector back, or tune again with the new one".into(),
            Self::OtherModel { .. } => "give --model the weights it was made with, or tune again with these".into(),
        })
    }
}

impl From<redline_model::Error> for ProfileError {
    fn from(error: redline_model::Error) -> Self {
        Self::Read(Box::new(error))
    }
}

impl From<redline_steer::Error> for ProfileError {
    fn from(error: redline_steer::Error) -> Self {
        Self::Steer(Box::new(error))
    }
}

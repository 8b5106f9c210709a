//! What can be wrong with a piece of work: a rule of its options, or what the layers below say.

use crate::annotate::AnnotateError;
use crate::baseline::BaselineError;
#[cfg(feature = "tables")]
use crate::choices::ChoiceError;
use crate::contest::ContestError;
use crate::data::DataError;
use crate::iterate::IterateError;
use crate::judge::JudgeError;
use crate::profile::ProfileError;
use crate::quality::QualityError;
use crate::win_rate::WinRateError;

/// Result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why a piece of work cannot be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option breaks a rule.
    #[error("{message}")]
    Option {
        /// What is wrong, with the number it concerns.
        message: String,
        /// What to do.
        hint: String,
    },
    /// What went wrong with a file that the error itself does not name.
    #[error("{place}")]
    At {
        /// The file.
        place: String,
        /// What went wrong.
        source: Box<Error>,
    },
    /// Reading, steering or measuring failed.
    #[error(transparent)]
    Steer(Box<redline_steer::Error>),
    /// A data file breaks a rule.
    #[error(transparent)]
    Data(Box<DataError>),
    /// Outputs cannot be judged.
    #[error(transparent)]
    Quality(Box<QualityError>),
    /// A profile breaks a rule.
    #[error(transparent)]
    Profile(Box<ProfileError>),
    /// Judgements cannot be had or read.
    #[error(transparent)]
    Judge(Box<JudgeError>),
    /// Systems cannot be compared.
    #[error(transparent)]
    Contest(Box<ContestError>),
    /// A baseline cannot be run.
    #[error(transparent)]
    Baseline(Box<BaselineError>),
    /// Rows cannot be annotated.
    #[error(transparent)]
    Annotate(Box<AnnotateError>),
    /// Choices cannot be read or measured.
    #[cfg(feature = "tables")]
    #[error(transparent)]
    Choice(Box<ChoiceError>),
    /// Rounds cannot begin or go on.
    #[error(transparent)]
    Iterate(Box<IterateError>),
    /// A model behind a server cannot write.
    #[error("the model that writes, `{writer}`")]
    Writer {
        /// Its name.
        writer: String,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Verdicts come to no rate.
    #[error(transparent)]
    WinRate(Box<WinRateError>),
}

impl Error {
    /// An option that breaks a rule, with its cure.
    pub fn option(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Option { message: message.into(), hint: hint.into() }
    }

    /// An error about a file.
    pub fn at(place: impl std::fmt::Display, error: impl Into<Self>) -> Self {
        Self::At { place: place.to_string(), source: Box::new(error.into()) }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Option { hint, .. } => Some(hint.clone()),
            Self::At { source, .. } => source.hint(),
            Self::Steer(error) => error.hint().map(str::to_owned),
            Self::Data(error) => error.hint().map(str::to_owned),
            Self::Quality(error) => error.hint().map(str::to_owned),
            Self::Profile(error) => error.hint(),
            Self::Judge(error) => error.hint().map(str::to_owned),
            Self::Contest(error) => error.hint().map(str::to_owned),
            Self::WinRate(error) => error.hint().map(str::to_owned),
            Self::Iterate(error) => Some(error.hint()),
            Self::Baseline(error) => error.hint().map(str::to_owned),
            Self::Annotate(error) => error.hint().map(str::to_owned),
            Self::Writer { .. } => Some(
                "mend what it names; the same command goes on, and with --out FILE nothing is written twice".into(),
            ),
            #[cfg(feature = "tables")]
            Self::Choice(error) => error.hint().map(str::to_owned),
        }
    }
}

impl From<redline_steer::Error> for Error {
    fn from(error: redline_steer::Error) -> Self {
        Self::Steer(Box::new(error))
    }
}

impl From<redline_probe::Error> for Error {
    fn from(error: redline_probe::Error) -> Self {
        redline_steer::Error::from(error).into()
    }
}

impl From<redline_model::Error> for Error {
    fn from(error: redline_model::Error) -> Self {
        redline_steer::Error::from(error).into()
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

impl From<IterateError> for Error {
    fn from(error: IterateError) -> Self {
        Self::Iterate(Box::new(error))
    }
}

impl From<ProfileError> for Error {
    fn from(error: ProfileError) -> Self {
        Self::Profile(Box::new(error))
    }
}

impl From<ContestError> for Error {
    fn from(error: ContestError) -> Self {
        Self::Contest(Box::new(error))
    }
}

impl From<WinRateError> for Error {
    fn from(error: WinRateError) -> Self {
        Self::WinRate(Box::new(error))
    }
}

impl From<BaselineError> for Error {
    fn from(error: BaselineError) -> Self {
        Self::Baseline(Box::new(error))
    }
}

impl From<AnnotateError> for Error {
    fn from(error: AnnotateError) -> Self {
        Self::Annotate(Box::new(error))
    }
}

#[cfg(feature = "tables")]
impl From<ChoiceError> for Error {
    fn from(error: ChoiceError) -> Self {
        Self::Choice(Box::new(error))
    }
}

impl From<JudgeError> for Error {
    fn from(error: JudgeError) -> Self {
        Self::Judge(Box::new(error))
    }
}

impl From<QualityError> for Error {
    fn from(error: QualityError) -> Self {
        Self::Quality(Box::new(error))
    }
}

//! Why a judge behind a server cannot go on, and whom an error concerns: one comparison, or all.

use redline_lab::judge::JudgeError;

use super::super::upstream_error::UpstreamError;

/// Why a judge behind a server does not judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerJudgeError {
    /// No model is named.
    #[error("the name of the model is empty")]
    NoModel,
    /// An option is out of its range.
    #[error("`{option}` must be a number of at least {least}, got {got}")]
    Number {
        /// The option.
        option: &'static str,
        /// The least it may be.
        least: f64,
        /// What it is.
        got: f64,
    },
    /// There are no threads to ask on.
    #[error("no threads to ask on: {source}")]
    Threads {
        /// What the system says.
        source: std::io::Error,
    },
    /// The server cannot be asked as it was named.
    #[error(transparent)]
    Server(#[from] UpstreamError),
    /// Comparisons one after the other failed, so that further ones would, too.
    #[error("{n} comparisons in a row had no reply; the last one: {error}; {cure}", cure = cure(error))]
    InARow {
        /// How many.
        n: usize,
        /// What the last one failed for.
        error: Box<UpstreamError>,
    },
    /// Some comparisons have no reply; all others are judged and reported.
    #[error("{n} of {asked} comparisons had no reply and stay open; the last one: {error}; {cure}", cure = cure(error))]
    Open {
        /// How many.
        n: usize,
        /// Comparisons asked.
        asked: usize,
        /// What the last one failed for.
        error: Box<UpstreamError>,
    },
    /// This program is at fault.
    #[error("asking ended unforeseen: {source}")]
    Panicked {
        /// How.
        source: tokio::task::JoinError,
    },
}

impl ServerJudgeError {
    /// Whether the server, the way to it or this program failed, rather than what it was asked with.
    pub fn is_failure(&self) -> bool {
        match self {
            Self::Threads { .. } | Self::Panicked { .. } => true,
            Self::Server(error) => error.is_passing(),
            Self::InARow { error, .. } | Self::Open { error, .. } => error.is_passing(),
            Self::NoModel | Self::Number { .. } => false,
        }
    }

    /// The error of a model that writes.
    pub(super) fn of_writer(self, writer: &str) -> redline_lab::Error {
        redline_lab::Error::Writer { writer: writer.into(), source: Box::new(self) }
    }

    /// The error of a judge.
    pub(super) fn of(self, judge: &str) -> JudgeError {
        JudgeError::Failed { judge: judge.into(), source: Box::new(self) }
    }
}

/// What the reader can do about an error.
fn cure(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Key | UpstreamError::Status { status: 401 | 403, .. } => "check the key",
        UpstreamError::Status { status: 402, .. } => "the account has to be filled up",
        UpstreamError::Status { status: 404 | 405, .. } => {
            "check the name of the model, and whether the URL has to end with /v1"
        }
        UpstreamError::Status { status: 429, .. } => "ask fewer at a time or in a minute, or go on later",
        UpstreamError::Redirect { .. } => "give the URL that it points to",
        UpstreamError::Reply { .. } => "check that an OpenAI-compatible server answers at the URL",
        error if error.is_passing() => "check that the server runs and can be reached, and go on later",
        UpstreamError::Status { .. } => {
            "check the name of the model, and whether the server knows what this form of question needs"
        }
        _ => "check the URL",
    }
}

/// Whether an error is about what was asked, so that other comparisons may be answered.
pub(super) fn is_about_comparison(error: &UpstreamError) -> bool {
    match error {
        UpstreamError::Reply { .. } => true,
        UpstreamError::Status { status, .. } => matches!(status, 400 | 403 | 413 | 422 | 451 | 500),
        _ => false,
    }
}

/// Whether the server wants the limit of tokens under its new name.
pub(super) fn wants_new_limit(error: &UpstreamError) -> bool {
    let UpstreamError::Status { status: 400 | 422, stated, .. } = error else { return false };
    let is_unknown = stated.code.as_ref().is_some_and(|code| code == "unsupported_parameter");
    stated.message.contains("max_completion_tokens") || (is_unknown && stated.param.as_deref() == Some("max_tokens"))
}

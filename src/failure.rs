//! How errors reach the user: `error: …`, then `hint: …`; exit code 1 for the user's input, 2 for a failure, 130 when
//! interrupted.

use std::io::ErrorKind;
use std::process::ExitCode;

use redline::chat::ChatError;
use redline::data::DataError;
use redline::data::pairs::PairError;
use redline::lab::Error as LabError;
use redline::lab::baseline::BaselineError;
use redline::lab::choices::ChoiceError;
use redline::lab::contest::{ContestError, ShiftError};
use redline::lab::judge::JudgeError;
use redline::lab::quality::{QualityError, UtilityError};
use redline::lab::win_rate::WinRateError;
use redline::model::Error as ModelError;
use redline::plot::PlotError;
use redline::probe::Error as ProbeError;
use redline::profile::ProfileError;
use redline::report::ReportError;
use redline::serve::{ServerJudgeError, UpstreamError};
use redline::steer::Error as SteerError;

use crate::cli::given::Given;
use crate::visible::{visible, visible_lines};

/// An error with its cure, for rules that only the binary has.
#[derive(Debug)]
pub struct Hinted {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}

/// An error with its cure.
pub fn hinted(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { message: message.into(), hint: hint.into() }.into()
}

/// Refuses the first option that is given and has no effect beside others.
pub fn refuse_useless(options: &[(bool, &str)], beside: &str) -> anyhow::Result<()> {
    match options.iter().find(|(is_given, _)| *is_given) {
        None => Ok(()),
        Some((_, option)) => Err(hinted(format!("{option} has no effect {beside}"), format!("leave {option} out"))),
    }
}

/// Refuses the first of these options that was given and has no effect beside others.
pub fn refuse_given(given: &Given, ids: &[&str], beside: &str) -> anyhow::Result<()> {
    match given.first_of(ids) {
        None => Ok(()),
        Some(option) => Err(hinted(format!("{option} has no effect {beside}"), format!("leave {option} out"))),
    }
}

/// Prints what is wrong with the arguments, which ends with its hint.
pub fn usage(message: &str) -> ExitCode {
    eprint!("{}", visible_lines(message));
    ExitCode::from(1)
}

/// Refuses an argument that is no UTF-8: results name files, and are UTF-8 throughout.
pub fn not_text(argument: &std::ffi::OsStr) -> ExitCode {
    eprintln!("error: {}: this argument is no UTF-8 text", visible(&argument.to_string_lossy()));
    eprintln!("hint: rename the file");
    ExitCode::from(1)
}

/// Prints an error with its hint and chooses the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if matches!(model_error(error), Some(ModelError::Interrupted)) {
        eprintln!("interrupted: what is written so far is complete\nhint: the same command continues where it can");
        return ExitCode::from(130);
    }
    eprintln!("error: {}", visible(&message(error)));
    eprintln!("hint: {}", visible(&hint(error)));
    ExitCode::from(if is_failure(error) { 2 } else { 1 })
}

/// The chain of causes, without a cause that its consequence already spells out.
fn message(error: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // an error that carries one of the JSON parser has put it in better words
        if !message.is_empty() && cause.is::<serde_json::Error>() {
            continue;
        }
        // the empty message of the beginning is part of any text
        if text.contains(&message) {
            message = text;
        } else if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
    }
    message
}

/// What to do: what the error itself says, or what helps with its kind.
fn hint(error: &anyhow::Error) -> String {
    known_hint(error).unwrap_or_else(|| match error.chain().any(|cause| cause.is::<std::io::Error>()) {
        true => "check that the place can be read and written, and that there is room".into(),
        false => "this is unexpected; please report it with the command that was run".into(),
    })
}

fn known_hint(error: &anyhow::Error) -> Option<String> {
    let known = error.chain().find_map(hint_of_link);
    let own = || error.downcast_ref::<Hinted>().map(|hinted| hinted.hint.clone());
    // an error that speaks with a model's words is no link, and may have none of its own
    known.or_else(own).or_else(|| model_error(error)?.hint().map(str::to_owned))
}

/// What the kinds of errors call their cure.
trait Cure {
    fn cure(self) -> Option<String>;
}

impl Cure for &'static str {
    fn cure(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Cure for Option<&'static str> {
    fn cure(self) -> Option<String> {
        self.map(str::to_owned)
    }
}

impl Cure for Option<String> {
    fn cure(self) -> Option<String> {
        self
    }
}

/// The hint of one link of the chain, whatever its kind.
fn hint_of_link(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    macro_rules! first_of {
        ($($kind:ty),*) => { None$(.or_else(|| cause.downcast_ref::<$kind>()?.hint().cure()))* };
    }
    first_of!(
        SteerError,
        ProbeError,
        ModelError,
        PlotError,
        ReportError,
        DataError,
        PairError,
        ChatError,
        ProfileError,
        LabError,
        ContestError,
        ShiftError,
        JudgeError,
        ChoiceError,
        BaselineError,
        QualityError,
        UtilityError,
        WinRateError
    )
}

/// What a model's files or passes said, however other errors carry it: those that speak with its words are no link of the chain.
fn model_error(error: &anyhow::Error) -> Option<&ModelError> {
    error.chain().find_map(|cause| {
        let direct = cause.downcast_ref::<ModelError>();
        let of_probe = || cause.downcast_ref().and_then(in_probe);
        let of_steer = || cause.downcast_ref().and_then(in_steer);
        let of_data = || cause.downcast_ref().and_then(in_data);
        let of_profile = || cause.downcast_ref().and_then(in_profile);
        let of_report = || cause.downcast_ref().and_then(in_report);
        let of_lab = || cause.downcast_ref().and_then(in_lab);
        let of_judge = || cause.downcast_ref().and_then(in_judge);
        let of_pairs = || cause.downcast_ref().and_then(in_pairs);
        direct
            .or_else(of_probe)
            .or_else(of_steer)
            .or_else(of_data)
            .or_else(of_profile)
            .or_else(of_report)
            .or_else(of_lab)
            .or_else(of_judge)
            .or_else(of_pairs)
    })
}

fn in_probe(error: &ProbeError) -> Option<&ModelError> {
    match error {
        ProbeError::Model(error) => Some(error),
        _ => None,
    }
}

fn in_steer(error: &SteerError) -> Option<&ModelError> {
    match error {
        SteerError::Model(error) => Some(error),
        SteerError::Probe(error) => in_probe(error),
        _ => None,
    }
}

fn in_data(error: &DataError) -> Option<&ModelError> {
    match error {
        DataError::Read(error) => Some(error),
        DataError::Split(error) => in_probe(error),
        _ => None,
    }
}

fn in_profile(error: &ProfileError) -> Option<&ModelError> {
    match error {
        ProfileError::Read(error) => Some(error),
        ProfileError::Steer(error) => in_steer(error),
        _ => None,
    }
}

fn in_lab(error: &LabError) -> Option<&ModelError> {
    match error {
        LabError::At { source, .. } => in_lab(source),
        LabError::Steer(error) => in_steer(error),
        LabError::Data(error) => in_data(error),
        LabError::Profile(error) => in_profile(error),
        LabError::Judge(error) => in_judge(error),
        LabError::Choice(error) => match error.as_ref() {
            ChoiceError::Model(error) => Some(error),
            _ => None,
        },
        LabError::Quality(error) => match error.as_ref() {
            QualityError::Data(error) => in_data(error),
            _ => None,
        },
        LabError::Contest(error) => match error.as_ref() {
            ContestError::Judge(error) => in_judge(error),
            _ => None,
        },
        _ => None,
    }
}

fn in_judge(error: &JudgeError) -> Option<&ModelError> {
    match error {
        JudgeError::File(error) => Some(error),
        _ => None,
    }
}

fn in_pairs(error: &PairError) -> Option<&ModelError> {
    match error {
        PairError::Model(error) => Some(error),
        _ => None,
    }
}

fn in_report(error: &ReportError) -> Option<&ModelError> {
    match error {
        ReportError::File(error) => Some(error),
        _ => None,
    }
}

/// Whether the machine failed rather than the input.
fn is_failure(error: &anyhow::Error) -> bool {
    match model_error(error) {
        Some(ModelError::Candle(_) | ModelError::CutShort { .. } | ModelError::NoMemory { .. }) => true,
        Some(ModelError::Io { source, .. }) => !is_about_the_path(source),
        Some(_) => false,
        None => {
            let is_failure = |error: &std::io::Error| !is_about_the_path(error);
            let is_bare = error.downcast_ref::<std::io::Error>().is_some();
            let is_server = |cause: &(dyn std::error::Error + 'static)| {
                let of_judge = cause.downcast_ref().is_some_and(ServerJudgeError::is_failure);
                of_judge || cause.downcast_ref().is_some_and(UpstreamError::is_passing)
            };
            is_bare || error.chain().any(|cause| cause.downcast_ref().is_some_and(is_failure) || is_server(cause))
        }
    }
}

/// Whether another path would mend it.
fn is_about_the_path(error: &std::io::Error) -> bool {
    use ErrorKind::{
        AlreadyExists, InvalidData, InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied,
        ReadOnlyFilesystem,
    };
    let is_named = matches!(
        error.kind(),
        AlreadyExists
            | InvalidData
            | InvalidFilename
            | IsADirectory
            | NotADirectory
            | NotFound
            | PermissionDenied
            | ReadOnlyFilesystem
    );
    is_named || is_loop(error)
}

/// Links that lead in a circle, for which the standard library has no name yet.
#[cfg(unix)]
fn is_loop(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

#[cfg(not(unix))]
fn is_loop(_error: &std::io::Error) -> bool {
    false
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cut_short_by_another_program_is_a_failure() {
        let cut = ModelError::CutShort { path: "m.gguf".into(), what: "tensor `t`".into(), needed: 4 };
        let endless = ModelError::NotAFile { path: "m.gguf".into(), kind: "a device" };
        let is_two = |error: ModelError| is_failure(&anyhow::Error::from(error));
        assert_eq!((is_two(cut), is_two(endless)), (true, false));
    }

    #[test]
    fn what_a_model_says_is_known_whoever_carries_it() {
        let full = || ModelError::NoMemory { path: "m".into(), what: "t".into(), needed: 1 };
        for error in [
            anyhow::Error::from(full()),
            ProbeError::from(full()).into(),
            SteerError::from(full()).into(),
            SteerError::Probe(Box::new(ProbeError::from(full()))).into(),
            DataError::from(full()).into(),
            DataError::Split(Box::new(ProbeError::from(full()))).into(),
            ProfileError::Read(Box::new(full())).into(),
            ProfileError::Steer(Box::new(SteerError::from(full()))).into(),
            ReportError::from(full()).into(),
            JudgeError::from(full()).into(),
            PairError::from(full()).into(),
            LabError::from(ChoiceError::from(full())).into(),
            LabError::from(JudgeError::from(full())).into(),
            LabError::from(ContestError::from(JudgeError::from(full()))).into(),
        ] {
            assert!(is_failure(&error), "{error:?}");
            let within = error.context("where");
            assert!(is_failure(&within), "{within:?}");
        }
    }

    #[test]
    fn a_file_without_rows_has_its_own_hint_whoever_reads_it() {
        let empty = || ModelError::EmptyFile { path: "rows.jsonl".into() };
        let expected = empty().hint().unwrap();
        for error in [
            anyhow::Error::from(empty()),
            DataError::from(empty()).into(),
            JudgeError::from(empty()).into(),
            PairError::from(empty()).into(),
            LabError::from(DataError::from(empty())).into(),
            LabError::from(ChoiceError::from(empty())).into(),
            LabError::from(JudgeError::from(empty())).into(),
            LabError::from(ContestError::from(JudgeError::from(empty()))).into(),
            LabError::at("here", empty()).into(),
        ] {
            assert_eq!((hint(&error).as_str(), is_failure(&error)), (expected, false), "{error:?}");
        }
    }

    #[test]
    fn a_server_that_fails_is_no_fault_of_the_input() {
        let judge = |error: UpstreamError| {
            let source = ServerJudgeError::InARow { n: 3, error: Box::new(error) };
            anyhow::Error::from(LabError::from(JudgeError::failed("judge", source)))
        };
        let status = |status| UpstreamError::Status { status, stated: Box::default(), headers: Box::default() };
        let gone = || UpstreamError::Unreachable { url: "http://a".into(), reason: "refused".into() };
        let failures = [judge(gone()), judge(status(503)), judge(status(429)), gone().into()];
        assert!(failures.iter().all(is_failure));
        assert!(![judge(status(401)), judge(status(404)), judge(UpstreamError::Key)].iter().any(is_failure));
    }

    #[test]
    fn every_error_has_a_hint() {
        let broken = std::io::Error::from(ErrorKind::StorageFull);
        for error in [anyhow::anyhow!("something"), anyhow::Error::from(broken)] {
            assert!(!hint(&error).is_empty());
        }
        let hinted = hinted("wrong", "do this").context("a file");
        assert_eq!((message(&hinted).as_str(), hint(&hinted).as_str()), ("a file: wrong", "do this"));
    }
}

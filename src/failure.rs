//! How errors reach the user: `error: …`, then `hint: …`; exit code 1 for the user's input, 2 for a failure, 130 when
//! interrupted.

use std::io::ErrorKind;
use std::process::ExitCode;

use redline::data::DataError;
use redline::model::Error as ModelError;
use redline::plot::PlotError;
use redline::probe::Error as ProbeError;
use redline::profile::ProfileError;
use redline::steer::Error as SteerError;

/// Prints what clap says; help and version are no errors.
pub fn usage(error: &clap::Error) -> ExitCode {
    // nothing is left to do when even this cannot be printed
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// Prints an error with its hint and chooses the exit code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    if matches!(model_error(error), Some(ModelError::Interrupted)) {
        eprintln!("interrupted: what is written so far is complete; the same command continues where it can");
        return ExitCode::from(130);
    }
    eprintln!("error: {}", message(error));
    if let Some(hint) = hint(error) {
        eprintln!("hint: {hint}");
    }
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

fn hint(error: &anyhow::Error) -> Option<String> {
    let known = error.chain().find_map(|cause| {
        let steer = cause.downcast_ref::<SteerError>().and_then(SteerError::hint);
        let probe = || cause.downcast_ref::<ProbeError>().and_then(ProbeError::hint);
        let model = || cause.downcast_ref::<ModelError>().and_then(ModelError::hint);
        let plot = || cause.downcast_ref::<PlotError>().map(|error| error.hint().to_string());
        let data = || cause.downcast_ref::<DataError>().and_then(DataError::hint).map(str::to_string);
        let profile = || cause.downcast_ref::<ProfileError>().and_then(ProfileError::hint);
        steer.or_else(probe).or_else(model).map(str::to_string).or_else(plot).or_else(data).or_else(profile)
    });
    known.or_else(|| error.downcast_ref::<crate::session::Hinted>().map(|hinted| hinted.hint.clone()))
}

fn model_error(error: &anyhow::Error) -> Option<&ModelError> {
    error.chain().find_map(|cause| {
        let nested = match cause.downcast_ref::<SteerError>() {
            Some(SteerError::Model(error)) => Some(error),
            _ => None,
        };
        let in_probe = match cause.downcast_ref::<ProbeError>() {
            Some(ProbeError::Model(error)) => Some(error),
            _ => None,
        };
        cause.downcast_ref::<ModelError>().or(nested).or(in_probe)
    })
}

/// Whether the machine failed rather than the input.
fn is_failure(error: &anyhow::Error) -> bool {
    match model_error(error) {
        Some(ModelError::Candle(_)) => true,
        Some(ModelError::Io { source, .. }) => !is_about_the_path(source.kind()),
        _ => error.downcast_ref::<std::io::Error>().is_some(),
    }
}

/// Whether another path would mend it.
fn is_about_the_path(kind: ErrorKind) -> bool {
    use ErrorKind::{
        AlreadyExists, InvalidFilename, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem,
    };
    matches!(
        kind,
        AlreadyExists | InvalidFilename | IsADirectory | NotADirectory | PermissionDenied | ReadOnlyFilesystem
    )
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe))
}

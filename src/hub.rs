//! Names on the Hugging Face hub where options take paths: the files behind them come from the local cache, or are downloaded into it.

use std::ffi::OsString;
use std::path::Path;

use redline::hub::{Cache, Hub, HubError, HubName, Received};

use crate::cli::files::{HubValue, hub_values};
use crate::failure::hinted;
use crate::progress::Progress;
use crate::{interrupt, output};

const ENDPOINT: &str = "https://huggingface.co";
const MEGABYTE: u64 = 1_000_000;

/// The arguments with paths instead of names; nothing where there are none.
///
/// # Errors
/// A name that stands for no file.
pub fn resolved(arguments: Vec<OsString>, is_offline: bool) -> anyhow::Result<Option<Vec<OsString>>> {
    let values = hub_values(&arguments)?;
    if values.is_empty() {
        return Ok(None);
    }
    let mut arguments = arguments;
    for HubValue { text: value, name, n_read } in values {
        let is_option = |option: &&str| option.is_empty() || (option.starts_with("--") && option.ends_with('='));
        let option_of = |argument: &OsString| {
            let option = argument.to_str()?.strip_suffix(value.as_str()).filter(is_option)?;
            Some(OsString::from(option))
        };
        let n_there = arguments.iter().filter_map(option_of).count();
        if n_there != n_read {
            return Err(hinted(
                format!("{value}: a name on the hub, given by a variable or to an option that writes"),
                "give it as an argument instead of a variable, and write ./ before a path to write",
            ));
        }
        let path = file_of(&value, &name, is_offline || is_set("HF_HUB_OFFLINE"))?;
        for argument in &mut arguments {
            if let Some(mut whole) = option_of(argument) {
                whole.push(&path);
                *argument = whole;
            }
        }
    }
    Ok(Some(arguments))
}

/// Where the file or folder is that a name stands for.
fn file_of(value: &str, name: &HubName, is_offline: bool) -> anyhow::Result<OsString> {
    let cache = Cache::from_env(|name| std::env::var_os(name));
    if let Some(path) = cache.find(name) {
        output::note!("{name}: {}", path.display());
        return Ok(path.into());
    }
    let found = match is_offline {
        true => Err(HubError::NotCached { name: name.clone(), folder: cache.folder().into() }),
        false => downloaded(name, &cache)?,
    };
    found.map_err(|error| match error.hint() {
        None => redline::model::Error::Interrupted.into(),
        Some(hint) if value.starts_with("hf://") => hinted(error.to_string(), hint),
        Some(hint) => hinted(format!("{value}: no such file or folder here; {error}"), hint),
    })
}

/// Downloads; the outer error is that of this machine.
fn downloaded(name: &HubName, cache: &Cache) -> anyhow::Result<Result<OsString, HubError>> {
    let endpoint = std::env::var("HF_ENDPOINT").ok().filter(|value| !value.is_empty());
    let endpoint = endpoint.as_deref().unwrap_or(ENDPOINT);
    let client = match redline::serve::client(endpoint.starts_with("https")) {
        Ok(client) => client,
        Err(rule) => return Ok(Err(HubError::Network { name: name.clone(), rule })),
    };
    let token = token(|name| std::env::var_os(name));
    let hub = Hub { client: &client, endpoint, token: token.as_deref(), cache };
    output::note!("{name}: from {endpoint} into {}", cache.folder().display());
    let mut bars: Option<(String, Progress)> = None;
    let mut watch = |received: Received<'_>| {
        let total = (received.of.unwrap_or(received.bytes) / MEGABYTE) as usize;
        if bars.as_ref().is_none_or(|(file, _)| file != received.file) {
            if let Some((_, bar)) = bars.take() {
                bar.finish();
            }
            bars = Some((received.file.to_owned(), Progress::new(&format!("{}, MB", received.file), total)));
        }
        let moved = bars.as_mut().map(|(_, bar)| bar.set((received.bytes / MEGABYTE) as usize, total));
        interrupt::check().is_ok() && moved.is_none_or(|moved| moved.is_ok())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(async {
        tokio::select! {
            found = hub.download(name, &mut watch) => found,
            () = interrupt::wait() => Err(HubError::Interrupted),
        }
    });
    runtime.shutdown_background();
    Ok(found.map(Into::into))
}

/// What gated repositories are read with: `HF_TOKEN`, or the file that logging in leaves.
fn token(variable: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    let sound = |text: String| Some(text.trim().to_owned()).filter(|token| !token.is_empty());
    if let Some(token) = variable("HF_TOKEN").and_then(|value| value.into_string().ok()).and_then(sound) {
        return Some(token);
    }
    let file = variable("HF_TOKEN_PATH").map(Into::into).or_else(|| {
        let cache = Cache::from_env(|name| variable(name).filter(|_| name != "HF_HUB_CACHE"));
        Some(cache.folder().parent()?.join("token"))
    })?;
    redline::model::files::read_text(Path::new(&file), 4096).ok().and_then(sound)
}

/// Whether a variable says yes, as the hub's own libraries read it.
fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| ["1", "ON", "YES", "TRUE"].contains(&value.to_ascii_uppercase().as_str()))
}

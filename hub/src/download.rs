//! What is not in the cache, from the hub.

use std::io::Write;
use std::path::{Path, PathBuf};

use redline_model::files::{open_to_append, remove_if_there, write_atomically};
use reqwest::header::{AUTHORIZATION, RANGE};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;

use crate::{Cache, HubError, HubName, RepoKind, Result};

/// Largest list of a repository's files.
const MOST_LIST: usize = 64 << 20;

/// The hub, or a mirror of it.
pub struct Hub<'a> {
    /// Follows redirects.
    pub client: &'a Client,
    /// Its address, such as `https://huggingface.co`.
    pub endpoint: &'a str,
    /// What gated and private repositories are read with.
    pub token: Option<&'a str>,
    /// Where files are kept.
    pub cache: &'a Cache,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes that are here.
    pub bytes: u64,
    /// Bytes of the whole, where the hub says so.
    pub of: Option<u64>,
}

/// What the hub says of a revision.
#[derive(Deserialize)]
struct Info {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

impl Hub<'_> {
    /// What a name stands for, after its files are in the cache. `watch` is told of every piece; its `false` ends the download, which the
    /// next one continues.
    ///
    /// # Errors
    /// [`HubError`].
    pub async fn download(&self, name: &HubName, watch: &mut dyn FnMut(Received<'_>) -> bool) -> Result<PathBuf> {
        let info = self.info(name).await?;
        let is_commit = (7..=64).contains(&info.sha.len()) && info.sha.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_commit {
            return Err(network(name, "the hub names no commit"));
        }
        let repo = self.cache.repo(name);
        let folder = repo.join("snapshots").join(&info.sha);
        let files = match &name.file {
            Some(file) => vec![file.clone()],
            None => wanted(name, &info.siblings)?,
        };
        for file in &files {
            let path = folder.join(file);
            if !path.is_file() {
                self.fetch(name, &info.sha, file, &path, watch).await?;
            }
        }
        // last, so that a branch never points at what is not whole
        let reference = repo.join("refs").join(&name.revision);
        make_folder(&reference)?;
        write_atomically(&reference, info.sha.as_bytes())?;
        Ok(name.file.as_ref().map_or(folder.clone(), |file| folder.join(file)))
    }

    async fn info(&self, name: &HubName) -> Result<Info> {
        let path = format!("api/{}/{}/revision/{}", name.kind.plural(), name.repo, name.revision.replace('/', "%2F"));
        let mut reply = self.ask(name, &path, 0).await?;
        let mut text = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(|error| network(name, &cause(&error)))? {
            text.extend_from_slice(&piece);
            if text.len() > MOST_LIST {
                return Err(network(name, "the list of files is too long"));
            }
        }
        serde_json::from_slice(&text).map_err(|error| network(name, &format!("the hub's reply: {error}")))
    }

    /// Asks for a path from a byte on.
    async fn ask(&self, name: &HubName, path: &str, from: u64) -> Result<Response> {
        let mut request = self.client.get(format!("{}/{path}", self.endpoint.trim_end_matches('/')));
        if let Some(token) = self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let reply = request.send().await.map_err(|error| network(name, &cause(&error)))?;
        match reply.status() {
            status if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE => Ok(reply),
            status => Err(HubError::Refused { name: name.clone(), status: status.as_u16() }),
        }
    }

    /// Receives a file beside its place, and puts it there when it is whole.
    async fn fetch(
        &self,
        name: &HubName,
        commit: &str,
        file: &str,
        path: &Path,
        watch: &mut dyn FnMut(Received<'_>) -> bool,
    ) -> Result<()> {
        let mut part = path.as_os_str().to_owned();
        part.push(".incomplete");
        let part = PathBuf::from(part);
        make_folder(path)?;
        let here = std::fs::metadata(&part).map_or(0, |data| data.len());
        let kind = if name.kind == RepoKind::Dataset { "datasets/" } else { "" };
        let mut reply = self.ask(name, &format!("{kind}{}/resolve/{commit}/{file}", name.repo), here).await?;
        let mut bytes = here;
        if reply.status() == StatusCode::OK {
            bytes = 0;
        }
        if reply.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // as long as the whole, or of another file
            remove_if_there(&part)?;
            bytes = 0;
            reply = self.ask(name, &format!("{kind}{}/resolve/{commit}/{file}", name.repo), 0).await?;
        }
        let of = reply.content_length().map(|rest| bytes + rest);
        if bytes == 0 {
            remove_if_there(&part)?;
        }
        let failed = |source| redline_model::Error::io(&part, source);
        let mut out = open_to_append(&part)?;
        while let Some(piece) =
            reply.chunk().await.map_err(|error| network(name, &format!("{file}: {}", cause(&error))))?
        {
            out.write_all(&piece).map_err(failed)?;
            bytes += piece.len() as u64;
            if !watch(Received { file, bytes, of }) {
                return Err(HubError::Interrupted);
            }
        }
        out.sync_all().map_err(failed)?;
        match of {
            Some(of) if of != bytes => Err(network(name, &format!("{file}: {bytes} of {of} bytes came"))),
            _ => Ok(std::fs::rename(&part, path).map_err(|source| redline_model::Error::io(path, source))?),
        }
    }
}

/// The files that a model or an adapter is loaded from: weights, configuration, tokenizer, template, all at the top.
fn wanted(name: &HubName, siblings: &[Sibling]) -> Result<Vec<String>> {
    let top: Vec<&str> =
        siblings.iter().map(|sibling| sibling.rfilename.as_str()).filter(|file| is_plain(file)).collect();
    let is_weight = |file: &str| file.ends_with(".safetensors");
    let whole: &[&str] = &["model.safetensors", "adapter_model.safetensors"];
    let has_whole = top.iter().any(|file| whole.contains(file));
    let is_shard = |file: &str| is_weight(file) && file.starts_with("model-");
    let is_other = |file: &str| {
        file.ends_with(".json") && (!has_whole || file != "model.safetensors.index.json")
            || file == "chat_template.jinja"
    };
    let takes = |file: &&&str| is_other(file) || if has_whole { whole.contains(*file) } else { is_shard(file) };
    let found: Vec<String> = top.iter().filter(takes).map(|file| (*file).to_owned()).collect();
    if found.iter().any(|file| is_weight(file)) {
        return Ok(found);
    }
    let gguf: Vec<&str> = top.into_iter().filter(|file| file.ends_with(".gguf")).collect();
    let found = if gguf.is_empty() { format!("{} files", siblings.len()) } else { gguf.join(", ") };
    Err(HubError::NoWeights { name: name.clone(), found })
}

/// A name of a file at the top, and nothing else.
fn is_plain(file: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    file.bytes().all(is_sound) && !file.starts_with('.')
}

fn make_folder(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    Ok(std::fs::create_dir_all(folder).map_err(|source| redline_model::Error::io(folder, source))?)
}

fn network(name: &HubName, rule: &str) -> HubError {
    HubError::Network { name: name.clone(), rule: rule.to_owned() }
}

/// The error and what it comes from, without the address, which may hold a signature.
fn cause(error: &reqwest::Error) -> String {
    let first: &dyn std::error::Error = error;
    let last = std::iter::successors(Some(first), |error| error.source()).last();
    let kind = if error.is_connect() {
        "cannot be reached: "
    } else if error.is_timeout() {
        "takes too long: "
    } else {
        ""
    };
    format!("{kind}{}", last.map_or_else(String::new, ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Result<Vec<String>> {
        let siblings: Vec<Sibling> = names.iter().map(|name| Sibling { rfilename: (*name).to_owned() }).collect();
        wanted(&HubName::parse("org/model").unwrap().unwrap(), &siblings)
    }

    #[test]
    fn a_model_takes_what_it_is_loaded_from() {
        let all = [
            "README.md",
            "config.json",
            "model.safetensors",
            "model.safetensors.index.json",
            "tokenizer.json",
            "onnx/model.onnx",
            "pytorch_model.bin",
            "../x.json",
        ];
        assert_eq!(files(&all).unwrap(), ["config.json", "model.safetensors", "tokenizer.json"]);
        let shards = [
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
            "consolidated.safetensors",
            "chat_template.jinja",
        ];
        let found = files(&shards).unwrap();
        assert!(found.len() == 5 && !found.contains(&"consolidated.safetensors".to_owned()), "{found:?}");
        assert_eq!(files(&["adapter_config.json", "adapter_model.safetensors", "rng.pth"]).unwrap().len(), 2);
    }

    #[test]
    fn without_weights_its_gguf_files_are_named() {
        let error = files(&["README.md", "m-Q4_K_M.gguf", "m-Q8_0.gguf"]).unwrap_err();
        assert_eq!(error.to_string(), "hf://org/model@main: no safetensors files; it has m-Q4_K_M.gguf, m-Q8_0.gguf");
        assert!(error.hint().unwrap().contains(":FILE.gguf"));
    }
}

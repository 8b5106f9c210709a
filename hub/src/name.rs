//! The parts of a name.

use std::fmt;

use crate::{HubError, Result};

/// Endings of files that this program reads: a name with one of them is a path that was misspelt.
const FILE_ENDINGS: [&str; 10] = ["gguf", "safetensors", "json", "jsonl", "gz", "parquet", "csv", "npz", "bin", "txt"];

/// What a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoKind {
    /// A model or an adapter.
    Model,
    /// Rows.
    Dataset,
}

impl RepoKind {
    /// As the hub's paths have it: `models` or `datasets`.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A repository on the hub, a revision of it, and a file in it where one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubName {
    /// What it holds.
    pub kind: RepoKind,
    /// `owner/name`.
    pub repo: String,
    /// A branch, a tag or a commit.
    pub revision: String,
    /// The file; all that a model needs where there is none.
    pub file: Option<String>,
}

impl fmt::Display for HubName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == RepoKind::Dataset { "datasets/" } else { "" };
        write!(f, "hf://{kind}{}@{}", self.repo, self.revision)?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, ":{file}"))
    }
}

impl HubName {
    /// Reads a name; `None` of a text that is no name. Without `hf://` only `owner/name` is one, with `@revision` and `:file` where
    /// they are given, and no file's ending.
    ///
    /// # Errors
    /// A text that begins with `hf://` and breaks a rule.
    ///
    /// # Example
    /// ```
    /// use redline_hub::HubName;
    /// let name = HubName::parse("hf://org/model@v1:model-q8_0.gguf")?.expect("a name");
    /// assert_eq!((name.repo.as_str(), name.revision.as_str(), name.file.as_deref()), ("org/model", "v1", Some("model-q8_0.gguf")));
    /// assert_eq!(HubName::parse("org/model")?.expect("a name").revision, "main");
    /// for path in ["model.gguf", "data/rows.jsonl", "a/b/c", "/org/model", "../model", "smollm2"] {
    ///     assert!(HubName::parse(path)?.is_none(), "{path}");
    /// }
    /// # Ok::<(), redline_hub::HubError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Option<Self>> {
        match text.strip_prefix("hf://") {
            Some(rest) => {
                let refuse = |rule| HubError::Name { text: text.to_owned(), rule };
                let (kind, rest) = match rest.strip_prefix("datasets/") {
                    Some(rest) => (RepoKind::Dataset, rest),
                    None => (RepoKind::Model, rest),
                };
                Self::parts(kind, rest).map(Some).map_err(refuse)
            }
            None => Ok(Self::parts(RepoKind::Model, text).ok().filter(|name| !name.has_file_ending())),
        }
    }

    fn parts(kind: RepoKind, text: &str) -> std::result::Result<Self, &'static str> {
        let (rest, file) = match text.split_once(':') {
            Some((rest, file)) => (rest, Some(file)),
            None => (text, None),
        };
        let (repo, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        let (owner, name) = repo.split_once('/').ok_or("a name has an owner: owner/name")?;
        if !is_part(owner) || !is_part(name) {
            return Err("owner and name consist of letters, digits, `-`, `_` and `.`");
        }
        if !is_path(revision) {
            return Err("the revision is no branch, tag or commit");
        }
        if !file.is_none_or(is_path) {
            return Err("the file is no path within the repository");
        }
        let (repo, revision) = (repo.to_owned(), revision.to_owned());
        Ok(Self { kind, repo, revision, file: file.map(str::to_owned) })
    }

    /// Whether the repository is called like a file.
    fn has_file_ending(&self) -> bool {
        let ending = self.repo.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        ending.is_some_and(|ending| FILE_ENDINGS.contains(&ending.as_str()))
    }
}

fn is_part(text: &str) -> bool {
    let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 96 && text.bytes().all(is_sound) && !text.starts_with('.') && !text.contains("..")
}

/// Parts joined by single slashes, none of which leads out.
fn is_path(text: &str) -> bool {
    let is_sound = |byte: u8| {
        byte.is_ascii_graphic() && !matches!(byte, b'\\' | b':' | b'?' | b'#' | b'%' | b'*' | b'"' | b'<' | b'>' | b'|')
    };
    text.len() <= 256
        && text.bytes().all(is_sound)
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_of_the_cache_is_no_name() {
        for text in [
            "hf://org",
            "hf://org/../x",
            "hf://org/name:../x",
            "hf://org/name@../x",
            "hf://org/name:/etc/passwd",
            "hf://a b/c",
        ] {
            assert!(HubName::parse(text).is_err(), "{text}");
        }
        for path in ["org/name:../x", "models/x.gguf", "models/rows.jsonl:5", "C:/model", "org/", "/name", ""] {
            assert_eq!(HubName::parse(path).unwrap(), None, "{path}");
        }
        let data = HubName::parse("hf://datasets/org/rows@abc:data/train.parquet").unwrap().unwrap();
        assert_eq!((data.kind, data.file.as_deref()), (RepoKind::Dataset, Some("data/train.parquet")));
        assert_eq!(data.to_string(), "hf://datasets/org/rows@abc:data/train.parquet");
    }
}

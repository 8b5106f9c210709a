//! The cache that the libraries of Hugging Face share: `models--owner--name/refs/REVISION` holds a commit, `snapshots/COMMIT/` its files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use redline_model::files::read_text;

use crate::{HubName, RepoKind};

/// Largest file that names a commit.
const MOST_REFERENCE: u64 = 256;
/// Largest list of weight files that is read.
const MOST_INDEX: u64 = 64 << 20;

/// The folder of all snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where the environment says: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in `huggingface` in `XDG_CACHE_HOME` or `~/.cache`.
    pub fn from_env(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = || set("HOME").or_else(|| set("USERPROFILE")).unwrap_or_default().join(".cache");
        let home = || set("HF_HOME").unwrap_or_else(|| set("XDG_CACHE_HOME").unwrap_or_else(user).join("huggingface"));
        Self { folder: set("HF_HUB_CACHE").unwrap_or_else(|| home().join("hub")) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of a repository.
    pub(crate) fn repo(&self, name: &HubName) -> PathBuf {
        self.folder.join(format!("{}--{}", name.kind.plural(), name.repo.replace('/', "--")))
    }

    /// What a name stands for, if all of it is here: its file, or the folder of a model with all of its weights.
    pub fn find(&self, name: &HubName) -> Option<PathBuf> {
        let folder = self.snapshot(name)?;
        match &name.file {
            Some(file) => Some(folder.join(file)).filter(|path| path.is_file()),
            None => Some(folder).filter(|folder| name.kind == RepoKind::Model && is_whole(folder)),
        }
    }

    /// The folder of a revision's files.
    fn snapshot(&self, name: &HubName) -> Option<PathBuf> {
        let repo = self.repo(name);
        let said = read_text(&repo.join("refs").join(&name.revision), MOST_REFERENCE).ok();
        let commit = said.as_deref().map_or(name.revision.as_str(), str::trim);
        // a commit is a name of its own; what a damaged file says must not lead out of the folder
        let is_commit = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Some(repo.join("snapshots").join(commit)).filter(|folder| is_commit && folder.is_dir())
    }
}

/// Whether a folder holds a model or an adapter with all of its weights.
fn is_whole(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    let is_model = has("config.json")
        && (has("model.safetensors") || shards(folder).is_some_and(|all| all.iter().all(|name| has(name))));
    is_model || (has("adapter_config.json") && has("adapter_model.safetensors"))
}

/// The weight files that an index names; none without an index.
fn shards(folder: &Path) -> Option<BTreeSet<String>> {
    let path = folder.join("model.safetensors.index.json");
    let text = read_text(&path, MOST_INDEX).ok()?;
    let index: serde_json::Value = serde_json::from_str(&text).ok()?;
    let named = index["weight_map"].as_object()?.values().map(|name| name.as_str().map(str::to_owned));
    named.collect::<Option<BTreeSet<_>>>().filter(|names| !names.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn name(text: &str) -> HubName {
        HubName::parse(text).unwrap().unwrap()
    }

    #[test]
    fn the_environment_says_where_it_is() {
        let from = |set: &'static [(&str, &str)]| {
            Cache::from_env(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())).folder
        };
        assert_eq!(from(&[("HOME", "/me")]), Path::new("/me/.cache/huggingface/hub"));
        assert_eq!(from(&[("HOME", "/me"), ("XDG_CACHE_HOME", "/c")]), Path::new("/c/huggingface/hub"));
        assert_eq!(from(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/c")]), Path::new("/h/hub"));
        assert_eq!(from(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/direct")]), Path::new("/direct"));
        assert_eq!(from(&[("HF_HOME", ""), ("HOME", "/me")]), Path::new("/me/.cache/huggingface/hub"));
    }

    #[test]
    fn a_model_is_found_by_branch_and_by_commit_once_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path());
        let repo = folder.path().join("models--org--model");
        assert_eq!(cache.find(&name("org/model")), None);
        write(&repo, "refs/main", "abc123\n");
        write(&repo, "snapshots/abc123/config.json", "{}");
        write(
            &repo,
            "snapshots/abc123/model.safetensors.index.json",
            r#"{"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}"#,
        );
        write(&repo, "snapshots/abc123/one.safetensors", "");
        assert_eq!(cache.find(&name("org/model")), None, "a shard is missing");
        write(&repo, "snapshots/abc123/two.safetensors", "");
        let found = Some(repo.join("snapshots/abc123"));
        assert_eq!((cache.find(&name("org/model")), cache.find(&name("org/model@abc123"))), (found.clone(), found));
        assert_eq!(cache.find(&name("org/model@other")), None);
        let file = cache.find(&name("org/model:one.safetensors"));
        assert_eq!(
            (file, cache.find(&name("org/model:none.gguf"))),
            (Some(repo.join("snapshots/abc123/one.safetensors")), None)
        );
    }

    #[test]
    fn a_damaged_reference_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("models--org--model");
        write(&repo, "refs/main", "../../../etc");
        write(folder.path(), "etc/config.json", "{}");
        write(folder.path(), "etc/model.safetensors", "");
        assert_eq!(Cache::new(folder.path()).find(&name("org/model")), None);
    }
}

//! Where profiles lie: in a folder by name, or anywhere by path.

use std::path::{Component, Path, PathBuf};

use redline_model::files::folder_of;

use super::{ProfileError, Result};

/// Folder of profiles, in the working folder, where [`FOLDER_VARIABLE`] names no other.
pub const DEFAULT_FOLDER: &str = "profiles";
/// Environment variable that names the folder of profiles.
pub const FOLDER_VARIABLE: &str = "REDLINE_PROFILES";
const EXTENSION: &str = "json";

/// The folder of profiles.
pub fn folder() -> PathBuf {
    std::env::var_os(FOLDER_VARIABLE).filter(|name| !name.is_empty()).map_or(DEFAULT_FOLDER.into(), PathBuf::from)
}

/// Where a profile of this name belongs: `NAME.json` in [`folder`]; a path that ends in `.json` stands for itself.
///
/// # Errors
/// [`ProfileError::BadName`] for a name that is no plain file name.
pub fn place(name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    if path.extension().is_some_and(|extension| extension == EXTENSION) {
        return Ok(path.into());
    }
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(is_plain) {
        return Err(ProfileError::BadName { name: name.into() });
    }
    Ok(folder().join(format!("{name}.{EXTENSION}")))
}

/// The file of a profile, by name or path.
///
/// # Errors
/// [`ProfileError::Unknown`] when there is none, with those that there are.
pub fn find(name: &str) -> Result<PathBuf> {
    if Path::new(name).is_file() {
        return Ok(name.into());
    }
    let place = place(name)?;
    if place.is_file() {
        return Ok(place);
    }
    let mut known: Vec<String> =
        std::fs::read_dir(folder()).map_or_else(|_| Vec::new(), |files| files.filter_map(named).collect());
    known.sort();
    Err(ProfileError::Unknown { name: name.into(), place, known })
}

fn named(entry: std::io::Result<std::fs::DirEntry>) -> Option<String> {
    let path = entry.ok()?.path();
    let is_profile = path.extension().is_some_and(|extension| extension == EXTENSION);
    is_profile.then(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned())).flatten()
}

/// The path from the folder of `profile` to `target`, with `/` between folders; both must be there, at least the profile's
/// folder. Absolute where they have no folder in common.
pub fn relative(profile: &Path, target: &Path) -> std::io::Result<String> {
    let folder = folder_of(profile);
    let (folder, target) = (folder.canonicalize()?, target.canonicalize()?);
    let (from, to): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (folder.components().collect(), target.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return Ok(target.to_string_lossy().into_owned());
    }
    let up = std::iter::repeat_n("..".into(), from.len() - shared);
    let down = to[shared..].iter().map(|part| part.as_os_str().to_string_lossy());
    Ok(up.chain(down).collect::<Vec<std::borrow::Cow<'_, str>>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(place("gentle").unwrap(), folder().join("gentle.json"));
        assert_eq!(place("a/b.json").unwrap(), Path::new("a/b.json"));
        for name in ["", "a/b", "..", ".hidden", "a b", "a\\b"] {
            assert!(matches!(place(name), Err(ProfileError::BadName { .. })), "{name}");
        }
    }

    #[test]
    fn relative_paths_go_up_and_down() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        std::fs::create_dir_all(at("profiles/deep")).unwrap();
        std::fs::create_dir_all(at("vectors")).unwrap();
        std::fs::write(at("vectors/v.gguf"), "").unwrap();
        std::fs::write(at("profiles/v.gguf"), "").unwrap();
        let from = |profile: &str, target: &str| relative(&at(profile), &at(target)).unwrap();
        assert_eq!(from("profiles/a.json", "profiles/v.gguf"), "v.gguf");
        assert_eq!(from("profiles/a.json", "vectors/v.gguf"), "../vectors/v.gguf");
        assert_eq!(from("profiles/deep/a.json", "vectors/v.gguf"), "../../vectors/v.gguf");
        assert!(relative(&at("missing/a.json"), &at("vectors/v.gguf")).is_err());
    }
}

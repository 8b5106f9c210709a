//! Reads tokenizer.json, and from the files beside it which tokens are special.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Specials, check, library};
use crate::config::keys::listed;
use crate::error::{Error, Result};
use crate::files::{MOST_SETTINGS, MOST_WRITTEN, as_text, read_if_there, refuse_lfs_pointer};
use crate::parse_settings;

/// Reads the tokenizer and the special tokens.
pub(super) fn read(path: &Path) -> Result<(tokenizers::Tokenizer, Specials)> {
    let bytes = crate::files::read(path, check::MOST_BYTES)?;
    refuse_lfs_pointer(path, &bytes)?;
    let tokenizer = parse(path, &bytes)?;
    let specials = read_specials(path, &tokenizer)?;
    Ok((tokenizer, specials))
}

/// Parses tokenizer.json; limits to length and padding that it may carry are left out, as they alter texts.
pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<tokenizers::Tokenizer> {
    check::check(path, bytes)?;
    // the parser trusts that joined merges fit in its buffer, among other things, and panics on files in which they do not
    let parsed = library(|| {
        let mut tokenizer = tokenizers::Tokenizer::from_bytes(bytes)?;
        tokenizer.with_truncation(None)?;
        tokenizer.with_padding(None);
        Ok(tokenizer)
    });
    parsed.map_err(|problem| Error::Tokenizer { path: path.to_path_buf(), problem })
}

fn read_specials(path: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Specials> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let settings = Settings::read(folder.join("tokenizer_config.json"))?;
    let [generation, config] = ["generation_config.json", "config.json"].map(|name| folder.join(name));
    let files = [(read_object(&generation)?, generation), (read_object(&config)?, config)];
    let numbered = |key: &str| -> Result<Vec<u32>> {
        let of_file = |(file, path): &(Value, PathBuf)| ids(path, key, file.get(key));
        Ok(files.iter().map(of_file).collect::<Result<Vec<_>>>()?.concat())
    };
    let mut warnings = settings.warnings(tokenizer);
    let prefix = post_processor_prefix(path, tokenizer)?;
    let (bos_ids, eos_ids) = (numbered("bos_token_id")?, numbered("eos_token_id")?);
    let bos = settings.token("bos_token", tokenizer).or_else(|| bos_ids.first().copied()).or(prefix);
    let eos = settings.token("eos_token", tokenizer).or_else(|| eos_ids.first().copied());
    let eot = settings.token("eot_token", tokenizer);
    let is_prefixed = prefix.is_some() && prefix == bos;
    let adds = settings.flag("add_bos_token")?.unwrap_or(is_prefixed);
    if adds != is_prefixed {
        let (file, done) = (settings.path.display(), if adds { "begin" } else { "do not begin" });
        let otherwise = if is_prefixed { "adds one" } else { "adds none" };
        warnings.push(format!(
            "{file}: `add_bos_token` is {adds}, so prompts {done} with the begin token; tokenizer.json by itself {otherwise}"
        ));
    }
    let (chat_template, left_out) = settings.chat_template(folder)?;
    warnings.extend(left_out);
    Ok(Specials {
        bos,
        eos,
        eot,
        add_bos: bos.is_some() && adds,
        stop: eos.into_iter().chain(eot).chain(eos_ids).collect(),
        chat_template,
        warnings,
    })
}

/// `tokenizer_config.json`.
struct Settings {
    path: PathBuf,
    map: Value,
}

impl Settings {
    fn read(path: PathBuf) -> Result<Self> {
        Ok(Self { map: read_object(&path)?, path })
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        wrong(&self.path, key, expected)
    }

    /// The value of a key that is not null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key).map(|value| value.as_bool().ok_or_else(|| self.wrong(key, "must be true or false"))).transpose()
    }

    /// The id of a token that stands under a name.
    fn token(&self, key: &str, tokenizer: &tokenizers::Tokenizer) -> Option<u32> {
        tokenizer.token_to_id(token_text(self.get(key)?)?)
    }

    /// What is asked for and not done, a sentence each.
    fn warnings(&self, tokenizer: &tokenizers::Tokenizer) -> Vec<String> {
        let mut warnings = Vec::new();
        let lacking = self.lacking(tokenizer);
        if !lacking.is_empty() {
            let names = listed(&lacking);
            warnings.push(format!(
                "{}: names tokens that tokenizer.json does not have, which are not made: {names}",
                self.path.display()
            ));
        }
        let ignored = [
            ("add_eos_token", super::NO_EOS),
            ("split_special_tokens", "special tokens of templates are one token each"),
            ("do_lower_case", "texts are cut into tokens as tokenizer.json says"),
        ];
        for (key, why) in ignored.into_iter().filter(|(key, _)| self.map.get(key) == Some(&Value::Bool(true))) {
            warnings.push(format!("{}: `{key}` is ignored: {why}", self.path.display()));
        }
        warnings
    }

    /// Tokens with a part to play, or that are to be added, without an id.
    fn lacking(&self, tokenizer: &tokenizers::Tokenizer) -> Vec<String> {
        let named = ["bos_token", "eos_token", "eot_token"].into_iter().filter_map(|key| self.get(key));
        let added = self.get("added_tokens_decoder").and_then(Value::as_object);
        let texts = named.chain(added.into_iter().flat_map(|map| map.values())).filter_map(token_text);
        let mut lacking: Vec<String> =
            texts.filter(|text| tokenizer.token_to_id(text).is_none()).map(str::to_owned).collect();
        lacking.sort_unstable();
        lacking.dedup();
        lacking
    }

    /// The chat template, from the file of its own where there is one, as transformers takes it; and what is left out of several.
    fn chat_template(&self, folder: &Path) -> Result<(Option<String>, Option<String>)> {
        let beside = folder.join("chat_template.jinja");
        if let Some(bytes) = read_if_there(&beside, MOST_WRITTEN)? {
            return Ok((Some(as_text(&beside, bytes)?), None));
        }
        let named = match self.get("chat_template") {
            None => return Ok((None, None)),
            Some(Value::String(template)) => return Ok((Some(template.clone()), None)),
            Some(Value::Array(list)) => list.iter().map(named_template).collect::<Option<Vec<_>>>(),
            Some(Value::Object(map)) => {
                map.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
            }
            Some(_) => None,
        };
        let named = named.ok_or_else(|| self.wrong("chat_template", "must be text, or templates with their names"))?;
        match named.iter().find(|(name, _)| *name == "default") {
            Some((_, template)) => Ok((Some((*template).to_owned()), None)),
            None => {
                let names: Vec<String> = named.iter().map(|(name, _)| (*name).to_owned()).collect();
                let (path, names) = (self.path.display(), listed(&names));
                Ok((None, Some(format!("{path}: holds chat templates, none of them `default`: {names}; none is used"))))
            }
        }
    }
}

/// One of several chat templates.
fn named_template(value: &Value) -> Option<(&str, &str)> {
    Some((value.get("name")?.as_str()?, value.get("template")?.as_str()?))
}

fn wrong(path: &Path, key: &str, expected: &str) -> Error {
    Error::Malformed { path: path.into(), format: "JSON", rule: format!("`{key}` {expected}") }
}

/// An object from a JSON file that may be absent.
fn read_object(path: &Path) -> Result<Value> {
    match read_if_there(path, MOST_SETTINGS)?.map(|bytes| parse_settings(path, &bytes)).transpose()? {
        None => Ok(Value::Null),
        Some(value @ Value::Object(_)) => Ok(value),
        Some(_) => Err(Error::Malformed { path: path.into(), format: "JSON", rule: "it holds no JSON object".into() }),
    }
}

/// The text of a token, which is given as text or as an object with `content`.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("content")?.as_str())
}

/// Token ids, which are given as a number or as a list. A negative one, or one that no token can have, stands for none.
fn ids(path: &Path, key: &str, value: Option<&Value>) -> Result<Vec<u32>> {
    let values = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    if values.iter().any(|value| !value.is_i64() && !value.is_u64()) {
        return Err(wrong(path, key, "must be a token id, or a list of them"));
    }
    Ok(values.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect())
}

/// The token that the file's own post-processor puts in front of a text.
fn post_processor_prefix(path: &Path, tokenizer: &tokenizers::Tokenizer) -> Result<Option<u32>> {
    let encode = |text, special| tokenizer.encode_fast(text, special);
    let prefix = library(|| {
        let (with, without) = (encode("a", true)?, encode("a", false)?);
        let first = with.get_ids().first().copied();
        Ok(first.filter(|_| with.len() > without.len() && with.get_ids().first() != without.get_ids().first()))
    });
    prefix.map_err(|problem| Error::Tokenizer { path: path.to_path_buf(), problem })
}

//! What a folder asks of those who write with its model: transformers follows it, the verbs here follow their own options.

use std::path::Path;

use serde_json::Value;

use super::keys::Neutral::{Flag, Number};
use super::keys::{KeyList, listed_with_values, only};
use crate::files::{MOST_SETTINGS, read_if_there};
use crate::{Result, parse_settings};

const WRITING: &str = "other tokens to be written";

/// Settings that change what is written even where the most likely token is always taken, with the values that change nothing.
const GENERATION_KEYS: KeyList = KeyList {
    keys: &[
        only("repetition_penalty", WRITING, &[Number(1.0)]),
        only("no_repeat_ngram_size", WRITING, &[Number(0.0)]),
        only("min_length", WRITING, &[Number(0.0)]),
        only("min_new_tokens", WRITING, &[Number(0.0)]),
        only("num_beams", WRITING, &[Number(1.0)]),
        only("guidance_scale", WRITING, &[Number(1.0)]),
        only("penalty_alpha", WRITING, &[Number(0.0)]),
        only("token_healing", WRITING, &[Flag(false)]),
        only("suppress_tokens", WRITING, &[]),
        only("begin_suppress_tokens", WRITING, &[]),
        only("bad_words_ids", WRITING, &[]),
        only("force_words_ids", WRITING, &[]),
        only("forced_bos_token_id", WRITING, &[]),
        only("forced_eos_token_id", WRITING, &[]),
        only("sequence_bias", WRITING, &[]),
        only("exponential_decay_length_penalty", WRITING, &[]),
        only("stop_strings", WRITING, &[]),
        only("watermarking_config", WRITING, &[]),
        only("dola_layers", WRITING, &[]),
    ],
    harmless: &[],
};

/// A sentence about settings that are not followed, where a folder has some. transformers looks for them in generation_config.json,
/// and where there is none in config.json.
pub(crate) fn warning(folder: &Path) -> Result<Option<String>> {
    for name in ["generation_config.json", "config.json"] {
        let path = folder.join(name);
        let Some(bytes) = read_if_there(&path, MOST_SETTINGS)? else { continue };
        let Value::Object(map) = parse_settings(&path, &bytes)? else { return Ok(None) };
        let entries = map.iter().map(|(name, value)| (name.as_str(), value));
        let others = GENERATION_KEYS.others(entries);
        return Ok((!others.is_empty()).then(|| {
            let (path, settings) = (path.display(), listed_with_values(&others));
            format!("{path}: settings of writing are not followed, but the options of each command: {settings}")
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_change_what_is_written_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let said = |name: &str, value: Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
            warning(folder.path()).unwrap()
        };
        assert_eq!(warning(folder.path()).unwrap(), None);
        let old = said("config.json", json!({ "repetition_penalty": 1.2, "hidden_size": 3 })).unwrap();
        assert!(old.contains("config.json") && old.contains("`repetition_penalty` (1.2)"), "{old}");
        let plain = json!({ "do_sample": true, "temperature": 0.6, "repetition_penalty": 1, "suppress_tokens": null, "bad_words_ids": [] });
        assert_eq!(said("generation_config.json", plain), None);
        for key in GENERATION_KEYS.keys {
            let text = said("generation_config.json", json!({ key.name: [[7]] })).unwrap();
            assert!(text.contains("generation_config.json: settings of writing are not followed"), "{text}");
            assert!(text.contains(&format!("`{}` ([[7]])", key.name)), "{text}");
        }
    }
}

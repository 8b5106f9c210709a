//! Patterns of layers' names in `adapter_config.json`, as PEFT matches them: regular expressions in Python's syntax.

use fancy_regex::{Regex, RegexBuilder};

/// Longest pattern.
const MOST_BYTES: usize = 16 << 10;
/// Most patterns of one setting; the largest models have a few thousand linear layers.
const MOST_PATTERNS: usize = 1 << 16;
/// Most steps back in a match.
const MOST_STEPS_BACK: usize = 100_000;

/// One pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    /// Built where a pattern is more than a name.
    regex: Option<Regex>,
}

/// Why a pattern cannot be used.
type Fault = String;

impl Pattern {
    /// A pattern of whole names.
    pub(super) fn whole(text: &str) -> Result<Self, Fault> {
        Ok(Self { text: text.into(), regex: Some(regex(&format!(r"\A(?:{text})\z"), text)?) })
    }

    /// A pattern of whole names, or of what follows a dot in them.
    pub(super) fn end(text: &str) -> Result<Self, Fault> {
        let regex = match is_name(text) {
            true => None,
            false => Some(regex(&format!(r"\A(?:(.*\.)?({text})\z)"), text)?),
        };
        Ok(Self { text: text.into(), regex })
    }

    /// A pattern of what stands before the number of a layer.
    pub(super) fn before_number(text: &str) -> Result<Self, Fault> {
        Ok(Self { text: text.into(), regex: Some(regex(&format!(r"\A(?:^|.*?\.)(?:{text})\.\d+\."), text)?) })
    }

    /// Whether it matches the name of a layer.
    pub(super) fn is(&self, layer: &str) -> Result<bool, Fault> {
        match &self.regex {
            Some(regex) => regex.is_match(layer).map_err(|error| unusable(&self.text, &error.to_string())),
            None => Ok(layer.strip_suffix(&self.text).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))),
        }
    }
}

/// Whether a pattern matches nothing but itself.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn regex(whole: &str, text: &str) -> Result<Regex, Fault> {
    if text.len() > MOST_BYTES {
        return Err(format!("holds a pattern of {} bytes, at most {MOST_BYTES} are read", text.len()));
    }
    let built = RegexBuilder::new(whole).backtrack_limit(MOST_STEPS_BACK).build();
    built.map_err(|error| unusable(text, &error.to_string()))
}

fn unusable(text: &str, error: &str) -> Fault {
    let shown: String = text.chars().take(80).collect();
    format!("holds the pattern `{}`, which cannot be used: {error}", shown.escape_debug())
}

/// Patterns of names with a number each; the number of a layer is that of the pattern that matches it.
#[derive(Debug, Default)]
pub(super) struct Numbers(Vec<(Pattern, f64)>);

impl Numbers {
    /// From patterns and their numbers.
    pub(super) fn new<'a>(entries: impl ExactSizeIterator<Item = (&'a str, f64)>) -> Result<Self, Fault> {
        if entries.len() > MOST_PATTERNS {
            return Err(format!("holds {} patterns, at most {MOST_PATTERNS} are read", entries.len()));
        }
        entries.map(|(text, number)| Ok((Pattern::end(text)?, number))).collect::<Result<_, _>>().map(Self)
    }

    /// The number of a layer, where it has one of its own. Where several patterns match, PEFT takes the first of the file, whose order is
    /// not kept here: they must agree.
    pub(super) fn of(&self, layer: &str) -> Result<Option<f64>, Fault> {
        let mut found: Option<(&Pattern, f64)> = None;
        for (pattern, number) in &self.0 {
            if !pattern.is(layer)? {
                continue;
            }
            match found {
                Some((first, other)) if other != *number => {
                    let (a, b) = (first.text.escape_debug(), pattern.text.escape_debug());
                    return Err(format!("gives `{layer}` {other} by `{a}` and {number} by `{b}`"));
                }
                _ => found = Some((pattern, *number)),
            }
        }
        Ok(found.map(|(_, number)| number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYER: &str = "model.layers.12.self_attn.q_proj";

    #[test]
    fn names_are_matched_as_peft_does() {
        let end = |text: &str| Pattern::end(text).unwrap().is(LAYER).unwrap();
        let matching = [
            "q_proj",
            "self_attn.q_proj",
            LAYER,
            "layers.1[0-9].*",
            r"^model\.layers\.12\..*q_proj",
            "(q|k)_proj",
            r".*\.q_proj",
        ];
        for text in matching {
            assert!(end(text), "{text}");
        }
        for text in ["proj", "attn.q_proj", "k_proj", "model.layers.12", "layers.1.self_attn.q_proj", "Q_PROJ"] {
            assert!(!end(text), "{text}");
        }
        let whole = |text: &str| Pattern::whole(text).unwrap().is(LAYER).unwrap();
        assert!(whole(r".*\.(q|v)_proj") && whole(r"model\.layers\.\d+\.self_attn\.q_proj") && !whole("q_proj"));
        let before = |text: &str| Pattern::before_number(text).unwrap().is(LAYER).unwrap();
        assert!(before("layers") && before("layer.") && !before("h") && !before("ayers"));
    }

    #[test]
    fn numbers_of_several_patterns_must_agree() {
        let of = |entries: &[(&str, f64)]| Numbers::new(entries.iter().copied()).unwrap().of(LAYER);
        assert_eq!(of(&[("q_proj", 4.0), ("k_proj", 8.0)]), Ok(Some(4.0)));
        assert_eq!(of(&[("q_proj", 4.0), (r".*q_proj", 4.0)]), Ok(Some(4.0)));
        assert_eq!(of(&[("v_proj", 4.0)]), Ok(None));
        let error = of(&[("q_proj", 4.0), (".*_proj", 8.0)]).unwrap_err();
        assert!(error.contains("`q_proj`") && error.contains("`.*_proj`"), "{error}");
    }

    #[test]
    fn patterns_that_cannot_be_used_are_faults() {
        assert!(Pattern::end("(").unwrap_err().contains("`(`"));
        assert!(Pattern::whole(&"a".repeat(MOST_BYTES + 1)).unwrap_err().contains("bytes"));
        let slow = Pattern::whole(r"(.+)+(?!x)\1!").unwrap();
        assert!(slow.is(&"a".repeat(64)).is_err());
    }
}

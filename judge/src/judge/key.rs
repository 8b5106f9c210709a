//! The key of a judgement: who was asked what, in 64 hexadecimal digits.
//!
//! SHA-256 over the parts *judge, template, question, first text, second text, dimension* and, where the judge was shown one,
//! *reference*. Each part is preceded by its length in bytes, as 8 bytes with the lowest first, so that no two lists of parts give the
//! same bytes: `ab` and `c` are not `a` and `bc`, and an empty reference is not none.
//!
//! The names of the systems, the row and the order are no parts: the same two texts in the same places are the same judgement, whoever wrote
//! them. The texts in the other places are another one.

use redline_model::files::hash_of;

use super::judge::Comparison;

/// Digits of a key.
pub const N_DIGITS: usize = 64;

/// The key under which a judge with a template answers a comparison.
pub fn key(judge: &str, template: &str, comparison: &Comparison<'_>) -> String {
    let Comparison { question, first, second, dimension, reference, .. } = comparison;
    let parts = [judge, template, question, first.output, second.output, dimension.name()];
    hash_of_parts(parts.into_iter().chain(*reference))
}

/// The hash of a list of texts, each preceded by its length.
pub fn hash_of_parts<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_le_bytes());
        bytes.extend(part.as_bytes());
    }
    hash_of(&bytes)
}

/// Whether a text has the form of a key.
pub fn is_key(text: &str) -> bool {
    text.len() == N_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::super::dimension::Dimension;
    use super::super::scripted::comparison;
    use super::*;

    #[test]
    fn the_key_is_the_documented_hash() {
        // computed with hashlib and struct.pack("<Q", len(part))
        let asked = comparison(0, "Wie spät?", "one", "two");
        assert_eq!(key("j", "t", &asked), "adcbbf5abdc330610d14ff9379522d8f38b491714bd0f35dec5cb72342185aad");
        let with_reference = Comparison { reference: Some("ref"), ..asked };
        assert_eq!(key("j", "t", &with_reference), "f860643359ffb5ad185e4cfa6a726c7ee9440b8b6e57d7cc896cef2023701c76");
        assert!(is_key(&key("j", "t", &asked)) && !is_key("abc") && !is_key(&"G".repeat(64)));
    }

    #[test]
    fn moving_text_between_parts_gives_another_key() {
        let keys = [
            key("j", "t", &comparison(0, "q", "ab", "c")),
            key("j", "t", &comparison(0, "q", "a", "bc")),
            key("j", "t", &comparison(0, "qa", "b", "c")),
            key("j", "tq", &comparison(0, "", "ab", "c")),
            key("jt", "", &comparison(0, "q", "ab", "c")),
            key("j", "t", &comparison(0, "q", "c", "ab")),
            key("j", "t", &Comparison { dimension: Dimension::Honest, ..comparison(0, "q", "ab", "c") }),
            key("j", "t", &Comparison { reference: Some(""), ..comparison(0, "q", "ab", "c") }),
            // a text that looks like the next part with its length
            key("j", "t", &comparison(0, "q", "ab\u{1}\0\0\0\0\0\0\0c", "")),
        ];
        let distinct: std::collections::HashSet<&String> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn rows_and_names_are_no_part_of_it() {
        let asked = comparison(0, "q", "a", "b");
        let mut renamed = comparison(7, "q", "a", "b");
        renamed.first.system = "another";
        assert_eq!(key("j", "t", &asked), key("j", "t", &renamed));
    }
}

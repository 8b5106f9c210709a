//! The texts in a JSON document, which are corrected one by one, so that the document keeps its form byte for byte.

use std::ops::{ControlFlow, Range};

use serde::de::IgnoredAny;

use super::blocks::Kept;
use crate::raw::decoded;

/// How often a text may be read, in all, in the search for documents in it.
const MOST_READINGS: usize = 8;

/// Bytes that a byte of a text has at most in its source.
const LONGEST_UNIT: usize = 6;

/// Whether a text is a JSON document; objects and lists only, unless `any` value will do.
pub(super) fn is_document(text: &str, any: bool) -> bool {
    let is_long = text.trim_start().starts_with(['{', '[']);
    (any || is_long) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Objects and lists that have their lines for themselves, outside of what is `kept`.
pub(super) fn documents(text: &str, kept: &[Kept]) -> Vec<Range<usize>> {
    let starts: Vec<usize> =
        text.split_inclusive('\n').scan(0, |at, line| Some(std::mem::replace(at, *at + line.len()))).collect();
    let (mut found, mut end) = (Vec::new(), 0);
    let mut left = MOST_READINGS * text.len();
    for (line, &start) in starts.iter().enumerate() {
        let inside = kept.get(kept.partition_point(|(range, _)| range.end <= start));
        if start < end || inside.is_some_and(|(range, _)| range.start <= start) {
            continue;
        }
        match first_value(&text[start..]) {
            Ok(Some(length)) => {
                end = start + length;
                found.push(start..end);
            }
            Ok(None) => {}
            Err(n_lines) => {
                let reached = starts.get(line + n_lines).copied().unwrap_or(text.len());
                left = left.saturating_sub(reached - start);
                if left == 0 {
                    break;
                }
            }
        }
    }
    found
}

/// Bytes of the lines of the value that a text begins with, if nothing else stands on them; behind an object other text may
/// follow on its line. `Err` with the lines that were read in vain.
fn first_value(text: &str) -> Result<Option<usize>, usize> {
    if !text.trim_start_matches([' ', '\t']).starts_with(['{', '[']) {
        return Ok(None);
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {}
        Some(Err(error)) => return Err(error.line()),
        None => return Ok(None),
    }
    let end = values.byte_offset();
    let line = text[end..].find('\n').map_or(text.len(), |inner| end + inner + 1);
    let is_object = text[..end].ends_with('}');
    match text[end..line].trim().is_empty() {
        true => Ok(Some(line)),
        false if is_object => Ok(Some(end)),
        false => Err(text[..end].lines().count()),
    }
}

/// A text in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonText {
    /// Where it stands, its quotation marks included.
    pub(super) place: Range<usize>,
    /// Where the name of the field stands that it belongs to.
    field: Option<Range<usize>>,
}

impl JsonText {
    /// The name of the field that it belongs to, where it can have at most `most` bytes.
    pub(super) fn field(&self, document: &str, most: usize) -> Option<String> {
        let source = &document[self.field.clone()?];
        // long names would be read again for each text that belongs to them
        (source.len() <= LONGEST_UNIT * most + 2).then(|| decoded(source))?
    }
}

/// Goes through the texts of a document, which must be one, until `each` breaks off.
pub(super) fn each_text<B>(document: &str, mut each: impl FnMut(JsonText) -> ControlFlow<B>) -> ControlFlow<B> {
    let bytes = document.as_bytes();
    // what is open: whether it is an object, and the name of its field, or of the field that a list stands in
    let mut open: Vec<(bool, Option<Range<usize>>)> = Vec::new();
    let (mut is_name, mut at) = (false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                open.push((true, None));
                is_name = true;
            }
            b'[' => {
                let field = open.last().and_then(|(_, field)| field.clone());
                open.push((false, field));
                is_name = false;
            }
            b'}' | b']' => drop(open.pop()),
            b':' => is_name = false,
            b',' => is_name = open.last().is_some_and(|(is_object, _)| *is_object),
            b'"' => {
                let end = string_end(bytes, at);
                match open.last_mut() {
                    Some((true, field)) if is_name => *field = Some(at..end),
                    last => each(JsonText { place: at..end, field: last.and_then(|(_, field)| field.clone()) })?,
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    ControlFlow::Continue(())
}

/// Where the string that begins at `start` ends, its last quotation mark included.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(document: &str) -> Vec<(&str, Option<String>)> {
        let mut found = Vec::new();
        let _ = each_text::<()>(document, |text| {
            found.push((&document[text.place.clone()], text.field(document, 9)));
            ControlFlow::Continue(())
        });
        found
    }

    #[test]
    fn texts_are_found_and_names_are_not() {
        let document = r#"{"a": "one", "b": ["two", {"c": "th\"ree\\"}, 4], "d\u0065": {"e": null}, "f": ""}"#;
        let shown = texts(document);
        let shown: Vec<(&str, Option<&str>)> = shown.iter().map(|(text, field)| (*text, field.as_deref())).collect();
        let expected =
            [("\"one\"", Some("a")), ("\"two\"", Some("b")), (r#""th\"ree\\""#, Some("c")), ("\"\"", Some("f"))];
        assert_eq!(shown, expected);
        assert_eq!(texts(" [\"x\"]\n"), [("\"x\"", None)]);
        assert_eq!(texts("\"one\""), [("\"one\"", None)]);
        let mut n = 0;
        let broken = each_text(r#"["a","b","c"]"#, |_| {
            n += 1;
            if n == 2 { ControlFlow::Break("enough") } else { ControlFlow::Continue(()) }
        });
        assert_eq!((broken, n), (ControlFlow::Break("enough"), 2));
    }

    #[test]
    fn documents_are_told_from_other_texts() {
        assert!(is_document(" {\"a\": 1}\n", false) && is_document("[]", false) && is_document("\"a\"", true));
        for text in ["\"a\"", "42", "{\"a\": ", "Plain.", ""] {
            assert!(!is_document(text, false), "{text}");
        }
        assert_eq!(documents("{}\n[1]\nx\n  {\"a\":\n2}  \n{} x\n[1] x\n", &[]), [0..3, 3..7, 9..22, 22..24]);
    }
}

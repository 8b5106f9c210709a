//! The elements of a JSON array with the lines they begin on, so that a message can name the place: read one by one, so that the
//! whole array is never in memory.

use std::io::BufRead;

use serde_json::Deserializer;
use serde_json::value::RawValue;

/// A value's text and the line it begins on, counted from 1.
pub(crate) type Found = (usize, String);

/// Why a text is not an array, and where.
#[derive(Debug)]
pub(crate) enum ArrayError {
    /// Brackets or commas are not where they should be.
    Syntax { line: usize, rule: &'static str },
    /// An element is longer than any row.
    TooLong { line: usize },
    /// The stream cannot be read.
    Io(std::io::Error),
}

/// An element's text.
#[derive(Debug, PartialEq)]
pub(crate) struct Element {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// Its first byte in the stream, from 0.
    pub(crate) at: usize,
    /// What stands up to the next comma or bracket.
    pub(crate) bytes: Vec<u8>,
    /// Whether the stream ended with it.
    pub(crate) is_cut: bool,
}

/// An array that is read element by element.
pub(crate) struct Elements<R> {
    input: R,
    at: usize,
    line: usize,
    most_bytes: usize,
    state: State,
}

#[derive(PartialEq, Clone, Copy)]
enum State {
    /// Before the bracket that begins the array.
    Start,
    /// An element must come.
    Element,
    /// The array is over.
    End,
}

impl<R: BufRead> Elements<R> {
    /// `most_bytes`: the longest element.
    pub(crate) fn new(input: R, most_bytes: usize) -> Self {
        Self { input, at: 0, line: 1, most_bytes, state: State::Start }
    }

    /// The next element, or `None` after the last, when nothing follows the array.
    pub(crate) fn next_element(&mut self) -> Result<Option<Element>, ArrayError> {
        if self.state == State::Start {
            if self.next_symbol()? != Some(b'[') {
                return Err(self.syntax("a JSON array begins with `[`"));
            }
            self.state = State::Element;
            if self.peek()? == Some(b']') {
                self.next_symbol()?;
                self.state = State::End;
            }
        }
        if self.state == State::End {
            return match self.peek()? {
                None => Ok(None),
                Some(_) => Err(self.syntax("nothing may follow the array")),
            };
        }
        if self.peek()?.is_none() {
            return Err(self.syntax("the array is cut short"));
        }
        let (line, at) = (self.line, self.at);
        let bytes = self.element(line)?;
        let end = self.next_symbol()?;
        if end == Some(b']') {
            self.state = State::End;
        }
        Ok(Some(Element { line, at, bytes, is_cut: end.is_none() }))
    }

    /// Everything up to the comma or bracket that ends the element, which stays.
    fn element(&mut self, line: usize) -> Result<Vec<u8>, ArrayError> {
        let mut bytes = Vec::new();
        let mut place = Place::default();
        loop {
            let buffer = self.input.fill_buf().map_err(ArrayError::Io)?;
            let n_bytes = buffer.iter().position(|&byte| place.ends_at(byte));
            let taken = &buffer[..n_bytes.unwrap_or(buffer.len())];
            let (n_taken, n_lines) = (taken.len(), taken.iter().filter(|byte| **byte == b'\n').count());
            if bytes.len() + n_taken > self.most_bytes {
                return Err(ArrayError::TooLong { line });
            }
            bytes.extend_from_slice(taken);
            self.input.consume(n_taken);
            self.at += n_taken;
            self.line += n_lines;
            if n_bytes.is_some() || n_taken == 0 {
                return Ok(bytes);
            }
        }
    }

    /// Skips white space and looks at the next byte.
    fn peek(&mut self) -> Result<Option<u8>, ArrayError> {
        loop {
            let buffer = self.input.fill_buf().map_err(ArrayError::Io)?;
            let Some(&byte) = buffer.first() else { return Ok(None) };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.input.consume(1);
            self.at += 1;
            self.line += usize::from(byte == b'\n');
        }
    }

    fn next_symbol(&mut self) -> Result<Option<u8>, ArrayError> {
        let symbol = self.peek()?;
        if symbol.is_some() {
            self.input.consume(1);
            self.at += 1;
        }
        Ok(symbol)
    }

    fn syntax(&self, rule: &'static str) -> ArrayError {
        ArrayError::Syntax { line: self.line, rule }
    }
}

/// The elements of the array that is the whole text; `None` where it is none.
pub(crate) fn elements(text: &str) -> Option<Vec<Found>> {
    let mut elements = Elements::new(text.as_bytes(), text.len());
    let mut found = Vec::new();
    while let Some(element) = elements.next_element().ok()? {
        found.push((element.line, String::from_utf8(element.bytes).ok().filter(|_| !element.is_cut)?));
    }
    Some(found)
}

/// The values that the whole text holds one after the other; `None` where something else stands between them.
pub(crate) fn documents(text: &str) -> Option<Vec<Found>> {
    let values = Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    for value in values {
        let value = value.ok()?.get();
        let start = value.as_ptr() as usize - text.as_ptr() as usize; // the value is a part of the text
        line += text[at..start].matches('\n').count();
        at = start;
        found.push((line, value.to_owned()));
    }
    Some(found)
}

/// Where in an element a byte stands.
#[derive(Default)]
struct Place {
    depth: usize,
    in_text: bool,
    is_escaped: bool,
}

impl Place {
    /// Whether this byte ends the element; takes note of it otherwise.
    fn ends_at(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'[' | b'{' => self.depth += 1,
            b',' | b']' if self.depth == 0 => return true,
            b']' | b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(text: &str) -> Result<Vec<(usize, String)>, ArrayError> {
        // buffers of all sizes, so that elements are cut anywhere
        let read = |size| {
            let mut elements = Elements::new(std::io::BufReader::with_capacity(size, text.as_bytes()), 64);
            let mut found = Vec::new();
            while let Some(element) = elements.next_element()? {
                let bytes = element.bytes.trim_ascii();
                assert!(text.as_bytes()[element.at..].starts_with(bytes));
                found.push((element.line, String::from_utf8(bytes.to_vec()).unwrap()));
                if element.is_cut {
                    break;
                }
            }
            Ok(found)
        };
        let whole = read(4096);
        for size in [1, 2, 7] {
            assert_eq!(format!("{:?}", read(size)), format!("{whole:?}"));
        }
        whole
    }

    fn message(text: &str) -> String {
        match streamed(text).unwrap_err() {
            ArrayError::Syntax { line, rule } => format!("{line}: {rule}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn elements_carry_the_line_they_begin_on() {
        assert_eq!(streamed(" [ ]\n").unwrap(), []);
        let found = streamed("[{\"a\":\n1},\n\n {\"b\": \"],\\\"}\"}, 3 ]\n").unwrap();
        let expected = [(1, "{\"a\":\n1}"), (4, "{\"b\": \"],\\\"}\"}"), (4, "3")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
        assert_eq!(streamed("[\n{} {}, [1, 2]").unwrap(), [(2, "{} {}".into()), (2, "[1, 2]".into())]);
    }

    #[test]
    fn a_broken_array_names_its_line() {
        assert_eq!(message("{}"), "1: a JSON array begins with `[`");
        assert_eq!(message("[{},\n"), "2: the array is cut short");
        assert_eq!(message("[1]\n["), "2: nothing may follow the array");
        assert_eq!(message(&format!("[1,\n\"{}\"]", "x".repeat(64))), "TooLong { line: 2 }");
    }

    #[test]
    fn a_text_is_taken_apart_with_its_lines() {
        let found = |found: Option<Vec<Found>>| {
            found.map(|found| found.into_iter().map(|(line, text)| (line, text.trim().to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(found(elements("[1,\n{\"a\": [2]}]")), Some(vec![(1, "1".into()), (2, "{\"a\": [2]}".into())]));
        assert_eq!(found(elements("[1,\n{\"a\": [2]}")), None);
        assert_eq!(
            found(documents("{\n}\n\n {} 3")),
            Some(vec![(1, "{\n}".into()), (4, "{}".into()), (4, "3".into())])
        );
        assert_eq!(found(documents("{} x")), None);
    }
}

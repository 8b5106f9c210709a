//! The elements of a JSON array with the lines they begin on, so that a message can name the place.

use serde_json::Deserializer;
use serde_json::value::RawValue;

/// An element and the line it begins on, counted from 1.
pub(crate) type Found = (usize, Box<RawValue>);

/// Why a text is not an array, and where.
#[derive(Debug)]
pub(crate) enum ArrayError {
    /// An element is not JSON.
    Json { line: usize, source: serde_json::Error },
    /// Brackets or commas are not where they should be.
    Syntax { line: usize, rule: &'static str },
}

/// The elements of the array that is the whole text, each with its line, counted from 1.
pub(crate) fn elements(text: &str) -> Result<Vec<Found>, ArrayError> {
    let mut cursor = Cursor { text, at: 0, line: 1 };
    let mut found = Vec::new();
    if cursor.next_symbol() != Some('[') {
        return Err(cursor.syntax("a JSON array begins with `[`"));
    }
    if cursor.peek() == Some(']') {
        cursor.next_symbol();
        return cursor.finish(found);
    }
    loop {
        found.push(cursor.element()?);
        match cursor.next_symbol() {
            Some(',') => {}
            Some(']') => return cursor.finish(found),
            _ => return Err(cursor.syntax("an element must be followed by `,` or `]`")),
        }
    }
}

/// The values that the whole text holds one after the other, each with its line.
pub(crate) fn documents(text: &str) -> Result<Vec<Found>, ArrayError> {
    let mut cursor = Cursor { text, at: 0, line: 1 };
    let mut found = Vec::new();
    while cursor.peek().is_some() {
        found.push(cursor.element()?);
    }
    Ok(found)
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Cursor<'_> {
    /// Skips white space and looks at the next character.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        let skipped = rest.len() - rest.trim_start().len();
        self.advance(skipped);
        self.text[self.at..].chars().next()
    }

    fn next_symbol(&mut self) -> Option<char> {
        let symbol = self.peek()?;
        self.advance(symbol.len_utf8());
        Some(symbol)
    }

    fn advance(&mut self, n_bytes: usize) {
        self.line += self.text[self.at..self.at + n_bytes].matches('\n').count();
        self.at += n_bytes;
    }

    fn element(&mut self) -> Result<Found, ArrayError> {
        if self.peek().is_none() {
            return Err(self.syntax("the array is cut short"));
        }
        let line = self.line;
        let mut stream = Deserializer::from_str(&self.text[self.at..]).into_iter::<Box<RawValue>>();
        match stream.next() {
            Some(Ok(value)) => {
                let n_bytes = stream.byte_offset();
                self.advance(n_bytes);
                Ok((line, value))
            }
            Some(Err(source)) => Err(ArrayError::Json { line, source }),
            None => Err(self.syntax("the array is cut short")),
        }
    }

    fn finish(mut self, found: Vec<Found>) -> Result<Vec<Found>, ArrayError> {
        match self.peek() {
            None => Ok(found),
            Some(_) => Err(self.syntax("nothing may follow the array")),
        }
    }

    fn syntax(&self, rule: &'static str) -> ArrayError {
        ArrayError::Syntax { line: self.line, rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        elements(text).unwrap().into_iter().map(|(line, _)| line).collect()
    }

    fn message(text: &str) -> String {
        match elements(text).unwrap_err() {
            ArrayError::Json { line, source } => format!("{line}: {source}"),
            ArrayError::Syntax { line, rule } => format!("{line}: {rule}"),
        }
    }

    #[test]
    fn elements_carry_the_line_they_begin_on() {
        assert_eq!(lines(" [ ]\n"), [0; 0]);
        assert_eq!(lines("[{\"a\":\n1},\n\n {\"b\": 2}, 3]"), [1, 4, 4]);
    }

    #[test]
    fn a_broken_array_names_its_line() {
        assert_eq!(message("{}"), "1: a JSON array begins with `[`");
        assert_eq!(message("[\n{} {}]"), "2: an element must be followed by `,` or `]`");
        assert_eq!(message("[{},\n"), "2: the array is cut short");
        assert_eq!(message("[1]\n["), "2: nothing may follow the array");
        assert!(message("[\n{\"a\" 1}]").starts_with("2: expected `:`"));
    }
}

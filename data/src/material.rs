//! The text format of facts and phrases: blocks of lines, each line a key and a text.
//!
//! A block begins with a line whose key is `list`, `fact`, `table` or `situation` and runs to the next such line. Blank lines and lines that
//! begin with `#` are skipped. In a `list NAME`, each line `- a | b` holds one or more items, which are phrases.

use std::collections::BTreeMap;

use super::error::DataError;
use super::phrase::{Phrase, alternatives};

/// A line of a file of facts or phrases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub file: &'a str,
    pub number: usize,
    pub key: &'a str,
    pub text: &'a str,
}

impl Line<'_> {
    pub fn error(&self, rule: impl Into<String>) -> DataError {
        DataError::Material { file: self.file.to_owned(), line: self.number, rule: rule.into() }
    }

    pub fn phrase(&self) -> Result<Phrase, DataError> {
        Phrase::parse(self.text).map_err(|rule| self.error(rule))
    }
}

/// A head line and the lines that belong to it.
#[derive(Debug)]
pub(super) struct Block<'a> {
    pub head: Line<'a>,
    pub lines: Vec<Line<'a>>,
}

const HEADS: [&str; 4] = ["list", "fact", "table", "situation"];

/// The blocks of a file.
pub(super) fn blocks<'a>(file: &'a str, text: &'a str) -> Result<Vec<Block<'a>>, DataError> {
    let mut found: Vec<Block<'a>> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, text) = line.split_once(' ').unwrap_or((line, ""));
        let line = Line { file, number: index + 1, key, text: text.trim() };
        match found.last_mut() {
            _ if HEADS.contains(&key) => found.push(Block { head: line, lines: Vec::new() }),
            Some(block) => block.lines.push(line),
            None => return Err(line.error("a file begins with `list`, `fact`, `table` or `situation`")),
        }
    }
    Ok(found)
}

/// Named lists of phrases.
pub(super) type Lists = BTreeMap<String, Vec<Phrase>>;

/// Reads a `list` block.
pub(super) fn read_list(block: &Block<'_>, lists: &mut Lists) -> Result<(), DataError> {
    let mut items = Vec::new();
    for line in &block.lines {
        if line.key != "-" {
            return Err(line.error(format!("a line of a list begins with `-`, not `{}`", line.key)));
        }
        for item in alternatives(line.text) {
            items.push(Phrase::parse(item.trim()).map_err(|rule| line.error(rule))?);
        }
    }
    if items.is_empty() {
        return Err(block.head.error("the list is empty"));
    }
    match lists.insert(block.head.text.to_owned(), items) {
        None => Ok(()),
        Some(_) => Err(block.head.error(format!("the list `{}` is there twice", block.head.text))),
    }
}

/// Reads a file that holds lists only.
pub(super) fn read_lists(file: &str, text: &str) -> Result<Lists, DataError> {
    let mut lists = Lists::new();
    for block in blocks(file, text)? {
        if block.head.key != "list" {
            return Err(block.head.error("only lists are expected here"));
        }
        read_list(&block, &mut lists)?;
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_item_by_item() {
        let lists = read_lists("f", "# note\nlist a\n- x | {y|z}\n\n- w\nlist b\n- v\n").unwrap();
        assert_eq!((lists["a"].len(), lists["b"].len()), (3, 1));
    }

    #[test]
    fn broken_files_name_the_line() {
        let message = |text: &str| read_lists("f", text).unwrap_err().to_string();
        assert_eq!(message("\n- a"), "f:2: a file begins with `list`, `fact`, `table` or `situation`");
        assert_eq!(message("list a\n"), "f:1: the list is empty");
        assert_eq!(message("list a\n- b\nlist a\n- c"), "f:3: the list `a` is there twice");
        assert_eq!(message("list a\n- b\n* c"), "f:3: a line of a list begins with `-`, not `*`");
        assert_eq!(message("list a\n- {b"), "f:2: a `{` is not closed");
        assert_eq!(message("fact a"), "f:1: only lists are expected here");
    }
}

//! Kinds of files that Redline writes, told by what they hold: only a file of the same kind is replaced without being asked.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use redline::experiment::TrainingRecord;
use redline::model::files::open;
use redline::model::qac::Fields;
use redline::plot;

/// Bytes at the beginning of a file that marks are looked for in.
const HEAD: u64 = 4096;
/// Longest first line of a file of lines, and longest document, that is looked into.
const MOST_BYTES: u64 = 64 << 20;

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Bytes without a mark of ours: whatever is there stays.
    Unmarked,
    /// A JSON document of this schema.
    Json(&'static str),
    /// JSON Lines, the first of this schema.
    Lines(&'static str),
    /// JSON Lines whose first has all of these keys.
    LinesWith(&'static [&'static str]),
    /// The log of `redline train`.
    TrainLog,
    /// A reading vector.
    Reading,
    /// An Aligner inside a model.
    Inside,
    /// Activations of pairs.
    Activations,
    /// A training that has not ended.
    Checkpoint,
    /// A control vector.
    ControlVector,
    /// A model as GGUF.
    Gguf,
    /// A report.
    Page,
    /// A picture.
    Picture,
    /// A page for `man`.
    ManPage,
}

impl Kind {
    /// What messages call it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Unmarked => "file that may be replaced",
            Self::Json(_) | Self::Lines(_) | Self::LinesWith(_) => "result of this verb",
            Self::TrainLog => "log of a training run",
            Self::Reading => "reading vector",
            Self::Inside => "Aligner inside a model",
            Self::Activations => "file of activations",
            Self::Checkpoint => "training that was stopped",
            Self::ControlVector => "control vector of Redline",
            Self::Gguf => "model that Redline wrote",
            Self::Page => "report",
            Self::Picture => "picture that Redline drew",
            Self::ManPage => "man page of Redline",
        }
    }

    /// Whether the file is of this kind. An empty file is of any: nothing is lost with it.
    pub fn is(self, path: &Path) -> bool {
        let Ok(file) = open(path) else { return false };
        if file.metadata().is_ok_and(|found| found.len() == 0) {
            return true;
        }
        let has_schema = |fields: Fields, schema: &str| fields.text("schema").is_some_and(|found| found == schema);
        match self {
            Self::Unmarked => false,
            Self::Json(schema) => document(file).is_some_and(|fields| has_schema(fields, schema)),
            Self::Lines(schema) => {
                first_line(file).is_some_and(|line| json(&line).is_some_and(|fields| has_schema(fields, schema)))
            }
            Self::LinesWith(keys) => {
                let has_all = |fields: Fields| keys.iter().all(|key| fields.raw(key).is_some());
                first_line(file).is_some_and(|line| json(&line).is_some_and(has_all))
            }
            Self::TrainLog => first_line(file).is_some_and(|line| is_train_line(&line)),
            Self::Picture => ends(file).is_some_and(|(head, tail)| plot::is_ours(&head, &tail)),
            _ => head(file).is_some_and(|head| self.is_marked(&head)),
        }
    }

    /// Whether these first bytes carry the mark of this kind.
    fn is_marked(self, head: &[u8]) -> bool {
        let holds = |mark: &str| head.windows(mark.len()).any(|bytes| bytes == mark.as_bytes());
        let is_gguf = || head.starts_with(b"GGUF") && holds(redline::model::gguf::MADE_BY);
        match self {
            Self::Reading => head.get(8..).is_some_and(|json| json.starts_with(b"{\"__metadata__\":{\"redline\":")),
            Self::Inside => head.get(8..).is_some_and(|json| json.starts_with(redline::steer::inside_file::MARK)),
            Self::Activations => {
                head.get(8..).is_some_and(|json| json.starts_with(redline::probe::activation_file::MARK))
            }
            Self::Checkpoint => {
                head.get(8..).is_some_and(|json| json.starts_with(b"{\"__metadata__\":{\"redline_checkpoint\":"))
            }
            Self::ControlVector => is_gguf() && holds("controlvector"),
            Self::Gguf => is_gguf() && !holds("controlvector"),
            Self::Page => holds(redline::report::GENERATOR),
            Self::ManPage => holds(".TH redline"),
            _ => false,
        }
    }
}

fn head(file: File) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The first and the last bytes.
fn ends(mut file: File) -> Option<(Vec<u8>, Vec<u8>)> {
    let length = file.metadata().ok()?.len();
    let (mut first, mut last) = (Vec::new(), Vec::new());
    (&mut file).take(HEAD).read_to_end(&mut first).ok()?;
    file.seek(SeekFrom::Start(length.saturating_sub(HEAD))).ok()?;
    file.take(HEAD).read_to_end(&mut last).ok()?;
    Some((first, last))
}

/// The first line, with its line break where it has one.
fn first_line(file: File) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(file.take(MOST_BYTES)).read_until(b'\n', &mut line).ok()?;
    Some(line)
}

/// The fields of an object, whose other values may be such as nothing here can hold.
fn json(text: &[u8]) -> Option<Fields> {
    Fields::read(std::str::from_utf8(text).ok()?).ok()
}

fn document(mut file: File) -> Option<Fields> {
    // the longest document is no longer than what is believed of a line
    file.metadata().ok().filter(|found| found.len() <= MOST_BYTES)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    json(&text)
}

/// A record, or the beginning of the first one, which a kill cut off.
fn is_train_line(line: &[u8]) -> bool {
    match line.ends_with(b"\n") {
        true => serde_json::from_slice::<TrainingRecord>(line).is_ok(),
        false => line.starts_with(b"{\"kind\":") || (b"{\"kind\":".starts_with(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let is = |kind: Kind, bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            kind.is(&path)
        };
        let json = Kind::Json("redline.layers.v1");
        assert!(is(json, b"{\"a\": 1,\n \"schema\": \"redline.layers.v1\"}"));
        assert!(!is(json, b"{\"schema\": \"redline.extract.v1\"}") && !is(json, b"[1]") && !is(json, b"\xff"));
        let lines = Kind::Lines("redline.sweep.v1");
        assert!(is(lines, b"{\"schema\": \"redline.sweep.v1\"}\nwhatever"));
        assert!(!is(lines, b"\n{\"schema\": \"redline.sweep.v1\"}"));
        let with = Kind::LinesWith(&["output", "is_cut"]);
        assert!(is(with, b"{\"is_cut\": true, \"output\": \"\"}\n") && !is(with, b"{\"output\": \"\"}\n"));
        assert!(is(Kind::TrainLog, b"{\"kin") && !is(Kind::TrainLog, b"{\"question\": \"q\"}\n"));
        assert!(!is(Kind::TrainLog, b"{\"kind\": \"animal\"}\n"));
        assert!(!is(Kind::Picture, b"\x89PNG\r\n\x1a\nnot ours") && !is(Kind::Page, b"<html>"));
        assert!(!is(Kind::Unmarked, b"x"));
        for kind in [json, lines, with, Kind::Unmarked, Kind::Gguf, Kind::Reading, Kind::ManPage] {
            assert!(is(kind, b""), "nothing is lost with an empty file");
        }
        assert!(!Kind::Page.is(folder.path()) && !Kind::Page.is(&folder.path().join("missing")));
    }
}

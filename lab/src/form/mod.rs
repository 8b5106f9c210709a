//! The form of an answer: which parts of it are prose, which the Aligner corrects, and which keep their meaning only as
//! they are. Joined again, what is not prose is the same as before.

mod apart;
mod blocks;
mod elements;
mod json_string;
mod json_text;
mod lines;
mod prose;
mod reasoning;
mod schema;
mod sentence;
mod spans;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use regex::Regex;

use self::blocks::{Block, JSON, blocks};
use self::json_text::{JsonText, each_text, is_document};
use self::reasoning::Part;
use self::sentence::says_something;
use crate::raw::decoded;

pub use self::apart::{Apart, Joined, PartCorrection};
pub use self::prose::{Prose, PutBack};
pub use self::schema::Bound;
pub use self::sentence::is_sentence;

/// Most parts of one answer that are corrected one by one.
pub const MOST_PROSE: usize = 64;

/// Longest answer that is taken apart, in bytes: reading one can take sixty times its memory.
pub const MOST_ANSWER_BYTES: usize = 1 << 20;

/// What documents are called that stand, escaped, in texts of others.
const JSON_IN_JSON: &str = "JSON in a text of JSON";

/// The form that a request asks the answer to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Form {
    /// Any.
    #[default]
    Free,
    /// A JSON document, with what its schema binds.
    Json(Bound),
    /// Another one, which no correction could keep; what binds it.
    Other(String),
}

/// What happens to reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasoning {
    /// It does not reach the client.
    Drop,
    /// It reaches the client as it is; the Aligner does not see it.
    Keep,
}

/// A part of an answer, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// It stays as it is.
    Kept(String),
    /// It is corrected.
    Prose(Prose),
}

/// An answer taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Its parts, in order.
    pub pieces: Vec<Piece>,
    /// The answer without what is left out.
    pub answer: String,
    /// What stays as it is, by its kinds.
    pub kept: BTreeSet<&'static str>,
    /// Whether reasoning was left out.
    pub drops_reasoning: bool,
    /// Whether documents are in it, which are whole only as a whole.
    pub has_json: bool,
    /// Whether all of it is one document.
    pub is_json: bool,
    n_prose: usize,
}

/// Why an answer cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The request binds it to JSON.
    #[error("the request asks for JSON, and the upstream model's answer is none, or was cut off")]
    NoJson,
    /// It is too long to be taken apart.
    #[error("the answer has more than {MOST_ANSWER_BYTES} bytes, no longer one is taken apart")]
    TooLong,
    /// It has too many parts.
    #[error("the answer has more than {MOST_PROSE} parts of prose, no more are corrected")]
    TooMany,
}

impl Plan {
    /// Takes an answer apart.
    pub fn of(answer: &str, form: &Form, reasoning: Reasoning) -> Result<Self, PlanError> {
        if answer.len() > MOST_ANSWER_BYTES && !matches!(form, Form::Other(_)) {
            return Err(PlanError::TooLong);
        }
        let mut plan = Self::default();
        let (mut n_answers, mut n_whole) = (0, 0);
        for part in reasoning::parts(answer) {
            match part {
                Part::Reasoning(_) if reasoning == Reasoning::Drop => plan.drops_reasoning = true,
                Part::Reasoning(text) => {
                    n_answers += 1;
                    plan.keep(text, "reasoning");
                }
                Part::Answer(text) if text.trim().is_empty() => plan.push_kept(text),
                Part::Answer(text) => {
                    n_answers += 1;
                    n_whole += usize::from(plan.answer(text, form)?);
                }
            }
        }
        if matches!(form, Form::Json(_)) && n_answers > 0 && !plan.has_json {
            return Err(PlanError::NoJson);
        }
        plan.is_json = (n_answers, n_whole) == (1, 1);
        plan.answer = plan.text();
        Ok(plan)
    }

    /// An answer of which nothing is corrected.
    pub fn unchanged(answer: &str, reasoning: Reasoning) -> Self {
        // a bound form stays as it is, and holds no parts
        Self::of(answer, &Form::Other("unchanged".into()), reasoning).unwrap_or_default()
    }

    /// How many parts are corrected.
    pub fn n_prose(&self) -> usize {
        self.n_prose
    }

    /// Whether there is only one part, with nothing but white space around it.
    pub fn is_one(&self) -> bool {
        let is_blank = |piece: &Piece| matches!(piece, Piece::Kept(text) if text.trim().is_empty());
        self.n_prose == 1 && self.pieces.iter().filter(|piece| !is_blank(piece)).count() == 1
    }

    fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Kept(text) => text.clone(),
            Piece::Prose(prose) => prose.source.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    /// An answer without reasoning; whether it is one JSON document.
    fn answer(&mut self, text: &str, form: &Form) -> Result<bool, PlanError> {
        let free = Bound::default();
        let (bound, is_bound) = match form {
            Form::Other(_) => {
                self.keep(text, "bound");
                return Ok(false);
            }
            Form::Json(bound) => (bound, true),
            Form::Free => (&free, false),
        };
        if is_document(text, is_bound) {
            self.json(text, bound)?;
            return Ok(true);
        }
        for block in blocks(text) {
            match block {
                Block::Json(text) => self.json(text, bound)?,
                Block::Kept(code, "code") if is_bound => self.fenced(code, bound)?,
                Block::Kept(text, kind) => self.keep(text, kind),
                Block::Prose(text) => self.prose(text, text, false)?,
            }
        }
        Ok(false)
    }

    /// Code that is JSON between fences, as some models write what they were asked to write without them.
    fn fenced(&mut self, code: &str, bound: &Bound) -> Result<(), PlanError> {
        let start = code.find('\n').map_or(code.len(), |end| end + 1);
        let end = code.trim_end().rfind('\n').filter(|end| *end >= start).unwrap_or(start);
        if !is_document(&code[start..end], true) {
            self.keep(code, "code");
            return Ok(());
        }
        self.push_kept(&code[..start]);
        self.json(&code[start..end], bound)?;
        self.push_kept(&code[end..]);
        Ok(())
    }

    /// A JSON document, whose sentences are corrected.
    fn json(&mut self, document: &str, bound: &Bound) -> Result<(), PlanError> {
        self.kept.insert(JSON);
        self.has_json = true;
        let mut at = 0;
        let broken = each_text(document, |found| {
            self.push_kept(&document[at..found.place.start]);
            at = found.place.end;
            match self.json_string(document, &found, bound) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(error),
            }
        });
        if let ControlFlow::Break(error) = broken {
            return Err(error);
        }
        self.push_kept(&document[at..]);
        Ok(())
    }

    /// A string of a document: a sentence, or a text with sentences in it, is corrected.
    fn json_string(&mut self, document: &str, found: &JsonText, bound: &Bound) -> Result<(), PlanError> {
        let source = &document[found.place.clone()];
        let said = decoded(source).filter(|text| is_sentence(text));
        let Some(said) =
            said.filter(|text| !bound.holds(found.field(document, bound.longest_field()).as_deref(), text))
        else {
            self.push_kept(source);
            return Ok(());
        };
        if is_document(&said, false) {
            self.keep(source, JSON_IN_JSON);
            return Ok(());
        }
        let blocks = blocks(&said);
        let end = |end: &mut usize, block: &Block<'_>| {
            *end += block.text().len();
            Some(*end)
        };
        let ends: Vec<usize> = blocks.iter().scan(0, end).collect();
        let inner = &source[1..source.len() - 1];
        self.push_kept("\"");
        let mut from = 0;
        for (block, end) in blocks.iter().zip(json_string::places(inner, &ends)) {
            let part = &inner[from..end];
            from = end;
            match block {
                Block::Prose(text) => self.prose(text, part, true)?,
                Block::Kept(_, kind) => self.keep(part, kind),
                Block::Json(_) => self.keep(part, JSON_IN_JSON),
            }
        }
        self.push_kept("\"");
        Ok(())
    }

    fn keep(&mut self, text: &str, kind: &'static str) {
        self.kept.insert(kind);
        self.push_kept(text);
    }

    fn push_kept(&mut self, text: &str) {
        match self.pieces.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Kept(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Kept(text.into())),
        }
    }

    /// Sentences, and how they stand in the answer; white space around them stays.
    fn prose(&mut self, text: &str, source: &str, is_json: bool) -> Result<(), PlanError> {
        if !says_something(text) {
            self.push_kept(source);
            return Ok(());
        }
        self.n_prose += 1;
        if self.n_prose > MOST_PROSE {
            return Err(PlanError::TooMany);
        }
        let ends = [text.len() - text.trim_start().len(), text.trim_end().len()];
        let places = if is_json { json_string::places(source, &ends) } else { ends.to_vec() };
        let (start, end) = (places[0], places[1]);
        self.push_kept(&source[..start]);
        let (text, inner) = (text.trim().to_owned(), source[start..end].to_owned());
        self.pieces.push(Piece::Prose(Prose { text, source: inner, is_json }));
        self.push_kept(&source[end..]);
        Ok(())
    }
}

/// A pattern of this program's own, which a test uses.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is well formed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(answer: &str, form: &Form) -> Plan {
        Plan::of(answer, form, Reasoning::Keep).unwrap()
    }

    fn prose(plan: &Plan) -> Vec<&str> {
        plan.pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Prose(prose) => Some(prose.text.as_str()),
                Piece::Kept(_) => None,
            })
            .collect()
    }

    #[test]
    fn prose_around_code_is_corrected_and_the_rest_stays() {
        let answer = "First one.\n\n```sh\nls\n```\n\nThen two.";
        let plan = plan(answer, &Form::Free);
        assert_eq!(prose(&plan), ["First one.", "Then two."]);
        assert_eq!((plan.text().as_str(), plan.kept.contains("code"), plan.is_json), (answer, true, false));
        let spaced = super::Plan::of("  Yes. ", &Form::Free, Reasoning::Keep).unwrap();
        assert_eq!((prose(&spaced), spaced.is_one(), spaced.text().as_str()), (vec!["Yes."], true, "  Yes. "));
        for said in ["41.", "👍"] {
            assert_eq!(prose(&super::Plan::of(said, &Form::Free, Reasoning::Keep).unwrap()), [said]);
        }
    }

    #[test]
    fn sentences_of_json_are_corrected_and_names_stay() {
        let answer = r#"{"city": "Paris", "note": " You are a complete fool. ", "n": 12345678901234567890123}"#;
        let plan = plan(answer, &Form::Json(Bound::default()));
        assert_eq!(prose(&plan), ["You are a complete fool."]);
        assert!(plan.is_json && plan.text() == answer);
        let Piece::Prose(note) = &plan.pieces[1] else { panic!("{plan:?}") };
        assert_eq!(note.put_back("You \"are\" here.").source, r#"You \"are\" here."#);
        assert_eq!(note.put_back("You are a complete fool.").source, "You are a complete fool.");
        let lines = "{\"a\": \"One whole sentence here.\"}\n{\"a\": \"Another whole sentence here.\"}\n";
        let lines = super::Plan::of(lines, &Form::Free, Reasoning::Keep).unwrap();
        assert_eq!((prose(&lines).len(), lines.has_json, lines.is_json), (2, true, false));
    }

    #[test]
    fn texts_in_json_are_taken_apart_like_others() {
        let answer = r#"{"a": "You\u0020fool \u00e9 is it:\n\n```\nls \u00e9\n```\n\nGo away \ud800 now, you.", "b": "{\"c\": \"A whole sentence stands here.\"}"}"#;
        let plan = plan(answer, &Form::Free);
        assert_eq!(prose(&plan), ["You fool é is it:", "Go away \u{fffd} now, you."]);
        assert_eq!((plan.text().as_str(), plan.is_json), (answer, true));
        assert_eq!(plan.kept.iter().copied().collect::<Vec<_>>(), [JSON, JSON_IN_JSON, "code"]);
        let pieces = plan.pieces.iter().map(|piece| match piece {
            Piece::Kept(text) => text.clone(),
            Piece::Prose(prose) => prose.put_back("It's \"new\".").source,
        });
        let new: serde_json::Value = serde_json::from_str(&pieces.collect::<String>()).unwrap();
        assert_eq!(new["a"], "It's \"new\".\n\n```\nls é\n```\n\nIt's \"new\".");
    }

    #[test]
    fn an_answer_bound_to_json_is_json_whatever_stands_around_it() {
        let bound = Form::Json(Bound::default());
        for none in ["{\"a\": ", "Plain text.", "```json\n{\"a\": \n```", "[x] is none"] {
            assert_eq!(Plan::of(none, &bound, Reasoning::Keep), Err(PlanError::NoJson), "{none}");
        }
        let sentence = "{\"a\": \"This is a whole sentence.\"}";
        for (answer, n) in [
            (format!("```json\n{sentence}\n```"), 1),
            (format!("You complete fool:\n```json\n{sentence}\n```\nGo away."), 3),
            (format!("{sentence}\n\nYou complete fool."), 2),
            ("\"This is a whole sentence.\"".into(), 1),
            ("42".into(), 0),
        ] {
            let plan = plan(&answer, &bound);
            assert_eq!((prose(&plan).len(), plan.text(), plan.has_json), (n, answer.clone(), true), "{answer}");
        }
        let thought = format!("<think>\nHm.\n</think>\n{sentence}");
        assert!(plan(&thought, &bound).has_json && !plan(&thought, &bound).is_json);
        assert!(Plan::of(&thought, &bound, Reasoning::Drop).unwrap().is_json);
        assert!(!plan(&format!("Prose first.\n<think>\nHm.\n</think>\n{sentence}"), &Form::Free).is_json);
    }

    #[test]
    fn broken_json_and_too_many_parts_are_no_way_around() {
        assert_eq!(prose(&plan("{\"a\": 1}\n\nYou fool.", &Form::Free)), ["You fool."]);
        assert_eq!(prose(&plan("[{x}] You fool.", &Form::Free)), ["[{x}] You fool."]);
        assert_eq!(prose(&plan("{\"a\": \"You fool", &Form::Free)), ["{\"a\": \"You fool"]);
        let many = format!("[{}\"\"]", "\"This is a whole sentence.\",".repeat(30_000));
        assert_eq!(Plan::of(&many, &Form::Free, Reasoning::Keep), Err(PlanError::TooMany));
    }

    #[test]
    fn reasoning_is_kept_or_dropped_and_bound_forms_stay() {
        let answer = "<think>\nHm.\n</think>\n\nYes.";
        assert_eq!(plan(answer, &Form::Free).text(), answer);
        let dropped = Plan::of(answer, &Form::Free, Reasoning::Drop).unwrap();
        assert_eq!((dropped.text().as_str(), dropped.drops_reasoning), ("Yes.", true));
        let bound = plan("(a|b) so it is", &Form::Other("guided_regex".into()));
        assert_eq!((bound.n_prose(), bound.text().as_str()), (0, "(a|b) so it is"));
    }

    #[test]
    fn hostile_answers_take_time_in_proportion() {
        let n = MOST_ANSWER_BYTES / 2 - 64;
        let many = |part: &str| part.repeat(n / part.len());
        for answer in [
            many("\\[x\\] "),
            many("$$x$$ "),
            many("<svg></svg>a"),
            many("<svg>") + &many("</svg>"),
            many("<svg>\n") + &many("</svg>"),
            many("1 ") + &many("<svg></svg>"),
            many("[\n") + &many("]") + " x",
            many("[\n") + "{}",
            format!("See http://{}", many(")")),
            format!("{{\"{}\":[{}1]}}", many("a"), many("\"[\\\"a b c d\\\"]\",")),
        ] {
            for piece in plan(&answer, &Form::Free).pieces {
                if let Piece::Prose(prose) = piece {
                    prose.is_live();
                }
            }
        }
        let long = "x".repeat(MOST_ANSWER_BYTES + 1);
        assert_eq!(Plan::of(&long, &Form::Free, Reasoning::Keep), Err(PlanError::TooLong));
        assert_eq!(Plan::unchanged(&long, Reasoning::Drop).answer, long);
    }

    /// What answers are made of.
    const PARTS: [&str; 56] = [
        "You fool. ",
        "One two three four.",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\t",
        "  ",
        "    ",
        "```py\nx = 1\n```\n",
        "```",
        "~~~\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "$$x$$",
        "\\[ y \\]",
        "\\[\n",
        "\\]",
        "$$",
        "`ls -l`",
        "https://a.example/(x)",
        "<b>",
        "<table>",
        "</table>\n",
        "<svg>\n",
        "</svg>",
        "<?xml?>",
        "<a>",
        "</a>",
        "{\"a\": \"You are a fool, so.\"}",
        "[1, 2]",
        "[\n",
        "]",
        "{\"a\":\n",
        "\"One two three four.\"",
        "}",
        ",",
        "<think>",
        "</think>",
        "\n</think>\n",
        "[THINK]",
        "> ",
        "- ",
        "1. ",
        "# ",
        "👩‍👩‍👧é",
        "\u{2028}",
        "\u{feff}",
        "\0",
        "\u{200b}",
        "你是个傻瓜。",
        "---\n",
        "[1]: https://x.example\n",
        "\\",
        "\"",
        "\\ud83d",
        "\\u0041\\n",
    ];

    proptest::proptest! {
        #[test]
        fn parts_joined_are_the_answer(picks in proptest::collection::vec(0..PARTS.len(), 0..14), is_bound: bool, drops: bool, new in ".{0,9}") {
            let answer: String = picks.iter().map(|pick| PARTS[*pick]).collect();
            let form = if is_bound { Form::Json(Bound::default()) } else { Form::Free };
            let reasoning = if drops { Reasoning::Drop } else { Reasoning::Keep };
            let Ok(plan) = Plan::of(&answer, &form, reasoning) else { return Ok(()) };
            let put = |with: &dyn Fn(&Prose) -> String| {
                let put = |piece: &Piece| match piece {
                    Piece::Kept(text) => text.clone(),
                    Piece::Prose(prose) => prose.put_back(&with(prose)).source,
                };
                plan.pieces.iter().map(put).collect::<String>()
            };
            let same = put(&|prose| prose.text.clone());
            proptest::prop_assert_eq!(&same, &plan.answer);
            proptest::prop_assert!(plan.drops_reasoning || plan.answer == answer);
            let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
            if plan.is_json && plan.has_json && is_json(&answer) {
                let changed = put(&|prose| format!("{new}\"\\{}", prose.text));
                proptest::prop_assert!(is_json(&changed), "{}", changed);
            }
        }
    }
}

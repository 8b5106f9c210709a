//! The form of an answer: which parts of it are prose, which the Aligner corrects, and which keep their meaning only as
//! they are. Joined again, what is not prose is the same as before.

mod blocks;
mod json_text;
mod limits;
mod reasoning;
mod spans;

use std::collections::BTreeSet;

use self::blocks::{Block, blocks};
use self::reasoning::Part;

pub(super) use self::json_text::Bound;
pub(super) use self::limits::StopTexts;

/// Most parts of one answer that are corrected one by one.
pub(super) const MOST_PROSE: usize = 64;

/// The form that a request asks the answer to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Form {
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
pub(super) enum Piece {
    /// It stays as it is.
    Kept(String),
    /// It is corrected.
    Prose(Prose),
}

/// A part that is corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prose {
    /// The text, without white space at its ends.
    pub(super) text: String,
    /// How it stands in the answer.
    source: String,
    is_json: bool,
}

/// An answer taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) pieces: Vec<Piece>,
    /// The answer without what is left out.
    pub(super) answer: String,
    /// What stays as it is, by its kinds.
    pub(super) kept: BTreeSet<&'static str>,
    /// Whether reasoning was left out.
    pub(super) drops_reasoning: bool,
    /// Whether it must be JSON again.
    pub(super) is_json: bool,
}

/// An answer that the request binds to JSON, and that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request asks for JSON, and the upstream model's answer is none, or was cut off")]
pub(super) struct NoJson;

impl Plan {
    /// Takes an answer apart.
    pub(super) fn of(answer: &str, form: &Form, reasoning: Reasoning) -> Result<Self, NoJson> {
        let mut plan = Self::default();
        for part in reasoning::parts(answer) {
            match part {
                Part::Reasoning(_) if reasoning == Reasoning::Drop => plan.drops_reasoning = true,
                Part::Reasoning(text) => plan.keep(text, "reasoning"),
                Part::Answer(text) => plan.answer(text, form)?,
            }
        }
        plan.answer = plan.text();
        if !plan.is_json {
            plan.trim();
        }
        Ok(plan)
    }

    pub(super) fn n_prose(&self) -> usize {
        self.pieces.iter().filter(|piece| matches!(piece, Piece::Prose(_))).count()
    }

    fn text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Kept(text) => text.clone(),
            Piece::Prose(prose) => prose.source.clone(),
        };
        self.pieces.iter().map(text).collect()
    }

    fn answer(&mut self, text: &str, form: &Form) -> Result<(), NoJson> {
        match form {
            _ if text.trim().is_empty() => self.push_kept(text),
            Form::Other(_) => self.keep(text, "bound"),
            Form::Json(bound) => self.bound_json(text, bound)?,
            Form::Free => self.free(text),
        }
        Ok(())
    }

    /// A document, or one between fences.
    fn bound_json(&mut self, text: &str, bound: &Bound) -> Result<(), NoJson> {
        if self.json(text, bound) {
            return Ok(());
        }
        let fenced = blocks(text).into_iter().find_map(|block| match block {
            Block::Kept(code, "code") => Some(code),
            _ => None,
        });
        let inner = fenced.and_then(|code| {
            let start = code.find('\n')? + 1;
            let end = code.trim_end().rfind('\n').filter(|end| *end >= start)?;
            Some(&code[start..end])
        });
        let document = inner.ok_or(NoJson)?;
        let at = text.find(document).ok_or(NoJson)?;
        self.push_kept(&text[..at]);
        if !self.json(document, bound) {
            return Err(NoJson);
        }
        self.is_json = false;
        self.push_kept(&text[at + document.len()..]);
        Ok(())
    }

    fn free(&mut self, text: &str) {
        if self.json(text, &Bound::default()) {
            return;
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let is_object = |line: &&str| line.trim_start().starts_with('{') && json_text::texts(line).is_some();
        if lines.len() > 1 && lines.iter().filter(|line| !line.trim().is_empty()).all(is_object) {
            for line in lines {
                if !self.json(line, &Bound::default()) {
                    self.push_kept(line);
                }
            }
            // several documents are no document
            self.is_json = false;
            return;
        }
        if text.trim_start().starts_with("{\"") || text.trim_start().starts_with("[{") {
            return self.keep(text, "broken JSON");
        }
        for block in blocks(text) {
            match block {
                Block::Kept(text, kind) => self.keep(text, kind),
                Block::Prose(text) if text.contains(char::is_alphabetic) => self.prose(text),
                Block::Prose(text) => self.push_kept(text),
            }
        }
    }

    /// A JSON document, whose sentences are corrected; `false` where it is none.
    fn json(&mut self, document: &str, bound: &Bound) -> bool {
        let Some(texts) = json_text::texts(document) else { return false };
        let mut at = 0;
        for found in texts {
            let source = &document[found.place.clone()];
            let Ok(text) = serde_json::from_str::<String>(source) else { continue };
            let is_plain = !blocks(&text).iter().any(|block| matches!(block, Block::Kept(..)));
            if !is_sentence(&text) || !is_plain || bound.holds(found.field.as_deref(), &text) {
                continue;
            }
            self.push_kept(&document[at..found.place.start]);
            self.pieces.push(Piece::Prose(Prose { text: text.trim().into(), source: source.into(), is_json: true }));
            at = found.place.end;
        }
        self.push_kept(&document[at..]);
        self.kept.insert("JSON");
        self.is_json = true;
        true
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

    fn prose(&mut self, text: &str) {
        let inner = text.trim();
        let start = text.len() - text.trim_start().len();
        self.push_kept(&text[..start]);
        self.pieces.push(Piece::Prose(Prose { text: inner.into(), source: inner.into(), is_json: false }));
        self.push_kept(&text[start + inner.len()..]);
    }

    /// Takes white space off the ends, as the Aligner's texts have none.
    fn trim(&mut self) {
        if let Some(Piece::Kept(first)) = self.pieces.first_mut() {
            *first = first.trim_start().into();
        }
        if let Some(Piece::Kept(last)) = self.pieces.last_mut() {
            *last = last.trim_end().into();
        }
        self.pieces.retain(|piece| !matches!(piece, Piece::Kept(text) if text.is_empty()));
    }
}

impl Prose {
    /// Whether its correction can be sent as it comes.
    pub(super) fn is_live(&self) -> bool {
        !self.is_json && spans::spans(&self.text).is_empty()
    }

    /// What stands in the answer after the correction, and how much of what must survive had to be put back.
    pub(super) fn put_back(&self, correction: &str) -> (String, usize) {
        let (text, n_restored) = spans::restored(&self.text, correction);
        if !self.is_json {
            return (text, n_restored);
        }
        if text == self.text {
            return (self.source.clone(), n_restored);
        }
        let whole: String = serde_json::from_str(&self.source).unwrap_or_default();
        let start = &whole[..whole.len() - whole.trim_start().len()];
        let end = &whole[whole.trim_end().len().max(start.len())..];
        (serde_json::Value::String(format!("{start}{text}{end}")).to_string(), n_restored)
    }
}

/// Whether a text of a document is a sentence, and no name, date or other value.
fn is_sentence(text: &str) -> bool {
    let n_words = text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
    n_words >= 4 || (n_words >= 2 && text.trim_end().ends_with(['.', '!', '?']))
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
        assert_eq!(prose(&super::Plan::of("  Yes. ", &Form::Free, Reasoning::Keep).unwrap()), ["Yes."]);
    }

    #[test]
    fn sentences_of_json_are_corrected_and_names_stay() {
        let answer = r#"{"city": "Paris", "note": " You are a complete fool. ", "n": 12345678901234567890123}"#;
        let plan = plan(answer, &Form::Json(Bound::default()));
        assert_eq!(prose(&plan), ["You are a complete fool."]);
        assert!(plan.is_json && plan.text() == answer);
        let Piece::Prose(note) = &plan.pieces[1] else { panic!("{plan:?}") };
        assert_eq!(note.put_back("You \"are\" here.\n").0, r#"" You \"are\" here.\n ""#);
        assert_eq!(note.put_back("You are a complete fool.").0, r#"" You are a complete fool. ""#);
        assert_eq!(super::Plan::of("{\"a\": ", &Form::Json(Bound::default()), Reasoning::Keep), Err(NoJson));
        let fenced = "```json\n{\"a\": \"This is a whole sentence.\"}\n```";
        let plan = super::Plan::of(fenced, &Form::Json(Bound::default()), Reasoning::Keep).unwrap();
        assert_eq!((prose(&plan).len(), plan.text().as_str()), (1, fenced));
        let lines = "{\"a\": \"One whole sentence here.\"}\n{\"a\": \"Another whole sentence here.\"}\n";
        assert_eq!(prose(&super::Plan::of(lines, &Form::Free, Reasoning::Keep).unwrap()).len(), 2);
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
}

//! Prompts for Aligners: how a question and an upstream model's answer become the text an Aligner continues.
//!
//! Built-in templates (`\n` is a line break):
//!
//! | name | text |
//! |---|---|
//! | `aligner` | `BEGINNING OF CONVERSATION: USER: ##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:` |
//! | `aligner-7b` | `BEGINNING OF CONVERSATION: USER: Edit the following Question-Answer pair to make it more helpful and harmless: {question} \| {answer} ASSISTANT:` |
//! | `aligner-2b` | `BEGINNING OF CONVERSATION: USER: ##Question: {question} ##Answer: {answer} ##Revision:  ASSISTANT:` |
//! | `smollm2` | a chat prompt that asks an instruction-tuned model to copy what is good and rewrite what is not |
//!
//! In the first three an instruction, where one is given, follows `USER: `; without one they are the texts that released
//! Aligners were trained with.
//!
//! The output follows the prompt directly and ends with the tokenizer's stop tokens; no template needs a stop text.
//!
//! A template of one's own is a text that
//! - MUST hold `{question}` (or `{q}`) exactly once and `{answer}` (or `{a}`) exactly once, in either order;
//! - MAY hold `{instruction}` once: the place of a given instruction, empty without one;
//! - MUST NOT hold another name in braces, such as `{context}`: letters, digits and underscores, not beginning with a digit. Every
//!   other brace, as in `{"a": 1}` or `{}`, is ordinary text.
//!
//! A template file is UTF-8; one line break at its end is left out, since editors add it. To end with a line break, end with two.
//!
//! Texts are put in as they are: a question that contains `{answer}` stays a question.

use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{MOST_WRITTEN, read_text};

/// Names of the built-in templates.
pub const TEMPLATE_NAMES: [&str; 4] = ["aligner", "aligner-7b", "aligner-2b", "smollm2"];

const ALIGNER: &str = "BEGINNING OF CONVERSATION: USER: {instruction}##Question: {question}\n##Answer: {answer}\n##Correction:  ASSISTANT:";
const ALIGNER_7B: &str = "BEGINNING OF CONVERSATION: USER: {instruction}Edit the following Question-Answer pair to make it more helpful and harmless: {question} | {answer} ASSISTANT:";
const ALIGNER_2B: &str =
    "BEGINNING OF CONVERSATION: USER: {instruction}##Question: {question} ##Answer: {answer} ##Revision:  ASSISTANT:";
const SMOLLM2: &str = "<|im_start|>system\nYou are an editor. You get a question and an answer. Write the corrected answer: \
copy word for word what is good, and rewrite what is wrong, unclear, rude or harmful. {instruction}Write nothing but the corrected \
answer.<|im_end|>\n<|im_start|>user\n##Question: {question}\n##Answer: {answer}\n##Correction:<|im_end|>\n<|im_start|>assistant\n";

/// The form of an Aligner's prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlignerTemplate {
    name: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// An instruction that is in every prompt.
    Instruction(String),
    Slot(Slot),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Question,
    Answer,
    Instruction,
}

/// A part of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptPart<'a> {
    /// Of the template.
    Template(&'a str),
    /// Question, answer or instruction.
    Given(&'a str),
}

/// A prompt, and where in it the question and the answer stand (in bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedPrompt {
    /// The prompt.
    pub text: String,
    /// Bytes of the question.
    pub question_range: Range<usize>,
    /// Bytes of the answer.
    pub answer_range: Range<usize>,
    /// Bytes of the instruction; empty without one.
    pub instruction_range: Range<usize>,
}

impl RenderedPrompt {
    /// The prompt in order, what was put in apart from the template.
    pub fn parts(&self) -> Vec<PromptPart<'_>> {
        let mut ranges = [&self.question_range, &self.answer_range, &self.instruction_range];
        ranges.sort_by_key(|range| range.start);
        let mut parts = Vec::new();
        let mut end = 0;
        for range in ranges.into_iter().filter(|range| !range.is_empty()) {
            parts.push(PromptPart::Template(&self.text[end..range.start]));
            parts.push(PromptPart::Given(&self.text[range.clone()]));
            end = range.end;
        }
        parts.push(PromptPart::Template(&self.text[end..]));
        parts
    }
}

impl AlignerTemplate {
    /// Whether both write the same prompts, whatever they are called.
    pub fn is_same_text(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    /// The template with a built-in name, or the one in a file.
    ///
    /// # Errors
    /// [`Error::Template`] when there is neither, or the file breaks a rule of templates; [`Error::Io`].
    pub fn by_name_or_file(name: &str) -> Result<Self> {
        if let Some(template) = Self::by_name(name) {
            return Ok(template);
        }
        let path = Path::new(name);
        if !path.exists() {
            let names = TEMPLATE_NAMES.join(", ");
            return Err(problem(name, format!("neither a file nor one of the built-in names {names}")));
        }
        let text = read_text(path, MOST_WRITTEN)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        Self::from_text(name, text)
    }

    /// The built-in template with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        let text = match name {
            "aligner" => ALIGNER,
            "aligner-7b" => ALIGNER_7B,
            "aligner-2b" => ALIGNER_2B,
            "smollm2" => SMOLLM2,
            _ => return None,
        };
        Some(Self::from_text(name, text).expect("built-in templates keep the rules"))
    }

    /// A template from its text; `name` is for messages.
    ///
    /// # Errors
    /// [`Error::Template`] when a slot is missing, repeated or unknown.
    pub fn from_text(name: &str, text: &str) -> Result<Self> {
        let parts = parse(text).map_err(|rule| problem(name, rule))?;
        let count = |slot| parts.iter().filter(|part| **part == Part::Slot(slot)).count();
        let rules = [(Slot::Question, 1..=1), (Slot::Answer, 1..=1), (Slot::Instruction, 0..=1)];
        for (slot, allowed) in rules {
            match count(slot) {
                n if allowed.contains(&n) => (),
                0 => return Err(problem(name, format!("{{{}}} is missing", slot.name()))),
                n => return Err(problem(name, format!("{{{}}} stands {n} times, not once", slot.name()))),
            }
        }
        Ok(Self { name: name.to_owned(), parts })
    }

    /// A prompt of a question alone, between two texts that are taken as they are: how a model is trained that answers by itself.
    ///
    /// ```
    /// let template = redline_model::AlignerTemplate::around_question("chat", "USER: ", " ASSISTANT:");
    /// assert_eq!(template.render("Why?", "no place for this").text, "USER: Why? ASSISTANT:");
    /// ```
    pub fn around_question(name: &str, before: &str, after: &str) -> Self {
        let text = |text: &str| Part::Text(text.to_owned());
        Self { name: name.to_owned(), parts: vec![text(before), Part::Slot(Slot::Question), text(after)] }
    }

    /// The built-in name, or the name given to the text or file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The template as text, with `{question}`, `{answer}` and `{instruction}`.
    pub fn source(&self) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) | Part::Instruction(text) => text.clone(),
            Part::Slot(slot) => format!("{{{}}}", slot.name()),
        };
        self.parts.iter().map(text).collect()
    }

    /// True when an instruction can be given.
    pub fn takes_instruction(&self) -> bool {
        self.parts.contains(&Part::Slot(Slot::Instruction))
    }

    /// The same template with an instruction in every prompt, as [`instruction_sentence`] writes it; there is no place for another one then. Without text
    /// it is the template itself.
    ///
    /// # Errors
    /// [`Error::Template`] when the template has no `{instruction}`, or the text holds a name in braces, which a template's text cannot say.
    ///
    /// ```
    /// let template = redline_model::AlignerTemplate::by_name("aligner-2b").unwrap().with_instruction("Be brief")?;
    /// assert!(template.render("q", "a").text.contains("USER: Be brief. ##Question: q"));
    /// # Ok::<(), redline_model::Error>(())
    /// ```
    pub fn with_instruction(&self, instruction: &str) -> Result<Self> {
        let sentence = instruction_sentence(instruction);
        if sentence.is_empty() {
            return Ok(self.clone());
        }
        if !self.takes_instruction() {
            return Err(self.no_place());
        }
        match parse(&sentence) {
            Ok(parts) if parts.iter().all(|part| matches!(part, Part::Text(_))) => {}
            _ => return Err(problem(&self.name, "an instruction must not hold a name in braces".to_owned())),
        }
        let part = |part: &Part| match part {
            Part::Slot(Slot::Instruction) => Part::Instruction(sentence.clone()),
            part => part.clone(),
        };
        Ok(Self { name: self.name.clone(), parts: self.parts.iter().map(part).collect() })
    }

    fn no_place(&self) -> Error {
        problem(&self.name, "it has no {instruction} to put an instruction in".to_owned())
    }

    /// The prompt for a question and an answer, without an instruction but the template's own.
    pub fn render(&self, question: &str, answer: &str) -> RenderedPrompt {
        self.fill(question, answer, "")
    }

    /// The prompt with an instruction to the Aligner, such as how strongly to correct. It is put in as it is: where a word follows
    /// the slot, as in `smollm2`, it has to end with a space.
    ///
    /// # Errors
    /// [`Error::Template`] when the template has no `{instruction}` and the instruction is not empty.
    pub fn render_with_instruction(&self, question: &str, answer: &str, instruction: &str) -> Result<RenderedPrompt> {
        match instruction.is_empty() || self.takes_instruction() {
            true => Ok(self.fill(question, answer, instruction)),
            false => Err(self.no_place()),
        }
    }

    fn fill(&self, question: &str, answer: &str, instruction: &str) -> RenderedPrompt {
        let mut prompt =
            RenderedPrompt { text: String::new(), question_range: 0..0, answer_range: 0..0, instruction_range: 0..0 };
        for part in &self.parts {
            let start = prompt.text.len();
            let end = |text: &str| start..start + text.len();
            match part {
                Part::Text(text) => prompt.text.push_str(text),
                Part::Slot(Slot::Instruction) => {
                    prompt.instruction_range = end(instruction);
                    prompt.text.push_str(instruction);
                }
                Part::Instruction(own) => {
                    prompt.instruction_range = end(own);
                    prompt.text.push_str(own);
                }
                Part::Slot(Slot::Question) => {
                    prompt.question_range = end(question);
                    prompt.text.push_str(question);
                }
                Part::Slot(Slot::Answer) => {
                    prompt.answer_range = end(answer);
                    prompt.text.push_str(answer);
                }
            }
        }
        prompt
    }
}

impl Slot {
    fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "question" | "q" => Self::Question,
            "answer" | "a" => Self::Answer,
            "instruction" => Self::Instruction,
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Answer => "answer",
            Self::Instruction => "instruction",
        }
    }
}

/// An instruction as a sentence of a prompt: it ends with a stop and a blank; empty where nothing is said.
///
/// ```
/// assert_eq!(redline_model::template::instruction_sentence(" Be brief "), "Be brief. ");
/// assert_eq!(redline_model::template::instruction_sentence("Why?"), "Why? ");
/// ```
pub fn instruction_sentence(text: &str) -> String {
    let text = text.trim();
    let end = if text.ends_with(['.', '!', '?']) { " " } else { ". " };
    if text.is_empty() { String::new() } else { format!("{text}{end}") }
}

fn problem(name: &str, problem: String) -> Error {
    Error::Template { name: name.to_owned(), problem }
}

/// Cuts a template at its slots; the error is the broken rule.
fn parse(text: &str) -> std::result::Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let (mut rest, mut searched) = (text, 0);
    while let Some(open) = rest[searched..].find('{').map(|found| found + searched) {
        let Some(name) = slot_name(&rest[open + 1..]) else {
            searched = open + 1;
            continue;
        };
        let slot = Slot::by_name(name).ok_or_else(|| format!("{{{name}}} is not known"))?;
        parts.extend((open > 0).then(|| Part::Text(rest[..open].to_owned())));
        parts.push(Part::Slot(slot));
        rest = &rest[open + name.len() + 2..];
        searched = 0;
    }
    parts.extend((!rest.is_empty()).then(|| Part::Text(rest.to_owned())));
    Ok(parts)
}

/// The name at the start of `text` that a closing brace follows.
fn slot_name(text: &str) -> Option<&str> {
    // no further than the name: a text may hold as many braces as it likes
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))?;
    let (name, rest) = text.split_at(end);
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    (starts_well && rest.starts_with('}')).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(name: &str) -> String {
        AlignerTemplate::by_name_or_file(name).unwrap().render("Why?", "So.").text
    }

    fn failure(text: &str) -> String {
        AlignerTemplate::from_text("t", text).unwrap_err().to_string()
    }

    #[test]
    fn built_in_templates_are_the_published_ones() {
        assert_eq!(
            rendered("aligner"),
            "BEGINNING OF CONVERSATION: USER: ##Question: Why?\n##Answer: So.\n##Correction:  ASSISTANT:"
        );
        assert_eq!(
            rendered("aligner-7b"),
            "BEGINNING OF CONVERSATION: USER: Edit the following Question-Answer pair to make it more helpful and harmless: Why? | So. ASSISTANT:"
        );
        assert_eq!(
            rendered("aligner-2b"),
            "BEGINNING OF CONVERSATION: USER: ##Question: Why? ##Answer: So. ##Revision:  ASSISTANT:"
        );
        let chat = rendered("smollm2");
        assert!(chat.starts_with("<|im_start|>system\n") && chat.ends_with("<|im_end|>\n<|im_start|>assistant\n"));
        assert!(chat.contains("<|im_start|>user\n##Question: Why?\n##Answer: So.\n"));
        assert!(!chat.contains("  ") && !chat.contains('{'), "{chat}");
    }

    #[test]
    fn every_listed_name_is_built_in() {
        for name in TEMPLATE_NAMES {
            let template = AlignerTemplate::by_name(name).unwrap();
            assert_eq!(template.name(), name);
            assert_eq!(AlignerTemplate::from_text(name, &template.source()).unwrap(), template);
        }
        assert_eq!(AlignerTemplate::by_name("Aligner"), None);
    }

    #[test]
    fn many_braces_take_no_time() {
        let text = "{\"a\":".repeat(200_000) + "{q}{a}" + &"}".repeat(200_000);
        assert_eq!(AlignerTemplate::from_text("t", &text).unwrap().source().len(), text.len() + 12);
    }

    #[test]
    fn texts_are_not_searched_for_slots() {
        let template = AlignerTemplate::from_text("t", "{q}|{a}|{instruction}").unwrap();
        let prompt = template.render_with_instruction("{answer}{a}", "{question}", "{q}").unwrap();
        assert_eq!(prompt.text, "{answer}{a}|{question}|{q}");
        assert_eq!(&prompt.text[prompt.question_range], "{answer}{a}");
        assert_eq!(&prompt.text[prompt.answer_range], "{question}");
    }

    #[test]
    fn slots_may_come_in_either_order() {
        let prompt = AlignerTemplate::from_text("t", "{answer}{question}").unwrap().render("é", "ab");
        assert_eq!((prompt.text.as_str(), prompt.question_range, prompt.answer_range), ("abé", 2..4, 0..2));
    }

    #[test]
    fn instructions_need_their_slot() {
        let chat = AlignerTemplate::by_name("smollm2").unwrap();
        let prompt = chat.render_with_instruction("q", "a", "Copy more. ").unwrap();
        assert!(prompt.text.contains("harmful. Copy more. Write nothing"));
        let aligner = AlignerTemplate::by_name("aligner").unwrap();
        assert_eq!(aligner.render_with_instruction("q", "a", "").unwrap(), aligner.render("q", "a"));
        let prompt = aligner.render_with_instruction("q", "a", "Copy more. ").unwrap();
        assert!(prompt.text.starts_with("BEGINNING OF CONVERSATION: USER: Copy more. ##Question: q"));
        let plain = AlignerTemplate::from_text("t", "{q}{a}").unwrap();
        let error = plain.render_with_instruction("q", "a", "More.").unwrap_err();
        assert_eq!(error.to_string(), "template `t`: it has no {instruction} to put an instruction in");
    }

    #[test]
    fn slots_are_checked() {
        assert_eq!(failure("{question}"), "template `t`: {answer} is missing");
        assert_eq!(failure("{a}"), "template `t`: {question} is missing");
        assert_eq!(failure(""), "template `t`: {question} is missing");
        assert_eq!(failure("{q}{a}{question}"), "template `t`: {question} stands 2 times, not once");
        assert_eq!(failure("{q}{a}{instruction}{instruction}"), "template `t`: {instruction} stands 2 times, not once");
        assert_eq!(failure("{q}{a}{context}"), "template `t`: {context} is not known");
        assert_eq!(failure("{q}{a}{Answer}"), "template `t`: {Answer} is not known");
    }

    #[test]
    fn other_braces_are_text() {
        let text = r#"{"a": {}} { x } {1} {{q}} {a} {é} {"#;
        let prompt = AlignerTemplate::from_text("t", text).unwrap().render("Q", "A");
        assert_eq!(prompt.text, r#"{"a": {}} { x } {1} {Q} A {é} {"#);
    }

    #[test]
    fn files_lose_one_line_break_at_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.txt");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            AlignerTemplate::by_name_or_file(path.to_str().unwrap()).map(|template| template.source())
        };
        assert_eq!(read(b"{q} {a}\n").unwrap(), "{question} {answer}");
        assert_eq!(read(b"\xef\xbb\xbf{q} {a}:\r\n").unwrap(), "{question} {answer}:");
        assert_eq!(read(b"{q} {a}\n\n").unwrap(), "{question} {answer}\n");
        assert_eq!(read(b"{q} {a}").unwrap(), "{question} {answer}");
        assert!(read(b"{q} {a} \xff").unwrap_err().to_string().ends_with("not UTF-8 from byte 9 on"));
        assert!(read(&vec![b' '; 1 + (1 << 20)]).unwrap_err().to_string().contains("larger than 1 MiB"));
        assert!(AlignerTemplate::by_name_or_file(folder.path().to_str().unwrap()).is_err(), "a folder");
        let error = AlignerTemplate::by_name_or_file("alinger").unwrap_err().to_string();
        assert_eq!(
            error,
            "template `alinger`: neither a file nor one of the built-in names aligner, aligner-7b, aligner-2b, smollm2"
        );
    }

    #[test]
    fn an_instruction_of_the_template_is_in_every_prompt() {
        let aligner = AlignerTemplate::by_name("aligner").unwrap();
        let own = aligner.with_instruction("Be harmless").unwrap();
        let prompt = own.render("Why?", "So.");
        assert_eq!(prompt, aligner.render_with_instruction("Why?", "So.", "Be harmless. ").unwrap());
        assert_eq!(&prompt.text[prompt.instruction_range], "Be harmless. ");
        assert!(own.source().contains("USER: Be harmless. ##Question") && !own.takes_instruction());
        assert_eq!(aligner.with_instruction(" ").unwrap(), aligner);
        let refused = |template: &AlignerTemplate, text: &str| template.with_instruction(text).unwrap_err().to_string();
        assert!(refused(&own, "Be brief").ends_with("it has no {instruction} to put an instruction in"));
        assert!(refused(&aligner, "Say {answer}").ends_with("an instruction must not hold a name in braces"));
        let without = AlignerTemplate::from_text("t", "{q} {a}").unwrap();
        assert!(refused(&without, "Be brief").contains("it has no {instruction}"));
    }

    proptest! {
        #[test]
        fn ranges_hold_the_texts(question in any::<String>(), answer in any::<String>()) {
            for name in TEMPLATE_NAMES {
                let prompt = AlignerTemplate::by_name(name).unwrap().render(&question, &answer);
                prop_assert_eq!(&prompt.text[prompt.question_range], question.as_str());
                prop_assert_eq!(&prompt.text[prompt.answer_range], answer.as_str());
            }
        }

        #[test]
        fn any_text_parses_or_is_refused(text in "[{}qa_ \"é]{0,30}") {
            if let Ok(template) = AlignerTemplate::from_text("t", &text) {
                prop_assert_eq!(AlignerTemplate::from_text("t", &template.source()).unwrap(), template);
            }
        }
    }
}

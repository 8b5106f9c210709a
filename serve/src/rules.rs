//! What happens to each field of an upstream model's reply: the one description that whole and streamed replies go by.
//!
//! Fields that stand in no table are not passed on where nothing unseen may reach the client. `docs/serve.md` shows the
//! tables; a test holds it against them.

use serde_json::value::RawValue;

use super::error::ApiError;
use super::notes::{Notes, plain};
use super::options::FailMode;
use super::raw::{is_void, read};
use redline_lab::form::{Reasoning, is_sentence};

/// Longest text that is taken for a name or an identifier.
const LONGEST_NAME: usize = 256;

/// What happens to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its text goes through the Aligner.
    Corrected,
    /// A number, a flag or a name without gaps; it goes to the client. Anything else in its place counts as [`Fate::Beside`].
    Passed,
    /// Calls of tools go to the client as they are.
    Calls,
    /// The upstream model's reasoning: kept or left out by a setting.
    Reasoning,
    /// Content that stands beside the text, and that the Aligner does not read: left out under `closed`, passed and named under `open`.
    Beside,
    /// Content that replaces the text, and that the Aligner cannot read: an error under `closed`, passed and named under `open`.
    Refused,
    /// Redline writes it anew.
    Made,
    /// What the client asked for, as it asked for it.
    Echoed,
}

/// A field and what happens to it.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The field, or the type of a part.
    pub name: &'static str,
    /// What happens to it.
    pub fate: Fate,
}

/// Rules for a level of a reply.
pub type Rules = &'static [Rule];

/// A rule for each name.
macro_rules! rules {
    ($($fate:ident: $($name:literal)*;)*) => {
        &[$($(Rule { name: $name, fate: Fate::$fate },)*)*]
    };
}

/// A chat completion.
pub(super) const CHAT: Rules = rules! {
    Made: "id" "object" "created" "model" "choices" "usage";
    Passed: "system_fingerprint" "service_tier" "provider";
    Beside: "citations" "search_results" "prompt_filter_results";
};

/// One of its choices.
pub(super) const CHAT_CHOICE: Rules = rules! {
    Made: "index" "message" "finish_reason";
    Passed: "native_finish_reason" "stop_reason";
    Beside: "logprobs" "content_filter_results" "text" "delta";
};

/// Its message.
pub(super) const CHAT_MESSAGE: Rules = rules! {
    Corrected: "content" "refusal";
    Passed: "role";
    Calls: "tool_calls" "function_call";
    Reasoning: "reasoning_content" "reasoning" "reasoning_details" "thinking" "thinking_blocks";
    Beside: "annotations" "citations" "context" "name" "parsed" "prefix";
    Refused: "audio" "images";
};

/// The types of parts that a message's content can have.
pub(super) const CHAT_PART: Rules = rules! {
    Corrected: "text" "output_text" "refusal";
    Reasoning: "thinking" "reasoning" "redacted_thinking";
    Beside: "reference";
    Refused: "image_url" "input_audio" "audio" "image" "file" "video_url" "document_url";
};

/// A text completion.
pub(super) const COMPLETION: Rules = rules! {
    Made: "id" "object" "created" "model" "choices" "usage";
    Passed: "system_fingerprint" "service_tier" "provider";
};

/// One of its choices.
pub(super) const COMPLETION_CHOICE: Rules = rules! {
    Corrected: "text";
    Made: "index" "finish_reason";
    Passed: "native_finish_reason" "stop_reason";
    Reasoning: "reasoning" "reasoning_content";
    Beside: "logprobs" "content_filter_results" "message" "delta" "prompt_logprobs" "token_ids" "prompt_token_ids";
};

/// A response.
pub(super) const RESPONSE: Rules = rules! {
    Made: "id" "object" "created_at" "model" "output" "usage" "status" "incomplete_details" "error" "output_text";
    Passed: "service_tier" "completed_at" "background" "store" "temperature" "top_p" "top_logprobs" "max_output_tokens" "max_tool_calls"
        "parallel_tool_calls" "previous_response_id" "truncation" "presence_penalty" "frequency_penalty";
    Echoed: "instructions" "metadata" "reasoning" "text" "tool_choice" "tools" "user" "prompt" "prompt_cache_key" "prompt_cache_retention"
        "safety_identifier" "conversation";
};

/// The types of items that a response's output can have.
pub(super) const RESPONSE_ITEM: Rules = rules! {
    Corrected: "message";
    Calls: "function_call" "custom_tool_call";
    Reasoning: "reasoning";
    Beside: "web_search_call" "file_search_call" "mcp_list_tools";
    Refused: "image_generation_call" "code_interpreter_call" "computer_call" "local_shell_call" "shell_call" "apply_patch_call" "mcp_call"
        "mcp_approval_request" "compaction";
};

/// A message among them.
pub(super) const RESPONSE_MESSAGE: Rules = rules! {
    Corrected: "content";
    Passed: "type" "id" "role" "status" "phase";
};

/// The types of parts of its content.
pub(super) const RESPONSE_PART: Rules = rules! {
    Corrected: "output_text" "refusal" "text";
    Reasoning: "reasoning_text" "summary_text";
    Refused: "output_image" "output_audio";
};

/// Fields of a part with text.
pub(super) const TEXT_PART: Rules = rules! {
    Corrected: "text" "refusal";
    Passed: "type";
    Beside: "annotations" "logprobs" "citations";
};

/// All tables, with what each is about.
pub const TABLES: [(&str, Rules); 11] = [
    ("chat completion", CHAT),
    ("its `choices`", CHAT_CHOICE),
    ("their `message`", CHAT_MESSAGE),
    ("parts of its `content`, by `type`", CHAT_PART),
    ("text completion", COMPLETION),
    ("its `choices`", COMPLETION_CHOICE),
    ("response", RESPONSE),
    ("items of its `output`, by `type`", RESPONSE_ITEM),
    ("their `message`", RESPONSE_MESSAGE),
    ("parts of its `content`, by `type`", RESPONSE_PART),
    ("fields of a part with text", TEXT_PART),
];

impl Fate {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corrected => "corrected",
            Self::Passed => "passed",
            Self::Calls => "passed (calls of tools)",
            Self::Reasoning => "reasoning: `--reasoning`",
            Self::Beside => "left out",
            Self::Refused => "refused",
            Self::Made => "written by Redline",
            Self::Echoed => "as the client sent it",
        }
    }
}

/// Decides about fields by the rules and notes what it left out or let through unseen.
#[derive(Debug, Clone)]
pub(super) struct Sorter {
    fail: FailMode,
    pub(super) reasoning: Reasoning,
    pub(super) notes: Notes,
}

/// What is done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    LeaveOut,
    /// It is the caller's: text, calls, or what Redline writes.
    Own(Fate),
}

impl Sorter {
    pub(super) fn new(fail: FailMode, reasoning: Reasoning) -> Self {
        Self { fail, reasoning, notes: Notes::default() }
    }

    /// Decides about the field `name` of what is called `at` in messages.
    pub(super) fn field(&mut self, rules: Rules, at: &str, name: &str, value: &RawValue) -> Result<Verdict, ApiError> {
        let fate = rules.iter().find(|rule| rule.name == name).map(|rule| rule.fate);
        let path = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        match fate {
            Some(fate @ (Fate::Corrected | Fate::Calls | Fate::Made | Fate::Echoed)) => Ok(Verdict::Own(fate)),
            Some(_) if is_void(value) => Ok(Verdict::Pass),
            None if is_void(value) => Ok(Verdict::LeaveOut),
            Some(Fate::Passed) if is_plain(value) => Ok(Verdict::Pass),
            Some(Fate::Reasoning) => Ok(self.reasoning(path)),
            Some(Fate::Refused) => self.refuse(path),
            Some(Fate::Beside | Fate::Passed) | None => Ok(self.beside(path)),
        }
    }

    /// Decides about a part or an item by its type.
    pub(super) fn part(&mut self, rules: Rules, at: &str, kind: &str) -> Result<Verdict, ApiError> {
        let fate = rules.iter().find(|rule| rule.name == kind).map(|rule| rule.fate);
        let path = format!("{at}.{kind}");
        match fate {
            Some(Fate::Reasoning) => Ok(self.reasoning(path)),
            Some(Fate::Beside) => Ok(self.beside(path)),
            Some(Fate::Refused) | None => self.refuse(path),
            Some(fate) => Ok(Verdict::Own(fate)),
        }
    }

    /// Something that is neither text nor a call in a place of text: an error, unless what is unseen may pass.
    pub(super) fn refuse(&mut self, path: String) -> Result<Verdict, ApiError> {
        match self.fail {
            FailMode::Closed => {
                let path = plain(&path);
                let rule = format!(
                    "`{path}` is nothing that the Aligner can read, and --fail closed lets nothing else through"
                );
                Err(ApiError::bad_reply(rule))
            }
            FailMode::Open => {
                self.notes.unseen.add(&path);
                Ok(Verdict::Pass)
            }
        }
    }

    fn reasoning(&mut self, path: String) -> Verdict {
        match self.reasoning {
            Reasoning::Drop => {
                self.notes.dropped.add(&path);
                Verdict::LeaveOut
            }
            Reasoning::Keep => {
                self.notes.unseen.add(&path);
                Verdict::Pass
            }
        }
    }

    fn beside(&mut self, path: String) -> Verdict {
        match self.fail {
            FailMode::Closed => {
                self.notes.dropped.add(&path);
                Verdict::LeaveOut
            }
            FailMode::Open => {
                self.notes.unseen.add(&path);
                Verdict::Pass
            }
        }
    }
}

/// Whether a value is a number, a flag or a name.
fn is_plain(value: &RawValue) -> bool {
    match value.get().as_bytes().first() {
        Some(b'"') => {
            let is_name =
                |name: &str| name.len() <= LONGEST_NAME && !name.contains(char::is_whitespace) && !is_sentence(name);
            read::<String>(value).is_some_and(|name| is_name(&name))
        }
        Some(b'{' | b'[') | None => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::raw;
    use serde_json::json;

    fn verdict(fail: FailMode, rules: Rules, name: &str, value: serde_json::Value) -> (Option<Verdict>, Notes) {
        let mut sorter = Sorter::new(fail, Reasoning::Drop);
        let verdict = sorter.field(rules, "message", name, &raw(&value)).ok();
        (verdict, sorter.notes)
    }

    #[test]
    fn no_name_stands_twice_in_a_table() {
        for (title, rules) in TABLES {
            let mut names: Vec<&str> = rules.iter().map(|rule| rule.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{title}");
        }
    }

    #[test]
    fn closed_lets_nothing_unseen_through_and_open_names_it() {
        use FailMode::{Closed, Open};
        for (name, value) in [
            ("audio", json!({ "transcript": "You fool." })),
            ("annotations", json!([{ "title": "You fool." }])),
            ("reasoning_content", json!("You fool.")),
            ("role", json!("You\nfool.")),
            ("role", json!(["You fool."])),
            ("role", json!("你是个彻头彻尾的傻瓜")),
            ("something_new", json!("You fool.")),
            ("something_new", json!({ "a": ["You fool."] })),
        ] {
            let (closed, notes) = verdict(Closed, CHAT_MESSAGE, name, value.clone());
            assert_ne!(closed, Some(Verdict::Pass), "{name}");
            assert!(closed.is_none() || notes.dropped[..] == [format!("message.{name}")], "{name}");
            let (open, notes) = verdict(Open, CHAT_MESSAGE, name, value);
            let is_named = notes.unseen.len() + notes.dropped.len() == 1;
            assert!(is_named && (open == Some(Verdict::Pass)) == (name != "reasoning_content"), "{name}");
        }
        assert_eq!(verdict(Closed, CHAT_MESSAGE, "audio", json!(null)).0, Some(Verdict::Pass));
        assert_eq!(verdict(Closed, CHAT_MESSAGE, "annotations", json!([])).0, Some(Verdict::Pass));
        assert_eq!(verdict(Closed, CHAT, "service_tier", json!("default")).0, Some(Verdict::Pass));
        assert_eq!(verdict(Closed, CHAT_MESSAGE, "content", json!("x")).0, Some(Verdict::Own(Fate::Corrected)));
    }
}

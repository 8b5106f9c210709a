//! Conversations as a chat model reads them: its own chat template, rendered.

use minijinja::{Environment, ErrorKind, context};
use redline_model::{AlignerTemplate, Tokenizer};
use serde_json::{Value, json};

/// Steps of a template at most: templates come with models and are programs.
const MOST_FUEL: u64 = 1_000_000;

/// Why a conversation cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("the model's chat template fails on this conversation: {reason}")]
pub struct ChatError {
    /// What it says.
    pub reason: String,
}

impl ChatError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        "the chat template comes with the model (tokenizer_config.json, chat_template.jinja or the GGUF file): mend it there"
    }
}

/// The prompt for a conversation, a list of messages with `role` and `content`, up to where the model answers. A model without
/// chat template gets `USER: …` and `ASSISTANT:` lines.
///
/// # Errors
/// The template is malformed, refuses the conversation, or does not come to an end.
pub fn chat_prompt(tokenizer: &Tokenizer, messages: &Value) -> Result<String, ChatError> {
    let failed = |error: minijinja::Error| ChatError { reason: error.to_string() };
    let Some(template) = tokenizer.chat_template() else { return Ok(plain(messages)) };
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(MOST_FUEL));
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |reason: String| -> Result<String, minijinja::Error> {
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, reason))
    });
    let token = |id: Option<u32>| id.and_then(|id| tokenizer.token(id)).unwrap_or_default();
    let values = context! {
        messages => messages,
        add_generation_prompt => true,
        bos_token => token(tokenizer.bos_id()),
        eos_token => token(tokenizer.eos_id()),
    };
    environment.add_template("chat", template).map_err(failed)?;
    environment.get_template("chat").and_then(|template| template.render(values)).map_err(failed)
}

/// The prompt of a single question by the model's own chat template, as a template: before and after the question it is what [`chat_prompt`]
/// makes. Without a tokenizer it is that of a model without chat template.
///
/// # Errors
/// As [`chat_prompt`], or a template that does not show the question once.
pub fn question_template(tokenizer: Option<&Tokenizer>) -> Result<AlignerTemplate, ChatError> {
    const QUESTION: &str = "Is3this8the5question7";
    let messages = json!([{ "role": "user", "content": QUESTION }]);
    let text = match tokenizer {
        Some(tokenizer) => chat_prompt(tokenizer, &messages)?,
        None => plain(&messages),
    };
    let parts: Vec<&str> = text.split(QUESTION).collect();
    match parts[..] {
        [before, after] => Ok(AlignerTemplate::around_question("chat", before, after)),
        _ => Err(ChatError { reason: format!("it shows a question {} times", parts.len() - 1) }),
    }
}

fn plain(messages: &Value) -> String {
    let turn = |message: &Value| {
        let text = message["content"].as_str().unwrap_or_default();
        format!("{}: {}\n", message["role"].as_str().unwrap_or("user").to_uppercase(), text.trim())
    };
    messages.as_array().into_iter().flatten().map(turn).collect::<String>() + "ASSISTANT:"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_the_same_prompt_as_a_template_and_as_a_conversation() {
        let model = crate::tests::built_in();
        let tokenizer = model.tokenizer().unwrap();
        for question in ["Why?", "{answer} and 1 + 1"] {
            let messages = json!([{ "role": "user", "content": question }]);
            let template = question_template(Some(tokenizer)).unwrap();
            assert_eq!(template.render(question, "x").text, chat_prompt(tokenizer, &messages).unwrap());
            assert_eq!(question_template(None).unwrap().render(question, "").text, plain(&messages));
        }
    }

    #[test]
    fn a_model_without_template_gets_plain_turns() {
        let messages = json!([{ "role": "user", "content": "Why? " }, { "role": "assistant", "content": "So." }, { "role": "user", "content": "And?" }]);
        assert_eq!(plain(&messages), "USER: Why?\nASSISTANT: So.\nUSER: And?\nASSISTANT:");
    }
}

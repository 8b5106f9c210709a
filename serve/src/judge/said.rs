//! What a reply of the chat API says: its text, its likeliest first tokens, its count of tokens.
//!
//! Of a list the beginning is read, and a text has a longest length: the server may be anybody's.

use redline_lab::judge::{Reply, TokenLogProb};
use redline_lab::raw::{self, RawObject};
use serde_json::value::RawValue;

use super::super::upstream_error::{Stated, UpstreamError};

/// Longest text, in bytes. A reply of the length that is asked for is far shorter.
const MOST_TEXT: usize = 256 << 10;
/// Likeliest tokens that are read, whatever was asked for.
const MOST_TOP: usize = 20;
/// Longest token, in bytes.
const MOST_TOKEN: usize = 256;

/// What a reply says.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Said {
    /// The text and the first token. The text of one that declines is what it says instead.
    pub(super) reply: Reply,
    /// Whether the limit of length cut it.
    pub(super) is_cut: bool,
    /// Whether the model, or a filter before it, declined.
    pub(super) is_declined: bool,
    /// Tokens of the prompt and of the reply, where it says so.
    pub(super) tokens: Option<[u64; 2]>,
}

/// Why a reply says nothing.
pub(super) enum Unread {
    /// It has no form that is known.
    Form(UpstreamError),
    /// It states an error.
    Stated(Stated),
}

impl Said {
    /// Reads the first choice of a reply.
    pub(super) fn read(body: &[u8]) -> Result<Self, Unread> {
        let body = std::str::from_utf8(body).map_err(|_| form("it is no text"))?;
        let object = RawObject::parse(body.trim()).map_err(|error| form(&format!("no JSON object: {error}")))?;
        stated(&object)?;
        let choices = object.get("choices").and_then(raw::list).unwrap_or_default();
        let choice = choices.first().and_then(|choice| RawObject::of(choice));
        let choice = choice.ok_or_else(|| form("it holds no choices"))?;
        stated(&choice)?;
        let message = choice.get("message").and_then(RawObject::of);
        let message = message.ok_or_else(|| form("it holds no choices with messages"))?;
        let mut said = Said { tokens: object.get("usage").and_then(tokens), ..Said::default() };
        let refusal = said.content(&message)?;
        let reason = choice.get("finish_reason").and_then(raw::text);
        said.is_cut = matches!(reason.as_deref(), Some("length" | "max_tokens"));
        let is_filtered = reason.as_deref() == Some("content_filter");
        if let Some(refusal) = refusal {
            (said.is_declined, said.reply.text) = (true, refusal);
        } else if is_filtered {
            said.is_declined = true;
        }
        if said.reply.text.len() > MOST_TEXT {
            return Err(form(&format!("its text has more than {} KiB", MOST_TEXT >> 10)));
        }
        said.reply.first_token = choice.get("logprobs").and_then(first_token).unwrap_or_default();
        Ok(said)
    }

    /// Takes the text of a message, or of all its parts; gives what it says instead.
    fn content(&mut self, message: &RawObject<'_>) -> Result<Option<String>, Unread> {
        let mut refusal = message.get("refusal").and_then(raw::text).filter(|text| !text.trim().is_empty());
        let Some(content) = message.get("content") else { return Ok(refusal) };
        if let Some(text) = raw::text(content) {
            self.reply.text = text;
            return Ok(refusal);
        }
        let parts = raw::list(content).ok_or_else(|| form("its content is neither text nor parts"))?;
        for part in parts {
            if let Some(text) = raw::text(part) {
                self.reply.text += &text;
                continue;
            }
            let Some(part) = RawObject::of(part) else { continue };
            let text = |field| part.get(field).and_then(raw::text).unwrap_or_default();
            match part.get("type").and_then(raw::text).as_deref() {
                Some("text" | "output_text") => self.reply.text += &text("text"),
                Some("refusal") => refusal = Some(text("refusal")),
                // reasoning, and what is no text
                _ => {}
            }
        }
        Ok(refusal)
    }
}

fn form(rule: &str) -> Unread {
    Unread::Form(UpstreamError::Reply { rule: rule.into() })
}

/// The error in a reply whose status says that all is well, or in one of its choices.
fn stated(object: &RawObject<'_>) -> Result<(), Unread> {
    match object.get("error").filter(|error| !raw::is_nothing(error)) {
        Some(error) => Err(Unread::Stated(Stated::read(error.get().as_bytes()))),
        None => Ok(()),
    }
}

fn tokens(usage: &RawValue) -> Option<[u64; 2]> {
    let usage = RawObject::of(usage)?;
    let count = |name: &str| usage.get(name).and_then(raw::read::<f64>).filter(|n| *n >= 0.0).map(|n| n as u64);
    // a reply without a text may leave its own out
    Some([count("prompt_tokens")?, count("completion_tokens").unwrap_or(0)])
}

/// The likeliest tokens at the first place.
fn first_token(log_probs: &RawValue) -> Option<Vec<TokenLogProb>> {
    let content = RawObject::of(log_probs)?;
    let places = content.get("content").and_then(raw::list)?;
    let place = RawObject::of(places.first()?)?;
    let top = place.get("top_logprobs").and_then(raw::list)?;
    Some(top.into_iter().take(MOST_TOP).filter_map(likely).collect())
}

fn likely(token: &RawValue) -> Option<TokenLogProb> {
    let fields = RawObject::of(token)?;
    let token = fields.get("token").and_then(raw::text).filter(|token| token.len() <= MOST_TOKEN)?;
    // -inf has no other spelling in JSON; what is no number at all is none
    let log_prob = fields.get("logprob").map_or(Some(f64::NEG_INFINITY), raw::read).unwrap_or(f64::NAN);
    Some(TokenLogProb { token, log_prob })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(choice: &str) -> Said {
        let body = format!("{{\"choices\":[{choice}],\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":2}}}}");
        Said::read(body.as_bytes()).unwrap_or_else(|_| panic!("{choice}"))
    }

    fn text(message: &str) -> (String, bool) {
        let said = said(&format!("{{\"message\":{message},\"finish_reason\":\"stop\"}}"));
        (said.reply.text, said.is_declined)
    }

    #[test]
    fn text_stands_in_content_or_in_its_parts() {
        assert_eq!(text(r#"{"content":"[[A]]"}"#), ("[[A]]".into(), false));
        let parts = r#"{"content":["x",{"type":"thinking","thinking":"[[B]]"},{"type":"text","text":" [[A]]"},3]}"#;
        assert_eq!(text(parts), ("x [[A]]".into(), false));
        assert_eq!(text(r#"{"content":null,"reasoning_content":"[[B]]"}"#), (String::new(), false));
        assert_eq!(text(r#"{"content":"half \ud83d"}"#), ("half \u{fffd}".into(), false));
    }

    #[test]
    fn who_declines_is_no_verdict_whatever_else_is_said() {
        assert_eq!(text(r#"{"content":null,"refusal":"No."}"#), ("No.".into(), true));
        assert_eq!(text(r#"{"content":"[[A]]","refusal":"No."}"#), ("No.".into(), true));
        assert_eq!(text(r#"{"content":[{"type":"refusal","refusal":"No."}]}"#), ("No.".into(), true));
        assert_eq!(text(r#"{"content":"[[A]]","refusal":""}"#), ("[[A]]".into(), false));
        let filtered = said(r#"{"message":{"content":""},"finish_reason":"content_filter"}"#);
        assert!(filtered.is_declined && filtered.reply.text.is_empty());
    }

    #[test]
    fn tokens_are_counted_and_never_trusted() {
        let usage = |usage: &str| {
            let body = format!("{{\"choices\":[{{\"message\":{{}}}}],\"usage\":{usage}}}");
            Said::read(body.as_bytes()).ok().and_then(|said| said.tokens)
        };
        assert_eq!(usage(r#"{"prompt_tokens":7,"completion_tokens":2}"#), Some([7, 2]));
        assert_eq!(usage(r#"{"prompt_tokens":7}"#), Some([7, 0]));
        assert_eq!(usage(r#"{"prompt_tokens":1e300,"completion_tokens":2.0}"#), Some([u64::MAX, 2]));
        for nothing in ["null", "3", r#"{"prompt_tokens":-7}"#, r#"{"prompt_tokens":"7"}"#, "{}"] {
            assert_eq!(usage(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn the_likeliest_tokens_are_those_of_the_first_place() {
        let top = |log_probs: &str| {
            let choice =
                format!("{{\"message\":{{\"content\":\"m\"}},\"finish_reason\":\"length\",\"logprobs\":{log_probs}}}");
            let said = said(&choice);
            assert!(said.is_cut);
            said.reply.first_token.into_iter().map(|top| (top.token, top.log_prob)).collect::<Vec<_>>()
        };
        let listed =
            |top: &str| format!(r#"{{"content":[{{"token":"m","top_logprobs":[{top}]}},{{"top_logprobs":[]}}]}}"#);
        let two = r#"{"token":"m","logprob":-0.5},{"token":"M","logprob":null},7"#;
        assert_eq!(top(&listed(two)), [("m".into(), -0.5), ("M".into(), f64::NEG_INFINITY)]);
        assert!(top(&listed(r#"{"token":"m","logprob":"x"}"#))[0].1.is_nan());
        assert_eq!(top(&listed(&[r#"{"token":"m","logprob":-9}"#; 1000].join(","))).len(), MOST_TOP);
        for nothing in ["null", "{}", r#"{"content":null}"#, r#"{"content":[]}"#, r#"{"content":[{}]}"#] {
            assert!(top(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_is_no_reply_says_so() {
        let rule = |body: &str| match Said::read(body.as_bytes()) {
            Err(Unread::Form(error)) => error.to_string(),
            Err(Unread::Stated(stated)) => stated.message,
            Ok(said) => panic!("{body}: {said:?}"),
        };
        assert!(rule("<html>").contains("no JSON object"));
        assert!(rule("{}").contains("no choices") && rule(r#"{"choices":[]}"#).contains("no choices"));
        assert!(rule(r#"{"choices":[{"text":"[[A]]"}]}"#).contains("with messages"));
        assert!(rule(r#"{"choices":[{"message":{"content":{"a":1}}}]}"#).contains("neither text nor parts"));
        assert_eq!(rule(r#"{"error":{"message":"busy","code":503}}"#), "busy");
        assert_eq!(rule(r#"{"choices":[{"error":{"message":"flagged","code":403}}]}"#), "flagged");
        let long = format!("{{\"choices\":[{{\"message\":{{\"content\":\"{}\"}}}}]}}", "x".repeat(MOST_TEXT + 1));
        assert!(rule(&long).contains("256 KiB"));
    }
}

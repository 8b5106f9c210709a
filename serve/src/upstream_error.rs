//! Why the upstream server gives no answer, and what it says of it: providers spell their errors in many ways.

use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;

/// Bytes of an error that are read: whoever has more to say says it at length.
pub(super) const MOST_ERROR_BYTES: usize = 64 << 10;
/// Characters of an upstream message that are passed on.
const QUOTED_CHARS: usize = 500;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The address cannot be used.
    #[error("`{url}` is no address of a server: {rule}")]
    Address {
        /// As given, without a password.
        url: String,
        /// The broken rule.
        rule: String,
    },
    /// No encrypted connection can be made from here.
    #[error("https is not possible here: {reason}")]
    NoTls {
        /// What is missing.
        reason: String,
    },
    /// The key cannot be sent.
    #[error("the upstream key holds characters that no header can hold")]
    Key,
    /// No connection, or one that broke.
    #[error("the upstream server at {url} cannot be reached: {reason}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// The time is up.
    #[error("the upstream server at {url} did not answer within {seconds} s")]
    Timeout {
        /// The address asked.
        url: String,
        /// The limit.
        seconds: f64,
    },
    /// It answered with an error.
    #[error("the upstream server answered {status}: {}", stated.message)]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it says.
        stated: Box<Stated>,
        /// Its headers that are for clients, among them when it may be asked again.
        headers: Box<HeaderMap>,
    },
    /// It wants to be asked elsewhere.
    #[error(
        "the upstream server answered {status}: it is at {location}; redirects are not followed, since they would take the key along"
    )]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// The reply is none of this protocol, or breaks off.
    #[error("the upstream server's reply cannot be used: {rule}")]
    Reply {
        /// The broken rule.
        rule: String,
    },
}

impl UpstreamError {
    /// A short name, for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Address { .. } | Self::NoTls { .. } | Self::Key => "settings",
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::Status { .. } => "status",
            Self::Redirect { .. } => "redirect",
            Self::Reply { .. } => "reply",
        }
    }

    /// Whether the same request may work later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Reply { .. } => true,
            Self::Status { status, .. } => matches!(status, 408 | 429) || *status >= 500,
            Self::Address { .. } | Self::NoTls { .. } | Self::Key | Self::Redirect { .. } => false,
        }
    }

    /// In how many seconds the server wants to be asked again.
    pub fn retry_after(&self) -> Option<u64> {
        let Self::Status { headers, .. } = self else { return None };
        let wish = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        // seconds, or a date
        let until = || httpdate::parse_http_date(wish).ok();
        wish.parse()
            .ok()
            .or_else(|| Some(until()?.duration_since(SystemTime::now()).map_or(0, |wait| wait.as_secs() + 1)))
    }
}

/// What a provider says of an error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stated {
    /// For people, in one line.
    pub message: String,
    /// Its `type`.
    pub kind: Option<String>,
    /// Its `code`, a text or a number.
    pub code: Option<Value>,
    /// The parameter that is wrong.
    pub param: Option<String>,
}

impl Stated {
    /// Reads the body of an error, as far as errors are read.
    pub fn read(body: &[u8]) -> Self {
        let body = &body[..body.len().min(MOST_ERROR_BYTES)];
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(&value),
            Err(_) => Self { message: line(&plain(&String::from_utf8_lossy(body))), ..Self::default() },
        }
    }

    /// Reads an error that was parsed: a whole body, or what stands under `error` in a choice.
    pub fn of(value: &Value) -> Self {
        // Gemini's server wraps its errors in a list
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        let about = match &value["error"] {
            inner @ Value::Object(_) => inner,
            _ => value,
        };
        let text = |key: &str| about[key].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        let code = about.get("code").filter(|code| code.is_number() || code.as_str().is_some_and(|it| !it.is_empty()));
        let message = message(value).or_else(|| message(about)).unwrap_or_else(|| value.to_string());
        Self { message: line(&message), kind: text("type"), code: code.cloned(), param: text("param") }
    }

    /// All texts of it as `change` has them.
    pub(super) fn map(self, change: impl Fn(&str) -> String) -> Self {
        let code = match self.code {
            Some(Value::String(text)) => Some(Value::String(change(&text))),
            code => code,
        };
        Self {
            message: change(&self.message),
            kind: self.kind.as_deref().map(&change),
            code,
            param: self.param.as_deref().map(&change),
        }
    }

    /// The status that the code names, for errors in replies whose own status is 200.
    pub fn status(&self) -> Option<StatusCode> {
        let number = match self.code.as_ref()? {
            Value::String(text) => text.parse().ok()?,
            number => u16::try_from(number.as_u64()?).ok()?,
        };
        StatusCode::from_u16(number).ok().filter(|status| status.is_client_error() || status.is_server_error())
    }
}

/// The message of an error's body, in one line.
pub fn stated_message(body: &[u8]) -> String {
    Stated::read(body).message
}

/// The message in what providers send.
fn message(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        Value::Array(list) => {
            let parts: Vec<String> = list.iter().filter_map(message).collect();
            (!parts.is_empty()).then(|| parts.join("; "))
        }
        Value::Object(fields) => {
            let named = ["error", "message", "detail", "msg", "errors", "error_description", "reason", "title"];
            let mut found = named.iter().find_map(|name| message(fields.get(*name)?))?;
            // a class of errors in a word or two, and the message beside it
            let beside = ["message", "error_description"].iter().find_map(|name| message(fields.get(*name)?));
            if let Some(beside) =
                beside.filter(|beside| *beside != found && fields.get("error").is_some_and(Value::is_string))
            {
                found = format!("{found}: {beside}");
            }
            let place = fields.get("loc").and_then(Value::as_array).map(|parts| place(parts));
            // OpenRouter has the provider's own words there
            let raw =
                fields.get("metadata").and_then(|more| more["raw"].as_str()).map(|raw| stated_message(raw.as_bytes()));
            let found = match place {
                Some(place) if !place.is_empty() => format!("{place}: {found}"),
                _ => found,
            };
            Some(match raw {
                Some(raw) if !raw.is_empty() => format!("{found}: {raw}"),
                _ => found,
            })
        }
        _ => None,
    }
}

/// `["body", "messages", 0]` as `body.messages.0`.
fn place(parts: &[Value]) -> String {
    let parts: Vec<String> =
        parts.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
    parts.join(".")
}

/// A text, or what a page of HTML shows: its title, else its words.
fn plain(text: &str) -> String {
    let start = text.trim_start();
    let is_page = ["<!doctype", "<html", "<head", "<body", "<?xml", "<h1", "<title"];
    let is_page = is_page.iter().any(|tag| start.get(..tag.len()).is_some_and(|it| it.eq_ignore_ascii_case(tag)));
    if !is_page {
        return text.to_owned();
    }
    let words = |text: &str| {
        let parts = text.split('<').map(|part| part.split_once('>').map_or(part, |(_, shown)| shown));
        parts.collect::<Vec<_>>().join(" ")
    };
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title").and_then(|at| Some(&text[at..at + lower[at..].find("</title")?]));
    let shown = title.map(words).filter(|title| !title.trim().is_empty()).unwrap_or_else(|| words(text));
    format!("a page of HTML: {}", shown.trim())
}

/// One line without control characters, shortened.
fn line(text: &str) -> String {
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let text = words.join(" ");
    match text.chars().count() {
        0 => "it says nothing of why".into(),
        n if n > QUOTED_CHARS => format!("{}…", text.chars().take(QUOTED_CHARS).collect::<String>()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_error_is_read() {
        let cases = [
            (r#"{"error": "model 'x' not found"}"#, "model 'x' not found"),
            (r#"{"error": {"message": "no such model"}}"#, "no such model"),
            (r#"{"detail": "Not Found"}"#, "Not Found"),
            (
                r#"{"detail": [{"loc": ["body", "max_tokens"], "msg": "must be positive"}, {"loc": ["body", "messages", 0], "msg": "is empty"}]}"#,
                "body.max_tokens: must be positive; body.messages.0: is empty",
            ),
            (r#"{"message": "no API key found"}"#, "no API key found"),
            (r#"{"object": "error", "message": "too long", "type": "BadRequestError", "code": 400}"#, "too long"),
            (
                r#"[{"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}}]"#,
                "API key not valid",
            ),
            (r#"{"errors": [{"message": "one"}, "two"]}"#, "one; two"),
            (
                r#"{"error": {"message": "Provider returned error", "metadata": {"raw": "{\"error\": \"busy\"}"}}}"#,
                "Provider returned error: busy",
            ),
            (r#"{"error": {"message": ""}, "detail": "in the end"}"#, "in the end"),
            (r#"{"status": 404, "error": "Not Found", "message": "no route"}"#, "Not Found: no route"),
            (r#""a text""#, "a text"),
            (r#"{"ok": false}"#, r#"{"ok":false}"#),
            ("upstream connect error\r\n\u{1b}[31mreset", "upstream connect error [31mreset"),
            ("", "it says nothing of why"),
            (
                "<html>\r\n<head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
                "a page of HTML: 502 Bad Gateway",
            ),
            ("<!DOCTYPE html><body><h1>Sorry</h1><p>we are down</p>", "a page of HTML: Sorry we are down"),
        ];
        for (body, expected) in cases {
            assert_eq!(stated_message(body.as_bytes()), expected, "{body}");
        }
        assert!(stated_message("long ".repeat(1000).as_bytes()).chars().count() <= QUOTED_CHARS + 1);
    }

    #[test]
    fn of_a_long_error_the_beginning_is_read() {
        let short = format!(r#"[{{"error":"busy"}},"{}"]"#, "x".repeat(MOST_ERROR_BYTES / 2));
        assert_eq!(stated_message(short.as_bytes()), "busy");
        let long = format!(r#"[{{"error":"busy"}},"{}"]"#, "x".repeat(MOST_ERROR_BYTES));
        assert!(stated_message(long.as_bytes()).starts_with(r#"[{"error":"busy"},"xx"#), "it is no JSON any more");
    }

    #[test]
    fn type_code_and_param_are_kept() {
        let stated = Stated::read(br#"{"error": {"message": "m", "type": "t", "param": "p", "code": "c"}}"#);
        let expected =
            Stated { message: "m".into(), kind: Some("t".into()), code: Some("c".into()), param: Some("p".into()) };
        assert_eq!(stated, expected);
        let vllm = br#"{"object": "error", "message": "m", "type": "BadRequestError", "param": null, "code": 400}"#;
        let stated = Stated::read(vllm);
        assert_eq!((stated.kind.as_deref(), &stated.code), (Some("BadRequestError"), &Some(400.into())));
        assert_eq!((stated.status(), stated.param), (Some(StatusCode::BAD_REQUEST), None));
        let in_reply =
            |code: &str| Stated::read(format!(r#"{{"error": {{"message": "m", "code": {code}}}}}"#).as_bytes());
        assert_eq!(in_reply("429").status(), Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(in_reply("\"503\"").status(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert!(["200", "\"quota\"", "null", "99999"].iter().all(|code| in_reply(code).status().is_none()));
    }
}

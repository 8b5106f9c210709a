//! Which headers pass between a client and the upstream server: those of these lists, and no others.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// Names of headers that go upstream; a `*` at the end stands for any rest.
pub const TO_UPSTREAM: [&str; 17] = [
    "openai-organization",
    "openai-project",
    "openai-beta",
    "anthropic-version",
    "anthropic-beta",
    "traceparent",
    "tracestate",
    "baggage",
    "b3",
    "x-b3-*",
    "x-request-id",
    "x-client-request-id",
    "idempotency-key",
    "http-referer",
    "x-title",
    "x-stainless-*",
    "user-agent",
];
/// Names of headers that hold a client's key for the upstream server; they go there only where neither this server has keys
/// of its own clients nor one for the upstream server.
pub const KEYS_TO_UPSTREAM: [&str; 3] = ["authorization", "api-key", "x-api-key"];
/// Names of headers that come back from the upstream server.
pub const TO_CLIENT: [&str; 12] = [
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-ratelimit-*",
    "ratelimit",
    "ratelimit-*",
    "anthropic-ratelimit-*",
    "openai-*",
    "x-openrouter-*",
    "x-litellm-*",
    "server-timing",
    "deprecation",
];
/// Names of headers that describe a body, and go with one that is passed on as it is.
pub const WITH_BODY_TO_UPSTREAM: [&str; 3] = ["accept", "content-type", "content-encoding"];
/// The same on the way back.
pub const WITH_BODY_TO_CLIENT: [&str; 6] =
    ["content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "last-modified"];
/// The id of a request: the client's own or one of this server, sent upstream and in every reply.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The upstream server's id of its part.
pub const UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");
/// Longest id that is taken from a client.
pub const MOST_ID_BYTES: usize = 128;

/// Which headers pass beside those that always do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Also {
    /// A client's key.
    pub(super) key: bool,
    /// What describes a body that is passed on as it is.
    pub(super) body: bool,
}

/// A client's headers that go upstream.
pub(super) fn to_upstream(headers: &HeaderMap, also: Also) -> HeaderMap {
    let passes = |name: &str| {
        is_listed(&TO_UPSTREAM, name)
            || (also.key && is_listed(&KEYS_TO_UPSTREAM, name))
            || (also.body && is_listed(&WITH_BODY_TO_UPSTREAM, name))
    };
    let mut passed = filtered(headers, passes);
    for name in KEYS_TO_UPSTREAM {
        passed.get_mut(name).into_iter().for_each(|value| value.set_sensitive(true));
    }
    passed
}

/// The upstream server's headers that go to the client; its id under a name of its own.
pub(super) fn to_client(headers: &HeaderMap, with_body: bool) -> HeaderMap {
    let passes = |name: &str| is_listed(&TO_CLIENT, name) || (with_body && is_listed(&WITH_BODY_TO_CLIENT, name));
    let mut passed = filtered(headers, passes);
    if let Some(id) = headers.get(REQUEST_ID) {
        passed.insert(UPSTREAM_REQUEST_ID, id.clone());
    }
    passed
}

fn filtered(headers: &HeaderMap, passes: impl Fn(&str) -> bool) -> HeaderMap {
    // what `Connection` names is for the next hop alone
    let hop: Vec<String> =
        headers.get_all("connection").iter().filter_map(|value| value.to_str().ok()).flat_map(names).collect();
    let passed =
        headers.iter().filter(|(name, _)| passes(name.as_str()) && !hop.iter().any(|hop| *hop == name.as_str()));
    passed.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn names(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|name| name.trim().to_ascii_lowercase())
}

fn is_listed(list: &[&str], name: &str) -> bool {
    list.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *listed,
    })
}

/// A request's id: the client's where it is short and of plain characters, else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_plain = |id: &&str| {
        (1..=MOST_ID_BYTES).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&byte))
    };
    let own = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_plain);
    // some upstream servers take no other ids than these (llama-cpp-python's)
    let id = own.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
    HeaderValue::from_str(&id).expect("plain characters are a header's value")
}

/// An id that nothing else has, here or after a start anew.
pub(super) fn hex_id(prefix: &str) -> String {
    format!("{prefix}{}", Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn nothing_but_what_is_listed_passes() {
        let sent = headers(&[
            ("authorization", "Bearer k"),
            ("api-key", "k"),
            ("cookie", "session=1"),
            ("host", "localhost"),
            ("connection", "keep-alive, X-Title"),
            ("x-title", "named by Connection"),
            ("openai-project", "p"),
            ("x-stainless-lang", "python"),
            ("x-forwarded-for", "10.0.0.1"),
            ("te", "trailers"),
            ("content-length", "3"),
            ("baggage", "a=1"),
            ("baggage", "b=2"),
        ]);
        let passed = to_upstream(&sent, Also::default());
        assert_eq!(
            passed,
            headers(&[("openai-project", "p"), ("x-stainless-lang", "python"), ("baggage", "a=1"), ("baggage", "b=2")])
        );
        let with_key = to_upstream(&sent, Also { key: true, body: false });
        assert_eq!(
            (with_key["authorization"].as_bytes(), with_key["api-key"].as_bytes()),
            (&b"Bearer k"[..], &b"k"[..])
        );
        assert!(!format!("{with_key:?}").contains("Bearer"), "no log shows a key");
    }

    #[test]
    fn the_upstream_servers_id_comes_back_under_another_name() {
        let sent = headers(&[
            ("x-request-id", "theirs"),
            ("x-ratelimit-remaining-tokens", "7"),
            ("openai-processing-ms", "5"),
            ("set-cookie", "a=1"),
            ("content-encoding", "gzip"),
            ("transfer-encoding", "chunked"),
            ("access-control-allow-origin", "*"),
            ("location", "http://elsewhere"),
        ]);
        let expected = headers(&[
            ("x-ratelimit-remaining-tokens", "7"),
            ("openai-processing-ms", "5"),
            ("x-upstream-request-id", "theirs"),
        ]);
        assert_eq!(to_client(&sent, false), expected);
    }

    #[test]
    fn an_id_is_the_clients_where_it_is_a_plain_one() {
        assert_eq!(request_id(&headers(&[("x-request-id", "a-1_b.c:d")])), "a-1_b.c:d");
        let long: &'static str = "x".repeat(MOST_ID_BYTES + 1).leak();
        for other in ["", "two words", "\u{1b}[31m", long, "quote\""] {
            let mut sent = HeaderMap::new();
            sent.extend(HeaderValue::from_str(other).ok().map(|value| (REQUEST_ID, value)));
            let id = request_id(&sent);
            assert_eq!(Uuid::parse_str(id.to_str().unwrap()).unwrap().get_version_num(), 4, "{other}: {id:?}");
        }
        let ids: std::collections::HashSet<HeaderValue> = (0..100).map(|_| request_id(&HeaderMap::new())).collect();
        assert_eq!(ids.len(), 100);
    }
}

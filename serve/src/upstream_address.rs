//! The upstream server's address: its parts checked, name and password taken out of it; and the proxy on the way.

use axum::http::{HeaderValue, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::upstream_error::UpstreamError;

/// Variables that name a proxy.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// An address that can be asked.
pub(super) struct Address {
    /// Without name, password and the last `/`.
    pub(super) base: String,
    pub(super) is_https: bool,
    pub(super) authorization: Option<HeaderValue>,
    /// What no message may hold.
    pub(super) secrets: Vec<String>,
}

impl Address {
    pub(super) fn parse(text: &str, key: Option<&str>) -> Result<Self, UpstreamError> {
        let refuse = |rule: &str| UpstreamError::Address { url: without_user(text), rule: rule.into() };
        if !["http://", "https://"].iter().any(|start| starts_with(text, start)) {
            return Err(refuse("it must begin with http:// or https://"));
        }
        let mut url: Url = text.trim().parse().map_err(|error| refuse(&format!("{error}")))?;
        if url.host_str().is_none_or(str::is_empty) || url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must be a host with a path and nothing else"));
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), decoded(url.password().unwrap_or_default()));
        let has_user = !user.is_empty() || !password.is_empty();
        if has_user && key.is_some() {
            return Err(refuse("it holds a name or password, and a key is given beside it: one of them can be sent"));
        }
        let basic = BASE64_STANDARD.encode(format!("{user}:{password}"));
        let authorization = match key {
            Some(key) => Some(authorization("Bearer", key)?),
            None if has_user => Some(authorization("Basic", &basic)?),
            None => None,
        };
        let mut secrets: Vec<String> = key.map(str::to_owned).into_iter().collect();
        if has_user {
            // a token is often given as the name alone
            secrets.extend([basic, if password.is_empty() { user } else { password }]);
        }
        secrets.extend(proxy_passwords());
        // an address with a host can do without both
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, is_https: url.scheme() == "https", authorization, secrets })
    }
}

/// A header that no log shows.
fn authorization(scheme: &str, secret: &str) -> Result<HeaderValue, UpstreamError> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {secret}")).map_err(|_| UpstreamError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

fn starts_with(text: &str, start: &str) -> bool {
    text.trim_start().get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start))
}

/// An address as messages show it, even where it cannot be read.
fn without_user(text: &str) -> String {
    let (scheme, rest) = text.split_once("//").map_or(("", text), |(scheme, rest)| (scheme, rest));
    match rest.rsplit_once('@') {
        Some((_, host)) if scheme.is_empty() => format!("…@{host}"),
        Some((_, host)) => format!("{scheme}//…@{host}"),
        None => text.to_owned(),
    }
}

/// The proxy that the environment names for an address.
pub(super) struct Proxy {
    /// Its address without name and password.
    pub(super) name: String,
    pub(super) is_https: bool,
}

impl Proxy {
    pub(super) fn on_the_way_to(base: &str) -> Option<Self> {
        let uri: Uri = base.parse().ok()?;
        let found = Matcher::from_env().intercept(&uri)?;
        let (scheme, authority) = (found.uri().scheme_str()?, found.uri().authority()?);
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        Some(Self { name: format!("{scheme}://{host}"), is_https: scheme == "https" })
    }
}

/// Passwords in the variables that name proxies.
fn proxy_passwords() -> Vec<String> {
    let values = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let password = |value: String| {
        let (user, _) = value.rsplit_once('@')?;
        let user = user.split_once("//").map_or(user, |(_, user)| user);
        Some(user.split_once(':').map_or(user, |(_, password)| password).to_owned())
    };
    values.filter_map(password).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_password_become_a_header_and_leave_the_address() {
        let address = Address::parse("https://me:p%40ss-word@example.org/v1/", None).unwrap();
        assert_eq!((address.base.as_str(), address.is_https), ("https://example.org/v1", true));
        assert_eq!(address.authorization.unwrap(), "Basic bWU6cEBzcy13b3Jk");
        assert!(address.secrets.contains(&"p@ss-word".to_owned()));
        let address = Address::parse("http://[::1]:8000", Some("k-1")).unwrap();
        assert_eq!((address.base.as_str(), address.is_https), ("http://[::1]:8000", false));
        assert_eq!(address.authorization.unwrap(), "Bearer k-1");
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        let key = Some("k");
        let cases = [
            ("example.org/v1", None, "begin with"),
            ("ftp://example.org", None, "begin with"),
            ("http://", None, "host"),
            ("http://example.org/v1?a=b", None, "nothing else"),
            ("http://example.org/v1#a", None, "nothing else"),
            ("http://me:secret@example.org/v1", key, "one of them"),
            ("http://me:secret@exa mple.org/v1", None, "invalid"),
            ("me:secret@example.org/v1", None, "begin with"),
            ("http://me:se@cret@example.org:99999", None, "port"),
        ];
        for (url, key, part) in cases {
            let error = Address::parse(url, key).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("secret") && !error.contains("cret@"), "{url}: {error}");
        }
        assert!(matches!(Address::parse("http://a", Some("line\nbreak")), Err(UpstreamError::Key)));
    }
}

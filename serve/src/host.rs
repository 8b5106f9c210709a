//! Under which name a request comes in. A page elsewhere that has its own name resolve to the loopback address (DNS
//! rebinding) would otherwise be as good as a local program.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{StatusCode, Version};

use super::error::ApiError;
use super::options::ServeOptions;

/// A name as it is compared: in lower case without the last dot, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Address(IpAddr),
    Text(String),
}

/// Refuses a request under another name than this server's, and one whose name cannot be told.
pub(super) fn check_host(options: &ServeOptions, request: &Parts) -> Result<(), ApiError> {
    let bad = |rule: &str| ApiError::new(StatusCode::BAD_REQUEST, "bad_host", format!("the Host header {rule}"));
    let mut named = Vec::new();
    for value in request.headers.get_all(HOST) {
        let name = value.to_str().ok().and_then(|text| parse(text, true));
        named.push(name.ok_or_else(|| bad("is no name or address with a port"))?);
    }
    if named.len() > 1 {
        return Err(bad("is there more than once"));
    }
    let is_local = options.address.ip().is_loopback();
    if named.is_empty() && (is_local || request.version >= Version::HTTP_11) {
        return Err(bad("is missing"));
    }
    if let Some(authority) = request.uri.authority() {
        named.push(parse(authority.as_str(), true).ok_or_else(|| bad("stands beside an address that is none"))?);
    }
    if is_local && !named.iter().all(|name| is_known(name, &options.hosts)) {
        let message = "this server does not answer under that name; --allow-host NAME allows it";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "unknown_host", message));
    }
    Ok(())
}

/// Whether a text is a name that `Host` headers can have, without a port.
pub fn is_host_name(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || parse(text, false).is_some()
}

fn is_known(name: &Name, allowed: &[String]) -> bool {
    let is_local = match name {
        Name::Address(address) => address.is_loopback(),
        Name::Text(text) => text == "localhost",
    };
    let parsed = |text: &String| text.parse().ok().map(plain).or_else(|| parse(text, false));
    is_local || allowed.iter().filter_map(parsed).any(|allowed| allowed == *name)
}

/// `name`, `1.2.3.4` or `[::1]`, with a port where `with_port`.
fn parse(text: &str, with_port: bool) -> Option<Name> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            let address: std::net::Ipv6Addr = address.parse().ok()?;
            (plain(address.into()), rest)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            (word(name)?, rest)
        }
    };
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let fits = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => with_port && is_port(port),
    };
    fits.then_some(name)
}

/// A name of letters, digits, `-`, `_` and single dots, or an IPv4 address.
fn word(name: &str) -> Option<Name> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !name.split('.').all(is_label) {
        return None;
    }
    Some(name.parse().map_or_else(|_| Name::Text(name.to_ascii_lowercase()), plain))
}

/// An address, that of version 4 where one of version 6 stands for it.
fn plain(address: IpAddr) -> Name {
    Name::Address(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    /// The status that a request with these `Host` headers gets, 200 where it is let through.
    fn status(uri: &str, hosts: &[&str], version: Version) -> u16 {
        let options =
            ServeOptions { hosts: vec!["Redline.example".into(), "2001:db8::1".into()], ..ServeOptions::default() };
        let mut request = Request::builder().uri(uri).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check_host(&options, &parts).map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn this_machine_and_what_is_allowed_are_known() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "localhost.:80",
            "127.0.0.1:80",
            "127.8.9.10",
            "[::1]:8080",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]:1",
            "Redline.example:443",
            "redline.example.",
            "[2001:DB8::1]",
            "localhost:",
        ] {
            assert_eq!(status("/", &[host], Version::HTTP_11), 200, "{host}");
        }
        assert_eq!(status("http://localhost:8080/", &["localhost:8080"], Version::HTTP_11), 200);
    }

    #[test]
    fn other_names_are_refused() {
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "0x7f.1",
            "127.1",
            "[::ffff:10.0.0.1]",
            "0.0.0.0",
            "evil.redline.example",
            "2130706433",
        ] {
            assert_eq!(status("/", &[host], Version::HTTP_11), 403, "{host}");
        }
        for host in [
            "",
            "[::1].evil.example",
            "[::1]evil",
            "[::1]:80:evil",
            "[::1",
            "::1",
            "localhost:80@evil.example",
            "evil@localhost",
            "localhost:evil",
            "localhost:999999",
            "localhost..",
            ".localhost",
            "local host",
            "localhost/",
            "localhost,evil.example",
            "[fe80::1%25lo]",
            "[127.0.0.1]",
            "localhost:+80",
        ] {
            assert_eq!(status("/", &[host], Version::HTTP_11), 400, "{host}");
        }
    }

    #[test]
    fn one_name_and_no_other_beside_it() {
        assert_eq!(status("/", &[], Version::HTTP_11), 400);
        assert_eq!(status("/", &[], Version::HTTP_10), 400);
        assert_eq!(status("/", &["localhost", "localhost"], Version::HTTP_11), 400);
        assert_eq!(status("/", &["localhost", "evil.example"], Version::HTTP_11), 400);
        assert_eq!(status("http://evil.example/", &["localhost"], Version::HTTP_11), 403);
        assert_eq!(status("http://evil@localhost/", &["localhost"], Version::HTTP_11), 400);
    }

    #[test]
    fn names_to_allow_have_no_port() {
        assert!(
            ["example.org", "Example.org.", "::1", "[::1]", "10.0.0.1", "a_b"].iter().all(|name| is_host_name(name))
        );
        assert!(
            ["", "example.org:80", "https://example.org", "a/b", "a b", "*.example.org"]
                .iter()
                .all(|name| !is_host_name(name))
        );
    }
}

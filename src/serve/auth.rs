//! Who may ask: API keys, and names under which the server is reached.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Keys that open the server. Only their hashes are kept.
#[derive(Clone, Default)]
pub struct ApiKeys {
    hashes: Vec<[u8; 32]>,
}

impl ApiKeys {
    /// Keys, one a line or separated by commas; empty ones and lines that begin with `#` are passed over.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let keys = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|key| !key.is_empty());
        Self { hashes: keys.map(|key| Sha256::digest(key.as_bytes()).into()).collect() }
    }

    /// Whether anyone may ask.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether a key is among them, in a time that depends on neither.
    pub fn contains(&self, presented: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        let found = self.hashes.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&hash));
        found.into()
    }
}

/// The key of an `Authorization: Bearer …` header.
pub(super) fn bearer(header: Option<&axum::http::HeaderValue>) -> Option<&str> {
    let (scheme, key) = header?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

/// Whether a `Host` header names this machine or one of `allowed`. A page elsewhere that has its own name resolve to the
/// loopback address (DNS rebinding) would otherwise be as good as a local program.
pub(super) fn is_known_host(host: &str, allowed: &[String]) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_local = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_local || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart() {
        let keys = ApiKeys::parse("# ours\nalpha, beta\n\n gamma \n");
        assert!(["alpha", "beta", "gamma"].iter().all(|key| keys.contains(key)));
        assert!(["", "alph", "alpha ", "# ours", "alpha, beta"].iter().all(|key| !keys.contains(key)));
        assert!(ApiKeys::parse(" \n,#x\n").hashes.len() == 1, "a comma begins no comment");
        assert!(ApiKeys::parse("# x\n").is_empty());
    }

    #[test]
    fn hosts_by_name() {
        let allowed = ["redline.example".to_string()];
        for host in ["localhost", "localhost:8080", "127.0.0.1:80", "[::1]:8080", "[::1]", "Redline.example:443"] {
            assert!(is_known_host(host, &allowed), "{host}");
        }
        for host in ["", "evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1"] {
            assert!(!is_known_host(host, &allowed), "{host}");
        }
    }
}

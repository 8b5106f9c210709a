//! Who may ask: API keys.

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
}

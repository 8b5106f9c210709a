//! Encryption towards other servers, with cryptography that needs no C compiler.

use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait between two pieces of a reply.
const READ: Duration = Duration::from_secs(60);

/// A client for downloads, which follows redirects and goes through the proxy that the environment names.
///
/// # Errors
/// Why there is no encryption where it is needed.
pub fn client(is_encrypted: bool) -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls(is_encrypted)?);
    let builder =
        builder.connect_timeout(CONNECT).read_timeout(READ).user_agent(concat!("redline/", env!("CARGO_PKG_VERSION")));
    builder.build().map_err(|error| error.to_string())
}

/// Encryption with the certificates that the system trusts; without any where none is needed.
pub(super) fn tls(is_needed: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err("the system has no trusted certificates (package ca-certificates, or SSL_CERT_FILE)".into());
        }
    }
    let provider = provider(is_needed)?;
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let config = config.map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn provider(is_needed: bool) -> Result<rustls::crypto::CryptoProvider, String> {
    if is_needed && !has_instructions() {
        return Err("this processor lacks the instructions for it (AES, AVX2, ADX, BMI2)".into());
    }
    Ok(rustls_graviola::default_provider())
}

#[cfg(target_arch = "x86_64")]
fn has_instructions() -> bool {
    use std::is_x86_feature_detected as has;
    has!("aes") && has!("pclmulqdq") && has!("ssse3") && has!("avx2") && has!("adx") && has!("bmi2")
}

#[cfg(target_arch = "aarch64")]
fn has_instructions() -> bool {
    use std::arch::is_aarch64_feature_detected as has;
    has!("aes") && has!("sha2") && has!("pmull") && has!("neon")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn provider(_: bool) -> Result<rustls::crypto::CryptoProvider, String> {
    Err("there is no cryptography for this kind of processor".into())
}

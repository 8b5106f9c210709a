//! The upstream model behind an OpenAI-compatible server: requests as JSON, whole replies as JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// Longest reply.
const MOST_REPLY_BYTES: usize = 16 << 20;
/// Longest wait for a connection.
const CONNECT_SECONDS: u64 = 10;
/// Characters of an upstream error that are passed on.
const QUOTED_CHARS: usize = 500;

/// Where answers come from.
#[derive(Clone)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    key: Option<HeaderValue>,
    timeout: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The address cannot be used.
    #[error("`{url}` is no address of a server: {rule}")]
    Address {
        /// As given.
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
    #[error("the upstream server answered {status}: {message}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// Its message, shortened.
        message: String,
        /// When it may be asked again.
        retry_after: Option<String>,
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
            Self::Reply { .. } => "reply",
        }
    }

    /// Whether the same request may work later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Reply { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::Address { .. } | Self::NoTls { .. } | Self::Key => false,
        }
    }
}

impl Upstream {
    /// A client of the server whose base URL is `url`, with `/v1` where the server has it there.
    ///
    /// # Errors
    /// An address that is none, or `https` where no encryption is at hand.
    pub fn new(url: &str, key: Option<&str>, timeout: Duration) -> Result<Self, UpstreamError> {
        let base = url.trim_end_matches('/').to_owned();
        let refuse = |rule: &str| UpstreamError::Address { url: url.into(), rule: rule.into() };
        let uri: Uri = base.parse().map_err(|error| refuse(&format!("{error}")))?;
        let scheme = uri.scheme_str().ok_or_else(|| refuse("it must begin with http:// or https://"))?;
        if !["http", "https"].contains(&scheme) {
            return Err(refuse("it must begin with http:// or https://"));
        }
        if uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(refuse("it must be a host with a path and nothing else"));
        }
        let key = key.map(bearer).transpose()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_connect_timeout(Some(Duration::from_secs(CONNECT_SECONDS)));
        let tls = tls(scheme == "https")?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(connector.wrap_connector(http));
        Ok(Self { client, base, key, timeout })
    }

    /// Whether it has a key of its own, so that those of clients stay here.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Sends a JSON body and returns the JSON reply; `key` is the client's, for an upstream without a key here.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub async fn post(&self, path: &str, body: &Value, key: Option<&HeaderValue>) -> Result<Value, UpstreamError> {
        self.ask(Method::POST, path, Bytes::from(body.to_string()), key).await
    }

    /// Asks for a JSON reply.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub async fn get(&self, path: &str, key: Option<&HeaderValue>) -> Result<Value, UpstreamError> {
        self.ask(Method::GET, path, Bytes::new(), key).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        key: Option<&HeaderValue>,
    ) -> Result<Value, UpstreamError> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::builder().method(method).uri(&url).header(ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(key) = self.key.as_ref().or(key) {
            request = request.header(AUTHORIZATION, key);
        }
        let broken = |rule: String| UpstreamError::Address { url: url.clone(), rule };
        let request = request.body(Full::new(body)).map_err(|error| broken(error.to_string()))?;
        let exchange = async {
            let reply = self.client.request(request).await;
            let reply =
                reply.map_err(|error| UpstreamError::Unreachable { url: self.base.clone(), reason: causes(&error) })?;
            let (head, body) = reply.into_parts();
            let body = Limited::new(body, MOST_REPLY_BYTES).collect().await;
            let body = body.map_err(|error| UpstreamError::Reply { rule: format!("it breaks off: {error}") })?;
            Ok((head, body.to_bytes()))
        };
        let seconds = self.timeout.as_secs_f64();
        let timeout = || UpstreamError::Timeout { url: self.base.clone(), seconds };
        let (head, body) = tokio::time::timeout(self.timeout, exchange).await.map_err(|_| timeout())??;
        if !head.status.is_success() {
            let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
            return Err(status_error(head.status, &body, retry_after));
        }
        serde_json::from_slice(&body).map_err(|error| UpstreamError::Reply { rule: format!("no JSON: {error}") })
    }
}

/// An `Authorization` header that no log shows.
fn bearer(key: &str) -> Result<HeaderValue, UpstreamError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| UpstreamError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

fn status_error(status: StatusCode, body: &[u8], retry_after: Option<String>) -> UpstreamError {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let stated = parsed.as_ref().and_then(|value| value["error"]["message"].as_str()).map(str::to_owned);
    let message = stated.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let message = message.trim().chars().take(QUOTED_CHARS).collect();
    UpstreamError::Status { status: status.as_u16(), message, retry_after }
}

/// An error with its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    chain.last().unwrap_or_default()
}

/// Encryption with the certificates that the system trusts; without any where none is needed.
fn tls(is_needed: bool) -> Result<ClientConfig, UpstreamError> {
    let mut roots = RootCertStore::empty();
    if is_needed {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let reason = "the system has no trusted certificates (package ca-certificates, or SSL_CERT_FILE)";
            return Err(UpstreamError::NoTls { reason: reason.into() });
        }
    }
    let no_tls = |reason: String| UpstreamError::NoTls { reason };
    let provider = provider(is_needed).map_err(no_tls)?;
    let config = ClientConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| no_tls(error.to_string()))?.with_root_certificates(roots).with_no_client_auth())
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

//! The upstream model behind an OpenAI-compatible server: requests and replies as bytes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, USER_AGENT,
};
use axum::http::{Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::access;
use super::headers::to_client;
use super::secrets::Secrets;
use super::tls::tls;
use super::upstream_address::{Address, Proxy};
use super::upstream_body::{Masked, Sent};
use super::upstream_error::{MOST_ERROR_BYTES, Stated, UpstreamError};

/// Longest reply.
const MOST_REPLY_BYTES: usize = 16 << 20;
/// Replies up to this size, in bytes, are not counted; the number of connections bounds them.
const SMALL_REPLY: usize = 1 << 20;
/// Larger ones that are here at a time; further ones wait on their way.
const MOST_LARGE: usize = 4;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Where answers come from.
#[derive(Clone)]
pub struct Upstream {
    client: Client,
    base: Arc<str>,
    /// As errors name it: the address, and the proxy on the way.
    place: Arc<str>,
    authorization: Option<HeaderValue>,
    secrets: Arc<Secrets>,
    timeout: Duration,
    /// Places for large replies.
    large: Arc<Semaphore>,
}

/// A successful reply.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Its status, one of success.
    pub status: StatusCode,
    /// Those of its headers that are for clients.
    pub headers: HeaderMap,
    /// Its body, decoded, without a byte order mark and without this server's key.
    pub body: Bytes,
    /// The place of a large one.
    _place: Option<Arc<OwnedSemaphorePermit>>,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// It is none of this type.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, UpstreamError> {
        serde_json::from_slice(&self.body).map_err(|error| UpstreamError::Reply { rule: format!("no JSON: {error}") })
    }
}

impl Upstream {
    /// A client of the server whose base URL is `url`, with `/v1` where the server has it there. It goes through the proxy
    /// that the environment names.
    ///
    /// # Errors
    /// An address that is none, or `https` where no encryption is at hand.
    pub fn new(url: &str, key: Option<&str>, timeout: Duration) -> Result<Self, UpstreamError> {
        let address = Address::parse(url, key)?;
        let mut secrets = Secrets::default();
        address.secrets.iter().for_each(|secret| secrets.add(secret));
        let proxy = Proxy::on_the_way_to(&address.base);
        let is_encrypted = address.is_https || proxy.as_ref().is_some_and(|proxy| proxy.is_https);
        let broken = |error: reqwest::Error| UpstreamError::Address { url: address.base.clone(), rule: cause(&error) };
        let client = Client::builder()
            .tls_backend_preconfigured(tls(is_encrypted).map_err(|reason| UpstreamError::NoTls { reason })?)
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            // between two pieces of a reply; whole replies have the same limit in all
            .read_timeout(timeout)
            .pool_idle_timeout(IDLE)
            .tcp_keepalive(IDLE)
            .build()
            .map_err(broken)?;
        let place = match &proxy {
            Some(proxy) => format!("{} (through the proxy {})", address.base, proxy.name),
            None => address.base.clone(),
        };
        Ok(Self {
            client,
            base: address.base.into(),
            place: place.into(),
            authorization: address.authorization,
            secrets: Arc::new(secrets),
            timeout,
            large: Arc::new(Semaphore::new(MOST_LARGE)),
        })
    }

    /// Whether it has a key of its own, so that those of clients stay here.
    pub fn has_key(&self) -> bool {
        self.authorization.is_some()
    }

    /// The address and the proxy on the way, without key and password.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Sends a JSON body; `headers` are those of the client that pass.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub async fn post(&self, path: &str, body: Bytes, headers: &HeaderMap) -> Result<Reply, UpstreamError> {
        let mut headers = headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.ask(Method::POST, path, body, headers).await
    }

    /// Asks for a JSON reply.
    ///
    /// # Errors
    /// [`UpstreamError`].
    pub async fn get(&self, path: &str, headers: &HeaderMap) -> Result<Reply, UpstreamError> {
        self.ask(Method::GET, path, Bytes::new(), headers.clone()).await
    }

    /// Passes a request on as it is and the reply back as it comes, whatever its status; the limit of time holds for the
    /// head of the reply and between two pieces of its body.
    ///
    /// # Errors
    /// [`UpstreamError`], among them a redirect.
    pub async fn pass(
        &self,
        method: Method,
        path_and_query: &str,
        body: Body,
        headers: &HeaderMap,
    ) -> Result<(StatusCode, HeaderMap, Body), UpstreamError> {
        let sent = self.send(method, path_and_query, reqwest::Body::wrap(Sent::new(body)), headers.clone());
        let response = tokio::time::timeout(self.timeout, sent).await.map_err(|_| self.late())??;
        let status = response.status();
        let headers = self.passed_headers(&response, true);
        if status.is_success() {
            let masked = Masked::new(response.into(), self.secrets.clone());
            return Ok((status, headers, Body::new(masked)));
        }
        let body = self.read(response, MOST_ERROR_BYTES, true);
        let (body, _) = tokio::time::timeout(self.timeout, body).await.map_err(|_| self.late())??;
        Ok((status, headers, self.secrets.mask(body).into()))
    }

    /// The error in a reply whose status is one of success.
    pub fn error_in(&self, reply: &Reply) -> UpstreamError {
        let stated = Stated::read(&reply.body);
        let status = stated.status().unwrap_or(StatusCode::BAD_GATEWAY);
        self.status_error(status, stated, reply.headers.clone())
    }

    /// A text without the key and passwords of this server.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        mut headers: HeaderMap,
    ) -> Result<Reply, UpstreamError> {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let exchange = async {
            let response = self.send(method, path, body.into(), headers).await?;
            let status = response.status();
            let headers = self.passed_headers(&response, false);
            if !status.is_success() {
                let (body, _) = self.read(response, MOST_ERROR_BYTES, true).await?;
                return Err(self.status_error(status, Stated::read(&body), headers));
            }
            if let Some(encoding) = foreign_encoding(response.headers()) {
                return Err(UpstreamError::Reply {
                    rule: format!("it is encoded as {encoding:?}, which is not read here"),
                });
            }
            let (body, place) = self.read(response, MOST_REPLY_BYTES, false).await?;
            let body = self.secrets.mask_content(body);
            let start = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
            Ok(Reply { status, headers, body: body.slice(start..), _place: place.map(Arc::new) })
        };
        tokio::time::timeout(self.timeout, exchange).await.map_err(|_| self.late())?
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: reqwest::Body,
        mut headers: HeaderMap,
    ) -> Result<Response, UpstreamError> {
        if let Some(own) = &self.authorization {
            headers.insert(AUTHORIZATION, own.clone());
        }
        if !headers.contains_key(USER_AGENT) {
            headers.insert(USER_AGENT, HeaderValue::from_static(concat!("redline/", env!("CARGO_PKG_VERSION"))));
        }
        let url = format!("{}{path}", self.base);
        let started = Instant::now();
        let sent = self.client.request(method, url).headers(headers).body(body).send().await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        access::upstream(response.status(), &self.passed_headers(&response, false), started.elapsed());
        match response.status().is_redirection() {
            true => Err(self.redirect(&response)),
            false => Ok(response),
        }
    }

    /// The body, as long as it is not more than `most`; of longer ones nothing, or the beginning. A large one has a place.
    async fn read(
        &self,
        mut response: Response,
        most: usize,
        is_cut: bool,
    ) -> Result<(Bytes, Option<OwnedSemaphorePermit>), UpstreamError> {
        let too_long = || UpstreamError::Reply { rule: format!("it has more than {} MiB", most >> 20) };
        if !is_cut && response.content_length().is_some_and(|length| length > most as u64) {
            return Err(too_long());
        }
        let (mut body, mut place) = (Vec::new(), None);
        loop {
            if body.len() > SMALL_REPLY && place.is_none() {
                // the semaphore is never closed
                place = self.large.clone().acquire_owned().await.ok();
            }
            let piece = response.chunk().await;
            let broken = |error: reqwest::Error| match error.is_timeout() {
                true => self.late(),
                false => UpstreamError::Reply { rule: format!("it breaks off: {}", self.hide(&cause(&error))) },
            };
            let piece = match piece {
                // an error that breaks off is an error all the same
                Err(_) if is_cut => break,
                piece => piece.map_err(broken)?,
            };
            let Some(piece) = piece else { break };
            let room = most - body.len();
            match piece.len() > room {
                true if is_cut => {
                    body.extend_from_slice(&piece[..room]);
                    break;
                }
                true => return Err(too_long()),
                false => body.extend_from_slice(&piece),
            }
        }
        Ok((body.into(), place))
    }

    fn passed_headers(&self, response: &Response, with_body: bool) -> HeaderMap {
        let mut headers = to_client(response.headers(), with_body);
        for value in headers.values_mut() {
            let masked = self.secrets.mask(Bytes::copy_from_slice(value.as_bytes()));
            if masked != value.as_bytes() {
                // stars are as good in a header as what they stand for
                *value = HeaderValue::from_bytes(&masked).unwrap_or_else(|_| HeaderValue::from_static(""));
            }
        }
        headers
    }

    fn status_error(&self, status: StatusCode, stated: Stated, headers: HeaderMap) -> UpstreamError {
        let stated = stated.map(|text| self.hide(text));
        UpstreamError::Status { status: status.as_u16(), stated: Box::new(stated), headers: Box::new(headers) }
    }

    fn redirect(&self, response: &Response) -> UpstreamError {
        let location = response.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let location = location.map_or_else(|| "an address that it does not tell".into(), |it| self.hide(&it));
        UpstreamError::Redirect { status: response.status().as_u16(), location }
    }

    fn unreachable(&self, error: &reqwest::Error) -> UpstreamError {
        let reason = match (error.is_timeout(), error.is_connect()) {
            (true, true) => format!("no connection within {} s", CONNECT.as_secs()),
            (true, false) => return self.late(),
            _ => self.hide(&cause(error)),
        };
        UpstreamError::Unreachable { url: self.place.to_string(), reason }
    }

    fn late(&self) -> UpstreamError {
        UpstreamError::Timeout { url: self.place.to_string(), seconds: self.timeout.as_secs_f64() }
    }
}

/// The encoding that a body still has; what was decoded has none any more.
fn foreign_encoding(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get_all(CONTENT_ENCODING).iter().find(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// What an error comes from.
fn cause(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    chain.last().unwrap_or_default()
}

//! Server-sent events from a task of their own, which ends when the client leaves.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::access::same_request;

/// How often an idle stream shows that it is alive, so that no proxy closes it.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Where events are written.
pub(super) struct Events(UnboundedSender<Bytes>);

/// The client has left.
pub(super) struct Left;

impl Events {
    /// An event without name, as OpenAI's API has them; `json` is a JSON document.
    pub(super) fn data(&self, json: &impl Display) -> Result<(), Left> {
        self.raw(format!("data: {}\n\n", on_one_line(json)))
    }

    /// A named event.
    pub(super) fn event(&self, name: &str, json: &impl Display) -> Result<(), Left> {
        self.raw(format!("event: {name}\ndata: {}\n\n", on_one_line(json)))
    }

    /// The end of a reply that is whole.
    pub(super) fn done(&self) -> Result<(), Left> {
        self.raw("data: [DONE]\n\n".into())
    }

    fn raw(&self, text: String) -> Result<(), Left> {
        self.0.send(text.into()).map_err(|_| Left)
    }

    /// Waits for `work`, with signs of life, as long as the client is there.
    pub(super) async fn while_there<T>(&self, work: impl Future<Output = T>) -> Result<T, Left> {
        let mut work = std::pin::pin!(work);
        let mut alive = tokio::time::interval(ALIVE_EVERY);
        alive.tick().await;
        loop {
            tokio::select! {
                result = &mut work => return Ok(result),
                () = self.0.closed() => return Err(Left),
                _ = alive.tick() => self.raw(": waiting\n\n".into())?,
            }
        }
    }
}

/// A line of an event ends at a line break. JSON has them between its parts only, where they mean nothing.
fn on_one_line(json: &impl Display) -> String {
    json.to_string().replace(['\n', '\r'], " ")
}

/// A reply whose events `write` writes.
pub(super) fn stream<F, W>(write: W) -> Response
where
    F: Future<Output = Result<(), Left>> + Send + 'static,
    W: FnOnce(Events) -> F,
{
    let (sender, receiver) = unbounded_channel();
    tokio::spawn(same_request(write(Events(sender))));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::new(Channel(receiver))).into_response()
}

/// A body that comes from a channel.
struct Channel(UnboundedReceiver<Bytes>);

impl hyper::body::Body for Channel {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

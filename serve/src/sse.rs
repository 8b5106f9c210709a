//! Server-sent events from a task of their own, which ends when the client leaves.

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::access::same_request;

/// How often an idle stream shows that it is alive, so that no proxy closes it.
pub(super) const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// Events that wait for a client to read them; more are written once it has.
const MOST_WAITING: usize = 16;

/// Where events are written.
pub(super) struct Events(Sender<Bytes>);

/// The client has left.
pub(super) struct Left;

impl Events {
    /// An event without name, as OpenAI's API has them; `json` is a JSON document.
    pub(super) async fn data(&self, json: &impl Display) -> Result<(), Left> {
        self.raw(format!("data: {}\n\n", on_one_line(json))).await
    }

    /// A named event.
    pub(super) async fn event(&self, name: &str, json: &impl Display) -> Result<(), Left> {
        self.raw(format!("event: {name}\ndata: {}\n\n", on_one_line(json))).await
    }

    /// The end of a reply that is whole.
    pub(super) async fn done(&self) -> Result<(), Left> {
        self.raw("data: [DONE]\n\n".into()).await
    }

    async fn raw(&self, text: String) -> Result<(), Left> {
        self.0.send(text.into()).await.map_err(|_| Left)
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
                // where there is no room, the client has enough to read
                _ = alive.tick() => drop(self.0.try_send(": waiting\n\n".into())),
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
    let (sender, receiver) = channel(MOST_WAITING);
    tokio::spawn(same_request(write(Events(sender))));
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    (headers, Body::new(Channel(receiver))).into_response()
}

/// A body that comes from a channel.
struct Channel(Receiver<Bytes>);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_written_than_a_client_reads() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = channel(MOST_WAITING);
            let events = Events(sender);
            for _ in 0..MOST_WAITING {
                assert!(events.data(&1).await.is_ok());
            }
            let mut more = Box::pin(events.data(&2));
            let is_waiting =
                std::future::poll_fn(|context| Poll::Ready(more.as_mut().poll(context).is_pending())).await;
            assert!(is_waiting, "nobody has read yet");
            assert_eq!(receiver.recv().await.unwrap(), "data: 1\n\n");
            assert!(more.await.is_ok());
            drop(receiver);
            assert!(events.done().await.is_err());
        });
    }
}

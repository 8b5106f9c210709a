//! Requests of one connection: while they run, its place says what it is doing.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::service::Service;
use tower::ServiceExt;

use super::places::{Doing, Place};

/// Answers requests.
pub(super) struct Exchanges {
    app: Router,
    place: Arc<Place>,
}

impl Exchanges {
    pub(super) fn new(app: Router, place: Arc<Place>) -> Self {
        Self { app, place }
    }
}

impl Service<Request<Incoming>> for Exchanges {
    type Response = Response<Followed>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Followed>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let running = Running(self.place.clone());
        let is_whole = request.body().is_end_stream();
        running.0.set(if is_whole { Doing::Running } else { Doing::Arriving });
        let place = self.place.clone();
        let request = request.map(|body| Body::new(Arriving { body, place }));
        let app = self.app.clone();
        Box::pin(async move {
            let response = app.oneshot(request).await?;
            // whatever of the request was not read
            running.0.set(Doing::Running);
            Ok(response.map(|body| Followed { body, _running: running }))
        })
    }
}

/// A request; without it the connection is idle.
struct Running(Arc<Place>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.set(Doing::Idle);
    }
}

/// The body of a request.
struct Arriving {
    body: Incoming,
    place: Arc<Place>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.place.set(Doing::Running);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of a reply; the request is over when it is gone.
pub(super) struct Followed {
    body: Body,
    _running: Running,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

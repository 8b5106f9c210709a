//! Bodies that pass through: a client's on the way up, and the upstream server's on the way back, without this server's key.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::secrets::Secrets;

/// A client's body, which the client library wants to share between threads.
pub(super) struct Sent(Mutex<Body>);

impl Sent {
    pub(super) fn new(body: Body) -> Self {
        Self(Mutex::new(body))
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(context)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

/// The upstream server's body with stars for secrets; what may be the beginning of one waits for the rest.
pub(super) struct Masked {
    body: reqwest::Body,
    secrets: Arc<Secrets>,
    held: Vec<u8>,
    is_over: bool,
}

impl Masked {
    pub(super) fn new(body: reqwest::Body, secrets: Arc<Secrets>) -> Self {
        Self { body, secrets, held: Vec::new(), is_over: false }
    }

    /// What can be sent of all that is there.
    fn masked(&mut self, piece: &[u8]) -> Bytes {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(piece);
        let mut all: Vec<u8> = self.secrets.mask_content(all.into()).into();
        let open = if self.is_over { 0 } else { self.secrets.open_end(&all) };
        self.held = all.split_off(all.len() - open);
        all.into()
    }
}

impl HttpBody for Masked {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        loop {
            if self.is_over {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => {
                    // trailers are for the hop before
                    let Ok(piece) = frame.into_data() else { continue };
                    let piece = self.masked(&piece);
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(piece))));
                    }
                }
                None => {
                    self.is_over = true;
                    let rest = self.masked(&[]);
                    return Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))));
                }
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        // stars take as many bytes as what they stand for
        let mut hint = self.body.size_hint();
        let held = self.held.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + held);
        }
        hint.set_lower(hint.lower() + held);
        hint
    }
}

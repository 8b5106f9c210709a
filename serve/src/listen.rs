//! Connections: accepted up to a number, given a time to send their requests, and finished before the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use super::descriptors;
use super::in_flight::Exchanges;
use super::memory::tidy;
use super::options::ServeOptions;
use super::places::{Place, Places};
use super::router::{router, spare_router};
use super::socket::Socket;
use super::state::Service;

/// How long accepting rests when the system has no more file descriptors.
const REST: Duration = Duration::from_millis(100);
/// How long a connection without a running request stays once it has to leave: for the end of a reply, or of a request that
/// is almost there.
const LEAVING: Duration = Duration::from_millis(500);

/// Takes the address.
///
/// # Errors
/// It is taken, or not this machine's.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `stop` is done; then what runs is finished, within the time that the options give it, and the worker ends.
pub async fn listen(service: Arc<Service>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let _end = End(service.clone());
    descriptors::allow(service.options.most_connections);
    let server = Server {
        options: service.options.clone(),
        app: router(service.clone()),
        spare: spare_router(service.clone()),
        places: Places::new(service.options.most_connections),
    };
    let tidy = tokio::spawn(tidy(service.clone()));
    let (stopping, is_stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let (stream, place) = tokio::select! {
            next = server.next(&listener) => next,
            () = &mut stop => break,
        };
        connections.spawn(server.serve(stream, place, is_stopping.clone()));
    }
    drop(listener);
    service.stop();
    stopping.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(service.options.stop_timeout, ended).await.is_err() {
        let n = server.places.n_running();
        tracing::warn!(target: "redline::server", "{n} requests were cut off at the end of the time to stop");
    }
    connections.abort_all();
    tidy.abort();
}

struct Server {
    options: ServeOptions,
    app: Router,
    spare: Router,
    places: Arc<Places>,
}

impl Server {
    /// The next connection, and its place.
    async fn next(&self, listener: &TcpListener) -> (TcpStream, Place) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, self.places.take(peer.ip().to_canonical()).await),
                Err(_) => {
                    self.places.free_one();
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    /// Serves a connection to its end.
    fn serve(
        &self,
        stream: TcpStream,
        place: Place,
        mut is_stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<> {
        let place = Arc::new(place);
        let app = if place.is_spare() { &self.spare } else { &self.app };
        let exchanges = Exchanges::new(app.clone(), place.clone());
        let (read_timeout, write_timeout) = (self.options.read_timeout, self.options.write_timeout);
        async move {
            let socket = Socket::new(stream);
            let mut stream = TimeoutStream::new(socket.clone());
            stream.set_write_timeout(Some(write_timeout));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(read_timeout)
                // who sends no more after a request still wants the reply
                .half_close(true)
                .serve_connection(TokioIo::new(Box::pin(stream)), exchanges);
            let mut connection = std::pin::pin!(connection);
            let mut is_leaving = false;
            loop {
                tokio::select! {
                    // a connection that breaks is its client's affair
                    _ = connection.as_mut() => return,
                    () = socket.broken() => return,
                    () = place.lost(), if !is_leaving => is_leaving = true,
                    // the sender lives as long as the server listens
                    _ = is_stopping.wait_for(|stop| *stop), if !is_leaving => is_leaving = true,
                    () = tokio::time::sleep(LEAVING), if is_leaving => if !place.is_running() { return },
                }
                if is_leaving {
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// Ends the worker once nobody listens any more, whatever the reason.
struct End(Arc<Service>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

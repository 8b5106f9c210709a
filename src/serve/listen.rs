//! Connections: accepted up to a number, given a time to send their requests, and finished before the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;

use super::memory::tidy;
use super::router::router;
use super::state::Service;

/// How long accepting rests when the system has no more file descriptors.
const REST: Duration = Duration::from_millis(100);

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
    let app = router(service.clone());
    let running = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(service.options.most_connections));
    let tidy = tokio::spawn(tidy(service.clone()));
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = async {
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(REST).await;
            continue;
        };
        // small chunks of text shall leave at once; a socket that refuses that still works
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(service.options.write_timeout));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(service.options.read_timeout)
            .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(app.clone()));
        let connection = running.watch(connection);
        connections.spawn(async move {
            // a connection that breaks is its client's affair
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    service.stop();
    if tokio::time::timeout(service.options.stop_timeout, running.shutdown()).await.is_err() {
        eprintln!("warning: {} connections were cut off at the end of the time to stop", connections.len());
    }
    connections.abort_all();
    tidy.abort();
}

/// Ends the worker once nobody listens any more, whatever the reason.
struct End(Arc<Service>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.queue.close();
    }
}

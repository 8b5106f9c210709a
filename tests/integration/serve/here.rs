//! A server in this process, whose Aligner works when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;

use redline::aligner::Aligner;
use redline::embedded;
use redline::model::AlignerTemplate;
use redline::serve::{Dials, ServeOptions, Service, Upstream, bind, listen};
use tokio::runtime::Runtime;

/// A server that takes requests, and leaves them waiting until [`Here::work`].
pub struct Here {
    pub address: SocketAddr,
    service: Arc<Service>,
    _runtime: Runtime,
}

impl Here {
    pub fn start(options: ServeOptions) -> Self {
        Self::new(None, options)
    }

    /// One before an upstream server.
    pub fn before(upstream: Upstream, options: ServeOptions) -> Self {
        Self::new(Some(upstream), options)
    }

    fn new(upstream: Option<Upstream>, options: ServeOptions) -> Self {
        let model = embedded::model().unwrap();
        let config = model.decoder.config().clone();
        let template = AlignerTemplate::by_name_or_file(embedded::TEMPLATE).unwrap();
        let aligner = Aligner::new(model, template);
        let service = Arc::new(Service::new("aligner", aligner, options, upstream));
        service.begin(Dials::new(Vec::new(), config).unwrap());
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(bind(([127, 0, 0, 1], 0).into())).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(listen(service.clone(), listener, std::future::pending()));
        Self { address, service, _runtime: runtime }
    }

    /// Begins to work; it ends with the server.
    pub fn work(&self) {
        let service = self.service.clone();
        std::thread::spawn(move || service.worker().unwrap().run());
    }
}

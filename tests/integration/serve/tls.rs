//! An upstream server behind TLS, with the certificates of tests/tls.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, chat_body};
use crate::program::repository;

fn config() -> ServerConfig {
    let folder = repository().join("tests/tls");
    let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let provider = Arc::new(rustls_graviola::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// Speaks TLS for a server that does not.
fn terminate(behind: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
            // a client that does not trust the certificate leaves during the handshake
            std::thread::spawn(move || exchange(tls, behind));
        }
    });
    address
}

/// One request, and the reply to its end.
fn exchange(mut tls: StreamOwned<ServerConnection, TcpStream>, behind: SocketAddr) -> std::io::Result<()> {
    let mut plain = TcpStream::connect(behind)?;
    let mut request = Vec::new();
    while !is_whole(&request) {
        let mut piece = [0; 4096];
        let n = tls.read(&mut piece)?;
        request.extend_from_slice(&piece[..n]);
        if n == 0 {
            return Ok(());
        }
    }
    plain.write_all(&request)?;
    let mut reply = Vec::new();
    plain.read_to_end(&mut reply)?;
    tls.write_all(&reply)?;
    tls.conn.send_close_notify();
    tls.flush()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

#[test]
fn an_upstream_model_behind_tls_is_asked_when_its_certificate_is_trusted() {
    let mock = Mock::start();
    let address = terminate(mock.address);
    let arguments = format!("--upstream https://localhost:{}/v1 --upstream-timeout 20", address.port());
    let authority = repository().join("tests/tls/authority.pem");

    let trusting = Server::start_with(&arguments, &[("SSL_CERT_FILE", authority.to_str().unwrap())]);
    trusting.wait_ready();
    let reply = trusting.post("/v1/chat/completions", &chat_body("ok", FLAWED));
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.json()["choices"][0]["redline"]["answer"], FLAWED);

    let server = repository().join("tests/tls/server.pem");
    let other = Server::start_with(&arguments, &[("SSL_CERT_FILE", server.to_str().unwrap())]);
    other.wait_ready();
    let before = mock.received.lock().unwrap().len();
    let refused = other.post("/v1/chat/completions", &chat_body("ok", CLEAN));
    assert_eq!(refused.status, 502, "{}", refused.body);
    assert!(refused.body.to_lowercase().contains("certificate"), "{}", refused.body);
    assert_eq!(mock.received.lock().unwrap().len(), before, "nothing was sent to a server that is not trusted");
}

//! An upstream server that answers every request as a function of its head says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

/// A server that runs until the test program ends.
pub struct Fixed {
    pub address: SocketAddr,
    /// First lines of the requests.
    pub asked: Arc<Mutex<Vec<String>>>,
}

impl Fixed {
    /// `reply` makes headers and body from the first line of a request.
    pub fn start(reply: impl Fn(&str) -> (String, Vec<u8>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, reply) = (asked.clone(), Arc::new(reply));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (heard, reply) = (heard.clone(), reply.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let length = head
                        .lines()
                        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
                    let mut body = vec![0; length.unwrap_or(0)];
                    reader.read_exact(&mut body).unwrap();
                    let first = head.lines().next().unwrap_or_default().to_owned();
                    let (headers, body) = reply(&first);
                    heard.lock().unwrap().push(first);
                    let (length, status) =
                        (body.len(), if headers.starts_with("HTTP") { "" } else { "HTTP/1.1 200 OK\r\n" });
                    let head = format!("{status}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
                    // the other side may have left
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                });
            }
        });
        Self { address, asked }
    }

    /// Arguments for a server in front of it.
    pub fn arguments(&self) -> String {
        format!("--upstream http://{}/v1", self.address)
    }
}

//! Starts and stops the server.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{Reply, get, post};
use crate::fixture::words;
use crate::program::BINARY;

/// Longest wait for a server to be ready; machines that test are busy.
const START: Duration = Duration::from_secs(180);

/// A running server, which ends with the test.
pub struct Server {
    child: Child,
    stderr: Option<ChildStderr>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts one on a free port and waits until it is ready.
    pub fn start(arguments: &str) -> Self {
        let server = Self::start_with(arguments, &[]);
        server.wait_ready();
        server
    }

    /// Starts one without waiting.
    pub fn start_with(arguments: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(BINARY)
            .args(["serve", "--port", "0", "--json"])
            .args(words(arguments))
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = child.stderr.take();
        let facts: Value = match serde_json::from_str(&line) {
            Ok(facts) => facts,
            Err(error) => {
                let mut told = String::new();
                stderr.take().expect("piped").read_to_string(&mut told).unwrap();
                panic!("{error}: {line:?} {told}")
            }
        };
        let address = facts["address"].as_str().unwrap().parse().unwrap();
        Self { child, stderr, address }
    }

    pub fn wait_ready(&self) {
        let started = Instant::now();
        while get(self.address, "/readyz").status != 200 {
            assert!(started.elapsed() < START, "the server does not become ready");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn get(&self, path: &str) -> Reply {
        get(self.address, path)
    }

    pub fn post(&self, path: &str, body: &Value) -> Reply {
        post(self.address, path, body)
    }

    /// The value of a metric without labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
    }

    /// Resident memory, in KiB; 0 where the system does not say.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// Asks the server to stop.
    pub fn terminate(&self) {
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for its end; the status, and what it said on standard error.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut told = String::new();
        self.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.child.wait().unwrap(), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut stderr) = self.stderr.take() {
            let mut told = String::new();
            let _ = stderr.read_to_string(&mut told);
            assert!(!told.contains("panicked") || std::thread::panicking(), "{told}");
        }
    }
}

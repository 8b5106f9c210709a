//! Starts and stops the server.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
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
    told: Arc<Mutex<String>>,
    listening: Option<JoinHandle<()>>,
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
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let facts: Value = match serde_json::from_str(&line) {
            Ok(facts) => facts,
            Err(error) => {
                let mut told = String::new();
                stderr.read_to_string(&mut told).unwrap();
                panic!("{error}: {line:?} {told}")
            }
        };
        let address = facts["address"].as_str().unwrap().parse().unwrap();
        let told = Arc::new(Mutex::new(String::new()));
        let heard = told.clone();
        let listening = std::thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                heard.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { child, told, listening: Some(listening), address }
    }

    /// The first line of its log that fits, once it is there.
    pub fn told(&self, fits: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let told = self.told.lock().unwrap().clone();
            match told.lines().find(|line| fits(line)) {
                Some(line) => return line.to_owned(),
                None => assert!(started.elapsed() < START, "no such line: {told}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
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
        self.status("VmRSS:")
    }

    /// The most of it that there was.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
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
        let status = self.child.wait().unwrap();
        self.listening.take().unwrap().join().unwrap();
        let told = self.told.lock().unwrap().clone();
        (status, told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
            let told = self.told.lock().unwrap();
            assert!(!told.contains("panicked") || std::thread::panicking(), "{told}");
        }
    }
}

//! Real clients, and a real upstream server, where `scripts/check_clients.sh` has installed them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redline::embedded;

use super::http;
use super::program::Server;
use super::upstream::Mock;
use crate::program::{not_tested, repository};

fn installed(path: &str) -> PathBuf {
    repository().join("build/clients").join(path)
}

/// Whether the Python there has a module.
fn has_module(python: &Path, module: &str) -> bool {
    let tried = Command::new(python).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    print!("{}", text(&output.stdout));
}

#[test]
fn the_python_package_openai() {
    let python = installed("venv/bin/python");
    if !has_module(&python, "openai") {
        return not_tested("the Python package openai: scripts/check_clients.sh installs it");
    }
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let script = repository().join("scripts/clients/openai_client.py");
    succeed(Command::new(python).arg(script).arg(format!("http://{}/v1", server.address)));
}

#[test]
fn the_npm_package_openai() {
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_node || !installed("node_modules/openai").exists() {
        return not_tested("the npm package openai: scripts/check_clients.sh installs it");
    }
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    // packages are looked for beside the script
    let script = installed("openai_client.mjs");
    std::fs::copy(repository().join("scripts/clients/openai_client.mjs"), &script).unwrap();
    succeed(Command::new("node").arg(script).arg(format!("http://{}/v1", server.address)));
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_real_upstream_server() {
    let python = installed("venv/bin/python");
    let model = repository().join("models").join(embedded::SMOLLM2_BASE);
    if !has_module(&python, "llama_cpp.server") {
        return not_tested("llama-cpp-python[server] as upstream: scripts/check_clients.sh installs it");
    }
    if !model.exists() {
        return not_tested("llama-cpp-python[server] as upstream: no SmolLM2; scripts/fetch-smollm2.sh gets it");
    }
    let address: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let mut command = Command::new(&python);
    command.args(["-m", "llama_cpp.server", "--model"]).arg(&model).args(["--port", &address.port().to_string()]);
    let _upstream = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let started = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(started.elapsed() < Duration::from_secs(120), "the upstream server does not start");
        std::thread::sleep(Duration::from_millis(200));
    }
    let server = Server::start(&format!("--upstream http://{address}/v1"));
    let name = http::get(server.address, "/v1/models").json()["data"][0]["id"].as_str().unwrap().to_string();
    let script = repository().join("scripts/clients/openai_client.py");
    succeed(Command::new(python).arg(script).arg(format!("http://{}/v1", server.address)).arg(name));
}

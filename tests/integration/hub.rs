//! Names on the Hugging Face hub instead of paths: from a cache that other libraries made, and from a hub on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::fixture::Tiny;
use crate::program::{BINARY, Ran};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_a_very_secret_token";

/// A hub that has one model and one set of rows.
struct Loopback {
    endpoint: String,
    /// Head lines of every request.
    asked: Arc<Mutex<Vec<String>>>,
    /// Bytes after which the connection breaks, once.
    breaks_after: Arc<Mutex<Option<usize>>>,
}

impl Loopback {
    fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (asked, breaks_after) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Option<usize>>>::default());
        let (heard, breaking) = (asked.clone(), breaks_after.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> =
                    lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { continue };
                let from = head.iter().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("range: bytes=")?.trim_end_matches('-').parse().ok()
                });
                heard.lock().unwrap().extend(head.iter().cloned());
                let (status, body) = reply(path, from.unwrap_or(0), &files);
                let head =
                    format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let end = if path.ends_with("model.safetensors") { breaking.lock().unwrap().take() } else { None };
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(&body[..end.unwrap_or(body.len()).min(body.len())]);
            }
        });
        Self { endpoint, asked, breaks_after }
    }

    fn has_heard(&self, text: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|line| line.to_ascii_lowercase().contains(&text.to_ascii_lowercase()))
    }
}

fn reply(path: &str, from: usize, files: &BTreeMap<String, Vec<u8>>) -> (u16, Vec<u8>) {
    let names = |all: &[&str]| {
        let all: Vec<_> = all.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        serde_json::json!({ "sha": COMMIT, "siblings": all }).to_string().into_bytes()
    };
    let all: Vec<&str> = files.keys().map(String::as_str).chain(["README.md", "onnx/model.onnx"]).collect();
    match path {
        "/api/models/org/tiny/revision/main" => (200, names(&all)),
        "/api/datasets/org/rows/revision/main" => (200, names(&["triples.jsonl"])),
        "/api/models/org/quantised/revision/main" => (200, names(&["tiny-Q8_0.gguf"])),
        "/api/models/org/gated/revision/main" => (403, b"accept the terms".to_vec()),
        path => match path.rsplit_once(&format!("/resolve/{COMMIT}/")).and_then(|(_, file)| files.get(file)) {
            Some(bytes) => (if from > 0 { 206 } else { 200 }, bytes[from.min(bytes.len())..].to_vec()),
            None => (404, b"nothing".to_vec()),
        },
    }
}

/// The files of the tiny model and its rows.
fn files() -> BTreeMap<String, Vec<u8>> {
    let tiny = Tiny::new();
    let model = std::fs::read_dir(tiny.path("model")).unwrap().map(|entry| entry.unwrap().path());
    let all = model.chain([tiny.path("triples.jsonl")]);
    all.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())).collect()
}

fn run(home: &Path, endpoint: &str, line: &str) -> Ran {
    let output = assert_cmd::Command::new(BINARY)
        .args(line.split(' '))
        .current_dir(home)
        .env("NO_COLOR", "1")
        .env("HF_HOME", home)
        .env("HF_ENDPOINT", endpoint)
        .env("HF_TOKEN", TOKEN)
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let ran = Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) };
    assert!(!ran.stderr.contains(TOKEN) && !ran.stderr.contains("panicked"), "{ran:?}");
    ran
}

fn snapshot(home: &Path) -> PathBuf {
    home.join("hub/models--org--tiny/snapshots").join(COMMIT)
}

#[test]
fn a_cached_model_is_used_without_network() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    // as the libraries of Python leave it: files are links to blobs
    std::fs::create_dir_all(snapshot(home)).unwrap();
    std::fs::create_dir_all(home.join("hub/models--org--tiny/refs")).unwrap();
    std::fs::write(home.join("hub/models--org--tiny/refs/main"), COMMIT).unwrap();
    for (name, bytes) in files() {
        std::fs::write(snapshot(home).join(name), bytes).unwrap();
    }
    let nowhere = "http://127.0.0.1:9";
    let ran = run(home, nowhere, "inspect org/tiny --json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("hf://org/tiny@main: {}", snapshot(home).display())), "{}", ran.stderr);
    let by_commit = run(home, nowhere, &format!("inspect hf://org/tiny@{COMMIT} --json --offline"));
    assert_eq!(by_commit.stdout, ran.stdout);
    let ran = run(
        home,
        nowhere,
        "evaluate --model=org/tiny --data org/tiny:triples.jsonl --prompts 2 --max-new-tokens 4 --json",
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // what is here wins over a name
    std::fs::create_dir_all(home.join("org/tiny")).unwrap();
    assert!(run(home, nowhere, "inspect org/tiny").code == 1, "an empty folder of that name");
}

#[test]
fn what_is_not_cached_is_downloaded_once_and_continued_after_a_break() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let hub = Loopback::new(files());
    *hub.breaks_after.lock().unwrap() = Some(1000);
    let ran = run(home, &hub.endpoint, "inspect org/tiny --json");
    assert!(
        ran.code == 1 && ran.stderr.contains("model.safetensors") && ran.stderr.contains("is kept and continued"),
        "{ran:?}"
    );
    let part = snapshot(home).join("model.safetensors.incomplete");
    assert!(part.exists() && !home.join("hub/models--org--tiny/refs/main").exists(), "no branch points at a part");
    let ran = run(home, &hub.endpoint, "inspect org/tiny --json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(hub.has_heard("range: bytes=1000-") && hub.has_heard(&format!("authorization: bearer {TOKEN}")));
    assert!(!hub.has_heard("onnx") && !hub.has_heard("README") && !part.exists());
    for (name, bytes) in files() {
        if name != "triples.jsonl" {
            assert_eq!(std::fs::read(snapshot(home).join(&name)).unwrap(), bytes, "{name}");
        }
    }
    let again = run(home, "http://127.0.0.1:9", "inspect org/tiny --json");
    assert_eq!(again.stdout, ran.stdout, "{}", again.stderr);
    let rows = run(home, &hub.endpoint, "data near hf://datasets/org/rows:triples.jsonl --json");
    assert!(
        rows.code == 0 && home.join(format!("hub/datasets--org--rows/snapshots/{COMMIT}/triples.jsonl")).exists(),
        "{}",
        rows.stderr
    );
}

#[test]
fn names_that_stand_for_nothing_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let hub = Loopback::new(files());
    for (line, said, cure) in [
        (
            "inspect org/none",
            "org/none: no such file or folder here; hf://org/none@main: the hub answers 404",
            "check the name",
        ),
        ("inspect org/gated", "answers 403", "HF_TOKEN"),
        ("inspect org/quantised", "it has tiny-Q8_0.gguf", "owner/name:FILE.gguf"),
        ("inspect org/tiny:none.gguf", "answers 404", "check the name"),
        ("inspect hf://tiny", "a name has an owner", "write owner/name"),
        ("inspect hf://org/tiny:../../x", "no path within the repository", "write owner/name"),
        ("inspect org/tiny --offline", "not in the cache", "leave --offline"),
        (
            "extract --model org/tiny --data org/tiny:triples.jsonl --out org/tiny",
            "org/tiny: a name on the hub",
            "write ./",
        ),
    ] {
        let ran = run(home, &hub.endpoint, line);
        assert!(ran.code == 1 && ran.stderr.contains(said) && ran.stderr.contains(cure), "{line}: {}", ran.stderr);
    }
    let ran = run(home, "http://127.0.0.1:9", "inspect org/tiny");
    assert!(ran.code == 1 && ran.stderr.contains("cannot be reached"), "{}", ran.stderr);
    // what has the ending of a file is a path that was misspelt
    let ran = run(home, &hub.endpoint, "inspect models/none.gguf");
    assert!(ran.code == 1 && !ran.stderr.contains("hub") && !hub.has_heard("none.gguf/"), "{}", ran.stderr);
}

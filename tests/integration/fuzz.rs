//! Damaged files: whatever bytes they hold, every reader ends with an error or a value, soon and without a panic.
//!
//! Each file is damaged in ways that files are: bytes changed, cut, doubled, numbers in headers made huge. The number of tries is
//! bounded; `REDLINE_FUZZ_SECONDS=600 cargo test --release fuzz` goes on for so long, with seeds that go on from run to run.

use std::path::Path;
use std::time::{Duration, Instant};

use redline::model::gguf::GgufFile;
use redline::model::qac::{read_qac, read_questions};
use redline::model::summary::ModelSummary;
use redline::model::{Adapter, Model, ModelConfig, Tokenizer};
use redline::probe::Reading;
use redline::profile::Profile;
use redline::steer::control_file::read_control_vector;
use redline::steer::read_sweep;

use crate::fixture::{Tiny, gguf_metadata, triples, write_gguf_model, write_triples};
use crate::program::golden;

/// Tries a reader, where no time is given.
const TRIES: u64 = 300;
/// A try that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(120);

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A damaged copy. Headers are hit more often than the data after them.
fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let reach = if random.below(4) == 0 { bytes.len() } else { bytes.len().min(2048) };
        let at = random.below(reach);
        match random.below(6) {
            0 => bytes.truncate(at),
            1 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            2 => {
                let end = (at + random.below(64)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            3 => bytes[at] = b"0123456789{}[]\",:-e"[random.below(19)],
            _ => bytes[at] = random.next() as u8,
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Damages a file, reads it, again and again; then puts it back.
fn torment(path: &Path, name: &str, read: &dyn Fn() -> bool) {
    let original = std::fs::read(path).unwrap();
    assert!(read(), "{name}: the file itself is read");
    let seconds = std::env::var("REDLINE_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (start, first) = (Instant::now(), seconds.map_or(0, |_: u64| std::process::id().into()));
    let mut refused = 0u64;
    for seed in 0.. {
        match seconds {
            None if seed >= TRIES => break,
            Some(seconds) if start.elapsed() > Duration::from_secs(seconds) => break,
            _ => {}
        }
        std::fs::write(path, damaged(&original, &mut Random(first + seed))).unwrap();
        let began = Instant::now();
        refused += u64::from(!read());
        assert!(began.elapsed() < LONGEST, "{name}, seed {}: {:?}", first + seed, began.elapsed());
    }
    assert!(refused > 0, "{name}: no damage was noticed");
    std::fs::write(path, original).unwrap();
}

#[test]
fn fuzz_gguf_models() {
    let tiny = Tiny::new();
    let path = tiny.path("model.gguf");
    write_gguf_model(&path, &gguf_metadata());
    torment(&path, "GGUF", &|| GgufFile::open(&path).is_ok());
    torment(&path, "GGUF summary", &|| ModelSummary::read(&path).is_ok());
    torment(&path, "GGUF model", &|| Model::load(&path).is_ok());
}

#[test]
fn fuzz_hugging_face_models() {
    let tiny = Tiny::new();
    let (folder, weights) = (tiny.path("model"), tiny.path("model/model.safetensors"));
    torment(&weights, "safetensors", &|| Model::load(&folder).is_ok());
    let config = tiny.path("model/config.json");
    torment(&config, "config.json", &|| ModelConfig::from_hugging_face(&config).is_ok());
    let tokenizer = tiny.path("model/tokenizer.json");
    torment(&tokenizer, "tokenizer.json", &|| Tokenizer::from_file(&tokenizer).is_ok());
}

#[test]
fn fuzz_adapters() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        std::fs::copy(golden("lora").join(name), folder.path().join(name)).unwrap();
    }
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        torment(&folder.path().join(name), name, &|| Adapter::open(folder.path()).is_ok());
    }
}

#[test]
fn fuzz_vectors() {
    let tiny = Tiny::new();
    tiny.extract();
    let path = tiny.path("vector.safetensors");
    torment(&path, "reading vector", &|| Reading::load(&path).is_ok());
    let control = tiny.path("control.gguf");
    std::fs::copy(golden("control_vector.gguf"), &control).unwrap();
    torment(&control, "control vector", &|| read_control_vector(&control).is_ok());
}

#[test]
fn fuzz_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    write_triples(&path, &triples(8));
    torment(&path, "triples", &|| read_qac(&path).is_ok());
    torment(&path, "questions", &|| read_questions(&path).is_ok());
    let gzip = folder.path().join("rows.jsonl.gz");
    let mut encoder = flate2::write::GzEncoder::new(std::fs::File::create(&gzip).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut std::fs::File::open(&path).unwrap(), &mut encoder).unwrap();
    encoder.finish().unwrap();
    torment(&gzip, "gzip", &|| read_qac(&gzip).is_ok());
}

#[test]
fn fuzz_sweeps_and_profiles() {
    let tiny = crate::bad_input::tuned();
    let sweep = tiny.path("sweep.jsonl");
    torment(&sweep, "sweep", &|| read_sweep(&sweep).is_ok());
    let profile = tiny.path("profiles/mine.json");
    torment(&profile, "profile", &|| Profile::load(&profile).is_ok());
}

//! The program on damaged files, every verb that reads any: no exit code over 2, no panic, under 1 GB of memory and 10 s each.
//!
//! `scripts/fuzz.sh 100000 7` runs 100,000 inputs from seed 7 on; an input is its seed, and `scripts/fuzz.sh 1 SEED` runs it alone. Left
//! out of the ordinary tests, which read fewer files in one process.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::damage::{Random, damaged};
use crate::fixture::{Tiny, gguf_metadata, triples, words, write_gguf_model};
use crate::program::{BINARY, golden, repository, succeed};

/// Most memory of a run.
const MOST_MEMORY: u64 = 1 << 30;
/// Longest run.
const LONGEST: Duration = Duration::from_secs(10);
/// Inputs where none are asked for.
const N_INPUTS: u64 = 500;

const CORRECT: &str = "--template template.txt --question Why --answer So --max-new-tokens 1";
const SCAN: &str = "scan --model model --template template.txt --data triples.jsonl --vector vector.safetensors";
const ROWS: &str = "--model model --template template.txt --max-new-tokens 1";

/// A verb and the file that is damaged for it; the weight says how often, as some verbs take longer.
struct Case {
    file: &'static str,
    line: String,
    weight: u64,
}

fn cases() -> Vec<Case> {
    let case = |weight, file, line: String| Case { file, line, weight };
    let plain = |weight, file, line: &str| Case { file, line: line.to_owned(), weight };
    vec![
        plain(8, "model.gguf", "inspect model.gguf"),
        plain(8, "pieces.gguf", "inspect pieces.gguf"),
        plain(8, "model/tokenizer.json", "inspect model"),
        plain(4, "model/config.json", "inspect model"),
        plain(4, "model/model.safetensors", "inspect model"),
        plain(4, "model/tokenizer_config.json", "inspect model"),
        plain(2, "model/generation_config.json", "inspect model"),
        plain(4, "lora/adapter_config.json", "inspect lora"),
        plain(4, "lora/adapter_model.safetensors", "inspect lora"),
        plain(4, "vector.safetensors", "inspect vector.safetensors"),
        plain(4, "control.gguf", "inspect control.gguf"),
        plain(4, "profiles/mine.json", "inspect profiles/mine.json"),
        plain(6, "triples.jsonl", "ratio triples.jsonl"),
        plain(6, "rows.json", "ratio rows.json"),
        plain(6, "rows.jsonl.gz", "ratio rows.jsonl.gz"),
        plain(4, "triples.jsonl", "data clean triples.jsonl --out cleaned.jsonl"),
        plain(4, "sweep.jsonl", "fit sweep.jsonl"),
        plain(4, "sweep.jsonl", "plot sweep.jsonl --ascii"),
        plain(4, "scan/scans.jsonl", "plot scan/scans.jsonl --ascii"),
        plain(2, "control.gguf", "plot control.gguf --ascii"),
        plain(4, "model/tokenizer.json", "perplexity template.txt --model model"),
        plain(4, "pieces/tokenizer.json", "perplexity template.txt --model pieces"),
        case(2, "model.gguf", format!("correct --model model.gguf {CORRECT}")),
        case(2, "model/model.safetensors", format!("correct --model model {CORRECT}")),
        case(2, "model/config.json", format!("correct --model model {CORRECT}")),
        case(2, "template.txt", format!("correct --model model {CORRECT}")),
        case(2, "profiles/mine.json", format!("correct --model model {CORRECT} --profile profiles/mine.json")),
        case(
            2,
            "vector.safetensors",
            format!("correct --model model {CORRECT} --coefficient 1 --vector vector.safetensors"),
        ),
        case(
            2,
            "control.gguf",
            format!("correct --model model {CORRECT} --coefficient 1 --any-model --vector control.gguf"),
        ),
        case(2, "lora/adapter_model.safetensors", format!("correct --model model {CORRECT} --adapter lora")),
        case(1, "rows.json", format!("correct {ROWS} --data rows.json")),
        plain(2, "expected.safetensors", "check model --reference expected.safetensors"),
        plain(
            1,
            "triples.jsonl",
            "extract --model model --template template.txt --data triples.jsonl --pairs 4 --out x.safetensors",
        ),
        case(1, "vector.safetensors", format!("{SCAN} --row 30 --tokens 1")),
        plain(
            1,
            "triples.jsonl",
            "layers --model model --template template.txt --data triples.jsonl --pairs 8 --tokens 1 --around 0",
        ),
        case(
            1,
            "vector.safetensors",
            format!(
                "sweep {ROWS} --data triples.jsonl --vector vector.safetensors --skip 24 --prompts 2 --coefficients=-1,0,1 --out swept.jsonl"
            ),
        ),
        case(1, "rows.json", format!("evaluate {ROWS} --data rows.json")),
        plain(
            1,
            "rows.json",
            "train --data triples.jsonl --held-out-share 0.2 --from-scratch --hidden-size 16 --heads 2 --n-layers 1 --vocab-size 280 --context 256 --steps 1 --batch-rows 2 --generate 0 --out run",
        ),
    ]
}

/// A folder with a file of every kind.
fn folder() -> Tiny {
    let tiny = crate::bad_input::tuned();
    succeed(tiny.folder(), &words(&format!("{SCAN} --row 30 --tokens 4 --out scan")));
    write_gguf_model(&tiny.path("model.gguf"), &gguf_metadata());
    let copy = |from: PathBuf, to: &str| {
        std::fs::create_dir_all(tiny.path(to).parent().unwrap()).unwrap();
        std::fs::copy(from, tiny.path(to)).unwrap();
    };
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        copy(golden("lora").join(name), &format!("lora/{name}"));
    }
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        copy(repository().join("tests/cases/stream-byte-fallback/model").join(name), &format!("pieces/{name}"));
    }
    copy(golden("control_vector.gguf"), "control.gguf");
    copy(golden("llama/expected.safetensors"), "expected.safetensors");
    super::write_piece_model(&tiny.path("pieces.gguf"));
    let settings =
        r#"{"eos_token": "</s>", "bos_token": {"content": "<s>"}, "add_bos_token": true, "chat_template": "{{ x }}"}"#;
    std::fs::write(tiny.path("model/tokenizer_config.json"), settings).unwrap();
    std::fs::write(tiny.path("model/generation_config.json"), r#"{"eos_token_id": [1, 2], "bos_token_id": 1}"#)
        .unwrap();
    std::fs::write(tiny.path("rows.json"), serde_json::to_string_pretty(&triples(8)).unwrap()).unwrap();
    super::write_gzip(&tiny.path("rows.json"), &tiny.path("rows.jsonl.gz"));
    tiny
}

/// How a run ended.
struct Ended {
    /// Exit code; 128 and more for a signal.
    code: i32,
    memory: u64,
    time: Duration,
    stderr: String,
}

/// Waits for a child, which is ended when it takes too long.
fn wait(child: Child, stderr: std::fs::File, began: Instant) -> Ended {
    use std::io::{Read, Seek};
    let pid = child.id() as libc::pid_t;
    let mut status = 0;
    // SAFETY: a plain structure of numbers, which the call fills.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: the child is ours and was not waited for; both pointers are to values that live.
        let waited = unsafe { libc::wait4(pid, &mut status, libc::WNOHANG, &mut usage) };
        if waited == pid {
            break;
        }
        if began.elapsed() > LONGEST + Duration::from_secs(2) {
            // SAFETY: as above.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
    let (mut file, mut bytes) = (stderr, Vec::new());
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
    let stderr = String::from_utf8_lossy(&bytes).into_owned();
    Ended { code, memory: usage.ru_maxrss as u64 * 1024, time: began.elapsed(), stderr }
}

/// What is wrong with a run, if anything.
fn fault(ended: &Ended) -> Option<String> {
    match () {
        () if ended.code > 2 => Some(format!("exit code {}", ended.code)),
        () if ended.stderr.contains("panicked") => Some("a panic".into()),
        () if ended.memory > MOST_MEMORY => Some(format!("{} MB", ended.memory / 1_000_000)),
        () if ended.time > LONGEST => Some(format!("{:?}", ended.time)),
        () => None,
    }
}

/// Damages one file of the folder, runs the verb, and puts the file back.
fn attack(tiny: &Tiny, cases: &[Case], seed: u64) -> (Ended, String) {
    let mut random = Random(seed);
    let mut place = random.next() % cases.iter().map(|case| case.weight).sum::<u64>();
    let case = cases.iter().find(|case| {
        let is_it = place < case.weight;
        place = place.saturating_sub(case.weight);
        is_it
    });
    let case = case.unwrap();
    let path = tiny.path(case.file);
    let original = std::fs::read(&path).unwrap();
    std::fs::write(&path, damaged(&original, &mut random)).unwrap();
    let stderr = tempfile::tempfile().unwrap();
    let began = Instant::now();
    let child = Command::new(BINARY)
        .args(words(&case.line))
        .args(["--threads", "1"])
        .current_dir(tiny.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.try_clone().unwrap())
        .spawn()
        .unwrap();
    let ended = wait(child, stderr, began);
    std::fs::write(&path, original).unwrap();
    (ended, format!("{} (damaged {})", case.line, case.file))
}

#[test]
#[ignore = "takes minutes; scripts/fuzz.sh runs it"]
fn fuzz_program() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let (n_inputs, first) =
        (number("REDLINE_FUZZ_INPUTS").unwrap_or(N_INPUTS), number("REDLINE_FUZZ_SEED").unwrap_or(0));
    let cases = cases();
    let checked = folder();
    for case in &cases {
        let began = Instant::now();
        succeed(checked.folder(), &words(&case.line));
        eprintln!("{:>6} ms  {}", began.elapsed().as_millis(), case.line);
    }
    let (next, faults) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let totals = Mutex::new(([0u64; 3], 0u64, Duration::ZERO));
    let n_workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..n_workers {
            scope.spawn(|| {
                let tiny = folder();
                while let Some(input) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|input| *input < n_inputs) {
                    let seed = first + input;
                    let (ended, line) = attack(&tiny, &cases, seed);
                    if let Some(fault) = fault(&ended) {
                        eprintln!("seed {seed}: {fault}: redline {line}\n{}", ended.stderr);
                        faults.lock().unwrap_or_else(PoisonError::into_inner).push(seed);
                    }
                    let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                    totals.0[ended.code.clamp(0, 2) as usize] += 1;
                    totals.1 = totals.1.max(ended.memory);
                    totals.2 = totals.2.max(ended.time);
                    if input % 5000 == 4999 {
                        eprintln!("{} inputs", input + 1);
                    }
                }
            });
        }
    });
    let (codes, memory, time) = totals.into_inner().unwrap();
    eprintln!(
        "{n_inputs} inputs, seeds {first} to {}: exit 0 {}, 1 {}, 2 or more {}; at most {} MB and {time:.1?}",
        first + n_inputs.saturating_sub(1),
        codes[0],
        codes[1],
        codes[2],
        memory / 1_000_000
    );
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "seeds {faults:?}");
    assert!(codes[1] > 0, "no damage was noticed");
    let _ = succeed(checked.folder(), &["ratio", "triples.jsonl"]);
}

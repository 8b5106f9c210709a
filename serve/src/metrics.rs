//! Counters and histograms, in Prometheus' text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::access;
use super::engine::Written;
use redline_lab::answer_gate::Passage;
use redline_lab::domain::Standing;

/// Upper bounds of times, in seconds.
const SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Upper bounds of edit ratios.
const RATIOS: [f64; 9] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0];
/// Upper bounds of rows in a batch.
const ROWS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// What a server counts.
pub struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    upstream_errors: Mutex<BTreeMap<&'static str, u64>>,
    routed: Mutex<BTreeMap<String, u64>>,
    request_seconds: Histogram,
    upstream_seconds: Histogram,
    queue_seconds: Histogram,
    first_token_seconds: Histogram,
    first_corrected_token_seconds: Histogram,
    correction_seconds: Histogram,
    gate_seconds: Histogram,
    edit_ratio: Histogram,
    batch_rows: Histogram,
    rows: AtomicU64,
    passes: AtomicU64,
    prompt_tokens: AtomicU64,
    tokens: AtomicU64,
    drafted: AtomicU64,
    accepted: AtomicU64,
    corrections: AtomicU64,
    copies: AtomicU64,
    uncorrected: AtomicU64,
    skipped: AtomicU64,
    outside: AtomicU64,
    outside_copied: AtomicU64,
    gate_passed: AtomicU64,
    gate_opened: AtomicU64,
    gate_failed: AtomicU64,
    cancelled: AtomicU64,
    refused: AtomicU64,
    /// Bits of an f64: a moving mean of the seconds a correction takes.
    mean_seconds: AtomicU64,
}

impl Default for Metrics {
    fn default() -> Self {
        let seconds = || Histogram::new(&SECONDS);
        let zero = AtomicU64::default;
        Self {
            requests: Mutex::default(),
            upstream_errors: Mutex::default(),
            routed: Mutex::default(),
            request_seconds: seconds(),
            upstream_seconds: seconds(),
            queue_seconds: seconds(),
            first_token_seconds: seconds(),
            first_corrected_token_seconds: seconds(),
            correction_seconds: seconds(),
            gate_seconds: seconds(),
            edit_ratio: Histogram::new(&RATIOS),
            batch_rows: Histogram::new(&ROWS),
            rows: zero(),
            passes: zero(),
            prompt_tokens: zero(),
            tokens: zero(),
            drafted: zero(),
            accepted: zero(),
            corrections: zero(),
            copies: zero(),
            uncorrected: zero(),
            skipped: zero(),
            outside: zero(),
            outside_copied: zero(),
            gate_passed: zero(),
            gate_opened: zero(),
            gate_failed: zero(),
            cancelled: zero(),
            refused: zero(),
            mean_seconds: zero(),
        }
    }
}

impl Metrics {
    pub(super) fn request(&self, route: &'static str, status: u16, took: Duration) {
        add(&self.requests, (route, status));
        self.request_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn upstream(&self, took: Duration) {
        self.upstream_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn upstream_error(&self, kind: &'static str) {
        add(&self.upstream_errors, kind);
    }

    pub(super) fn waited(&self, took: Duration) {
        self.queue_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn first_token(&self, took: Duration) {
        self.first_token_seconds.observe(took.as_secs_f64());
    }

    /// Time from a chat request to the first corrected text that the client can see.
    pub(super) fn first_corrected_token(&self, took: Duration) {
        self.first_corrected_token_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn rows(&self, n: usize) {
        self.rows.store(n as u64, Ordering::Relaxed);
    }

    /// Rows that are being written.
    pub(super) fn n_rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(super) fn batch_rows(&self, n: usize) {
        self.batch_rows.observe(n as f64);
    }

    pub(super) fn pass(&self) {
        self.passes.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn written(&self, written: &Written, took: Duration) {
        let add = |counter: &AtomicU64, n: usize| counter.fetch_add(n as u64, Ordering::Relaxed);
        add(&self.prompt_tokens, written.n_prompt_tokens);
        add(&self.tokens, written.n_tokens);
        add(&self.drafted, written.drafting.proposed);
        add(&self.accepted, written.drafting.accepted);
        self.correction_seconds.observe(took.as_secs_f64());
        let before = f64::from_bits(self.mean_seconds.load(Ordering::Relaxed));
        let mean = if before == 0.0 { took.as_secs_f64() } else { 0.9 * before + 0.1 * took.as_secs_f64() };
        self.mean_seconds.store(mean.to_bits(), Ordering::Relaxed);
    }

    /// Seconds that a correction took of late.
    pub(super) fn mean_seconds(&self) -> f64 {
        f64::from_bits(self.mean_seconds.load(Ordering::Relaxed))
    }

    pub(super) fn corrected(&self, edit_ratio: f64, is_copy: bool) {
        self.corrections.fetch_add(1, Ordering::Relaxed);
        self.copies.fetch_add(u64::from(is_copy), Ordering::Relaxed);
        self.edit_ratio.observe(edit_ratio);
        access::correction(access::Correction::Corrected);
    }

    pub(super) fn uncorrected(&self) {
        self.uncorrected.fetch_add(1, Ordering::Relaxed);
        access::correction(access::Correction::Uncorrected);
    }

    /// An answer was checked against what the Aligner knows.
    pub(super) fn judged(&self, standing: &Standing) {
        self.outside.fetch_add(standing.outside.into(), Ordering::Relaxed);
        self.outside_copied.fetch_add(standing.copied.into(), Ordering::Relaxed);
    }

    /// A gate has decided about an answer, or a part of one, or failed on it.
    pub(super) fn gated(&self, passage: &Passage, took: Duration) {
        let counter = match passage {
            Passage { value: None, .. } => &self.gate_failed,
            Passage { passed: true, .. } => &self.gate_passed,
            Passage { passed: false, .. } => &self.gate_opened,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.gate_seconds.observe(took.as_secs_f64());
    }

    /// A gate has failed on an answer, which is refused.
    pub(super) fn gate_failed(&self) {
        self.gate_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// A route has chosen.
    pub(super) fn routed(&self, vector: &str, coefficient: f32) {
        // a label's text has its quotation marks escaped
        let vector = vector.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ");
        add(&self.routed, format!("vector=\"{vector}\",coefficient=\"{coefficient}\""));
    }

    pub(super) fn skipped(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
        access::correction(access::Correction::Skipped);
    }

    pub(super) fn cancelled(&self) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// All of it; `waiting` jobs stand in the queue.
    pub fn text(&self, waiting: usize) -> String {
        let mut text = Text::default();
        text.head("redline_requests_total", "counter", "Requests answered, by route and status.");
        for ((route, status), n) in &*lock(&self.requests) {
            text.line(&format!("redline_requests_total{{route=\"{route}\",status=\"{status}\"}} {n}"));
        }
        text.head("redline_upstream_errors_total", "counter", "Upstream requests that failed, by kind.");
        for (kind, n) in &*lock(&self.upstream_errors) {
            text.line(&format!("redline_upstream_errors_total{{kind=\"{kind}\"}} {n}"));
        }
        text.head("redline_routed_total", "counter", "Corrections by the candidate that the route chose.");
        for (labels, n) in &*lock(&self.routed) {
            text.line(&format!("redline_routed_total{{{labels}}} {n}"));
        }
        self.numbers(waiting, &mut text);
        self.histograms(&mut text);
        text.0
    }

    /// Numbers without labels.
    fn numbers(&self, waiting: usize, text: &mut Text) {
        for (name, kind, help, value) in [
            ("redline_queue_length", "gauge", "Corrections that wait.", waiting as u64),
            ("redline_batch_rows_now", "gauge", "Corrections being written.", get(&self.rows)),
            ("redline_passes_total", "counter", "Passes through the model.", get(&self.passes)),
            ("redline_prompt_tokens_total", "counter", "Tokens of prompts.", get(&self.prompt_tokens)),
            ("redline_tokens_total", "counter", "Tokens written.", get(&self.tokens)),
            ("redline_drafted_tokens_total", "counter", "Tokens drafted from answers.", get(&self.drafted)),
            ("redline_accepted_tokens_total", "counter", "Drafted tokens that stood.", get(&self.accepted)),
            (
                "redline_corrections_total",
                "counter",
                "Answers, or parts of answers, corrected.",
                get(&self.corrections),
            ),
            ("redline_exact_copies_total", "counter", "Corrections equal to the answer.", get(&self.copies)),
            ("redline_uncorrected_total", "counter", "Answers passed on uncorrected.", get(&self.uncorrected)),
            ("redline_skipped_total", "counter", "Answers with nothing to correct.", get(&self.skipped)),
            (
                "redline_outside_total",
                "counter",
                "Answers, or parts of answers, outside of what the Aligner knows.",
                get(&self.outside),
            ),
            ("redline_outside_copied_total", "counter", "Those of them left as they are.", get(&self.outside_copied)),
            (
                "redline_gate_passed_total",
                "counter",
                "Answers, or parts of answers, that the gate let pass.",
                get(&self.gate_passed),
            ),
            (
                "redline_gate_opened_total",
                "counter",
                "Answers, or parts of answers, that it had corrected.",
                get(&self.gate_opened),
            ),
            (
                "redline_gate_failed_total",
                "counter",
                "Answers, or parts of answers, on which it failed.",
                get(&self.gate_failed),
            ),
            ("redline_cancelled_total", "counter", "Corrections whose clients left.", get(&self.cancelled)),
            ("redline_refused_total", "counter", "Requests refused with 429.", get(&self.refused)),
        ] {
            text.head(name, kind, help);
            text.line(&format!("{name} {value}"));
        }
    }

    fn histograms(&self, text: &mut Text) {
        for (name, help, histogram) in [
            ("redline_request_seconds", "Whole requests, to the head of the reply.", &self.request_seconds),
            ("redline_upstream_seconds", "Answers of the upstream model.", &self.upstream_seconds),
            ("redline_queue_seconds", "Time in the queue.", &self.queue_seconds),
            (
                "redline_first_token_seconds",
                "From the place in the batch to the first token.",
                &self.first_token_seconds,
            ),
            (
                "redline_first_corrected_token_seconds",
                "From a chat request to its first corrected text.",
                &self.first_corrected_token_seconds,
            ),
            ("redline_correction_seconds", "From the place in the batch to the end.", &self.correction_seconds),
            ("redline_gate_seconds", "Until the gate knew.", &self.gate_seconds),
            ("redline_edit_ratio", "Levenshtein distance / length of the answer.", &self.edit_ratio),
            ("redline_batch_rows", "Rows of a pass.", &self.batch_rows),
        ] {
            text.head(name, "histogram", help);
            histogram.write(name, text);
        }
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(&format!("# HELP {name} {help}\n# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: &str) {
        // writing to a string does not fail
        let _ = writeln!(self.0, "{line}");
    }
}

struct Histogram {
    bounds: &'static [f64],
    counts: Vec<AtomicU64>,
    /// In millionths.
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::default()).collect();
        Self { bounds, counts, sum: AtomicU64::default() }
    }

    fn observe(&self, value: f64) {
        let bucket = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    fn write(&self, name: &str, text: &mut Text) {
        let mut total = 0;
        let bounds = self.bounds.iter().map(f64::to_string).chain(["+Inf".to_string()]);
        for (bound, count) in bounds.zip(&self.counts) {
            total += get(count);
            text.line(&format!("{name}_bucket{{le=\"{bound}\"}} {total}"));
        }
        text.line(&format!("{name}_sum {}\n{name}_count {total}", get(&self.sum) as f64 / 1e6));
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn lock<K: Ord>(counts: &Mutex<BTreeMap<K, u64>>) -> std::sync::MutexGuard<'_, BTreeMap<K, u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add<K: Ord>(counts: &Mutex<BTreeMap<K, u64>>, key: K) {
    *lock(counts).entry(key).or_default() += 1;
}

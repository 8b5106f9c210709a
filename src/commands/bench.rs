//! `redline bench`: how fast a model reads, writes and corrects on this machine, in tokens per second.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use redline::aligner::Aligner;
use redline::model::generate::{Drafting, GenerateOptions, Prompt, generate, read_prefix};
use redline::model::{Hook, NoHook, Qac, matmul_kernel};
use redline::steer::{Inject, RowSteering, percentile};
use serde::Serialize;

use crate::cli::BenchArgs;
use crate::cli::numbers::MOST_LIST;
use crate::failure::hinted;
use crate::models;
use crate::rows::read_triples;
use crate::{interrupt, output};
use redline::lab::steering::{MoreVectors, Steering};

/// One kind of work, timed several times.
#[derive(Debug, Serialize)]
struct Timing {
    /// `prefill`, `decode`, `correct` or `correct-drafted`, as llama-bench has pp and tg.
    work: &'static str,
    /// Rows that are written together.
    rows: usize,
    /// Tokens of one run, of all rows.
    n_tokens: usize,
    /// Of each run, in order.
    tokens_per_second: Vec<f64>,
    median: f64,
    /// What drafting brought, where there was a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    drafting: Option<Shares>,
}

#[derive(Debug, Serialize)]
struct Shares {
    tokens_per_pass: f64,
    accepted_share: f64,
}

pub fn run(args: &BenchArgs, json: bool) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    if args.prefill == 0 && args.decode == 0 && args.data.is_none() {
        return Err(hinted("there is nothing to time", "give --prefill or --decode, or rows to correct with --data"));
    }
    if args.rows.len() > MOST_LIST {
        return Err(hinted(format!("--rows has {} numbers", args.rows.len()), format!("give at most {MOST_LIST}")));
    }
    let aligner = models::open(&args.model)?;
    let load_seconds = started.elapsed().as_secs_f64();
    let bench = Bench { args, aligner: &aligner };
    let mut timings = Vec::new();
    if args.prefill > 0 {
        timings.push(bench.prefill()?);
    }
    if args.decode > 0 {
        let rows = args.rows.iter().map(|&n| bench.decode(n.into()));
        timings.extend(rows.collect::<anyhow::Result<Vec<_>>>()?);
    }
    if let Some(path) = &args.data {
        let triples: Vec<Qac> = read_triples(path, None)?.into_iter().take(args.prompts).collect();
        timings.extend(bench.correct(&triples)?);
    }
    if json {
        let threads = rayon::current_num_threads();
        output::json(&serde_json::json!({
            "schema": "redline.bench.v1",
            "load_seconds": load_seconds,
            "threads": threads,
            "products": matmul_kernel(),
            "timings": timings,
        }))?;
    } else {
        output::line(&format!("loaded in {load_seconds:.2} s; products: {}\n{}", matmul_kernel(), table(&timings)))?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Bench<'a> {
    args: &'a BenchArgs,
    aligner: &'a Aligner,
}

impl Bench<'_> {
    /// A text of `n` tokens without meaning.
    fn tokens(&self, n: usize) -> anyhow::Result<Vec<u32>> {
        let config = self.aligner.model.decoder.config();
        if n > config.context {
            let message = format!("{n} tokens exceed the model's context of {}", config.context);
            return Err(hinted(message, "give fewer with --prefill or --decode"));
        }
        Ok((0..n).map(|i| ((i * 7919 + 13) % config.vocab_size) as u32).collect())
    }

    fn prefill(&self) -> anyhow::Result<Timing> {
        let tokens = self.tokens(self.args.prefill)?;
        let decoder = &self.aligner.model.decoder;
        let run = || {
            let prefix = read_prefix(decoder, &tokens, &mut NoHook)?;
            anyhow::ensure!(prefix.len() == tokens.len(), "the prompt was read in part");
            Ok((tokens.len(), None))
        };
        self.repeat("prefill", 1, run)
    }

    /// Tokens for each of several rows that have nothing in common, from a prompt of one token each.
    fn decode(&self, n_rows: usize) -> anyhow::Result<Timing> {
        let options = GenerateOptions { max_new_tokens: self.args.decode, ..GenerateOptions::default() };
        let tokens = self.tokens(n_rows)?.into_iter().enumerate();
        let prompts: Vec<Prompt> = tokens.map(|(row, token)| Prompt::new(vec![token], vec![row])).collect();
        self.repeat("decode", n_rows, || Ok((self.write(&prompts, &options, &mut NoHook)?.0, None)))
    }

    /// Corrections, one after the other, from prompts that were read before the clock starts: plain, and with the answer as draft.
    fn correct(&self, triples: &[Qac]) -> anyhow::Result<[Timing; 2]> {
        let (args, decoder) = (self.args, &self.aligner.model.decoder);
        let options = GenerateOptions {
            max_new_tokens: args.max_new_tokens,
            stop_ids: self.aligner.tokenizer()?.stop_ids().to_vec(),
            ..GenerateOptions::default()
        };
        let mut inject = self.injection()?;
        let mut prompts = Vec::with_capacity(triples.len());
        for (row, qac) in triples.iter().enumerate() {
            let origin = format!("row {row}");
            let texts = [qac.question.as_str(), qac.answer.as_str()];
            let tokens = self.aligner.prompt_with_room(texts, args.max_new_tokens, &origin)?;
            let prefix = Some(read_prefix(decoder, &tokens[..tokens.len() - 1], &mut NoHook)?);
            if let Some(inject) = &mut inject {
                let (coefficient, prompt_len) = (args.coefficient, tokens.len());
                inject.steer(row, RowSteering::new(0, coefficient, prompt_len))?;
            }
            let draft = self.aligner.draft(&qac.answer, 1)?;
            prompts.push(Prompt { prefix, draft, ..Prompt::new(tokens, vec![row]) });
        }
        let undrafted: Vec<Prompt> = prompts.iter().map(|p| Prompt { draft: Vec::new(), ..p.clone() }).collect();
        let mut all = |prompts: &[Prompt]| {
            let mut n_tokens = 0;
            let mut sum = Drafting::default();
            for prompt in prompts {
                let (n, drafting) = self.write(std::slice::from_ref(prompt), &options, &mut inject)?;
                n_tokens += n;
                sum.add(drafting);
            }
            Ok((n_tokens, (sum.proposed > 0).then_some(sum)))
        };
        Ok([self.repeat("correct", 1, || all(&undrafted))?, self.repeat("correct-drafted", 1, || all(&prompts))?])
    }

    fn injection(&self) -> anyhow::Result<Option<Inject>> {
        let Some(path) = &self.args.vector else { return Ok(None) };
        let steering = Steering::by(path, self.args.layers.clone(), self.args.unit);
        Ok(Some(steering.gated_injection(&self.aligner.model, &MoreVectors::default())?.0))
    }

    /// Continues the prompts; the number of tokens chosen, the one that ended each row included.
    fn write(
        &self,
        prompts: &[Prompt],
        options: &GenerateOptions,
        hook: &mut dyn Hook,
    ) -> anyhow::Result<(usize, Drafting)> {
        let rows = generate(&self.aligner.model.decoder, prompts, options, hook, &mut |_, _| {
            interrupt::check()?;
            Ok(ControlFlow::Continue(()))
        })?;
        let n_tokens = rows.iter().map(|row| row.tokens.len().max(1)).sum();
        Ok((n_tokens, rows.first().map_or_else(Drafting::default, |row| row.drafting)))
    }

    /// Times a run as often as was asked for, after one that does not count.
    fn repeat(
        &self,
        work: &'static str,
        rows: usize,
        mut run: impl FnMut() -> anyhow::Result<(usize, Option<Drafting>)>,
    ) -> anyhow::Result<Timing> {
        let (n_tokens, drafting) = run()?;
        let mut tokens_per_second = Vec::new();
        for _ in 0..self.args.repeats {
            interrupt::check()?;
            let started = Instant::now();
            run()?;
            tokens_per_second.push(n_tokens as f64 / started.elapsed().as_secs_f64());
        }
        let mut sorted = tokens_per_second.clone();
        sorted.sort_by(f64::total_cmp);
        let drafting = drafting.map(|drafting| Shares {
            tokens_per_pass: n_tokens as f64 / drafting.passes as f64,
            accepted_share: drafting.accepted as f64 / drafting.proposed as f64,
        });
        Ok(Timing { work, rows, n_tokens, median: percentile(&sorted, 50.0)?, tokens_per_second, drafting })
    }
}

fn table(timings: &[Timing]) -> String {
    let row = |timing: &Timing| {
        let (low, high) =
            timing.tokens_per_second.iter().fold((f64::INFINITY, 0f64), |(l, h), &x| (l.min(x), h.max(x)));
        let drafting = timing.drafting.as_ref().map_or_else(String::new, |shares| {
            format!(
                "{:.1} tokens a pass, {:.0} % of the draft stood",
                shares.tokens_per_pass,
                100.0 * shares.accepted_share
            )
        });
        let [rows, n_tokens] = [timing.rows, timing.n_tokens].map(|n| n.to_string());
        let cells = [timing.work.to_owned(), rows, n_tokens, format!("{:.1}", timing.median)];
        cells.into_iter().chain([format!("{low:.1} to {high:.1}"), drafting]).collect()
    };
    let rows: Vec<Vec<String>> = timings.iter().map(row).collect();
    output::table(&["work", "rows", "tokens", "tokens/s", "all runs", "drafting"], &rows)
}

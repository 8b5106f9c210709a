//! What `redline data annotate` prints and writes beside its annotations.

use std::process::ExitCode;

use redline::data::{DataFile, write_json_lines};
use redline::lab::Error;
use redline::lab::annotate::{
    Annotated, AnnotationLog, Aspect, Binarised, Estimate, PlanOptions, Refused, Request, SourceMeans, binarise,
    means_by_source, triples,
};
use redline::lab::judge::record::write_records;
use redline::serve::{Account, Prices, ServerWriter};
use serde_json::{Value, json};

use super::annotate::{estimate_in_words, place_of};
use crate::cli::AnnotateArgs;
use crate::output;

/// Refused questions named in words; all are in the JSON.
const MOST_SHOWN: usize = 20;

/// What is known before anything is asked.
pub struct Report<'a> {
    pub args: &'a AnnotateArgs,
    pub plan: &'a PlanOptions,
    pub model: &'a str,
    pub prices: Option<Prices>,
    pub n_questions: usize,
    pub n_repeated: usize,
    pub refused: &'a [Refused],
    pub estimate: Estimate,
}

/// Names the questions that were refused.
pub fn say_refused(args: &AnnotateArgs, refused: &[Refused], held_out: &[DataFile]) {
    if refused.is_empty() {
        return;
    }
    output::note!(
        "{}: {} questions are left out, as --not-in holds them or nearly so",
        args.file.display(),
        refused.len()
    );
    for one in refused.iter().take(MOST_SHOWN) {
        let lines = one.lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let measure = serde_json::to_value(one.measure).unwrap_or_default();
        output::note!(
            "  lines {lines}: {} {:.2} to {}: {:?}",
            measure.as_str().unwrap_or_default(),
            one.value,
            place_of(held_out, one),
            one.question.chars().take(90).collect::<String>()
        );
    }
    if refused.len() > MOST_SHOWN {
        output::note!("  … and {} more; --json has all", refused.len() - MOST_SHOWN);
    }
}

impl Report<'_> {
    /// What it would take, without asking.
    pub fn estimate(&self, json: bool) -> anyhow::Result<ExitCode> {
        match json {
            true => output::json(&self.value())?,
            false => output::line(&estimate_in_words(&self.estimate, self.prices))?,
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the results and says what was asked.
    pub fn finish(
        &self,
        annotated: &Annotated,
        server: Option<&ServerWriter>,
        log: &AnnotationLog,
        requests: &[Request],
        json: bool,
    ) -> anyhow::Result<ExitCode> {
        let sources = means_by_source(log.of(requests));
        let pairs = self.args.binarise.as_ref().map(|path| (path, binarise(log.of(requests), self.args.seed)));
        if let Some((path, Binarised { pairs, .. })) = &pairs {
            write_records(path, pairs).map_err(Error::from)?;
        }
        let corrected = self.args.triples.as_ref().map(|path| (path, triples(log.of(requests))));
        if let Some((path, rows)) = &corrected {
            write_json_lines(rows, path)?;
        }
        let n_faults = log.of(requests).filter(|record| record.fault.is_some()).count();
        let is_useless = n_faults > 0 && n_faults == requests.len();
        if is_useless {
            output::note!(
                "not one reply is an annotation: `{}` keeps what was said; try another model, or a larger --max-new-tokens",
                self.args.out.display()
            );
        }
        let code = if is_useless { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        let cost = match server {
            Some(server) => server.account().cost,
            None => self.prices.map(|prices| prices.of([annotated.n_prompt_tokens, annotated.n_tokens])),
        };
        if json {
            let mut value = self.value();
            value["run"] = json!(annotated);
            value["server"] = json!(server.map(|server| {
                let Account { n_requests, n_retries, tokens, .. } = server.account();
                json!({ "n_requests": n_requests, "n_retries": n_retries, "tokens": tokens })
            }));
            value["cost"] = json!(cost);
            value["n_faults"] = json!(n_faults);
            value["sources"] = json!(sources);
            value["binarised"] = json!(pairs.as_ref().map(|(path, found)| json!({
                "file": path, "n_pairs": found.pairs.len(), "n_tied": found.n_tied, "n_single": found.n_single,
            })));
            value["triples"] =
                json!(corrected.as_ref().map(|(path, rows)| json!({ "file": path, "n_rows": rows.len() })));
            output::json(&value)?;
            return Ok(code);
        }
        output::line(&run_in_words(self.args, annotated, n_faults, server, cost))?;
        if !sources.is_empty() {
            output::line(&table(&sources))?;
        }
        if let Some((path, Binarised { pairs, n_tied, n_single })) = &pairs {
            let (path, n) = (path.display(), pairs.len());
            output::line(&format!(
                "{path}: {n} preferences; {n_tied} questions without a single best answer, {n_single} with fewer than two rated answers"
            ))?;
        }
        if let Some((path, rows)) = &corrected {
            output::line(&format!("{}: {} triples", path.display(), rows.len()))?;
        }
        Ok(code)
    }

    fn value(&self) -> Value {
        let cost = self.prices.map(|prices| prices.of([self.estimate.n_prompt_tokens, self.estimate.n_tokens]));
        json!({
            "schema": "redline.annotate.v1",
            "file": self.args.out,
            "kind": self.args.kind,
            "model": self.model,
            "template": self.plan.template(),
            "n_questions": self.n_questions,
            "n_repeated": self.n_repeated,
            "refused": self.refused,
            "estimate": self.estimate,
            "estimated_cost": cost,
            "run": null,
        })
    }
}

fn run_in_words(
    args: &AnnotateArgs,
    annotated: &Annotated,
    n_faults: usize,
    server: Option<&ServerWriter>,
    cost: Option<f64>,
) -> String {
    let Annotated { n_requests, n_known, n_asked, n_prompt_tokens, n_tokens, n_uncounted, .. } = annotated;
    let faults = annotated.faults.iter().map(|(reason, n)| format!("{n} {reason}")).collect::<Vec<_>>();
    let faults = if faults.is_empty() { String::new() } else { format!(" ({} now)", faults.join(", ")) };
    let retries =
        server.map(|server| format!(", {} of them sent again", server.account().n_retries)).unwrap_or_default();
    let uncounted = match n_uncounted {
        0 => String::new(),
        n => format!("; the server did not count {n} replies"),
    };
    let cost = cost.map(|cost| format!("; cost {cost:.4}")).unwrap_or_default();
    format!(
        "{}: {n_requests} requests, {n_known} there already, {n_asked} asked{retries}; {n_faults} replies are no annotation{faults}\n\
         tokens: {n_prompt_tokens} of requests, {n_tokens} of replies{uncounted}{cost}",
        args.out.display()
    )
}

/// Mean scores by source.
fn table(sources: &[SourceMeans]) -> String {
    let is_there = |aspect: &Aspect| sources.iter().any(|source| source.aspects.contains_key(aspect));
    let aspects: Vec<Aspect> = Aspect::ALL.into_iter().filter(is_there).collect();
    let header = ["source", "answers", "overall"].into_iter().chain(aspects.iter().map(|aspect| aspect.name()));
    let row = |source: &SourceMeans| {
        let mean = |aspect: &Aspect| source.aspects.get(aspect).map_or_else(|| "–".into(), |mean| format!("{mean:.2}"));
        let cells = [source.source.clone(), source.n.to_string(), format!("{:.2}", source.overall)];
        cells.into_iter().chain(aspects.iter().map(mean)).collect()
    };
    output::table(&header.collect::<Vec<_>>(), &sources.iter().map(row).collect::<Vec<_>>())
}

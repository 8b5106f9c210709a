//! `redline correct` with an upstream model, several Aligners in a row, or a file that can be continued: rows in, the same
//! rows out, in order.

mod aligner;
mod answers;
mod file;

use std::path::Path;
use std::process::ExitCode;

use redline::model::Model;
use redline::model::qac::read_objects;
use redline::profile::hash_of;
use redline::serve::Conversation;
use redline::steer::EditRatios;
use serde_json::{Map, Value, json};

use crate::cli::stack::AlignerSpec;
use crate::cli::{CorrectArgs, ModelArgs};
use crate::commands::sweep::sampling_options;
use crate::difference::{Marks, marked};
use crate::output;
use crate::progress::Progress;
use crate::session::hinted;

use aligner::{Aligner, Corrected};
use answers::Answers;
use file::{OutFile, is_written};

/// The schema of every row, as of `redline correct` without any of this.
const SCHEMA: &str = "redline.correct.v1";

/// A row on its way.
pub struct Row {
    /// What it holds, as read.
    fields: Map<String, Value>,
    /// What the Aligners read as the question.
    pub question: String,
    /// What the upstream model reads.
    messages: Value,
    answer: Option<String>,
}

impl Row {
    /// The answer; empty where an upstream model has yet to give it.
    pub fn answer(&self) -> &str {
        self.answer.as_deref().unwrap_or_default()
    }

    /// The row that is written: what it holds, but for what runs write, under the schema.
    pub fn output(&self) -> Map<String, Value> {
        let mut fields = self.fields.clone();
        fields.retain(|name, _| !is_written(name));
        fields.insert("schema".into(), SCHEMA.into());
        fields
    }
}

/// Puts a correction into a row, and how it differs from the answer.
pub fn put_correction(fields: &mut Map<String, Value>, answer: &str, correction: &str, truncated: bool) {
    let ratios = EditRatios::new(answer.trim(), correction);
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("correction", correction.into());
    put("edit_ratio", json!(ratios.char));
    put("exact_copy", ratios.exact_copy.into());
    put("truncated", truncated.into());
}

pub fn run(args: &CorrectArgs, json: bool) -> anyhow::Result<ExitCode> {
    sampling_options(&args.sampling, args.seed)?;
    let rows = rows(args)?;
    let specs = specs(args);
    let aligners = specs.iter().map(|spec| Aligner::open(spec, args)).collect::<anyhow::Result<Vec<_>>>()?;
    let answers = Answers::open(args)?;
    let path = args.stack.out.as_deref().filter(|path| *path != Path::new("-"));
    let mut file = path.map(|path| OutFile::open(path, run_hash(args, &aligners))).transpose()?;
    let done = file.as_ref().map_or(0, OutFile::n_done);
    if let Some(file) = &file {
        file.check(&rows)?;
    }
    let mut stack = Stack { args, aligners, answers, n_failed: 0 };
    let mut progress = Progress::from("correcting", done, rows.len());
    for (batch, part) in rows[done..].chunks(args.batch_rows.max(1)).enumerate() {
        let first = done + batch * args.batch_rows.max(1);
        for row in stack.correct(first, part)? {
            match &mut file {
                Some(file) => file.write(row)?,
                None => stack.show(&row, json)?,
            }
        }
        progress.set(first + part.len(), rows.len())?;
    }
    progress.finish();
    if let Some(file) = &file {
        output::note!("{}: {} rows", file.path().display(), rows.len());
    }
    stack.report()
}

/// The rows, each with a question and, unless an upstream model answers, an answer.
pub fn rows(args: &CorrectArgs) -> anyhow::Result<Vec<Row>> {
    let Some(path) = &args.data else {
        let mut fields = Map::new();
        let named = [("question", &args.question), ("answer", &args.answer)];
        fields.extend(named.into_iter().filter_map(|(name, text)| Some((name.into(), text.clone()?.into()))));
        return Ok(vec![row(args, fields, "the command line")?]);
    };
    let objects = read_objects(path)?;
    let read = |object: redline::model::qac::JsonRow| {
        row(args, object.fields, &format!("{}: line {}", path.display(), object.line))
    };
    objects.into_iter().map(read).collect()
}

fn row(args: &CorrectArgs, fields: Map<String, Value>, place: &str) -> anyhow::Result<Row> {
    let wrong = |rule: &str, hint: &str| Err(hinted(format!("{place}: {rule}"), hint));
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let (question, messages) = match (text("question"), fields.get("messages")) {
        (Some(question), _) => (question.to_owned(), json!([{ "role": "user", "content": question }])),
        (None, Some(messages)) => match Conversation::read(messages) {
            Ok(conversation) => (conversation.question, messages.clone()),
            Err(error) => return wrong(&error.to_string(), "messages are those of OpenAI's chat API"),
        },
        (None, None) => return wrong("there is neither a question nor messages", "give one of them in every row"),
    };
    let answer = text("answer").map(str::to_owned);
    if answer.is_none() && !args.stack.has_upstream() {
        return wrong("there is no answer", "give one in every row, or --upstream URL or --upstream-model PATH");
    }
    Ok(Row { question, messages, answer, fields })
}

/// The Aligners asked for; without `--aligner`, the one of `--model`.
fn specs(args: &CorrectArgs) -> Vec<AlignerSpec> {
    if !args.stack.aligner.is_empty() {
        let on_device = |spec: &AlignerSpec| {
            let model = ModelArgs { device: args.model.device.clone(), ..spec.model.clone() };
            AlignerSpec { model, ..spec.clone() }
        };
        return args.stack.aligner.iter().map(on_device).collect();
    }
    let (model, steering) = (args.model.clone(), args.steering.clone());
    vec![AlignerSpec { model, steering, coefficient: args.coefficient }]
}

/// A hash of what outputs depend on, so that a file is continued by the same run only.
fn run_hash(args: &CorrectArgs, aligners: &[Aligner]) -> String {
    let sampling = &args.sampling;
    let settings = json!({
        "aligners": aligners.iter().map(Aligner::settings).collect::<Vec<_>>(),
        "also": args.gate.also.iter().map(|also| also.coefficient).collect::<Vec<_>>(),
        "gate": [args.gate.gate_layer.map_or(Value::Null, Value::from), Value::from(args.gate.gate_above)],
        "upstream": [args.stack.upstream, args.stack.upstream_name],
        "upstream_model": args.stack.upstream_model,
        "sampling": [sampling.max_new_tokens, sampling.top_k.unwrap_or(0)],
        "more": [sampling.temperature, sampling.top_p.unwrap_or(0.0), f64::from(sampling.repetition_penalty)],
        "seed": args.seed,
        "scan": args.stack.with_scan,
    });
    hash_of(settings.to_string().as_bytes())[..16].into()
}

struct Stack<'a> {
    args: &'a CorrectArgs,
    aligners: Vec<Aligner>,
    answers: Answers,
    n_failed: usize,
}

impl Stack<'_> {
    /// Answers rows that have no answer, then corrects all of them; `first` is the number of the first one.
    fn correct(&mut self, first: usize, rows: &[Row]) -> anyhow::Result<Vec<Map<String, Value>>> {
        let answers = self.answers.of(rows, self.args)?;
        let mut texts: Vec<String> =
            answers.iter().map(|answer| answer.as_ref().map_or_else(|_| String::new(), |a| a.text.clone())).collect();
        let mut steps: Vec<Vec<Value>> = vec![Vec::new(); rows.len()];
        let mut ends: Vec<Option<Corrected>> = rows.iter().map(|_| None).collect();
        let mut errors: Vec<Option<String>> = answers.iter().map(|answer| answer.as_ref().err().cloned()).collect();
        for aligner in &mut self.aligners {
            let open: Vec<usize> = (0..rows.len()).filter(|&i| errors[i].is_none()).collect();
            let asked: Vec<[&str; 2]> = open.iter().map(|&i| [rows[i].question.as_str(), texts[i].as_str()]).collect();
            let numbers: Vec<usize> = open.iter().map(|i| first + i).collect();
            let corrected = aligner.correct(&numbers, &asked, self.args)?;
            for (i, outcome) in open.into_iter().zip(corrected) {
                match outcome {
                    Ok(corrected) => {
                        steps[i].push(aligner.step(&texts[i], &corrected));
                        texts[i].clone_from(&corrected.text);
                        ends[i] = Some(corrected);
                    }
                    Err(reason) => errors[i] = Some(reason),
                }
            }
        }
        let mut out = Vec::with_capacity(rows.len());
        for (i, row) in rows.iter().enumerate() {
            let mut fields = row.output();
            let answer = answers[i].as_ref().map_or("", |answer| answer.text.as_str());
            fields.insert("answer".into(), answer.into());
            if answers[i].as_ref().is_ok_and(|answer| answer.is_cut) {
                fields.insert("answer_truncated".into(), true.into());
            }
            match (&errors[i], ends[i].take()) {
                (None, Some(end)) => self.finish(&mut fields, answer, end, std::mem::take(&mut steps[i])),
                (reason, _) => {
                    self.n_failed += 1;
                    fields.insert("error".into(), reason.clone().unwrap_or_default().into());
                }
            }
            out.push(fields);
        }
        Ok(out)
    }

    fn finish(&self, fields: &mut Map<String, Value>, answer: &str, end: Corrected, steps: Vec<Value>) {
        put_correction(fields, answer, &end.text, end.truncated);
        let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
        if let [aligner] = self.aligners.as_slice() {
            put("coefficient", json!(aligner.coefficient()));
        } else {
            put("steps", steps.into());
        }
        if let Some(scan) = end.scan {
            put("scan", scan);
        }
    }

    /// Prints a row: the text for a person who gave one question, else a line of JSON.
    fn show(&self, row: &Map<String, Value>, json: bool) -> anyhow::Result<()> {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        match (text("answer"), text("correction")) {
            (Some(answer), Some(correction)) if self.args.diff && !json => {
                output::coloured(&marked(answer.trim(), correction, Marks::for_stdout()))
            }
            (_, Some(correction)) if self.args.question.is_some() && !json => output::piece(&format!("{correction}\n")),
            _ => output::json_line(row),
        }
    }

    fn report(&self) -> anyhow::Result<ExitCode> {
        self.aligners.iter().try_for_each(Aligner::check_effect)?;
        match self.n_failed {
            0 => Ok(ExitCode::SUCCESS),
            n => Err(hinted(
                format!("{n} rows have no correction; their `error` says why"),
                "shorten their texts, or lower --max-new-tokens",
            )),
        }
    }
}

/// Name of a model, for results.
fn name_of(model: &Model) -> String {
    model.path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

//! `redline data annotate`: answers rated or corrected by a language model.

use std::num::NonZeroU32;

use redline::data::near_leak::NearLeakOptions;
use redline::data::{DataFile, Need};
use redline::lab::Error;
use redline::lab::annotate::{
    AnnotateOptions, Annotated, AnnotationKind, AnnotationLog, Estimate, EstimateBy, ItemFile, PlanOptions, Refused,
    Request, annotate, estimate, open_requests, read_items, refuse,
};
use redline::lab::baseline::{LocalWriter, Writer};
use redline::lab::judge::JudgeError;
use redline::serve::{JudgeOptions, Prices, ServerWriter};

use super::annotate_report::{Report, say_refused};
use crate::cli::AnnotateArgs;
use crate::cli::systems::WriterSpec;
use crate::cli::writes::ANNOTATIONS;
use crate::failure::{hinted, refuse_useless};
use crate::keys::environment_key;
use crate::observer::Shown;
use crate::outputs::clear_for_log;
use crate::{interrupt, models, output, rows};

/// Requests handed to a server together: its workers take them one by one.
const SERVER_BATCH: usize = 256;

/// Who is asked.
enum Asked {
    Local(Box<LocalWriter>),
    Server(ServerWriter),
}

pub fn run(args: &AnnotateArgs, json: bool) -> anyhow::Result<std::process::ExitCode> {
    refuse_without_effect(args)?;
    let ItemFile { items, n_repeated, report, notes } = read_items(&args.file, args.kind, rows::is_strict())?;
    rows::say(&args.file, &report);
    notes.iter().for_each(|note| output::note!("{note}"));
    let n_questions = items.len();
    let held_out = args.not_in.iter().map(|path| rows::read(path, Need::Question)).collect::<Result<Vec<_>, _>>()?;
    let (mut items, refused) = match held_out.is_empty() {
        true => (items, Vec::new()),
        false => refuse(items, &questions(&held_out), &NearLeakOptions::default(), &mut Shown::default())?,
    };
    say_refused(args, &refused, &held_out);
    items.truncate(args.prompts);
    let plan = plan(args);
    let model = name(&args.model);
    let requests = plan.requests(&model, &items).map_err(Error::from)?;
    let prices = args.price_in.zip(args.price_out).map(|(prompt, completion)| Prices { prompt, completion });
    let mut asked = if args.estimate { None } else { server(args, prices)? };
    let mut log = open_log(args)?;
    log.notes().iter().for_each(|note| output::note!("{note}"));
    let open = open_requests(&log, &requests, args.ask_faults_again);
    let estimate = estimate(&log, &model, &plan, &open);
    let report =
        Report { args, plan: &plan, model: &model, prices, n_questions, n_repeated, refused: &refused, estimate };
    if args.estimate {
        return report.estimate(json);
    }
    say_estimate(&estimate, prices);
    // a model on this machine is loaded only to be asked
    if let (WriterSpec::Local(path), false) = (&args.model, open.is_empty()) {
        asked = Some(Asked::Local(Box::new(LocalWriter::new(models::load_model(path)?, interrupt::check)?)));
    }
    let annotated = ask(args, &mut asked, &mut log, &plan, &requests, prices)?;
    let server = asked.as_ref().and_then(Asked::server);
    report.finish(&annotated, server, &log, &requests, json)
}

/// Asks what is open; the files of results are written from what the log holds then.
fn ask(
    args: &AnnotateArgs,
    asked: &mut Option<Asked>,
    log: &mut AnnotationLog,
    plan: &PlanOptions,
    requests: &[Request],
    prices: Option<Prices>,
) -> anyhow::Result<Annotated> {
    let Some(asked) = asked else {
        return Ok(Annotated { n_requests: requests.len(), n_known: requests.len(), ..Annotated::default() });
    };
    let options = AnnotateOptions {
        batch: if asked.server().is_some() { SERVER_BATCH } else { AnnotateOptions::default().batch },
        max_new_tokens: args.max_new_tokens,
        most_faults: args.most_faults,
        asks_faults_again: args.ask_faults_again,
        check: interrupt::check,
    };
    let on_estimate = &mut |estimate: &Estimate| say_estimate(estimate, prices);
    Ok(annotate(asked.writer(), log, plan, requests, &options, on_estimate, &mut Shown::default())?)
}

impl Asked {
    fn writer(&mut self) -> &mut dyn Writer {
        match self {
            Self::Local(writer) => &mut **writer,
            Self::Server(writer) => writer,
        }
    }

    fn server(&self) -> Option<&ServerWriter> {
        match self {
            Self::Local(_) => None,
            Self::Server(writer) => Some(writer),
        }
    }
}

fn refuse_without_effect(args: &AnnotateArgs) -> anyhow::Result<()> {
    let is_local = matches!(args.model, WriterSpec::Local(_));
    let of_servers = [
        (is_local && args.key_env.is_some(), "--key-env"),
        (is_local && args.workers.is_some(), "--workers"),
        (is_local && args.per_minute.is_some(), "--per-minute"),
        (is_local && args.price_in.is_some(), "--price-in"),
    ];
    refuse_useless(&of_servers, "beside a model on this machine")?;
    let is_correction = args.kind == AnnotationKind::Correction;
    let of_aspects = [
        (is_correction && !args.aspects.is_empty(), "--aspects"),
        (is_correction && args.together.is_some(), "--together"),
        (is_correction && args.binarise.is_some(), "--binarise"),
    ];
    refuse_useless(&of_aspects, "beside --kind correction")?;
    refuse_useless(&[(!is_correction && args.triples.is_some(), "--triples")], "beside --kind aspects")
}

fn plan(args: &AnnotateArgs) -> PlanOptions {
    let default = PlanOptions::default();
    PlanOptions {
        kind: args.kind,
        aspects: if args.aspects.is_empty() { default.aspects } else { args.aspects.clone() },
        together: args.together.unwrap_or(default.together),
        seed: args.seed,
    }
}

fn questions(files: &[DataFile]) -> Vec<&str> {
    files.iter().flat_map(DataFile::questions).collect()
}

/// What a writer will be called.
fn name(spec: &WriterSpec) -> String {
    match spec {
        WriterSpec::Local(path) => path.display().to_string(),
        WriterSpec::Server { url, model } => format!("{}#{}", url.trim().trim_end_matches('/'), model.trim()),
    }
}

/// The file of annotations; to estimate, only what it holds.
fn open_log(args: &AnnotateArgs) -> anyhow::Result<AnnotationLog> {
    if args.estimate {
        return Ok(AnnotationLog::read(&args.out)?);
    }
    clear_for_log(&args.out, ANNOTATIONS, args.force.force)?;
    Ok(AnnotationLog::open(&args.out)?)
}

/// The server that is asked; none for a model on this machine, which has to be there.
fn server(args: &AnnotateArgs, prices: Option<Prices>) -> anyhow::Result<Option<Asked>> {
    let (url, model) = match &args.model {
        WriterSpec::Local(path) if !path.exists() => {
            return Err(hinted(format!("{}: no such file or folder", path.display()), "check the path"));
        }
        WriterSpec::Local(_) => return Ok(None),
        WriterSpec::Server { url, model } => (url, model),
    };
    let key = args.key_env.as_deref().map(environment_key).transpose()?;
    let default = JudgeOptions::default();
    let options = JudgeOptions {
        n_workers: args.workers.map_or(default.n_workers, usize::from),
        most_per_minute: args.per_minute.and_then(NonZeroU32::new),
        prices,
        ..default
    };
    let writer = ServerWriter::new(url, model, key.as_deref(), options)?.with_notes(output::note_line);
    Ok(Some(Asked::Server(writer.with_check(|| interrupt::check().map_err(JudgeError::from)))))
}

/// Says what asking will take.
fn say_estimate(estimate: &Estimate, prices: Option<Prices>) {
    if estimate.n_requests > 0 {
        output::note!("{}", estimate_in_words(estimate, prices));
    }
}

/// What asking will take, in words.
pub fn estimate_in_words(estimate: &Estimate, prices: Option<Prices>) -> String {
    let Estimate { n_requests, n_prompt_tokens, n_tokens, by } = *estimate;
    let by = match by {
        EstimateBy::Replies => "by replies so far",
        _ => "by counted characters",
    };
    let cost = prices.map(|prices| format!(", cost {:.4}", prices.of([n_prompt_tokens, n_tokens])));
    format!(
        "estimate {by}: {n_requests} requests with {n_prompt_tokens} tokens, {n_tokens} tokens of replies{}",
        cost.unwrap_or_default()
    )
}

/// The place of a question that must not be annotated: its file and line.
pub fn place_of(held_out: &[DataFile], refused: &Refused) -> String {
    let mut place = refused.held_out;
    for file in held_out {
        match file.rows.get(place) {
            Some(row) => return format!("{}:{}", file.path.display(), row.line),
            None => place -= file.rows.len(),
        }
    }
    String::new()
}

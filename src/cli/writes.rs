//! What each verb writes.

use std::path::{Path, PathBuf};

use redline::experiment::{SCAN_COPY, SCAN_CORRECTION};
use redline::lab::reproduce;
use redline::profile;
use redline::steer::sweep_log;

use super::feedback::FeedbackArgs;
use super::merge::MergeArgs;
use super::pages::page_names;
use super::plot::PlotArgs;
use super::train::{AblateArgs, MethodName, TrainArgs};
use super::train_pairs::Objective;
use super::tune::TuneArgs;
use super::{Command, DataCommand, EvaluateArgs, ScanArgs, SweepArgs};
use crate::outputs::{Form, Kind, Named, Output, RunFiles};

/// Kind of a sweep's file.
pub const SWEEP: Kind = Kind::Lines(sweep_log::SCHEMA);
/// Kind of the file that `redline correct --out` continues.
pub const CORRECTED: Kind = Kind::Lines("redline.correct.v1");
/// Kind of rows that carry their flaws.
const FLAWED: Kind = Kind::LinesWith(&["question", "answer", "correction", "flaws", "strictness", "clean"]);
/// Kind of rows that teach a trait.
const TAUGHT: Kind = Kind::LinesWith(&["question", "answer", "correction", "trait", "kind"]);
/// Kind of what `redline evaluate` writes.
const EVALUATED: Kind = Kind::LinesWith(&["question", "answer", "correction", "output", "similarity", "is_cut"]);

/// Kind of the answers of systems.
pub const ANSWERS: Kind = Kind::Lines("redline.answers.v1");
/// Kind of what judges said.
pub const JUDGEMENTS: Kind = Kind::Lines("redline.judgement.v1");
/// Kind of what a model said about answers.
pub const ANNOTATIONS: Kind = Kind::Lines("redline.annotation.v1");
/// Kind of preferences made of annotations.
const PREFERENCES: Kind = Kind::Lines("redline.preference.v1");
/// Kind of triples made of annotations.
const ANNOTATED: Kind = Kind::LinesWith(&["question", "answer", "correction", "corrected_by"]);

/// What a command reads and writes.
///
/// # Errors
/// A profile's name that stands for no file.
pub fn of(command: &Command, reads: Vec<PathBuf>) -> anyhow::Result<RunFiles> {
    let (writes, force) = match command {
        Command::Reproduce(args) => (vec![folder(&args.out, reproduced())], args.force),
        Command::Scan(args) => (scan(args), args.force),
        Command::Layers(args) => (vec![folder(&args.out, layers())], args.force),
        Command::Compare(args) => (optional(&args.out, Kind::Json("redline.compare.v1")), args.force),
        Command::Extract(args) => {
            let kind = if args.is_inside() { Kind::Inside } else { Kind::Reading };
            let mut writes = optional(&args.activations, Kind::Activations);
            if args.shard.is_none() {
                writes.push(Output::file(&args.out, kind));
                writes.extend(optional(&args.gguf, Kind::ControlVector));
            }
            writes.extend(args.trains().then(|| log(&args.checkpoint(), Kind::Checkpoint)));
            (writes, args.force)
        }
        Command::Sweep(args) => {
            let page = args.shard.is_none().then(|| Output::file(sweep_report(args), Kind::Page));
            (std::iter::once(log(&args.out, SWEEP)).chain(page).collect(), args.force)
        }
        Command::Merge(args) => (vec![Output::file(&args.out, merged(args))], args.force),
        Command::Fit(args) => {
            let stem = args.plot.as_deref();
            let stems = stem.map(|stem| Output { path: stem.into(), form: Form::Stem });
            let pictures = stem.into_iter().flat_map(Output::pictures);
            (stems.into_iter().chain(pictures).collect(), args.force)
        }
        Command::Tune(args) => (tune(args)?, args.force),
        Command::Plot(args) => {
            let stem = args.out.as_ref().map(|stem| Output { path: stem.clone(), form: Form::Stem });
            (stem.into_iter().collect(), args.force)
        }
        Command::Correct(args) => {
            let file = args.stack.out.as_ref().filter(|path| *path != Path::new("-"));
            (file.map(|path| log(path, CORRECTED)).into_iter().collect(), args.stack.force)
        }
        Command::Iterate(args) if args.dry_run => return Ok(RunFiles { reads, ..RunFiles::default() }),
        Command::Iterate(args) => (vec![folder(&args.out, iterated())], args.force),
        Command::Train(args) => (train(args), args.force),
        Command::AblateWarmup(args) => (ablate(args), args.train.force),
        Command::Check(args) => (optional(&args.domain_out, Kind::Json(redline::lab::domain::SCHEMA)), args.force),
        Command::Evaluate(args) => (evaluated(args), args.force),
        Command::Feedback(args) => (vec![folder(&args.out, fed_back(args))], args.force),
        Command::Gate(args) => {
            let file = Output::file(args.file(), Kind::Json(redline::lab::answer_gate::SCHEMA));
            (std::iter::once(file).chain(Output::pictures(&args.stem())).collect(), args.force)
        }
        Command::Route(args) => (vec![Output::file(&args.out, Kind::Json(redline::lab::route::SCHEMA))], args.force),
        Command::Data(command) => data(command),
        Command::Man(args) => {
            let pages = || page_names().into_iter().map(|name| Named::new(name, Kind::ManPage)).collect();
            (args.out.iter().map(|path| folder(path, pages())).collect(), args.force)
        }
        Command::Serve(_)
        | Command::Bench(_)
        | Command::Ratio(_)
        | Command::Inspect(_)
        | Command::Perplexity(_)
        | Command::Completions(_) => return Ok(RunFiles { reads, ..RunFiles::default() }),
    };
    Ok(RunFiles { reads, writes, force: force.force })
}

/// What parts are put together to: what the first of them is a part of.
fn merged(args: &MergeArgs) -> Kind {
    match args.files.first().is_some_and(|file| SWEEP.is(file)) {
        true => SWEEP,
        false => CORRECTED,
    }
}

fn folder(path: &Path, named: Vec<Named>) -> Output {
    Output { path: path.into(), form: Form::Folder(named) }
}

fn log(path: &Path, kind: Kind) -> Output {
    Output { path: path.into(), form: Form::Log(kind) }
}

fn optional(path: &Option<PathBuf>, kind: Kind) -> Vec<Output> {
    path.iter().map(|path| Output::file(path, kind)).collect()
}

/// What `redline plot` reads and writes, once it knows how many pictures there are.
pub fn plotted(args: &PlotArgs, stems: &[PathBuf]) -> RunFiles {
    let reads = std::iter::once(&args.file).chain(&args.other).cloned().collect();
    let writes = stems.iter().flat_map(|stem| Output::pictures(stem)).collect();
    RunFiles { reads, writes, force: args.force.force }
}

/// `NAME.png` and `NAME.svg`.
fn pictures(name: &str) -> [Named; 2] {
    [".png", ".svg"].map(|ending| Named::new(format!("{name}{ending}"), Kind::Picture))
}

/// Files whose kind is not told by what they hold: they are of a run where its mark is.
fn unmarked<const N: usize>(names: [&str; N]) -> [Named; N] {
    names.map(|name| Named::new(name, Kind::Unmarked))
}

/// What `redline reproduce` writes into its folder, and goes on from where its mark is there.
pub fn reproduced() -> Vec<Named> {
    let mut named = vec![Named::mark("settings.json", Kind::Json("redline.settings.v1"))];
    named.push(Named::new("index.html", Kind::Page));
    named.extend(unmarked(["summary.json"]));
    named.extend(unmarked(reproduce::FILES));
    let scans = [SCAN_CORRECTION, SCAN_COPY].map(|label| format!("scan-{label}"));
    let stems =
        scans.iter().map(String::as_str).chain(["layers", "quality", "phases", "pareto", "sweep", "slopes", "example"]);
    named.extend(stems.flat_map(pictures));
    named
}

fn scan(args: &ScanArgs) -> Vec<Output> {
    let mut named = vec![Named::new("scans.jsonl", Kind::Lines("redline.scan.v1"))];
    let mut rows = args.row.clone();
    rows.sort_unstable();
    rows.dedup();
    for row in rows {
        let stems = [SCAN_CORRECTION, SCAN_COPY].map(|label| format!("scan-{row}-{label}"));
        named.extend(stems.iter().flat_map(|stem| pictures(stem)));
    }
    if args.report.is_none() {
        named.push(Named::new("index.html", Kind::Page));
    }
    let folders = args.out.iter().map(|path| folder(path, named.clone()));
    folders.chain(optional(&args.report, Kind::Page)).collect()
}

fn layers() -> Vec<Named> {
    let file = Named::new("layers.json", Kind::Json("redline.layers.v1"));
    let stems = ["auroc-output", "auroc-difference", "onset"];
    std::iter::once(file).chain(stems.into_iter().flat_map(pictures)).collect()
}

/// The report of a sweep: each has its own, so that sweeps in one folder leave each other's alone.
pub fn sweep_report(args: &SweepArgs) -> PathBuf {
    args.report.clone().unwrap_or_else(|| args.out.with_extension("html"))
}

fn tune(args: &TuneArgs) -> anyhow::Result<Vec<Output>> {
    // a vector that is extracted here is kept beside the sweep, else beside the profile
    let extracts = args.steering.vector.is_none() && args.steering.profile.is_none() && args.sweep.is_none();
    let mut writes = Vec::new();
    if let Some(path) = &args.out {
        writes.push(log(path, SWEEP));
        writes.extend(extracts.then(|| Output::file(path.with_extension("safetensors"), Kind::Reading)));
    }
    if let Some(name) = &args.save {
        let path = profile::place(name)?;
        let beside = |ending: &str, kind| Output { path: path.with_extension(ending), form: Form::FileInFolder(kind) };
        let vector = match () {
            () if extracts && args.out.is_none() => Some(beside("safetensors", Kind::Reading)),
            () if args.steering.from_llama_cpp_generator => Some(beside("gguf", Kind::ControlVector)),
            () => None,
        };
        writes.push(Output { path: path.clone(), form: Form::FileInFolder(Kind::Json(profile::SCHEMA)) });
        writes.extend(vector);
    }
    Ok(writes)
}

/// What `redline iterate` writes itself; verbs that it starts take care of what they write below.
fn iterated() -> Vec<Named> {
    let mut named = vec![Named::mark(redline::lab::iterate::SETTINGS, Kind::Json("redline.iterate-settings.v1"))];
    named.extend(unmarked(["steps.jsonl", "rounds.jsonl", "summary.json", "rows", "logs"]));
    named
}

fn train(args: &TrainArgs) -> Vec<Output> {
    let whole = folder(&args.out, trained(args));
    std::iter::once(whole).chain(optional(&args.gguf, Kind::Gguf)).collect()
}

fn trained(args: &TrainArgs) -> Vec<Named> {
    if args.method == MethodName::Head {
        let states = Named::mark("states.bin", Kind::Lines(redline::lab::reward::STATES_SCHEMA));
        return [vec![states], unmarked(["summary.json", "head.safetensors", "model"]).to_vec()].concat();
    }
    let scores = matches!(args.pairs.objective, Objective::Reward | Objective::Cost);
    let result = if args.method == MethodName::Lora && !scores { "adapter" } else { "model" };
    let mut named = vec![Named::mark("train.jsonl", Kind::TrainLog)];
    if args.export.is_none() {
        named.extend(unmarked(["outputs.jsonl", "settings.json", "summary.json"]));
        named.extend(unmarked(["last.checkpoint", "best.checkpoint"]));
        named.push(Named::new("index.html", Kind::Page));
        named.extend(pictures("curves"));
    }
    named.push(Named::new(result, Kind::Unmarked));
    named
}

/// Outputs of an Aligner; of systems that are judged, files that are continued.
fn evaluated(args: &EvaluateArgs) -> Vec<Output> {
    let judging = &args.judging;
    let outputs = match args.keeps_answers() {
        false => optional(&args.out, EVALUATED),
        true => args.out.iter().map(|path| log(path, ANSWERS)).collect(),
    };
    let judgements = judging.judgements.iter().map(|path| log(path, JUDGEMENTS));
    let stem = judging.score_shift.as_ref();
    let stems = stem.map(|stem| Output { path: stem.clone(), form: Form::Stem });
    let pictures = stem.into_iter().flat_map(|stem| Output::pictures(stem));
    outputs.into_iter().chain(judgements).chain(stems).chain(pictures).collect()
}

/// A sweep for each instruction, which goes on, and the table of all.
fn fed_back(args: &FeedbackArgs) -> Vec<Named> {
    let names = args.names().into_iter().map(|given| given.split('=').next().unwrap_or_default().trim());
    let sweeps = names.map(|name| Named::new(format!("{name}.jsonl"), SWEEP));
    sweeps.chain([Named::new(redline::lab::feedback::TABLE, Kind::Json(redline::lab::feedback::SCHEMA))]).collect()
}

fn ablate(args: &AblateArgs) -> Vec<Output> {
    let mut named = vec![Named::new("ablation.json", Kind::Json("redline.ablate-warmup.v1"))];
    named.extend(pictures("ablation"));
    let whole = folder(&args.train.out, named);
    let shares = args.shares.iter().map(|share| folder(&args.share_folder(*share), trained(&args.train)));
    // refused by the verb itself, whose reason is the better one where the place is none
    let gguf = optional(&args.train.gguf, Kind::Gguf);
    std::iter::once(whole).chain(shares).chain(gguf).collect()
}

fn data(command: &DataCommand) -> (Vec<Output>, super::files::ForceArgs) {
    let rows = |path: &PathBuf| Output::file(path, Kind::Unmarked);
    match command {
        DataCommand::Synth(args) => {
            let files = std::iter::once(&args.out).chain(&args.held_out);
            let kind = if args.taught.is_some() { TAUGHT } else { FLAWED };
            (files.map(|path| Output::file(path, kind)).collect(), args.force)
        }
        DataCommand::Corrupt(args) => (vec![Output::file(&args.out, FLAWED)], args.force),
        DataCommand::Scramble(args) => (vec![rows(&args.out)], args.force),
        DataCommand::Clean(args) => (vec![rows(&args.out)], args.force),
        DataCommand::Split(args) => (vec![rows(&args.out), rows(&args.held_out)], args.force),
        DataCommand::Convert(args) => (vec![rows(&args.out)], args.force),
        DataCommand::Near(args) => (args.out.iter().map(rows).collect(), args.force),
        DataCommand::Filter(args) => {
            let files = std::iter::once(&args.out).chain(&args.removed).map(rows);
            let stems = args.figure.iter().map(|stem| Output { path: stem.clone(), form: Form::Stem });
            let pictures = args.figure.iter().flat_map(|stem| Output::pictures(stem));
            (files.chain(stems).chain(pictures).collect(), args.force)
        }
        DataCommand::Annotate(args) => {
            let log = std::iter::once(log(&args.out, ANNOTATIONS));
            let results = optional(&args.binarise, PREFERENCES).into_iter().chain(optional(&args.triples, ANNOTATED));
            (log.chain(results).collect(), args.force)
        }
        DataCommand::Leak(_) => (Vec::new(), super::files::ForceArgs::default()),
    }
}

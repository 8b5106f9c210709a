//! The `redline` program.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cli;
mod commands;
mod defaults;
mod difference;
mod failure;
mod hub;
mod interrupt;
mod judges;
mod keys;
mod known;
mod models;
mod observer;
mod output;
mod outputs;
mod progress;
mod provenance;
mod request_log;
mod rows;
mod sweep_words;
mod visible;
mod watched;

use std::process::ExitCode;

use cli::numbers::MOST_THREADS;
use cli::{Cli, Command};
use redline::model::{MatmulPrecision, set_matmul_precision};

fn main() -> ExitCode {
    if let Some(argument) = std::env::args_os().find(|argument| argument.to_str().is_none()) {
        return failure::not_text(&argument);
    }
    let usage = |error| cli::usage::message(&error).map_or(ExitCode::SUCCESS, |message| failure::usage(&message));
    let (mut cli, mut reads) = match cli::parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => return usage(error),
    };
    set_threads(cli.threads.map(usize::from));
    set_matmul_precision(precision(&cli));
    rows::set_strict(cli.strict);
    match cli.command {
        Command::Serve(_) => give_freed_memory_back(),
        _ => keep_freed_memory(),
    }
    survive_full_files();
    interrupt::install();
    watched::install();
    redline::model::files::stop_reading_when(|| interrupt::check().is_err());
    match hub::resolved(std::env::args_os().collect(), cli.offline).map(|named| named.map(cli::parse)) {
        Ok(None) => {}
        Ok(Some(Ok(parsed))) => (cli, reads) = parsed,
        Ok(Some(Err(error))) => return usage(error),
        Err(error) => return failure::report(&error),
    }
    // held until the verb is done
    let claim = match cli::writes::of(&cli.command, reads).and_then(|files| outputs::claim(&files)) {
        Ok(claim) => claim,
        Err(error) => return failure::report(&error),
    };
    let result = run(&cli);
    claim.tell_replaced();
    result.unwrap_or_else(|error| failure::report(&error))
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Reproduce(args) => commands::reproduce::run(args, cli.json),
        Command::Scan(args) => commands::scan::run(args, cli.json),
        Command::Layers(args) => commands::layers::run(args, cli.json),
        Command::Compare(args) => commands::compare::run(args, cli.json),
        Command::Extract(args) => commands::extract::run(args, cli.json),
        Command::Sweep(args) => commands::sweep::run(args, cli.json),
        Command::Fit(args) => commands::fit::run(args, cli.json),
        Command::Merge(args) => commands::merge::run(args, cli.json),
        Command::Tune(args) => commands::tune::run(args, cli.json),
        Command::Gate(args) => commands::gate::run(args, cli.json),
        Command::Route(args) => commands::route::run(args, cli.json),
        Command::Plot(args) => commands::plot::run(args, cli.json),
        Command::Correct(args) => commands::correct::run(args, cli.json),
        Command::Serve(args) => commands::serve::run(args, cli.json),
        Command::Bench(args) => commands::bench::run(args, cli.json),
        Command::Ratio(args) => commands::ratio::run(args, cli.json),
        Command::Inspect(args) => commands::inspect::run(args, cli.json),
        Command::Perplexity(args) => commands::perplexity::run(args, cli.json),
        Command::Check(args) => commands::check::run(args, cli.json),
        Command::Train(args) => commands::train::run(args, cli.json),
        Command::Iterate(args) => commands::iterate::run(args, global(cli), cli.json),
        Command::AblateWarmup(args) => commands::train::ablate::run(args, cli.json),
        Command::Evaluate(args) => commands::evaluate::run(args, cli.json),
        Command::Feedback(args) => commands::feedback::run(args, cli.json),
        Command::Data(command) => commands::data::run(command, cli.json),
        Command::Completions(args) => commands::shell::completions(args, cli.json),
        Command::Man(args) => commands::shell::man(args, cli.json),
    }
}

/// Options of all verbs that processes of this program are started with; the number of threads is in their environment.
fn global(cli: &Cli) -> Vec<String> {
    let precision = cli.matmul_precision.map(|precision| ["--matmul-precision".to_owned(), precision.to_string()]);
    let strict = cli.strict.then(|| "--strict".to_owned());
    precision.into_iter().flatten().chain(strict).collect()
}

/// The precision asked for; beside the numbers of another program it is f32.
fn precision(cli: &Cli) -> MatmulPrecision {
    cli.matmul_precision.unwrap_or(match &cli.command {
        Command::Check(args) if args.reference.is_some() => MatmulPrecision::Highest,
        _ => MatmulPrecision::default(),
    })
}

/// The number of threads: what was asked for, what the environment says, or all cores. It is always set, since the matrix
/// products would otherwise ask the system anew each time.
fn set_threads(asked: Option<usize>) {
    const VARIABLE: &str = "RAYON_NUM_THREADS";
    let is_set =
        std::env::var(VARIABLE).is_ok_and(|value| value.parse::<i64>().is_ok_and(|n| (1..=MOST_THREADS).contains(&n)));
    let all = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if asked.is_some() || !is_set {
        // SAFETY: no other thread runs yet; rayon and the matrix products read the variable later.
        unsafe { std::env::set_var(VARIABLE, asked.unwrap_or_else(all).to_string()) };
    }
    // this thread is one of them: a pass is not handed over at each of its kernels
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    debug_assert!(pool.is_ok(), "the pool is built once");
}

/// Freed bytes that a server keeps for the next request in each of its arenas, and the number of these.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SERVER_KEEPS: libc::c_int = 8 << 20;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SERVER_ARENAS: libc::c_int = 4;

/// Lets freed memory stay with the program. By default every large tensor is new memory from the system, whose clearing takes
/// a tenth of a training step.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: plain settings of the allocator, made before other threads run.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
    }
}

/// Gives freed memory back once there is more than a little of it: a server runs for months, and what a large request took is
/// not its own for ever.
fn give_freed_memory_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: as above.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, SERVER_KEEPS);
        libc::mallopt(libc::M_ARENA_MAX, SERVER_ARENAS);
    }
}

/// Lets a file that would grow beyond what the system allows (`ulimit -f`) be an error like a full disk, not a signal that ends the
/// process and leaves what it was writing.
fn survive_full_files() {
    #[cfg(unix)]
    // SAFETY: no code of ours runs in a handler: the signal is passed over, by the whole process.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

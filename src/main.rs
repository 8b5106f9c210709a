//! The `redline` program.

mod cli;
mod commands;
mod failure;
mod interrupt;
mod output;
mod progress;
mod session;

use std::process::ExitCode;

use clap::Parser;
use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::usage(&error),
    };
    if let Some(threads) = cli.threads {
        // SAFETY: no other thread runs yet; rayon and the matrix products read the variable when first used.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    }
    interrupt::install();
    let result = match &cli.command {
        Command::Reproduce(args) => commands::reproduce::run(args, cli.json),
        Command::Scan(args) => commands::scan::run(args, cli.json),
        Command::Extract(args) => commands::extract::run(args, cli.json),
        Command::Sweep(args) => commands::sweep::run(args, cli.json),
        Command::Fit(args) => commands::fit::run(args, cli.json),
        Command::Correct(args) => commands::correct::run(args, cli.json),
        Command::Ratio(args) => commands::ratio::run(args, cli.json),
        Command::Check(args) => commands::check::run(args, cli.json),
        Command::Train(args) => commands::train::run(args, cli.json),
        Command::AblateWarmup(args) => commands::ablate::run(args, cli.json),
        Command::Evaluate(args) => commands::evaluate::run(args, cli.json),
        Command::Data(command) => commands::data::run(command, cli.json),
    };
    match result {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}

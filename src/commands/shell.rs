//! `redline completions` and `redline man`: what shells and `man` want to know, made from the command line itself.

use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use redline::model::files::write_atomically;
use serde_json::json;

use crate::cli::command;
use crate::cli::completions::{CompletionsArgs, ManArgs};
use crate::output;
use crate::outputs::make_folder;

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs, json: bool) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "redline", &mut script);
    let script = String::from_utf8(script)?;
    match json {
        true => output::json(&json!({
            "schema": "redline.completions.v1",
            "shell": args.shell.to_string(),
            "script": script,
        }))?,
        false => output::piece(&script)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the man page, or writes all of them into a folder.
pub fn man(args: &ManArgs, json: bool) -> anyhow::Result<ExitCode> {
    let mut command = command();
    command.build();
    let pages = match &args.out {
        None => vec![page(&command)?],
        Some(folder) => {
            make_folder(folder)?;
            let pages = pages(&command)?;
            for (name, text) in &pages {
                write_atomically(&folder.join(name), text.as_bytes())?;
            }
            output::note!("wrote {} pages into {}", pages.len(), folder.display());
            pages
        }
    };
    let names: Vec<&String> = pages.iter().map(|(name, _)| name).collect();
    match (json, &args.out) {
        (true, _) => output::json(&json!({ "schema": "redline.man.v1", "folder": args.out, "pages": names }))?,
        (false, Some(_)) => {}
        (false, None) => output::piece(&pages[0].1)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Names of all pages.
pub fn page_names() -> Vec<String> {
    let mut command = command();
    command.build();
    let mut names = Vec::new();
    let mut left = vec![&command];
    while let Some(command) = left.pop() {
        names.push(Man::new(command.clone()).get_filename());
        left.extend(command.get_subcommands().filter(|below| below.get_name() != "help"));
    }
    names
}

/// The pages of a command and of all below it.
fn pages(command: &Command) -> anyhow::Result<Vec<(String, String)>> {
    let mut found = vec![page(command)?];
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        found.extend(pages(below)?);
    }
    Ok(found)
}

/// The page of one command, after the name of its file.
fn page(command: &Command) -> anyhow::Result<(String, String)> {
    let man = Man::new(command.clone());
    let mut text = Vec::new();
    man.render(&mut text)?;
    Ok((man.get_filename(), String::from_utf8(text)?))
}

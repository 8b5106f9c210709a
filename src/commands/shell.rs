//! `redline completions` and `redline man`: what shells and `man` want to know, made from the command line itself.

use std::process::ExitCode;

use redline::model::files::write_atomically;
use serde_json::json;

use crate::cli::completions::{CompletionsArgs, ManArgs};
use crate::cli::pages::{completion_script, man_page, man_pages};
use crate::output;
use crate::outputs::make_folder;

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs, json: bool) -> anyhow::Result<ExitCode> {
    let script = completion_script(args.shell)?;
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
    let pages = match &args.out {
        None => vec![man_page()?],
        Some(folder) => {
            make_folder(folder)?;
            let pages = man_pages()?;
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

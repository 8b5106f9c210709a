//! What is made of the command line itself: man pages, and scripts that complete it.

use clap::Command;
use clap_complete::Shell;
use clap_mangen::Man;

use super::command;

/// The script that completes the command line in a shell.
pub fn completion_script(shell: Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "redline", &mut script);
    Ok(String::from_utf8(script)?)
}

/// The page of the program, after the name of its file.
pub fn man_page() -> anyhow::Result<(String, String)> {
    page(&built())
}

/// The pages of the program and of all verbs.
pub fn man_pages() -> anyhow::Result<Vec<(String, String)>> {
    pages(&built())
}

fn built() -> Command {
    let mut command = command();
    command.build();
    command
}

/// Names of all pages.
pub fn page_names() -> Vec<String> {
    let command = built();
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

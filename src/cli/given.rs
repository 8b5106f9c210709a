//! Which options were written on the command line: a default acts on nothing, and is nothing to refuse.

use std::collections::BTreeSet;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::Command;

/// Ids of the options that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeSet<String>);

impl Given {
    /// Those of the innermost verb.
    pub fn of(matches: &ArgMatches) -> Self {
        let mut matches = matches;
        while let Some((_, below)) = matches.subcommand() {
            matches = below;
        }
        let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        Self(matches.ids().map(clap::Id::as_str).filter(is_given).map(str::to_owned).collect())
    }

    /// Whether an option was given.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains(id)
    }

    /// The first of these that was given, as it is written.
    pub fn first_of(&self, ids: &[&str]) -> Option<String> {
        ids.iter().find(|id| self.has(id)).map(|id| format!("--{}", id.replace('_', "-")))
    }
}

/// Lets verbs whose options depend on each other know which were given, and joins what is given in several options.
pub fn tell(command: &mut Command, given: Given) {
    match command {
        Command::Evaluate(args) => {
            args.given = given;
            args.judging.join_lists();
        }
        Command::Train(args) => args.given = given,
        Command::AblateWarmup(args) => args.train.given = given,
        Command::Correct(args) => args.given = given,
        Command::Plot(args) => args.given = given,
        _ => {}
    }
}

//! What is wrong with the arguments, in the words of all other errors.

use super::command;

/// Longest line of a usage error.
const MOST_LINE: usize = 600;
/// Characters that stay of a longer one, at either end.
const ENDS: usize = 200;

/// What clap says of arguments, by the rule of all errors; nothing for help and version, which are printed here.
pub fn message(error: &clap::Error) -> Option<String> {
    if !error.use_stderr() {
        // nothing is left to do when even this cannot be printed
        let _ = error.print();
        return None;
    }
    let command = command();
    let verb = std::env::args().skip(1).find(|argument| command.find_subcommand(argument).is_some());
    Some(usage_message(&error.render().to_string(), verb.as_deref()))
}

/// clap's message with its tips as hints, at the end.
fn usage_message(text: &str, verb: Option<&str>) -> String {
    let (mut kept, mut hints) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.trim_start().strip_prefix("tip: ") {
            Some(tip) => hints.push(tip.to_owned()),
            None if line.starts_with("For more information") => {}
            // a line that only parted a tip from the rest
            None if line.is_empty() && kept.last().is_none_or(String::is_empty) => {}
            None => kept.push(shortened(line)),
        }
    }
    if !text.starts_with("error: ") {
        return text.to_owned();
    }
    if hints.is_empty() {
        let verb = verb.map_or_else(String::new, |verb| format!(" {verb}"));
        hints.push(format!("`redline{verb} --help` shows what it takes, with examples"));
    }
    let hints: String = hints.into_iter().map(|hint| format!("hint: {hint}\n")).collect();
    format!("{}\n{hints}", kept.join("\n").trim_end())
}

/// A line without the middle of a value that no one could read.
fn shortened(line: &str) -> String {
    let n = line.chars().count();
    match n > MOST_LINE {
        true => line.chars().take(ENDS).chain(" … ".chars()).chain(line.chars().skip(n - ENDS)).collect(),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_errors_end_with_a_hint() {
        let plain = "error: unexpected argument '--foo' found\n\nUsage: redline ratio <FILE>\n\n\
                     For more information, try '--help'.\n";
        let expected = "error: unexpected argument '--foo' found\n\nUsage: redline ratio <FILE>\n\
                        hint: `redline ratio --help` shows what it takes, with examples\n";
        assert_eq!(usage_message(plain, Some("ratio")), expected);
        let tipped = "error: unexpected argument '--jso' found\n\n  tip: a similar argument exists: '--json'\n\n\
                      Usage: redline ratio --json <FILE>\n\nFor more information, try '--help'.\n";
        let expected = "error: unexpected argument '--jso' found\n\nUsage: redline ratio --json <FILE>\n\
                        hint: a similar argument exists: '--json'\n";
        assert_eq!(usage_message(tipped, None), expected);
        assert_eq!(usage_message("Help\n\nUsage: redline\n", None), "Help\n\nUsage: redline\n", "help is no error");
    }
}

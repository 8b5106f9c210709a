//! What a report says about the program that made it, so that the run can be repeated.

use redline::report::SettingsGroup;

/// Command, version, machine, and what the caller adds.
pub fn program(more: impl IntoIterator<Item = (&'static str, String)>) -> SettingsGroup {
    let mut rows = vec![
        ("command".to_owned(), command(std::env::args().skip(1))),
        ("version".to_owned(), format!("redline {}", env!("CARGO_PKG_VERSION"))),
        ("machine".to_owned(), format!("{} {}", std::env::consts::ARCH, std::env::consts::OS)),
        ("products with quantised weights".to_owned(), redline::model::matmul_kernel()),
    ];
    rows.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    SettingsGroup::new("Program, model and data", rows)
}

/// The command as a shell takes it.
fn command(arguments: impl Iterator<Item = String>) -> String {
    let quoted = |argument: String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
        match !argument.is_empty() && argument.chars().all(plain) {
            true => argument,
            false => format!("'{}'", argument.replace('\'', "'\\''")),
        }
    };
    std::iter::once("redline".to_owned()).chain(arguments.map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        let line = |arguments: &[&str]| command(arguments.iter().map(|argument| (*argument).to_owned()));
        assert_eq!(line(&["fit", "a.jsonl", "--coefficients=-1,0,1"]), "redline fit a.jsonl --coefficients=-1,0,1");
        assert_eq!(line(&["x", "what's up", ""]), "redline x 'what'\\''s up' ''");
    }
}

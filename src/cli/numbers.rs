//! Numbers on the command line: each has bounds, and a value outside them is told which.

/// Tokens of one text, or to write: no model has so long a context.
pub const MOST_TOKENS: usize = 1 << 20;
/// Rows of a file that are used, passed over or written.
pub const MOST_ROWS: usize = 100_000_000;
/// Rows that are made: they are kept in memory until they are written.
pub const MOST_MADE_ROWS: usize = 1_000_000;
/// Rows decoded together.
pub const MOST_BATCH_ROWS: usize = 4096;
/// Random directions.
pub const MOST_RANDOM: usize = 1000;
/// Coefficients in a list.
pub const MOST_COEFFICIENTS: usize = 1000;
/// Entries of other lists, each of which is a run of its own.
pub const MOST_LIST: usize = 100;
/// Steps of training, passes over rows, evaluations.
pub const MOST_STEPS: usize = 100_000_000;
/// Width of a model's layers.
pub const MOST_WIDTH: usize = 1 << 17;
/// Tokens of a vocabulary.
pub const MOST_VOCABULARY: usize = 1 << 20;
/// Blocks of a model, and attention heads of a block.
pub const MOST_LAYERS: usize = 1024;
/// Inner width of a low-rank delta.
pub const MOST_RANK: usize = 1 << 14;
/// Bytes of a request.
pub const MOST_BODY_BYTES: usize = 1 << 30;
/// Threads: more than machines have cores.
pub const MOST_THREADS: i64 = 1024;
/// Seconds in a year.
pub const MOST_SECONDS: f64 = 31_536_000.0;
/// Largest size of a factor that is read: far beyond what any run can use.
pub const MOST_FACTOR: f64 = 1e6;

/// A whole number from `least` to `most`.
pub fn count(least: usize, most: usize) -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    move |text| {
        let value = text.parse::<usize>().ok().filter(|value| (least..=most).contains(value));
        value.ok_or_else(|| match (text.parse::<u128>(), least) {
            (Ok(0), 1) => "give 1 or more".into(),
            _ => format!("give a whole number from {least} to {most}"),
        })
    }
}

/// A number from `least` to `most`, both finite.
pub fn number(least: f64, most: f64) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| {
        let value = text.parse::<f64>().ok().filter(|value| (least..=most).contains(value));
        value.ok_or_else(|| format!("give a number from {least} to {most}"))
    }
}

#[cfg(test)]
mod tests {
    use std::any::TypeId;

    use clap::error::ErrorKind;

    use crate::cli::command;

    /// Every verb with the words that name it.
    fn verbs<'a>(command: &'a clap::Command, words: &[&'a str], found: &mut Vec<(Vec<&'a str>, &'a clap::Command)>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let words: Vec<&str> = words.iter().copied().chain([below.get_name()]).collect();
            verbs(below, &words, found);
            found.push((words, below));
        }
    }

    #[test]
    fn every_whole_number_has_a_bound_that_its_message_names() {
        let mut command = command();
        command.build();
        let mut found = Vec::new();
        verbs(&command, &["redline"], &mut found);
        let whole =
            [TypeId::of::<usize>(), TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<u16>(), TypeId::of::<u8>()];
        let mut n_options = 0;
        for (words, verb) in found {
            let takes_number =
                |argument: &&clap::Arg| whole.iter().any(|id| argument.get_value_parser().type_id() == *id);
            for argument in verb.get_arguments().filter(takes_number) {
                let name = argument.get_long().expect("numbers are options");
                let line = |value: &str| {
                    words.iter().map(|word| (*word).to_owned()).chain([format!("--{name}={value}")]).collect::<Vec<_>>()
                };
                for value in ["340282366920938463463374607431768211456", "18446744073709551615", "-1"] {
                    // any seed is a seed
                    if name == "seed" && value == "18446744073709551615" {
                        continue;
                    }
                    let error = crate::cli::command().try_get_matches_from(line(value)).unwrap_err();
                    let text = error.to_string();
                    assert_eq!(error.kind(), ErrorKind::ValueValidation, "{words:?} {name}: {text}");
                    let names_bound = text.contains(" to ") || text.contains("..=") || name == "seed";
                    assert!(names_bound, "{words:?} {name}: {text}");
                }
                n_options += 1;
            }
        }
        assert!(n_options > 60, "{n_options}");
    }

    #[test]
    fn numbers_that_are_none_are_refused() {
        let number = super::number(-1.0, 1.0);
        for text in ["nan", "inf", "-inf", "1.5", "-1.01", "1e400", "", "one"] {
            assert_eq!(number(text), Err("give a number from -1 to 1".into()), "{text}");
        }
        assert_eq!((number("-1"), number("0.5")), (Ok(-1.0), Ok(0.5)));
        let count = super::count(1, 9);
        assert_eq!((count("9"), count("0")), (Ok(9), Err("give 1 or more".into())));
        assert_eq!(count("10"), Err("give a whole number from 1 to 9".into()));
    }
}

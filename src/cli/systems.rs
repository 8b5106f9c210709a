//! Systems that `redline evaluate` compares, as the command line names them.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use redline::lab::baseline::Protocol;

use super::judging::url_and_model;

/// Draws of a row at most.
const MOST_DRAWS: usize = 100;
/// Passes of a stack at most.
pub const MOST_PASSES: usize = 16;
/// Beams of a row at most.
const MOST_BEAMS: usize = 64;

/// A system as the command line names it.
#[derive(Debug, Clone, PartialEq)]
pub enum SystemSpec {
    /// The answers as they are.
    Upstream,
    /// The Aligner, at a coefficient where one is given.
    Aligner(Option<f64>),
    /// So many passes of the Aligner, each over what the one before wrote, at a coefficient where one is given.
    Stack(usize, Option<f64>),
    /// The best of so many sampled corrections.
    BestOf(usize),
    /// The Aligner's likeliest correction, by so many beams.
    Beam(usize),
    /// What a writer makes of a row when it is asked so.
    Asked(Protocol),
    /// The best of so many of the writer's own answers.
    AnswerBestOf(usize),
    /// A model's own answers.
    Own {
        /// What it is called.
        name: String,
        /// Where it is.
        model: PathBuf,
    },
}

impl SystemSpec {
    /// Whether `--writer` writes it.
    pub fn is_written(&self) -> bool {
        matches!(self, Self::Asked(_) | Self::AnswerBestOf(_))
    }

    /// Whether the Aligner writes it.
    pub fn is_aligner(&self) -> bool {
        matches!(self, Self::Aligner(_) | Self::Stack(..) | Self::BestOf(_) | Self::Beam(_))
    }

    /// The coefficient that it is named with, of systems that have a dial.
    pub fn coefficient(&self) -> Option<f64> {
        match self {
            Self::Aligner(coefficient) | Self::Stack(_, coefficient) => *coefficient,
            _ => None,
        }
    }
}

const FORMS: &str = "give upstream, aligner, aligner@COEFFICIENT such as aligner@0.5, stack-N, stack-N@COEFFICIENT, best-of-N, beam-N, NAME=MODEL, or what --writer is \
                     asked for: prompt, prompt-copy, prompt-edit, critique, constitutional, self-refine, answer, answer-best-of-N";

impl FromStr for SystemSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str, name: &str, most: usize| {
            let n = text.parse().ok().filter(|n| (2..=most).contains(n));
            n.ok_or_else(|| format!("{name}-N: give N from 2 to {most}"))
        };
        if let Some(n) = text.strip_prefix("answer-best-of-") {
            return number(n, "answer-best-of", MOST_DRAWS).map(Self::AnswerBestOf);
        }
        if let Some(n) = text.strip_prefix("best-of-") {
            return number(n, "best-of", MOST_DRAWS).map(Self::BestOf);
        }
        if let Some(rest) = text.strip_prefix("stack-") {
            let (n, at) = rest.split_once('@').map_or((rest, None), |(n, at)| (n, Some(at)));
            return Ok(Self::Stack(number(n, "stack", MOST_PASSES)?, at.map(coefficient).transpose()?));
        }
        if let Some(n) = text.strip_prefix("beam-") {
            return number(n, "beam", MOST_BEAMS).map(Self::Beam);
        }
        if let Some((name, model)) = text.split_once('=') {
            let is_plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            return match (is_plain && !model.is_empty(), name.parse::<Self>()) {
                (true, Err(_)) => Ok(Self::Own { name: name.into(), model: model.into() }),
                (true, Ok(_)) => Err(format!("{name}=MODEL: {name} is another system's name")),
                (false, _) => {
                    Err("NAME=MODEL: give a name of letters, digits, -, _ and ., and a folder or GGUF file".into())
                }
            };
        }
        match (text, text.strip_prefix("aligner@")) {
            ("upstream", _) => Ok(Self::Upstream),
            ("aligner", _) => Ok(Self::Aligner(None)),
            (_, Some(text)) => coefficient(text).map(|coefficient| Self::Aligner(Some(coefficient))),
            _ => text.parse().map(Self::Asked).map_err(|_| FORMS.into()),
        }
    }
}

/// A coefficient as the model computes with it: -0 is 0.
fn coefficient(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (*number as f32).is_finite());
    number.map(|coefficient| coefficient + 0.0).ok_or_else(|| FORMS.to_owned())
}

impl fmt::Display for SystemSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream => f.write_str("upstream"),
            Self::Aligner(None) => f.write_str("aligner"),
            Self::Aligner(Some(coefficient)) => write!(f, "aligner@{coefficient}"),
            Self::Stack(n, None) => write!(f, "stack-{n}"),
            Self::Stack(n, Some(coefficient)) => write!(f, "stack-{n}@{coefficient}"),
            Self::BestOf(n) => write!(f, "best-of-{n}"),
            Self::Beam(n) => write!(f, "beam-{n}"),
            Self::Asked(protocol) => protocol.fmt(f),
            Self::AnswerBestOf(n) => write!(f, "answer-best-of-{n}"),
            Self::Own { name, .. } => f.write_str(name),
        }
    }
}

/// The parts of a list, between commas that stand in no double quotes; the quotes themselves are left out.
pub fn split_list(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    parts
}

/// Systems that one option names.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemList(pub Vec<SystemSpec>);

impl FromStr for SystemList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.matches('"').count().is_multiple_of(2) {
            return Err("a double quote is not closed".into());
        }
        let mut systems: Vec<SystemSpec> = Vec::new();
        for part in split_list(text) {
            match (part.parse::<SystemSpec>(), systems.last()) {
                (Ok(system), _) => systems.push(system),
                (Err(_), Some(SystemSpec::Own { name, model })) => {
                    let whole = format!("{name}=\"{},{part}\"", model.display());
                    return Err(format!(
                        "`{part}` is no system. A path with a comma stands in double quotes, which the shell has to leave: '{whole}'"
                    ));
                }
                (Err(error), _) => return Err(format!("`{part}`: {error}")),
            }
        }
        Ok(Self(systems))
    }
}

/// A model that writes: on this machine, or behind an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriterSpec {
    /// A folder or GGUF file.
    Local(PathBuf),
    /// A model behind an address.
    Server {
        /// Its URL.
        url: String,
        /// What the server calls it.
        model: String,
    },
}

impl FromStr for WriterSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match url_and_model(text) {
            Some((url, model)) => Ok(Self::Server { url, model }),
            _ if text.contains("://") => Err("give URL#MODEL, such as http://localhost:8000/v1#chat".into()),
            _ if text.is_empty() => Err("give a folder, a GGUF file, or URL#MODEL".into()),
            _ => Ok(Self::Local(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_comma_stands_in_quotes() {
        let own = |model: &str| SystemSpec::Own { name: "sft".into(), model: model.into() };
        let read = |text: &str| text.parse::<SystemList>();
        assert_eq!(
            read("upstream,sft=\"a,b\",aligner").unwrap().0,
            [SystemSpec::Upstream, own("a,b"), SystemSpec::Aligner(None)]
        );
        assert_eq!(read("\"sft=a,b\"").unwrap().0, [own("a,b")]);
        assert_eq!(read("sft=a").unwrap().0, [own("a")]);
        let error = read("upstream,sft=a,b/c").unwrap_err();
        assert!(error.starts_with("`b/c` is no system. ") && error.ends_with("'sft=\"a,b/c\"'"), "{error}");
        assert!(read("sft=\"a,b").unwrap_err().contains("not closed"));
        assert!(read("upstream,nobody").unwrap_err().starts_with("`nobody`: give upstream, "));
    }

    #[test]
    fn systems_are_read_and_written_alike() {
        for name in [
            "upstream",
            "aligner",
            "aligner@-0.5",
            "stack-3",
            "stack-2@0.5",
            "best-of-5",
            "beam-4",
            "prompt",
            "prompt-copy",
            "critique",
            "constitutional-2",
            "self-refine",
            "answer",
            "answer-best-of-10",
        ] {
            assert_eq!(name.parse::<SystemSpec>().unwrap().to_string(), name);
        }
        assert_eq!("aligner@-0".parse::<SystemSpec>().unwrap().to_string(), "aligner@0");
        let own = "sft=runs/sft/model".parse::<SystemSpec>().unwrap();
        assert_eq!(own, SystemSpec::Own { name: "sft".into(), model: "runs/sft/model".into() });
        for wrong in [
            "",
            "best-of-1",
            "stack-1",
            "stack-17",
            "stack-2@",
            "stack-2@nan",
            "beam-65",
            "aligner@nan",
            "aligner@1e39",
            "=x",
            "a b=x",
            "sft=",
            "upstream=x",
            "answer=x",
            "ppo",
        ] {
            assert!(wrong.parse::<SystemSpec>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn writers_are_paths_or_addresses() {
        assert_eq!("a#b".parse(), Ok(WriterSpec::Local("a#b".into())));
        let server = WriterSpec::Server { url: "http://h/v1".into(), model: "m".into() };
        assert_eq!("http://h/v1#m".parse(), Ok(server));
        assert!("http://h/v1".parse::<WriterSpec>().is_err() && "".parse::<WriterSpec>().is_err());
    }
}

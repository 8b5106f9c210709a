//! Which baseline: its name, its numbers, and the hash of its words.

use std::fmt;
use std::str::FromStr;

use serde_json::json;

use super::error::BaselineError;
use super::writer::Conversation;
use super::{refine, requests, words};
use redline_model::files::hash_of;

/// Most rounds of critique and revision.
const MOST_ROUNDS: usize = 4;
/// Most attempts of self-refine, and how many are made unless said otherwise.
const MOST_ATTEMPTS: usize = 4;
/// Digits of a template's hash.
const N_DIGITS: usize = 16;

/// How a request asks for the corrected answer: a dial by words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// Mend what is wrong, leave the rest.
    Plain,
    /// Copy unless something is clearly wrong.
    Copy,
    /// Rewrite freely.
    Edit,
}

/// How a model is asked.
///
/// # Example
/// ```
/// use redline_lab::baseline::Protocol;
///
/// let protocol: Protocol = "constitutional-2".parse().unwrap();
/// assert_eq!(protocol, Protocol::Constitutional { n_rounds: 2 });
/// assert_eq!(protocol.to_string(), "constitutional-2");
/// assert!("constitutional-5".parse::<Protocol>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// One request for the corrected answer.
    Prompt(Strictness),
    /// A critique without principles, then a rewrite (after Saunders et al. 2022).
    Critique,
    /// Rounds of critique and revision, each by one of 16 principles of our own (after Bai et al. 2022). No row has a principle twice, and
    /// each round begins with the latest revision alone.
    Constitutional {
        /// How many rounds, 1 to 4.
        n_rounds: usize,
    },
    /// Feedback and rewriting by turns, with the whole history (after Madaan et al. 2023).
    SelfRefine {
        /// How many attempts at most, 2 to 4; the answer as it is, is the first.
        n_attempts: usize,
    },
    /// The question alone: the model's own answer.
    Answer,
}

impl Protocol {
    /// The names there are, for messages and help.
    pub const NAMES: &'static str = "prompt, prompt-copy, prompt-edit, critique, constitutional, constitutional-2 to constitutional-4, \
                                     self-refine, self-refine-2 to self-refine-4, answer";

    /// Refuses numbers out of range.
    ///
    /// # Errors
    /// [`BaselineError::Rounds`], [`BaselineError::Attempts`].
    pub fn check(self) -> Result<(), BaselineError> {
        match self {
            Self::Constitutional { n_rounds: got } if !(1..=MOST_ROUNDS).contains(&got) => {
                Err(BaselineError::Rounds { got, most: MOST_ROUNDS })
            }
            Self::SelfRefine { n_attempts: got } if !(2..=MOST_ATTEMPTS).contains(&got) => {
                Err(BaselineError::Attempts { got, most: MOST_ATTEMPTS })
            }
            _ => Ok(()),
        }
    }

    /// What its outputs depend on beside the model, the texts and the seed: its name and 16 digits of the hash of all words that it sends, such
    /// as `critique-0123456789abcdef`.
    pub fn template(self) -> String {
        let words = json!({ "requests": self.requests(), "feedback_temperature": refine::FEEDBACK_TEMPERATURE });
        format!("{self}-{}", &hash_of(words.to_string().as_bytes())[..N_DIGITS])
    }

    /// All that it can send, with marks in place of texts.
    fn requests(self) -> Vec<Conversation> {
        let (question, answer) = ("{question}", "{answer}");
        let criticised =
            |own: &words::Request| requests::revision(own, requests::critique(own, question, answer), "{critique}");
        match self {
            Self::Prompt(strictness) => vec![requests::prompt(strictness, question, answer)],
            Self::Critique => vec![criticised(&words::CRITIQUE)],
            Self::Constitutional { .. } => words::PRINCIPLES.iter().map(criticised).collect(),
            Self::SelfRefine { .. } => {
                let refine = requests::refine(requests::feedback(question, answer), "{feedback}");
                vec![requests::feedback_again(refine, "{attempt}")]
            }
            Self::Answer => vec![requests::answer(question)],
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, number) = match *self {
            Self::Prompt(Strictness::Plain) => ("prompt", None),
            Self::Prompt(Strictness::Copy) => ("prompt-copy", None),
            Self::Prompt(Strictness::Edit) => ("prompt-edit", None),
            Self::Critique => ("critique", None),
            Self::Constitutional { n_rounds } => ("constitutional", (n_rounds != 1).then_some(n_rounds)),
            Self::SelfRefine { n_attempts } => ("self-refine", (n_attempts != MOST_ATTEMPTS).then_some(n_attempts)),
            Self::Answer => ("answer", None),
        };
        match number {
            None => f.pad(name),
            Some(number) => f.pad(&format!("{name}-{number}")),
        }
    }
}

impl FromStr for Protocol {
    type Err = BaselineError;

    fn from_str(name: &str) -> Result<Self, BaselineError> {
        let (word, number) = match name.rsplit_once('-').map(|(word, number)| (word, number.parse().ok())) {
            Some((word, Some(number))) => (word, Some(number)),
            _ => (name, None),
        };
        let protocol = match (word, number) {
            ("prompt", None) => Self::Prompt(Strictness::Plain),
            ("prompt-copy", None) => Self::Prompt(Strictness::Copy),
            ("prompt-edit", None) => Self::Prompt(Strictness::Edit),
            ("critique", None) => Self::Critique,
            ("constitutional", number) => Self::Constitutional { n_rounds: number.unwrap_or(1) },
            ("self-refine", number) => Self::SelfRefine { n_attempts: number.unwrap_or(MOST_ATTEMPTS) },
            ("answer", None) => Self::Answer,
            _ => return Err(BaselineError::UnknownProtocol { name: name.into(), known: Self::NAMES }),
        };
        protocol.check()?;
        Ok(protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 12] = [
        "prompt",
        "prompt-copy",
        "prompt-edit",
        "critique",
        "constitutional",
        "constitutional-2",
        "constitutional-3",
        "constitutional-4",
        "self-refine-2",
        "self-refine-3",
        "self-refine",
        "answer",
    ];

    fn named(name: &str) -> Protocol {
        name.parse().unwrap()
    }

    #[test]
    fn names_go_there_and_back() {
        assert_eq!(NAMES.map(|name| named(name).to_string()), NAMES);
        assert_eq!(
            [named("constitutional-1"), named("self-refine-4")],
            [named("constitutional"), named("self-refine")]
        );
        for name in ["", "prompts", "prompt-2", "critique-1", "answer-best-of-5", "self-refine-x", "Prompt"] {
            let error = name.parse::<Protocol>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("unknown baseline `{name}`; known: prompt, ")), "{error}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for got in [0, 5, usize::MAX] {
            let error = format!("constitutional-{got}").parse::<Protocol>().unwrap_err();
            assert_eq!(error, BaselineError::Rounds { got, most: 4 });
            assert!(error.hint().is_some());
        }
        for got in [0, 1, 5] {
            assert_eq!(Protocol::SelfRefine { n_attempts: got }.check(), Err(BaselineError::Attempts { got, most: 4 }));
        }
    }

    #[test]
    fn templates_tell_words_apart() {
        let templates: std::collections::HashSet<String> = NAMES.iter().map(|name| named(name).template()).collect();
        assert_eq!(templates.len(), NAMES.len());
        let hash = |name: &str| named(name).template()[name.len() + 1..].to_owned();
        assert_eq!(hash("constitutional"), hash("constitutional-3"), "the same words");
        assert_ne!(hash("critique"), hash("prompt"));
        assert_eq!(hash("answer").len(), N_DIGITS);
    }

    #[test]
    fn templates_hold_all_words() {
        let sent = |name: &str| json!(named(name).requests()).to_string();
        let has = |text: &str, word: &str| text.contains(json!(word).to_string().trim_matches('"'));
        for own in words::PRINCIPLES {
            let all = sent("constitutional");
            assert!(has(&all, own.critique) && has(&all, own.revision), "{own:?}");
        }
        let refine = sent("self-refine");
        for word in [words::FEEDBACK, words::FEEDBACK_FORM, words::REFINE, words::FEEDBACK_AGAIN, words::MATERIAL] {
            assert!(has(&refine, word), "{word}");
        }
        assert!(words::TRAITS.iter().all(|(name, meaning)| has(&refine, name) && has(&refine, meaning)));
    }
}

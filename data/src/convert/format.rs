//! The one table of row formats: their names, the fields they are known by, and what can be made of them.

use redline_model::qac::Fields;

use super::fault::ConvertFault;
use crate::left_out::RowFault;

/// Where rows come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceFormat {
    /// EmpatheticDialogues: a row an utterance, a dialogue by `conv_id`.
    EmpatheticDialogues,
    /// PKU-SafeRLHF: two responses, the better and the safer one named.
    PkuSafeRlhf,
    /// UltraFeedback: completions with annotations.
    UltraFeedback,
    /// HelpSteer2: a row a response with its scores.
    HelpSteer2,
    /// BeaverTails: a response that is safe or not.
    BeaverTails,
    /// ShareGPT: conversations of `from` and `value`.
    ShareGpt,
    /// Redline's training triples.
    Triples,
    /// UltraFeedback as pairs.
    UltraFeedbackBinarized,
    /// TRL: a completion with a label.
    TrlUnpaired,
    /// TRL: chosen and rejected, with the prompt beside or within.
    TrlPreference,
    /// HH-RLHF: two transcripts that differ in the last answer.
    HhRlhf,
    /// TRL: a prompt and its completion.
    TrlPromptCompletion,
    /// Alpaca: instruction, input, output.
    Alpaca,
    /// A question and an answer.
    Answers,
    /// Messages of a chat.
    Messages,
    /// A question alone.
    Questions,
}

/// What rows become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// `question`, `answer`, `correction`.
    Triples,
    /// `question` and the good `answer`.
    Answers,
    /// TRL's conversational preferences: `prompt`, `chosen`, `rejected`, each a list of messages.
    Preferences,
    /// TRL's conversational unpaired preferences: `prompt`, `completion`, `label`.
    Unpaired,
    /// `question`.
    Questions,
}

use SourceFormat as Source;

impl Target {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Triples, Self::Answers, Self::Preferences, Self::Unpaired, Self::Questions];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Triples => "triples",
            Self::Answers => "answers",
            Self::Preferences => "preferences",
            Self::Unpaired => "unpaired",
            Self::Questions => "questions",
        }
    }

    /// The fields of its rows.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Triples => &["question", "answer", "correction"],
            Self::Answers => &["question", "answer"],
            Self::Preferences => &["prompt", "chosen", "rejected"],
            Self::Unpaired => &["prompt", "completion", "label"],
            Self::Questions => &["question"],
        }
    }

    /// Fields that would make something else of its rows if they stood beside its own.
    pub(super) fn misleading(self) -> &'static [&'static str] {
        match self {
            Self::Triples => &[],
            Self::Answers => &["correction", "chosen", "rejected"],
            Self::Preferences => &["question", "answer", "correction", "context"],
            Self::Unpaired => &["question", "messages", "answer", "correction", "chosen", "rejected"],
            Self::Questions => &["answer", "completion", "output", "response", "correction", "chosen", "rejected"],
        }
    }

    /// Whether it needs two answers, of which one is better.
    pub(super) fn is_pair(self) -> bool {
        matches!(self, Self::Triples | Self::Preferences)
    }
}

struct Known {
    format: Source,
    name: &'static str,
    /// The fields that a row must have.
    fields: &'static [&'static str],
    gives: &'static [Target],
}

const ALL: &[Target] = &Target::ALL;
const LABELLED: &[Target] = &[Target::Answers, Target::Unpaired, Target::Questions];
const ANSWERED: &[Target] = &[Target::Answers, Target::Questions];

const fn known(format: Source, name: &'static str, fields: &'static [&'static str], gives: &'static [Target]) -> Known {
    Known { format, name, fields, gives }
}

/// All formats, those with more telling fields first.
const KNOWN: [Known; 16] = [
    known(Source::EmpatheticDialogues, "empathetic-dialogues", &["conv_id", "utterance_idx", "utterance"], ANSWERED),
    known(Source::PkuSafeRlhf, "pku-saferlhf", &["prompt", "response_0", "response_1"], ALL),
    known(Source::UltraFeedback, "ultrafeedback", &["instruction", "completions"], ALL),
    known(Source::HelpSteer2, "helpsteer2", &["prompt", "response", "helpfulness"], ALL),
    known(Source::BeaverTails, "beavertails", &["prompt", "response", "is_safe"], LABELLED),
    known(Source::ShareGpt, "sharegpt", &["conversations"], ANSWERED),
    known(Source::Triples, "triples", &["answer", "correction"], ALL),
    known(
        Source::UltraFeedbackBinarized,
        "ultrafeedback-binarized",
        &["chosen", "rejected", "score_chosen", "score_rejected"],
        ALL,
    ),
    known(Source::TrlUnpaired, "trl-unpaired", &["prompt", "completion", "label"], LABELLED),
    known(Source::HhRlhf, "hh-rlhf", &["chosen", "rejected"], ALL),
    known(Source::TrlPreference, "trl-preference", &["chosen", "rejected"], ALL),
    known(Source::TrlPromptCompletion, "trl-prompt-completion", &["prompt", "completion"], ANSWERED),
    known(Source::Alpaca, "alpaca", &["instruction", "output"], ANSWERED),
    known(Source::Answers, "answers", &["question", "answer"], ANSWERED),
    known(Source::Messages, "messages", &["messages"], ANSWERED),
    known(Source::Questions, "questions", &["question"], &[Target::Questions]),
];

impl SourceFormat {
    /// All of them, in the order in which rows are compared with them.
    pub fn all() -> impl Iterator<Item = Self> {
        KNOWN.iter().map(|known| known.format)
    }

    /// The format that a row's fields are those of; none where they are of no known one.
    pub fn detect(fields: &Fields) -> Option<Self> {
        let has_all = |known: &&Known| known.fields.iter().all(|name| fields.has(name));
        let is_it = |known: &&Known| match known.format {
            Source::HhRlhf => {
                let stated = ["prompt", "question", "messages", "instruction"];
                fields.kind("chosen") == Some("text") && !stated.iter().any(|name| fields.has(name))
            }
            _ => true,
        };
        KNOWN.iter().find(|known| has_all(known) && is_it(known)).map(|known| known.format)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        self.known().map_or("unknown", |known| known.name)
    }

    /// What its rows can become.
    pub fn gives(self) -> &'static [Target] {
        self.known().map_or(&[], |known| known.gives)
    }

    /// Refuses what its rows cannot become.
    pub(super) fn check_gives(self, target: Target) -> Result<(), ConvertFault> {
        match self.gives().contains(&target) {
            true => Ok(()),
            false => Err(ConvertFault::CannotGive { format: self, target }),
        }
    }

    /// Refuses a row that lacks fields of it.
    pub(super) fn check_fields(self, fields: &Fields) -> Result<(), RowFault> {
        let needed = self.known().map_or(&[][..], |known| known.fields);
        match needed.iter().find(|name| !fields.has(name)) {
            Some(field) => Err(RowFault::MissingField { field }),
            None => Ok(()),
        }
    }

    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.format == self)
    }
}

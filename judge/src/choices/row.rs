//! A question with its choices, checked.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::fault::ChoiceFault;
use super::prompt::{Choice, Turn};

/// Most choices of a row; each costs a pass of the model.
pub const MOST_CHOICES: usize = 256;

/// What kind of rows a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceKind {
    /// TruthfulQA: one best answer for MC1, all true ones for MC2.
    TruthfulQa,
    /// Better and worse answers, such as HHH alignment.
    Comparison,
    /// A list of choices with labels or an answer.
    Labelled,
}

/// A text, and whether it is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledText {
    /// The choice.
    pub text: String,
    /// Whether it is true, or the better one.
    pub is_true: bool,
}

/// A choice that a figure looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Index in the row's choices.
    pub choice: usize,
    /// Whether it is true.
    pub is_true: bool,
}

/// A question with its choices, each of them once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceRow {
    line: usize,
    subset: Option<String>,
    prompt: Vec<Turn>,
    choices: Vec<String>,
    mc1: Option<Vec<Candidate>>,
    mc2: Option<Vec<Candidate>>,
    n_repeated: usize,
}

impl fmt::Display for ChoiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TruthfulQa => "TruthfulQA",
            Self::Comparison => "better and worse answers",
            Self::Labelled => "labelled choices",
        })
    }
}

impl ChoiceKind {
    /// What MC1 is called on such rows.
    pub fn mc1_name(self) -> &'static str {
        if self == Self::Comparison { "accuracy" } else { "MC1" }
    }

    /// What MC2 is called on such rows.
    pub fn mc2_name(self) -> &'static str {
        if self == Self::Comparison { "mass" } else { "MC2" }
    }
}

impl LabelledText {
    /// A text with its label.
    pub fn new(text: impl Into<String>, is_true: bool) -> Self {
        Self { text: text.into(), is_true }
    }
}

impl ChoiceRow {
    /// A row of which both figures are taken over the same choices; MC1 only where exactly one of them is true.
    ///
    /// # Errors
    /// As [`ChoiceRow::truthful`].
    pub fn labelled(prompt: Vec<Turn>, choices: Vec<LabelledText>) -> Result<Self, ChoiceFault> {
        let mut row = Self::truthful(prompt, None, Some(choices))?;
        row.mc1 = row.mc2.clone().filter(|all| all.iter().filter(|own| own.is_true).count() == 1);
        Ok(row)
    }

    /// A row with choices of their own for each figure, at least for one. Texts are trimmed; one that is there again counts once.
    ///
    /// # Errors
    /// [`ChoiceFault::NoLabels`]; [`ChoiceFault::EmptyChoice`], [`ChoiceFault::TrueAndFalse`], [`ChoiceFault::TooFew`],
    /// [`ChoiceFault::TooMany`], [`ChoiceFault::NoneTrue`], [`ChoiceFault::NoneFalse`], and for MC1 [`ChoiceFault::SeveralTrue`].
    pub fn truthful(
        prompt: Vec<Turn>,
        mc1: Option<Vec<LabelledText>>,
        mc2: Option<Vec<LabelledText>>,
    ) -> Result<Self, ChoiceFault> {
        if mc1.is_none() && mc2.is_none() {
            return Err(ChoiceFault::NoLabels);
        }
        if prompt.iter().all(|turn| turn.content.trim().is_empty()) {
            return Err(ChoiceFault::EmptyField { field: "question" });
        }
        let mut gathered = Gathered::default();
        let mc1 = mc1.map(|texts| gathered.candidates(texts)).transpose()?;
        let mc2 = mc2.map(|texts| gathered.candidates(texts)).transpose()?;
        let n_true = mc1.iter().flatten().filter(|own| own.is_true).count();
        if n_true > 1 {
            return Err(ChoiceFault::SeveralTrue { n_true });
        }
        let Gathered { choices, n_repeated, .. } = gathered;
        Ok(Self { line: 0, subset: None, prompt, choices, mc1, mc2, n_repeated })
    }

    /// Where it stands in its file, and the part of the data that it belongs to; a name of white space is none.
    pub fn placed(mut self, line: usize, subset: Option<String>) -> Self {
        self.line = line;
        self.subset = subset.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        self
    }

    /// Its line in the file, from 1; 0 where it has none.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The part of the data that it belongs to, where there are several.
    pub fn subset(&self) -> Option<&str> {
        self.subset.as_deref()
    }

    /// The conversation that is to be completed.
    pub fn prompt(&self) -> &[Turn] {
        &self.prompt
    }

    /// The texts to choose between.
    pub fn texts(&self) -> &[String] {
        &self.choices
    }

    /// What the model is asked about, one a text.
    pub fn choices(&self) -> Vec<Choice<'_>> {
        self.choices.iter().map(|completion| Choice { prompt: &self.prompt, completion }).collect()
    }

    /// Texts that were there again, and count once.
    pub fn n_repeated(&self) -> usize {
        self.n_repeated
    }

    /// The choices of MC1 with their labels, exactly one of them true.
    pub fn mc1(&self) -> Option<Vec<(&str, bool)>> {
        self.labels(self.mc1.as_deref())
    }

    /// The choices of MC2 with their labels.
    pub fn mc2(&self) -> Option<Vec<(&str, bool)>> {
        self.labels(self.mc2.as_deref())
    }

    pub(super) fn candidates(&self) -> [Option<&[Candidate]>; 2] {
        [self.mc1.as_deref(), self.mc2.as_deref()]
    }

    pub(super) fn note_repeated(&mut self, n: usize) {
        self.n_repeated += n;
    }

    fn labels(&self, candidates: Option<&[Candidate]>) -> Option<Vec<(&str, bool)>> {
        let label = |own: &Candidate| Some((self.choices.get(own.choice)?.as_str(), own.is_true));
        candidates.map(|all| all.iter().filter_map(label).collect())
    }
}

/// The distinct texts of a row.
#[derive(Default)]
struct Gathered {
    choices: Vec<String>,
    known: HashMap<String, usize>,
    n_repeated: usize,
}

impl Gathered {
    /// The candidates that labelled texts are: at least one true and one false.
    fn candidates(&mut self, texts: Vec<LabelledText>) -> Result<Vec<Candidate>, ChoiceFault> {
        if texts.len() > MOST_CHOICES {
            return Err(ChoiceFault::TooMany { n_choices: texts.len() });
        }
        let mut found: Vec<Candidate> = Vec::with_capacity(texts.len());
        for (index, LabelledText { text, is_true }) in texts.into_iter().enumerate() {
            let text = text.trim();
            if text.is_empty() {
                return Err(ChoiceFault::EmptyChoice { index });
            }
            let choice = self.choice(text);
            match found.iter().find(|own| own.choice == choice) {
                None => found.push(Candidate { choice, is_true }),
                Some(own) if own.is_true == is_true => self.n_repeated += 1,
                Some(_) => return Err(ChoiceFault::TrueAndFalse { index }),
            }
        }
        let n_true = found.iter().filter(|own| own.is_true).count();
        match (found.len(), n_true) {
            (n_choices @ (0 | 1), _) => Err(ChoiceFault::TooFew { n_choices }),
            (_, 0) => Err(ChoiceFault::NoneTrue),
            (n_choices, n_true) if n_true == n_choices => Err(ChoiceFault::NoneFalse),
            _ => Ok(found),
        }
    }

    fn choice(&mut self, text: &str) -> usize {
        if let Some(choice) = self.known.get(text) {
            return *choice;
        }
        self.choices.push(text.to_owned());
        self.known.insert(text.to_owned(), self.choices.len() - 1);
        self.choices.len() - 1
    }
}

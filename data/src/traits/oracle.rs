//! Does a text acknowledge what its asker tells of? By the generator's own sentences, and by their words.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{SITUATION, Trait, TraitCorpus};
use crate::corrupt::sentences;
use crate::error::DataError;
use crate::phrase::{Phrase, Values};
use redline_model::random::Random;

/// What was found of an acknowledgement.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The generator's phrase that a sentence of the text stands for, such as `before-hard/3`.
    pub phrase: Option<String>,
    /// The words that were found, in texts of any writer.
    pub cue: Option<String>,
}

/// How many texts have the trait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TraitShare {
    /// Texts.
    pub n: usize,
    /// Share of those with a phrase of the generator, or words of one.
    pub any: Option<f64>,
    /// Share of those with a phrase of the generator, whole.
    pub exact: Option<f64>,
}

/// Knows all sentences that acknowledge, those held out too.
#[derive(Debug, Clone)]
pub struct TraitOracle {
    phrases: BTreeMap<String, Phrase>,
    cues: Vec<String>,
}

impl TraitOracle {
    /// The oracle of a trait.
    ///
    /// # Errors
    /// [`DataError::Material`] when the build's own files are broken.
    pub fn built_in(taught: Trait) -> Result<Self, DataError> {
        Ok(Self::of(&TraitCorpus::built_in(taught)?))
    }

    /// The oracle of a corpus.
    pub fn of(corpus: &TraitCorpus) -> Self {
        let named = corpus.phrases.iter().flat_map(|(list, phrases)| {
            phrases.iter().map(move |(place, phrase)| (format!("{list}/{place}"), phrase.clone()))
        });
        let plain = |cue: &Phrase| normal(&cue.expand(&Values::new(), &mut Random::of_row(0, 0, 0)));
        Self { phrases: named.collect(), cues: corpus.cues.iter().map(plain).collect() }
    }

    /// What a text holds of an acknowledgement.
    pub fn find(&self, text: &str) -> Acknowledgement {
        let sentences: Vec<&str> = sentences(text).into_iter().map(|range| &text[range]).collect();
        let says = |(name, phrase): (&String, &Phrase)| {
            sentences.iter().any(|sentence| phrase.says(sentence)).then(|| name.clone())
        };
        let words = format!(" {} ", normal(text));
        let cue = self.cues.iter().find(|cue| words.contains(&format!(" {cue} ")));
        Acknowledgement { phrase: self.phrases.iter().find_map(says), cue: cue.cloned() }
    }

    /// Whether a text acknowledges: by a phrase of the generator, or by words of one.
    pub fn has(&self, text: &str) -> bool {
        let found = self.find(text);
        found.phrase.is_some() || found.cue.is_some()
    }

    /// The shares of some texts.
    pub fn share<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> TraitShare {
        let (mut n, mut any, mut exact) = (0_usize, 0_usize, 0_usize);
        for text in texts {
            let found = self.find(text);
            n += 1;
            any += usize::from(found.phrase.is_some() || found.cue.is_some());
            exact += usize::from(found.phrase.is_some());
        }
        let share = |part: usize| (n > 0).then(|| part as f64 / n as f64);
        TraitShare { n, any: share(any), exact: share(exact) }
    }
}

/// Whether the fact of a row says that somebody tells of a situation in it.
pub fn told_of_situation(fact: Option<&str>) -> bool {
    fact.is_some_and(|fact| fact.starts_with(SITUATION))
}

/// Words in lower case, between single blanks.
fn normal(text: &str) -> String {
    let plain = text.replace('’', "'").to_lowercase();
    let words = plain.split(|symbol: char| !(symbol.is_alphanumeric() || symbol == '\''));
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

//! The self-contained corpus: clean question–answer texts written by a seeded grammar over hand-written facts.
//!
//! The facts are in `assets/data/facts/`, plain text in blocks:
//!
//! ```text
//! fact kitchen/rice                              a name; rows carry it, so that facts can be held out
//! q {How do I|What is the best way to} cook rice?   a question (several)
//! a To cook rice, {rinse|wash} it first.            the first sentence of an answer (one of several)
//! s Then add two cups of water.                     a step: all steps follow in this order
//! d Let it rest at the end.                         a detail: any of them may follow, in any order
//!
//! table country | name | capital                 a fact for each row
//! row France | Paris
//! q What is the capital of [name]?
//! a The capital of [name] is [capital].
//!
//! fact sums/apples                               values that differ from text to text
//! weight 4                                          drawn four times as often as others
//! pick person = @names                              an item of a list
//! let a = 2..12                                     a number
//! let b = a*3                                       computed from numbers
//! q [person] has [a] bags of 3 apples. How many apples are there?
//! a [person] has [b] apples.
//! ```
//!
//! Where a fact has several sides, `q1` is answered by `a1` (or by an `a` without a number) and `q2` by `a2`.
//!
//! `{…|…}` is a choice, `[name]` a value, `[^name]` the value with a capital. An answer has one to five sentences; a detail may
//! begin with a word such as *Also*. The questions get an opening now and then (*Quick question: …*).
//!
//! No two texts of a corpus are equal, in question and answer together or in the answer alone, and the same seed and number of
//! texts give the same bytes anywhere.

mod fact;
mod sum;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};

use serde::{Deserialize, Serialize};

use super::corrupt::{CorruptedRow, Corruptor, begins_small};
use super::error::DataError;
use super::filter::TextRow;
use super::material::{Lists, blocks, read_list};
use super::phrase::{Phrase, Values, uncapitalised};
use super::shared::held_out;
use fact::{Fact, read_facts};
use redline_model::random::Random;

/// Lists come first: facts refer to them.
const FILES: [(&str, &str); 9] = [
    ("lists.txt", include_str!("../../../assets/data/facts/lists.txt")),
    ("kitchen.txt", include_str!("../../../assets/data/facts/kitchen.txt")),
    ("home.txt", include_str!("../../../assets/data/facts/home.txt")),
    ("nature.txt", include_str!("../../../assets/data/facts/nature.txt")),
    ("science.txt", include_str!("../../../assets/data/facts/science.txt")),
    ("body.txt", include_str!("../../../assets/data/facts/body.txt")),
    ("world.txt", include_str!("../../../assets/data/facts/world.txt")),
    ("culture.txt", include_str!("../../../assets/data/facts/culture.txt")),
    ("sums.txt", include_str!("../../../assets/data/facts/sums.txt")),
];
/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x0057_17b5;
/// Tells the random numbers of a split from others.
const SPLIT_STREAM: u64 = 0x0057_17b6;
/// Draws for one text before another fact is tried.
const DRAWS_PER_FACT: u64 = 30;
/// Facts tried for one text.
const FACTS_PER_TEXT: u64 = 200;
/// How often an answer has 1, 2, … 5 sentences, of a hundred.
const N_SENTENCES: [usize; 5] = [1, 4, 8, 21, 66];

/// A question with a clean answer, and the fact behind them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SynthText {
    /// Name of the fact.
    pub fact: String,
    /// The question.
    pub question: String,
    /// The answer, without flaws.
    pub answer: String,
}

impl TextRow for SynthText {
    fn texts(&self) -> Vec<&str> {
        vec![&self.question, &self.answer]
    }
}

impl SynthText {
    /// The text with flaws put in, as the row with this number.
    ///
    /// # Errors
    /// As [`Corruptor::corrupt`].
    pub fn corrupted(&self, row: u64, corruptor: &Corruptor) -> Result<CorruptedRow, DataError> {
        let row = corruptor.corrupt(row, &self.question, &self.answer)?;
        Ok(CorruptedRow { fact: Some(self.fact.clone()), ..row })
    }
}

/// The facts and the grammar around them.
#[derive(Debug, Clone)]
pub struct Corpus {
    facts: Vec<Fact>,
    lists: Lists,
}

impl Corpus {
    /// The built-in facts.
    ///
    /// # Errors
    /// [`DataError::Material`] when the build's own files are broken.
    pub fn built_in() -> Result<Self, DataError> {
        Self::parse(&FILES)
    }

    /// Reads facts from texts with a name each, for messages.
    ///
    /// # Errors
    /// [`DataError::Material`] with the file, the line and the rule.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, DataError> {
        let (mut facts, mut lists, mut ids) = (Vec::new(), Lists::new(), BTreeSet::new());
        for (file, text) in files {
            for block in blocks(file, text)? {
                if block.head.key == "list" {
                    read_list(&block, &mut lists)?;
                    continue;
                }
                for fact in read_facts(&block, &lists)? {
                    if !ids.insert(fact.id.clone()) {
                        return Err(block.head.error(format!("the fact `{}` is there twice", fact.id)));
                    }
                    facts.push(fact);
                }
            }
        }
        Ok(Self { facts, lists })
    }

    /// The names of all facts, in the order of the files.
    pub fn fact_ids(&self) -> Vec<&str> {
        self.facts.iter().map(|fact| fact.id.as_str()).collect()
    }

    /// What a fact shares its phrases with: the name of its table, or its own. None for a fact that is not there.
    pub fn group_of(&self, fact: &str) -> Option<&str> {
        self.facts.iter().find(|known| known.id == fact).map(|known| known.group.as_str())
    }

    /// Parts the facts into those to train on and those to hold out, tables as wholes, since the rows of a table share their phrases.
    /// Openings, connectors and names are in both.
    ///
    /// # Errors
    /// [`DataError::Share`] for a share that leaves a part empty.
    pub fn split(&self, held_out_share: f64, seed: u64) -> Result<[Self; 2], DataError> {
        let mut groups: Vec<&str> = self.facts.iter().map(|fact| fact.group.as_str()).collect();
        groups.dedup();
        let held_out = held_out(&groups, held_out_share, &mut Random::of_row(seed, SPLIT_STREAM, 0))?;
        let part = |is_held_out: bool| {
            let of_part = |fact: &&Fact| held_out.contains(fact.group.as_str()) == is_held_out;
            Self { facts: self.facts.iter().filter(of_part).cloned().collect(), lists: self.lists.clone() }
        };
        Ok([part(false), part(true)])
    }

    /// Writes so many different texts.
    ///
    /// # Errors
    /// [`DataError::TooFewTexts`] when the facts do not hold so many.
    pub fn texts(&self, seed: u64, n_texts: usize) -> Result<Vec<SynthText>, DataError> {
        let mut seen = HashSet::new();
        let mut texts = Vec::new();
        for row in 0..n_texts as u64 {
            let mut rng = Random::of_row(seed, STREAM, row);
            let Some(text) = self.new_text(&mut rng, &mut seen)? else {
                return Err(DataError::TooFewTexts { got: texts.len(), asked: n_texts });
            };
            texts.push(text);
        }
        Ok(texts)
    }

    /// A text whose answer has not been seen, or `None` when none is found.
    fn new_text(&self, rng: &mut Random, seen: &mut HashSet<String>) -> Result<Option<SynthText>, DataError> {
        let weights: Vec<usize> = self.facts.iter().map(|fact| fact.weight).collect();
        for _ in 0..FACTS_PER_TEXT {
            let Some(fact) = self.facts.get(rng.weighted(&weights)) else { break };
            for _ in 0..DRAWS_PER_FACT {
                let text = self.text(fact, rng)?;
                if seen.insert(text.answer.clone()) {
                    return Ok(Some(text));
                }
            }
        }
        Ok(None)
    }

    fn text(&self, fact: &Fact, rng: &mut Random) -> Result<SynthText, DataError> {
        let broken = |rule| DataError::Material { file: fact.id.clone(), line: 0, rule };
        let mut values = fact.draw(rng).map_err(broken)?;
        let Some(asked) = rng.pick(&fact.questions) else { return Err(broken("no question".to_owned())) };
        let question = asked.phrase.expand(&values, rng);
        let leads: Vec<&Phrase> =
            fact.leads.iter().filter(|lead| lead.answers(asked)).map(|lead| &lead.phrase).collect();
        let lead = rng.pick(&leads).map(|lead| lead.expand(&values, rng)).unwrap_or_default();
        let answer = self.answer(lead, fact, &values, rng);
        values.insert("question".to_owned(), question);
        if let Some(name) = self.lists.get("names").and_then(|names| rng.pick(names)) {
            let name = name.expand(&values, rng);
            values.insert("asker".to_owned(), name);
        }
        let question = match self.lists.get("openings") {
            Some(openings) if rng.chance(1, 2) => expanded(openings, &values, rng),
            _ => values.remove("question").unwrap_or_default(),
        };
        Ok(SynthText { fact: fact.id.clone(), question, answer })
    }

    /// The first sentence, all steps and some details.
    fn answer(&self, lead: String, fact: &Fact, values: &Values, rng: &mut Random) -> String {
        let mut sentences = vec![lead];
        sentences.extend(fact.steps.iter().map(|step| step.expand(values, rng)));
        let n_sentences = 1 + rng.weighted(&N_SENTENCES);
        let mut details: Vec<&Phrase> = fact.details.iter().collect();
        rng.shuffle(&mut details);
        details.truncate(n_sentences.saturating_sub(sentences.len()));
        for detail in details {
            sentences.push(self.connected(detail.expand(values, rng), rng));
        }
        sentences.join(" ")
    }

    /// Puts a word such as *Also* before some sentences.
    fn connected(&self, sentence: String, rng: &mut Random) -> String {
        match self.lists.get("connectors") {
            Some(connectors) if begins_small(&sentence) && rng.chance(1, 6) => {
                format!("{} {}", expanded(connectors, &Values::new(), rng), uncapitalised(&sentence))
            }
            _ => sentence,
        }
    }
}

/// One of the phrases, expanded.
fn expanded(phrases: &[Phrase], values: &Values, rng: &mut Random) -> String {
    rng.pick(phrases).map(|phrase| phrase.expand(values, rng)).unwrap_or_default()
}

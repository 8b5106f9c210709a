//! Situations, the ways to tell of them, and sentences that acknowledge them.
//!
//! `assets/data/traits/situations.txt` holds blocks of lines:
//!
//! ```text
//! situation lost-job
//! tone glad                              where it is good news; hard otherwise
//! f worried | afraid                     what the person feels
//! t I lost my job {yesterday|on Monday}  how the person tells of it, beginning with I or My (several)
//! n losing your job | being laid off     what an acknowledgement calls it
//! q How do I find new work?              what the person asks (several)
//! a Start with a list of …               the first sentence of the plain answer (one of several)
//! d Tell friends that you look for work. any of these may follow
//! ```
//!
//! `empathy.txt` holds the lists `tellings` (a question made of `[told]`, `[told_small]`, `[feeling]` and `[ask]`), `before-hard`, `after-hard`,
//! `before-glad`, `after-glad` (sentences put before or after an answer, made of `[feeling]` and `[name]`) and `cues` (words of such sentences);
//! `instructions.txt` a list of wordings for each instruction.

use std::collections::BTreeMap;

use redline_model::random::Random;

use super::{SITUATION, Trait};
use crate::error::DataError;
use crate::material::{Block, Line, Lists, blocks, read_lists};
use crate::phrase::{Phrase, Values, alternatives, uncapitalised};
use crate::shared::held_out;
use crate::synth::Corpus;

const SITUATIONS: &str = include_str!("../../../assets/data/traits/situations.txt");
const EMPATHY: &str = include_str!("../../../assets/data/traits/empathy.txt");
const INSTRUCTIONS: &str = include_str!("../../../assets/data/traits/instructions.txt");
/// Tells the random numbers of a split from others.
const SPLIT_STREAM: u64 = 0x0074_7a16;
/// Sentences that follow the first one, at most.
const MOST_DETAILS: usize = 3;
/// Of ten acknowledgements, so many stand before the answer.
const BEFORE_OF_TEN: usize = 7;

/// Something that happened to somebody who asks about it.
#[derive(Debug, Clone)]
pub(super) struct Situation {
    pub name: String,
    /// `hard` or `glad`.
    tone: String,
    feelings: Vec<String>,
    told: Vec<Phrase>,
    names: Vec<String>,
    asks: Vec<Phrase>,
    leads: Vec<Phrase>,
    details: Vec<Phrase>,
}

/// A question about a situation with a plain answer.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub situation: String,
    pub question: String,
    pub answer: String,
    tone: String,
    values: Values,
}

/// Situations and the grammar around them.
#[derive(Debug, Clone)]
pub struct TraitCorpus {
    pub(super) taught: Trait,
    pub(super) situations: Vec<Situation>,
    tellings: Vec<Phrase>,
    /// Sentences that acknowledge, by their list; each with its place in the whole list.
    pub(super) phrases: BTreeMap<String, Vec<(usize, Phrase)>>,
    pub(super) cues: Vec<Phrase>,
    /// Questions in which nothing is told.
    pub(super) facts: Corpus,
    pub(super) instructions: Lists,
}

impl TraitCorpus {
    /// The situations and phrases that are built in.
    ///
    /// # Errors
    /// [`DataError::Material`] when the build's own files are broken.
    pub fn built_in(taught: Trait) -> Result<Self, DataError> {
        let mut situations = Vec::new();
        for block in blocks("situations.txt", SITUATIONS)? {
            situations.push(read_situation(&block)?);
        }
        let file = match taught {
            Trait::Empathy => EMPATHY,
        };
        let mut lists = read_lists(&format!("{taught}.txt"), file)?;
        let tellings = lists.remove("tellings").unwrap_or_default();
        let cues = lists.remove("cues").unwrap_or_default();
        let phrases = lists.into_iter().map(|(name, list)| (name, list.into_iter().enumerate().collect())).collect();
        let facts = Corpus::built_in()?;
        let instructions = read_lists("instructions.txt", INSTRUCTIONS)?;
        Ok(Self { taught, situations, tellings, phrases, cues, facts, instructions })
    }

    /// The names of all situations.
    pub fn situations(&self) -> Vec<&str> {
        self.situations.iter().map(|situation| situation.name.as_str()).collect()
    }

    /// The names of all sentences that acknowledge, such as `before-hard/3`.
    pub fn phrases(&self) -> Vec<String> {
        let of_list = |(name, list): (&String, &Vec<(usize, Phrase)>)| -> Vec<String> {
            list.iter().map(|(place, _)| format!("{name}/{place}")).collect()
        };
        self.phrases.iter().flat_map(of_list).collect()
    }

    /// Parts situations, sentences (list by list) and facts into those to train on and those to hold out. The ways to tell of a situation and the
    /// wordings of instructions are in both.
    ///
    /// # Errors
    /// [`DataError::Share`] for a share that leaves a part empty.
    pub fn split(&self, held_out_share: f64, seed: u64) -> Result<[Self; 2], DataError> {
        let [near_facts, far_facts] = self.facts.split(held_out_share, seed)?;
        let mut parts = [Self { facts: near_facts, ..self.clone() }, Self { facts: far_facts, ..self.clone() }];
        // each tone by itself, so that both parts have both
        let mut tones: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for situation in &self.situations {
            tones.entry(&situation.tone).or_default().push(&situation.name);
        }
        let mut far_names = std::collections::BTreeSet::new();
        for (number, names) in (0..).zip(tones.values()) {
            far_names.extend(held_out(names, held_out_share, &mut Random::of_row(seed, SPLIT_STREAM, number))?);
        }
        for (part, is_far) in parts.iter_mut().zip([false, true]) {
            part.situations.retain(|situation| far_names.contains(situation.name.as_str()) == is_far);
        }
        for (number, (name, list)) in (0..).zip(&self.phrases) {
            let places: Vec<usize> = list.iter().map(|(place, _)| *place).collect();
            let far = held_out(&places, held_out_share, &mut Random::of_row(seed, SPLIT_STREAM + 1, number))?;
            for (part, is_far) in parts.iter_mut().zip([false, true]) {
                let of_part = list.iter().filter(|(place, _)| far.contains(place) == is_far).cloned().collect();
                part.phrases.insert(name.clone(), of_part);
            }
        }
        Ok(parts)
    }

    /// Somebody tells of a situation and asks.
    pub(super) fn told(&self, rng: &mut Random) -> Option<Told> {
        let situation = rng.pick(&self.situations)?;
        let mut values = Values::new();
        let expanded = |phrases: &[Phrase], values: &Values, rng: &mut Random| {
            rng.pick(phrases).map(|phrase| phrase.expand(values, rng)).unwrap_or_default()
        };
        let told = expanded(&situation.told, &values, rng);
        let small = if told.starts_with("I ") { told.clone() } else { uncapitalised(&told) };
        values.insert("told".into(), told);
        values.insert("told_small".into(), small);
        values.insert("feeling".into(), rng.pick(&situation.feelings).cloned().unwrap_or_default());
        values.insert("name".into(), rng.pick(&situation.names).cloned().unwrap_or_default());
        values.insert("ask".into(), expanded(&situation.asks, &values, rng));
        let question = expanded(&self.tellings, &values, rng);
        let mut sentences = vec![expanded(&situation.leads, &values, rng)];
        let mut details: Vec<&Phrase> = situation.details.iter().collect();
        rng.shuffle(&mut details);
        let n_details = 1 + rng.below(MOST_DETAILS);
        sentences.extend(details.iter().take(n_details).map(|detail| detail.expand(&values, rng)));
        let (situation, tone) = (format!("{SITUATION}{}", situation.name), situation.tone.clone());
        Some(Told { situation, question, answer: sentences.join(" "), tone, values })
    }

    /// An answer with a sentence of acknowledgement put in, and the name of its phrase.
    pub(super) fn acknowledged(&self, told: &Told, answer: &str, rng: &mut Random) -> Option<(String, String)> {
        let is_before = rng.chance(BEFORE_OF_TEN, 10);
        let list = format!("{}-{}", if is_before { "before" } else { "after" }, told.tone);
        let (place, phrase) = rng.pick(self.phrases.get(&list)?)?;
        let sentence = phrase.expand(&told.values, rng);
        let text = if is_before { format!("{sentence} {answer}") } else { format!("{answer} {sentence}") };
        Some((text, format!("{list}/{place}")))
    }
}

fn read_situation(block: &Block<'_>) -> Result<Situation, DataError> {
    let head = &block.head;
    if head.key != "situation" || head.text.is_empty() {
        return Err(head.error("write `situation NAME`"));
    }
    let mut found = Situation {
        name: head.text.to_owned(),
        tone: "hard".into(),
        feelings: Vec::new(),
        told: Vec::new(),
        names: Vec::new(),
        asks: Vec::new(),
        leads: Vec::new(),
        details: Vec::new(),
    };
    for line in &block.lines {
        match line.key {
            "tone" => found.tone = line.text.to_owned(),
            "f" => found.feelings = words(line),
            "n" => found.names = words(line),
            "t" => found.told.push(line.phrase()?),
            "q" => found.asks.push(line.phrase()?),
            "a" => found.leads.push(line.phrase()?),
            "d" => found.details.push(line.phrase()?),
            key => return Err(line.error(format!("`{key}` is not a key of a situation"))),
        }
    }
    let phrases = [&found.told, &found.asks, &found.leads, &found.details];
    match found.feelings.is_empty() || found.names.is_empty() || phrases.iter().any(|list| list.is_empty()) {
        true => Err(head.error("a situation needs lines of f, t, n, q, a and d")),
        false => Ok(found),
    }
}

fn words(line: &Line<'_>) -> Vec<String> {
    alternatives(line.text).into_iter().map(|word| word.trim().to_owned()).filter(|word| !word.is_empty()).collect()
}

//! Choosing flaws for one answer and placing them.

use std::ops::Range;

use super::flaw::{Flaw, FlawKind, MAX_STRICTNESS, MIN_STRICTNESS};
use super::negation::negated;
use super::numbers::{numbers, wrong_number};
use super::sentences::sentences;
use super::spelling::{misspelt, words};
use crate::material::Lists;
use crate::phrase::{Values, capitalised};
use redline_model::random::Random;

/// How often an answer has 1, 2, … 5 severities of flaws, of a hundred.
const N_SEVERITIES: [usize; 5] = [8, 22, 30, 26, 14];

/// An answer that flaws are being put into.
pub(super) struct Draft<'a> {
    clean: &'a str,
    phrases: &'a Lists,
    sentences: Vec<Range<usize>>,
    /// Sentences that a flaw quotes, which must therefore stay as they are.
    quoted: Vec<bool>,
    flaws: Vec<Flaw>,
}

/// Where a sentence may be put in.
#[derive(Clone, Copy)]
enum Slot {
    /// Before the sentence with this number.
    Before(usize),
    End,
}

impl<'a> Draft<'a> {
    pub fn new(clean: &'a str, phrases: &'a Lists) -> Self {
        let sentences = sentences(clean);
        let quoted = vec![false; sentences.len()];
        Self { clean, phrases, sentences, quoted, flaws: Vec::new() }
    }

    /// Draws flaws of several severities; at least one.
    pub fn flaws(mut self, rng: &mut Random) -> Vec<Flaw> {
        // a short answer carries fewer flaws
        let most = (self.sentences.len() + 1).min(N_SEVERITIES.len());
        let n_severities = (1 + rng.weighted(&N_SEVERITIES)).min(most);
        let mut severities: Vec<u8> = (MIN_STRICTNESS..=MAX_STRICTNESS).collect();
        rng.shuffle(&mut severities);
        for &severity in &severities[..n_severities] {
            self.add_severity(severity, rng);
        }
        if self.flaws.is_empty() {
            self.add_boilerplate(rng);
        }
        self.flaws.sort_by_key(|flaw| (flaw.start, flaw.end));
        self.flaws
    }

    /// Adds one kind of this severity, or the other kind where the first finds no place.
    fn add_severity(&mut self, severity: u8, rng: &mut Random) {
        let mut kinds: Vec<FlawKind> = FlawKind::ALL.into_iter().filter(|kind| kind.severity() == severity).collect();
        rng.shuffle(&mut kinds);
        for kind in kinds {
            if self.add(kind, rng) {
                return;
            }
        }
    }

    fn add(&mut self, kind: FlawKind, rng: &mut Random) -> bool {
        match kind {
            FlawKind::Insult => self.add_anywhere(kind, "insult", [3, 2, 3], rng),
            FlawKind::UnsafeAdvice => self.add_anywhere(kind, "unsafe-advice", [0, 3, 4], rng),
            FlawKind::RudeRefusal => self.add_anywhere(kind, "rude-refusal", [6, 0, 1], rng),
            FlawKind::OffTopic => self.add_anywhere(kind, "off-topic", [0, 3, 3], rng),
            FlawKind::Boilerplate => self.add_boilerplate(rng),
            FlawKind::Contradiction => self.add_contradiction(rng),
            FlawKind::RepeatedSentence => self.add_repetition(rng),
            FlawKind::WrongNumber => self.add_wrong_number(rng),
            FlawKind::Misspelling => self.add_misspellings(rng),
        }
    }

    fn phrase(&self, list: &str, rng: &mut Random) -> Option<String> {
        let phrase = rng.pick(self.phrases.get(list)?)?;
        Some(phrase.expand(&Values::new(), rng))
    }

    /// Adds a phrase at the beginning, between sentences or at the end, by weight.
    fn add_anywhere(&mut self, kind: FlawKind, list: &str, weights: [usize; 3], rng: &mut Random) -> bool {
        let Some(text) = self.phrase(list, rng) else { return false };
        let n_sentences = self.sentences.len();
        let slot = match rng.weighted(&weights) {
            0 => Slot::Before(0),
            1 if n_sentences > 1 => Slot::Before(1 + rng.below(n_sentences - 1)),
            _ => Slot::End,
        };
        self.insert(kind, slot, &text)
    }

    fn add_boilerplate(&mut self, rng: &mut Random) -> bool {
        let (list, slot) = match rng.chance(1, 2) {
            true => ("boilerplate-opening", Slot::Before(0)),
            false => ("boilerplate-closing", Slot::End),
        };
        self.phrase(list, rng).is_some_and(|text| self.insert(FlawKind::Boilerplate, slot, &text))
    }

    /// Adds the opposite of a sentence behind it or at the end, or a phrase that takes back what was said.
    fn add_contradiction(&mut self, rng: &mut Random) -> bool {
        let free = (0..self.sentences.len()).filter(|&place| !self.is_touched(place));
        let opposites: Vec<(usize, String)> =
            free.filter_map(|place| Some((place, negated(self.sentence(place))?))).collect();
        if rng.chance(1, 4) || opposites.is_empty() {
            return self.add_anywhere(FlawKind::Contradiction, "contradiction", [0, 1, 2], rng);
        }
        let (Some((place, opposite)), Some(lead)) =
            (rng.pick(&opposites).cloned(), self.phrase("contradiction-lead", rng))
        else {
            return false;
        };
        self.quoted[place] = true;
        let slot = self.slot_behind(place, rng);
        let text = if lead.is_empty() { capitalised(&opposite) } else { format!("{lead} {opposite}") };
        self.insert(FlawKind::Contradiction, slot, &text)
    }

    fn add_repetition(&mut self, rng: &mut Random) -> bool {
        let whole = |&place: &usize| self.sentence(place).ends_with(['.', '!', '?']) && !self.is_touched(place);
        let free: Vec<usize> = (0..self.sentences.len()).filter(whole).collect();
        let Some(&place) = rng.pick(&free) else { return false };
        self.quoted[place] = true;
        let slot = self.slot_behind(place, rng);
        let text = self.sentence(place).to_owned();
        self.insert(FlawKind::RepeatedSentence, slot, &text)
    }

    fn add_wrong_number(&mut self, rng: &mut Random) -> bool {
        let found = self.open_ranges(numbers);
        let Some(range) = rng.pick(&found).cloned() else { return false };
        let text = wrong_number(&self.clean[range.clone()], rng);
        self.replace(FlawKind::WrongNumber, range, text);
        true
    }

    /// Misspells one to three words.
    fn add_misspellings(&mut self, rng: &mut Random) -> bool {
        let mut found = self.open_ranges(words);
        rng.shuffle(&mut found);
        found.truncate(1 + rng.weighted(&[4, 3, 2]));
        for range in &found {
            let text = misspelt(&self.clean[range.clone()], rng);
            self.replace(FlawKind::Misspelling, range.clone(), text);
        }
        !found.is_empty()
    }

    fn sentence(&self, place: usize) -> &'a str {
        &self.clean[self.sentences[place].clone()]
    }

    /// Whether a flaw quotes or changes the sentence.
    fn is_touched(&self, place: usize) -> bool {
        let range = &self.sentences[place];
        let changes = |flaw: &Flaw| flaw.start < flaw.end && range.start <= flaw.start && flaw.end <= range.end;
        self.quoted[place] || self.flaws.iter().any(changes)
    }

    /// Ranges found in sentences that nothing quotes, and that no flaw has taken yet.
    fn open_ranges(&self, find: fn(&str) -> Vec<Range<usize>>) -> Vec<Range<usize>> {
        let open = (0..self.sentences.len()).filter(|&place| !self.quoted[place]);
        let found = open.flat_map(|place| {
            let start = self.sentences[place].start;
            find(self.sentence(place)).into_iter().map(move |range| start + range.start..start + range.end)
        });
        let is_free = |range: &Range<usize>| {
            self.flaws.iter().all(|flaw| flaw.start == flaw.end || flaw.end <= range.start || range.end <= flaw.start)
        };
        found.filter(is_free).collect()
    }

    fn slot_behind(&self, place: usize, rng: &mut Random) -> Slot {
        let n_behind = self.sentences.len() - place;
        match rng.below(n_behind) + 1 {
            step if place + step < self.sentences.len() => Slot::Before(place + step),
            _ => Slot::End,
        }
    }

    fn insert(&mut self, kind: FlawKind, slot: Slot, sentence: &str) -> bool {
        let (at, text) = match (slot, self.sentences.last()) {
            (_, None) => return false,
            (Slot::Before(place), _) => (self.sentences[place].start, format!("{sentence} ")),
            (Slot::End, Some(last)) => {
                // text that ends without a stop (a result, a list) keeps its last line to itself
                let stops = self.clean[last.clone()].ends_with(['.', '!', '?', '"', '\'', ')', '”']);
                (last.end, format!("{}{sentence}", if stops { " " } else { "\n" }))
            }
        };
        self.flaws.push(Flaw { kind, severity: kind.severity(), start: at, end: at, text });
        true
    }

    fn replace(&mut self, kind: FlawKind, range: Range<usize>, text: String) {
        self.flaws.push(Flaw { kind, severity: kind.severity(), start: range.start, end: range.end, text });
    }
}

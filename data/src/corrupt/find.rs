//! Known flaws in a text of any origin: phrases of the lists, and sentences that are said twice.

use std::collections::BTreeSet;

use super::sentences::sentences;
use super::{Corruptor, FlawKind};
use crate::phrase::Phrase;

/// The lists that a text is searched for, with the kind of flaw that each makes.
const LISTS: [(&str, FlawKind); 7] = [
    ("insult", FlawKind::Insult),
    ("unsafe-advice", FlawKind::UnsafeAdvice),
    ("rude-refusal", FlawKind::RudeRefusal),
    ("contradiction", FlawKind::Contradiction),
    ("off-topic", FlawKind::OffTopic),
    ("boilerplate-opening", FlawKind::Boilerplate),
    ("boilerplate-closing", FlawKind::Boilerplate),
];

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFlaws {
    /// The flaws, by their place.
    pub kinds: Vec<FlawKind>,
    /// Sentences of the text.
    pub n_sentences: usize,
}

impl Corruptor {
    /// The flaws of a text that stand in the lists word for word, and its repeated sentences. Contradictions made of the text itself, wrong numbers
    /// and misspellings are not found: what is counted is a lower bound.
    pub fn flaws_in(&self, text: &str) -> FoundFlaws {
        let ranges = sentences(text);
        let (mut kinds, mut seen) = (Vec::new(), BTreeSet::new());
        let mut place = 0;
        while let Some(range) = ranges.get(place) {
            let next = ranges.get(place + 1);
            // some phrases are two sentences
            let both = next.and_then(|next| self.kind_of(&text[range.start..next.end]));
            let (found, n_read) = match both {
                Some(kind) => (Some(kind), 2),
                None => (self.kind_of(&text[range.clone()]), 1),
            };
            let is_new = seen.insert(text[range.clone()].to_lowercase());
            kinds.extend(found.or((!is_new).then_some(FlawKind::RepeatedSentence)));
            place += n_read;
        }
        FoundFlaws { kinds, n_sentences: ranges.len() }
    }

    fn kind_of(&self, text: &str) -> Option<FlawKind> {
        let says = |phrase: &Phrase| phrase.says(text);
        LISTS
            .iter()
            .find(|(list, _)| self.phrases.get(*list).is_some_and(|all| all.iter().any(says)))
            .map(|found| found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CorruptOptions;
    use super::*;

    #[test]
    fn phrases_of_the_lists_are_found_and_other_text_is_not() {
        let corruptor = Corruptor::new(CorruptOptions::default()).unwrap();
        let kinds = |text: &str| corruptor.flaws_in(text).kinds;
        assert_eq!(kinds("Water boils at 100 degrees. Salt raises that a little."), []);
        assert_eq!(
            kinds("Great question! Water boils. Listen, you fool. Water boils. Elvis sold many records."),
            [FlawKind::Boilerplate, FlawKind::Insult, FlawKind::RepeatedSentence, FlawKind::OffTopic]
        );
        assert_eq!((kinds(""), corruptor.flaws_in("One. Two.").n_sentences), (Vec::new(), 2));
    }

    #[test]
    fn what_is_put_in_by_phrases_is_found_again() {
        let corruptor = Corruptor::new(CorruptOptions { seed: 3, clean_share: 0.0 }).unwrap();
        let clean = "Bees collect nectar from flowers. They carry it home. The water in it dries off within days.";
        let (mut n_put, mut n_found) = (0, 0);
        for number in 0..60 {
            let row = corruptor.corrupt(number, "q", clean).unwrap();
            let found = corruptor.flaws_in(&row.answer).kinds;
            for kind in [FlawKind::Insult, FlawKind::UnsafeAdvice, FlawKind::RudeRefusal, FlawKind::OffTopic] {
                n_put += row.flaws.iter().filter(|flaw| flaw.kind == kind).count();
                n_found += found.iter().filter(|found| **found == kind).count();
            }
        }
        assert!(n_put > 40 && n_found == n_put, "{n_found} of {n_put}");
    }
}

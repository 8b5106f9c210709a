//! Copy-draft: an Aligner mostly copies, so the original answer is the guess at what comes next.
//!
//! The next tokens of the answer are read together with the token that was just chosen, in one pass; they stand as far as the model
//! would have chosen them itself (speculative decoding, Leviathan et al. 2023, with the prompt as the drafting model). After
//! an edit the place in the answer is found again by the last tokens of the output.

/// Tokens of the output that are looked for in the answer, at most.
const LONGEST_MATCH: usize = 3;
/// Most tokens a draft has. With the token before it, a draft fills whole tiles of the matrix products.
const MOST_DRAFTED: usize = 23;
/// Tokens of the first draft, and fewest of any.
const FIRST_DRAFTED: usize = 5;
/// By how much drafts grow.
const GROWTH: usize = 6;

/// A text to copy from, and where the output stands in it.
#[derive(Debug, Clone)]
pub(crate) struct CopyDraft {
    text: Vec<u32>,
    /// Index of the token that comes next; `None` when the place is lost.
    next: Option<usize>,
    /// Where to look first when it is lost.
    last_known: usize,
    /// Tokens to draft.
    length: usize,
}

impl CopyDraft {
    pub(crate) fn new(text: Vec<u32>) -> Self {
        Self { text, next: Some(0), last_known: 0, length: FIRST_DRAFTED }
    }

    /// The tokens that may come next, `most` at most.
    pub(crate) fn propose(&self, most: usize) -> &[u32] {
        let Some(next) = self.next else { return &[] };
        let end = self.text.len().min(next + self.length.min(most));
        &self.text[next.min(end)..end]
    }

    /// Moves on by a token of the output; `output` ends with it.
    pub(crate) fn follow(&mut self, output: &[u32]) {
        let Some(&token) = output.last() else { return };
        self.next = match self.next {
            Some(next) if self.text.get(next) == Some(&token) => Some(next + 1),
            _ => self.find(output),
        };
        self.last_known = self.next.unwrap_or(self.last_known);
    }

    /// Sets the length of the next draft by how much of the last one stood.
    pub(crate) fn adapt(&mut self, proposed: usize, stood: usize) {
        if proposed > 0 {
            let grown = if stood == proposed { self.length + GROWTH } else { stood / GROWTH * GROWTH + FIRST_DRAFTED };
            self.length = grown.min(MOST_DRAFTED);
        }
    }

    /// The place after the longest end of the output that the text holds: the first one from the last known place on, else the
    /// last one before it.
    fn find(&self, output: &[u32]) -> Option<usize> {
        for n in (1..=LONGEST_MATCH.min(output.len())).rev() {
            let end = &output[output.len() - n..];
            let places = self.text.windows(n).enumerate().filter(|(_, window)| *window == end).map(|(i, _)| i + n);
            let (before, after): (Vec<usize>, Vec<usize>) = places.partition(|&place| place <= self.last_known);
            if let Some(place) = after.first().or(before.last()) {
                return Some(*place);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &[u32], output: &[u32]) -> CopyDraft {
        let mut draft = CopyDraft::new(text.to_vec());
        (1..=output.len()).for_each(|n| draft.follow(&output[..n]));
        draft
    }

    #[test]
    fn a_copy_is_proposed_to_its_end() {
        assert_eq!(CopyDraft::new(vec![5, 6, 7, 8, 9, 10, 11]).propose(10), [5, 6, 7, 8, 9]);
        assert_eq!(followed(&[5, 6, 7, 8, 9], &[5, 6, 7]).propose(10), [8, 9]);
        assert_eq!(followed(&[5, 6, 7, 8, 9], &[5, 6, 7]).propose(1), [8]);
        assert!(followed(&[5, 6], &[5, 6]).propose(10).is_empty());
    }

    #[test]
    fn the_place_is_found_again_after_an_edit() {
        assert_eq!(followed(&[1, 2, 3, 4, 5, 6], &[1, 2, 90, 91, 4]).propose(10), [5, 6], "replaced");
        assert_eq!(followed(&[1, 2, 3, 4, 5, 6], &[1, 5]).propose(10), [6], "left out");
        assert_eq!(followed(&[1, 2, 3, 1, 2, 4], &[1, 2, 3, 9, 1, 2]).propose(10), [4], "the later of two places");
        assert!(followed(&[1, 2, 3], &[90]).propose(10).is_empty(), "lost");
    }

    #[test]
    fn drafts_grow_while_they_stand() {
        let mut draft = CopyDraft::new((0..50).collect());
        draft.adapt(5, 5);
        assert_eq!(draft.propose(50).len(), 11);
        (0..9).for_each(|_| draft.adapt(11, 11));
        assert_eq!(draft.propose(50).len(), MOST_DRAFTED);
        draft.adapt(23, 8);
        assert_eq!(draft.propose(50).len(), 11);
        draft.adapt(11, 1);
        assert_eq!(draft.propose(50).len(), FIRST_DRAFTED);
    }
}

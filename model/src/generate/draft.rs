//! Copy-draft: an Aligner mostly copies, so the original answer is the guess at what comes next.
//!
//! The next tokens of the answer are read together with the token that was just chosen, in one pass; they stand as far as the model
//! would have chosen them itself (speculative decoding, Leviathan et al. 2023, with the prompt as the drafting model). After
//! an edit the place in the answer is found again by the last tokens of the output.

use super::place::CopyPlace;

/// Most tokens a draft has. With the token before it, a draft fills whole tiles of the matrix products.
const MOST_DRAFTED: usize = 23;
/// Tokens of the first draft, and fewest of any.
const FIRST_DRAFTED: usize = 5;
/// By how much drafts grow.
const GROWTH: usize = 6;

/// A text to copy from, and where the output stands in it.
#[derive(Debug, Clone)]
pub(crate) struct CopyDraft {
    place: CopyPlace,
    /// Tokens to draft.
    length: usize,
}

impl CopyDraft {
    pub(crate) fn new(text: &[u32]) -> Self {
        Self { place: CopyPlace::new(text), length: FIRST_DRAFTED }
    }

    /// The tokens that may come next, `most` at most.
    pub(crate) fn propose(&self, most: usize) -> &[u32] {
        let rest = self.place.rest().unwrap_or_default();
        &rest[..rest.len().min(self.length).min(most)]
    }

    /// Moves on by a token of the output; `output` ends with it.
    pub(crate) fn follow(&mut self, output: &[u32]) {
        self.place.follow(output);
    }

    /// Sets the length of the next draft by how much of the last one stood.
    pub(crate) fn adapt(&mut self, proposed: usize, stood: usize) {
        if proposed > 0 {
            let grown = if stood == proposed { self.length + GROWTH } else { stood / GROWTH * GROWTH + FIRST_DRAFTED };
            self.length = grown.min(MOST_DRAFTED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(text: &[u32], output: &[u32]) -> CopyDraft {
        let mut draft = CopyDraft::new(text);
        (1..=output.len()).for_each(|n| draft.follow(&output[..n]));
        draft
    }

    #[test]
    fn a_copy_is_proposed_to_its_end() {
        assert_eq!(CopyDraft::new(&[5, 6, 7, 8, 9, 10, 11]).propose(10), [5, 6, 7, 8, 9]);
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
        let mut draft = CopyDraft::new(&(0..50).collect::<Vec<_>>());
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

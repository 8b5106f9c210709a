//! Where an output stands in a text that it mostly copies.

/// Tokens of the output that are looked for in the text, at most.
const LONGEST_MATCH: usize = 3;

/// A text that is copied from, and the place that the output has come to.
#[derive(Debug, Clone)]
pub(super) struct CopyPlace {
    text: std::sync::Arc<[u32]>,
    /// Index of the token that comes next; `None` when the place is lost.
    next: Option<usize>,
    /// Where to look first when it is lost.
    last_known: usize,
}

impl CopyPlace {
    pub(super) fn new(text: &[u32]) -> Self {
        Self { text: text.into(), next: Some(0), last_known: 0 }
    }

    /// What of the text is still to come; `None` when the place is lost.
    pub(super) fn rest(&self) -> Option<&[u32]> {
        self.next.map(|next| &self.text[next.min(self.text.len())..])
    }

    /// Moves on by a token of the output; `output` ends with it.
    pub(super) fn follow(&mut self, output: &[u32]) {
        let Some(&token) = output.last() else { return };
        self.next = match self.next {
            Some(next) if self.text.get(next) == Some(&token) => Some(next + 1),
            _ => self.find(output),
        };
        self.last_known = self.next.unwrap_or(self.last_known);
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

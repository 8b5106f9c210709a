//! Copy bias: a bonus on the logit of the token that comes next in a text, so that copying is likelier, or less likely where it is below 0.
//!
//! Where the text is at its end, what ends an output gets the bonus. Where the output has left the text and its place in it is not found
//! again, nothing does.

use std::borrow::Cow;

use super::place::CopyPlace;

/// A text, and by how much its copying is favoured in each row of a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CopyBias {
    /// Tokens of the text, such as the answer that an Aligner corrects.
    pub text: Vec<u32>,
    /// What is added to the logit of its next token, in nats, for each of [`Prompt::rows`](super::Prompt::rows).
    pub strengths: Vec<f32>,
}

impl CopyBias {
    /// The copy bias as a dial: a unit of coefficient takes `per_unit` nats from the logit of the text's next token, and −1 adds them. None
    /// where it changes no row.
    pub fn at(text: &[u32], per_unit: f32, coefficients: impl IntoIterator<Item = f32>) -> Option<Self> {
        let strengths: Vec<f32> = coefficients.into_iter().map(|coefficient| -coefficient * per_unit).collect();
        let is_live = strengths.iter().any(|strength| *strength != 0.0);
        is_live.then(|| Self { text: text.to_vec(), strengths })
    }
}

/// The bias of one row.
#[derive(Debug, Clone)]
pub(super) struct RowBias {
    place: CopyPlace,
    strength: f32,
}

impl RowBias {
    /// The bias of the row at `index`; none where its strength is 0.
    pub(super) fn new(bias: &CopyBias, index: usize) -> Option<Self> {
        let strength = bias.strengths.get(index).copied().filter(|strength| *strength != 0.0)?;
        Some(Self { place: CopyPlace::new(&bias.text), strength })
    }

    /// Moves on by a token of the output; `output` ends with it.
    pub(super) fn follow(&mut self, output: &[u32]) {
        self.place.follow(output);
    }

    /// The logits with the bonus.
    pub(super) fn apply<'a>(&self, logits: &'a [f32], stop_ids: &[u32]) -> Cow<'a, [f32]> {
        let Some(rest) = self.place.rest() else { return logits.into() };
        let favoured = rest.get(..1).unwrap_or(stop_ids);
        let mut biased = logits.to_vec();
        for &id in favoured {
            biased.get_mut(id as usize).into_iter().for_each(|logit| *logit += self.strength);
        }
        biased.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_takes_and_its_opposite_adds() {
        let bias = CopyBias::at(&[3], 2.0, [-1.0, 0.0, 0.5]).unwrap();
        assert_eq!(bias, CopyBias { text: vec![3], strengths: vec![2.0, 0.0, -1.0] });
        assert_eq!(CopyBias::at(&[3], 0.0, [-1.0, 1.0]), None);
        assert_eq!(CopyBias::at(&[3], 2.0, [0.0]), None);
    }

    #[test]
    fn the_next_token_of_the_text_is_favoured_and_at_its_end_the_stop() {
        let bias = CopyBias { text: vec![3, 1], strengths: vec![0.0, 2.0, -1.0] };
        assert!(RowBias::new(&bias, 0).is_none() && RowBias::new(&bias, 3).is_none());
        let mut row = RowBias::new(&bias, 1).unwrap();
        let logits = [0.0; 5];
        assert_eq!(*row.apply(&logits, &[4]), [0.0, 0.0, 0.0, 2.0, 0.0]);
        row.follow(&[3]);
        assert_eq!(*row.apply(&logits, &[4]), [0.0, 2.0, 0.0, 0.0, 0.0]);
        row.follow(&[3, 1]);
        assert_eq!(*row.apply(&logits, &[4, 2]), [0.0, 0.0, 2.0, 0.0, 2.0]);
        let mut lost = RowBias::new(&bias, 2).unwrap();
        assert_eq!(*lost.apply(&logits, &[4]), [0.0, 0.0, 0.0, -1.0, 0.0]);
        lost.follow(&[0]);
        assert_eq!(*lost.apply(&logits, &[4]), logits);
    }
}

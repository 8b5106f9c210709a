//! Log-probabilities of several texts after one prompt, with what they share at their beginning read once.
//!
//! Outputs of neighbouring coefficients begin alike. Sorted, a text shares the most with its neighbour, so each branches off one that was read
//! before; texts that branch off what is already read are read in one pass.

use crate::log_prob::read;
use crate::{Continuation, Decoder, Error, NoHook, Result, SharedPrefix};

/// Where a text leaves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Branch {
    /// Place of the other in the order of reading; `None` for one that shares nothing.
    parent: Option<usize>,
    /// Tokens that both have.
    shared: usize,
    /// Passes before it can be read.
    depth: usize,
}

/// A text after a prompt that was read.
#[derive(Debug, Clone)]
pub struct ReadText {
    /// Natural logarithm of the probability of each of its tokens.
    pub log_probs: Vec<f32>,
    /// Keys and values of the prompt and of the text, but for its last token; perhaps of more behind it.
    pub past: SharedPrefix,
}

/// Natural logarithm of the probability of every token of every text, `[text][token]`, without a hook. `prefix` holds the prompt but for its
/// last token; `known` is one of the texts and what was read of it, without a hook as well, where that is at hand. Equal to
/// [`log_probs`](crate::log_probs) of each text, on the CPU to the last bit; an empty text has none.
///
/// # Errors
/// A known text that is none of them, more positions than the context, or logits that are not finite.
pub fn log_probs_of_texts(
    decoder: &Decoder,
    prefix: &SharedPrefix,
    last_prompt_token: u32,
    texts: &[&[u32]],
    known: Option<(usize, ReadText)>,
) -> Result<Vec<Vec<f32>>> {
    if let Some((place, read)) = &known
        && texts.get(*place).map(|text| text.len()) != Some(read.log_probs.len())
    {
        let got = format!("text {place} of {} tokens", read.log_probs.len());
        return Err(Error::Request { what: "known text", got, expected: "one of the texts".into() });
    }
    let (order, n_before) = reading_order(texts, known.as_ref().map(|(place, _)| *place));
    let ordered: Vec<&[u32]> = order.iter().map(|&i| texts[i]).collect();
    let branches = branches(&ordered, n_before);
    let mut done: Vec<Option<ReadText>> = ordered.iter().map(|_| None).collect();
    if let (Some((_, read)), Some(first)) = (known, done.first_mut()) {
        *first = Some(read);
    }
    for depth in 0..=branches.iter().map(|branch| branch.depth).max().unwrap_or(0) {
        let is_due = |&place: &usize| branches[place].depth == depth && done[place].is_none();
        let places: Vec<usize> = (0..ordered.len()).filter(is_due).collect();
        let parts = read_level(decoder, (prefix, last_prompt_token), &ordered, &branches, &done, &places)?;
        for (place, part) in places.into_iter().zip(parts) {
            done[place] = Some(part);
        }
    }
    let mut values = vec![Vec::new(); texts.len()];
    for (place, read) in order.into_iter().zip(done) {
        values[place] = read.map(|read| read.log_probs).unwrap_or_default();
    }
    Ok(values)
}

/// Indices of the texts, sorted; from a known one outwards where there is one: it, those before it from the last to the first, which are as
/// many as is returned beside, and those after it.
fn reading_order(texts: &[&[u32]], known: Option<usize>) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| texts[i]);
    let Some(place) = known.and_then(|known| order.iter().position(|&i| i == known)) else { return (order, 0) };
    order[..=place].reverse();
    (order, place)
}

/// Reads the texts at `places`, whose parents are read.
fn read_level(
    decoder: &Decoder,
    (prefix, last_prompt_token): (&SharedPrefix, u32),
    texts: &[&[u32]],
    branches: &[Branch],
    done: &[Option<ReadText>],
    places: &[usize],
) -> Result<Vec<ReadText>> {
    // what each has from its parent: probabilities and past
    let begun = |&place: &usize| -> Result<ReadText> {
        let Branch { parent, shared, .. } = branches[place];
        match parent.and_then(|parent| done[parent].as_ref()) {
            Some(parent) => Ok(ReadText {
                log_probs: parent.log_probs[..shared].to_vec(),
                past: parent.past.truncated(prefix.len() + shared)?,
            }),
            None => Ok(ReadText { log_probs: Vec::new(), past: prefix.clone() }),
        }
    };
    let mut parts = places.iter().map(begun).collect::<Result<Vec<_>>>()?;
    let is_unread = |(part, place): &(&mut ReadText, &usize)| part.log_probs.len() < texts[**place].len();
    let mut unread: Vec<(&mut ReadText, &usize)> = parts.iter_mut().zip(places).filter(is_unread).collect();
    let continuation = |(part, place): &(&mut ReadText, &usize)| {
        let (before, tokens) = texts[**place].split_at(part.log_probs.len());
        (part.past.clone(), *before.last().unwrap_or(&last_prompt_token), tokens)
    };
    let rest: Vec<_> = unread.iter().map(continuation).collect();
    let continuations: Vec<Continuation<'_>> = rest
        .iter()
        .map(|(prefix, last, tokens)| Continuation { prefix, last_prompt_token: *last, tokens, rows: &[0] })
        .collect();
    let (values, caches) = read(decoder, &continuations, &mut NoHook)?;
    for (((part, _), values), cache) in unread.iter_mut().zip(values).zip(caches) {
        part.log_probs.extend(values.concat());
        part.past = cache.freeze()?;
    }
    Ok(parts)
}

/// For each text in the order of reading the one it branches off. The `n_before` texts after the first are on one side of it in sorted order,
/// the rest on the other: a text shares most with its neighbour towards the first.
fn branches(texts: &[&[u32]], n_before: usize) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::with_capacity(texts.len());
    for place in 0..texts.len() {
        let neighbour = if place == n_before + 1 { Some(0) } else { place.checked_sub(1) };
        let shared = |other: usize| texts[other].iter().zip(texts[place]).take_while(|(a, b)| a == b).count();
        let shared = neighbour.map_or(0, shared);
        // up to the first that has the shared tokens: fewer passes
        let mut parent = neighbour.filter(|_| shared > 0);
        while let Some(above) = parent.filter(|&parent| branches[parent].shared >= shared) {
            parent = branches[above].parent;
        }
        let depth = parent.map_or(0, |parent| branches[parent].depth + 1);
        branches.push(Branch { parent, shared, depth });
    }
    branches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_branch_off_the_first_that_has_what_they_share() {
        let sorted: [&[u32]; 6] = [&[1, 2, 3], &[1, 2, 3, 4], &[1, 2, 5, 6], &[1, 2, 5, 7], &[1, 9], &[8]];
        let expected = [(None, 0, 0), (Some(0), 3, 1), (Some(0), 2, 1), (Some(2), 3, 2), (Some(0), 1, 1), (None, 0, 0)];
        let expected = expected.map(|(parent, shared, depth)| Branch { parent, shared, depth });
        assert_eq!(branches(&sorted, 0), expected);
        assert_eq!(branches(&[&[3, 4], &[3, 4]], 0)[1], Branch { parent: Some(0), shared: 2, depth: 1 });
        assert!(branches(&[], 0).is_empty());
    }

    #[test]
    fn texts_branch_off_a_known_one_wherever_it_stands() {
        let texts: [&[u32]; 5] = [&[5, 6, 9], &[5, 6, 7], &[8], &[5, 6, 1], &[5, 2]];
        let (order, n_before) = reading_order(&texts, Some(1));
        assert_eq!((order.as_slice(), n_before), (&[1, 3, 4, 0, 2][..], 2));
        let ordered: Vec<&[u32]> = order.iter().map(|&i| texts[i]).collect();
        let expected = [(None, 0, 0), (Some(0), 2, 1), (Some(0), 1, 1), (Some(0), 2, 1), (None, 0, 0)];
        let expected = expected.map(|(parent, shared, depth)| Branch { parent, shared, depth });
        assert_eq!(branches(&ordered, n_before), expected);
        assert_eq!(reading_order(&texts, None), (vec![4, 3, 1, 0, 2], 0));
        assert_eq!(reading_order(&[], None), (Vec::new(), 0));
    }
}

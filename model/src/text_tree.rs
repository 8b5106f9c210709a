//! Log-probabilities of several texts after one prompt, with what they share at their beginning read once.
//!
//! Outputs of neighbouring coefficients begin alike. Sorted, a text shares the most with its neighbour, so each branches off one that was read
//! before; texts that branch off what is already read are read in one pass.

use crate::log_prob::read;
use crate::{Continuation, Decoder, NoHook, Result, SharedPrefix};

/// Where a text leaves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Branch {
    /// Place of the other in the sorted order; `None` for one that shares nothing.
    parent: Option<usize>,
    /// Tokens that both have.
    shared: usize,
    /// Passes before it can be read.
    depth: usize,
}

/// A text that was read.
struct Read {
    values: Vec<f32>,
    past: SharedPrefix,
}

/// Natural logarithm of the probability of every token of every text, `[text][token]`, without a hook. `prefix` holds the prompt but for its
/// last token. Equal to [`log_probs`](crate::log_probs) of each text up to rounding, since sums over a past run over its
/// parts; an empty text has none.
///
/// # Errors
/// More positions than the context, or logits that are not finite.
pub fn log_probs_of_texts(
    decoder: &Decoder,
    prefix: &SharedPrefix,
    last_prompt_token: u32,
    texts: &[&[u32]],
) -> Result<Vec<Vec<f32>>> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_unstable_by_key(|&i| texts[i]);
    let sorted: Vec<&[u32]> = order.iter().map(|&i| texts[i]).collect();
    let branches = branches(&sorted);
    let mut done: Vec<Option<Read>> = sorted.iter().map(|_| None).collect();
    for depth in 0..=branches.iter().map(|branch| branch.depth).max().unwrap_or(0) {
        let places: Vec<usize> = (0..sorted.len()).filter(|&place| branches[place].depth == depth).collect();
        let parts = read_level(decoder, (prefix, last_prompt_token), &sorted, &branches, &done, &places)?;
        for (place, part) in places.into_iter().zip(parts) {
            done[place] = Some(part);
        }
    }
    let mut values = vec![Vec::new(); texts.len()];
    for (place, read) in order.into_iter().zip(done) {
        values[place] = read.map(|read| read.values).unwrap_or_default();
    }
    Ok(values)
}

/// Reads the texts at `places`, whose parents are read.
fn read_level(
    decoder: &Decoder,
    (prefix, last_prompt_token): (&SharedPrefix, u32),
    sorted: &[&[u32]],
    branches: &[Branch],
    done: &[Option<Read>],
    places: &[usize],
) -> Result<Vec<Read>> {
    // what each has from its parent: probabilities and past
    let begun = |&place: &usize| -> Result<Read> {
        let Branch { parent, shared, .. } = branches[place];
        match parent.and_then(|parent| done[parent].as_ref()) {
            Some(parent) => Ok(Read {
                values: parent.values[..shared].to_vec(),
                past: parent.past.truncated(prefix.len() + shared)?,
            }),
            None => Ok(Read { values: Vec::new(), past: prefix.clone() }),
        }
    };
    let mut parts = places.iter().map(begun).collect::<Result<Vec<_>>>()?;
    let is_unread = |(part, place): &(&mut Read, &usize)| part.values.len() < sorted[**place].len();
    let mut unread: Vec<(&mut Read, &usize)> = parts.iter_mut().zip(places).filter(is_unread).collect();
    let continuation = |(part, place): &(&mut Read, &usize)| {
        let (before, tokens) = sorted[**place].split_at(part.values.len());
        (part.past.clone(), *before.last().unwrap_or(&last_prompt_token), tokens)
    };
    let rest: Vec<_> = unread.iter().map(continuation).collect();
    let continuations: Vec<Continuation<'_>> = rest
        .iter()
        .map(|(prefix, last, tokens)| Continuation { prefix, last_prompt_token: *last, tokens, rows: &[0] })
        .collect();
    let (values, caches) = read(decoder, &continuations, &mut NoHook)?;
    for (((part, _), values), cache) in unread.iter_mut().zip(values).zip(caches) {
        part.values.extend(values.concat());
        part.past = cache.freeze()?;
    }
    Ok(parts)
}

/// For each of sorted texts the one it branches off.
fn branches(sorted: &[&[u32]]) -> Vec<Branch> {
    let mut branches: Vec<Branch> = Vec::with_capacity(sorted.len());
    for place in 0..sorted.len() {
        let shared = match place {
            0 => 0,
            _ => sorted[place - 1].iter().zip(sorted[place]).take_while(|(a, b)| a == b).count(),
        };
        // up to the first that has the shared tokens: fewer passes
        let mut parent = place.checked_sub(1).filter(|_| shared > 0);
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
        assert_eq!(branches(&sorted), expected);
        assert_eq!(branches(&[&[3, 4], &[3, 4]])[1], Branch { parent: Some(0), shared: 2, depth: 1 });
        assert!(branches(&[]).is_empty());
    }
}

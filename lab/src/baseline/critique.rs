//! Critique, then rewrite: once without principles, or in rounds by drawn ones.

use super::desk::{Desk, Task};
use super::requests;
use super::words::{CRITIQUE, PRINCIPLES, Request};
use crate::error::Result;
use redline_model::random::Random;

/// A critique of any kind, and a rewrite.
pub(super) fn critique(desk: &mut Desk<'_>, tasks: &mut [Task<'_>]) -> Result<()> {
    round(desk, tasks, &|_| &CRITIQUE)
}

/// Rounds, each by a principle that is drawn for the row.
pub(super) fn constitutional(desk: &mut Desk<'_>, tasks: &mut [Task<'_>], n_rounds: usize) -> Result<()> {
    let seed = desk.how.seed;
    (0..n_rounds).try_for_each(|number| round(desk, tasks, &|row| principle(seed, row, number)))
}

/// The principle of a row in a round. No row has one twice.
pub(super) fn principle(seed: u64, row: usize, round: usize) -> &'static Request {
    let mut order: [usize; PRINCIPLES.len()] = std::array::from_fn(|place| place);
    Random::named(&[seed, row as u64], "principle").shuffle(&mut order);
    &PRINCIPLES[order[round % order.len()]]
}

/// A critique and a rewrite of the answers so far. Where the critique says nothing, the answer stays.
fn round(desk: &mut Desk<'_>, tasks: &mut [Task<'_>], of_row: &dyn Fn(usize) -> &'static Request) -> Result<()> {
    for task in tasks.iter_mut() {
        task.request = Some(requests::critique(of_row(task.row), &task.qac.question, &task.text));
    }
    for reply in desk.ask(tasks, 0.0)? {
        let task = &mut tasks[reply.place];
        let critique = reply.said();
        desk.counts.n_silent += usize::from(critique.is_empty());
        task.request =
            (!critique.is_empty()).then(|| requests::revision(of_row(task.row), reply.conversation, &critique));
    }
    for reply in desk.ask(tasks, 0.0)? {
        desk.rewritten(&mut tasks[reply.place], &reply);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principles_are_drawn_by_seed_and_row_without_repetition() {
        let drawn = |seed: u64, row: usize| [0, 1, 2, 3].map(|round| principle(seed, row, round).critique);
        let distinct = |all: &[&str]| all.iter().collect::<std::collections::HashSet<_>>().len();
        assert!((0..50).all(|row| distinct(&drawn(7, row)) == 4));
        assert_eq!(drawn(7, 3), drawn(7, 3));
        assert_ne!(drawn(7, 3), drawn(8, 3));
        assert_ne!(drawn(7, 3), drawn(7, 4));
        let first: Vec<&str> = (0..200).map(|row| principle(0, row, 0).critique).collect();
        assert_eq!(distinct(&first), PRINCIPLES.len(), "all of them come up");
    }
}

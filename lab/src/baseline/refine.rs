//! Self-Refine (Madaan et al. 2023): feedback on named traits with scores, a rewrite by it, and so on.
//!
//! The answer as it is, is the first attempt. Each attempt gets feedback, also the last, as the best-scored one is kept: by the sum of the
//! scores; among equals one that is said to be right; then the earlier. An attempt without a readable score comes behind all that have one.
//! A row stops when its feedback says that the answer is right or gives the top score for each trait, when there is nothing to rewrite by or
//! nothing was rewritten, and after the last attempt.

use super::desk::{Desk, Task};
use super::feedback::Feedback;
use super::requests;
use crate::error::Result;

/// Temperature of feedback, as in the paper. Rewriting is greedy.
pub(super) const FEEDBACK_TEMPERATURE: f64 = 0.7;

/// The best attempt of a row so far.
#[derive(Debug, Clone, Default)]
struct Best(Option<(Feedback, String)>);

impl Best {
    fn offer(&mut self, feedback: Feedback, text: &str) {
        // no score is less than any score
        if self.0.as_ref().is_none_or(|(most, _)| feedback > *most) {
            self.0 = Some((feedback, text.to_owned()));
        }
    }
}

/// Feedback and rewriting by turns.
pub(super) fn self_refine(desk: &mut Desk<'_>, tasks: &mut [Task<'_>], n_attempts: usize) -> Result<()> {
    let mut bests = vec![Best::default(); tasks.len()];
    for task in tasks.iter_mut() {
        task.request = Some(requests::feedback(&task.qac.question, &task.text));
    }
    for attempt in 1..=n_attempts {
        for reply in desk.ask(tasks, FEEDBACK_TEMPERATURE)? {
            let task = &mut tasks[reply.place];
            let said = reply.said();
            let feedback = Feedback::read(&said);
            desk.counts.n_silent += usize::from(said.is_empty());
            desk.counts.n_unscored += usize::from(feedback.score.is_none());
            bests[reply.place].offer(feedback, &task.text);
            let goes_on = attempt < n_attempts && !feedback.is_done() && !said.is_empty();
            task.request = goes_on.then(|| requests::refine(reply.conversation, &said));
        }
        for reply in desk.ask(tasks, 0.0)? {
            let task = &mut tasks[reply.place];
            if desk.rewritten(task, &reply) {
                task.request = Some(requests::feedback_again(reply.conversation, &task.text));
            }
        }
    }
    for (task, best) in tasks.iter_mut().zip(bests) {
        if let Some((feedback, text)) = best.0 {
            // without any score the first attempt stays, which is the answer as it was
            task.is_unread = task.is_open() && feedback.score.is_none() && !feedback.is_right;
            desk.counts.n_unread += usize::from(task.is_unread);
            task.text = text;
        }
    }
    Ok(())
}

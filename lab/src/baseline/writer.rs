//! Who writes: a language model that is asked in conversations.

use crate::error::Result;
use crate::judge::Message;
use redline_model::random::Random;

/// What a model is sent: the turns so far, of which the last is the one it answers. No turn is a system message, as some chat templates
/// know none.
pub type Conversation = Vec<Message>;

/// How replies are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WriteHow {
    /// Temperature of sampling; 0 is greedy.
    pub temperature: f64,
    /// Longest reply, in tokens.
    pub max_new_tokens: usize,
    /// Seed of sampling. No conversation is drawn by it directly, see [`WriteHow::seed_of`].
    pub seed: u64,
}

impl WriteHow {
    /// The seed by which the reply to a conversation is drawn. It depends on the seed and on what is said, never on what is written beside
    /// it, so the rows of a chunk can be any.
    pub fn seed_of(&self, conversation: &[Message]) -> u64 {
        let mut random = Random::new(&[self.seed]);
        for message in conversation {
            for text in [&message.role, &message.content] {
                random = Random::named(&[random.next_u64()], text);
            }
        }
        random.next_u64()
    }
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// The text, as it was written.
    pub text: String,
    /// Tokens written; none where a server did not say.
    pub n_tokens: Option<usize>,
    /// Tokens of the prompt.
    pub n_prompt_tokens: usize,
    /// Whether the length limit cut it.
    pub truncated: bool,
}

/// A language model that replies to conversations.
pub trait Writer {
    /// Name of the model, for messages.
    fn name(&self) -> &str;

    /// Replies to conversations, in their order. `Err` within says why one cannot be replied to, such as a prompt that is longer than the
    /// model's context. Sampling is to draw each reply by [`WriteHow::seed_of`] its conversation.
    ///
    /// # Errors
    /// Whatever ends the work for all of them.
    fn write(&mut self, asked: &[Conversation], how: &WriteHow) -> Result<Vec<std::result::Result<Written, String>>>;

    /// The same, and `keep` is handed each reply with its place as soon as it is there, in any order: what came before an error is kept.
    ///
    /// # Errors
    /// Those of [`write`](Self::write), and what `keep` says, which ends the work.
    fn write_each(&mut self, asked: &[Conversation], how: &WriteHow, keep: KeepReply<'_>) -> Result<()> {
        self.write(asked, how)?.into_iter().enumerate().try_for_each(|(place, reply)| keep(place, reply))
    }
}

/// Takes the reply to the conversation of a place.
pub type KeepReply<'a> = &'a mut dyn FnMut(usize, std::result::Result<Written, String>) -> Result<()>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_the_seed_and_all_that_is_said() {
        let how = |seed| WriteHow { temperature: 1.0, max_new_tokens: 1, seed };
        let said = [Message::user("ab"), Message::assistant("c")];
        let seeds = [
            how(1).seed_of(&said),
            how(2).seed_of(&said),
            how(1).seed_of(&said[..1]),
            how(1).seed_of(&[Message::user("a"), Message::assistant("bc")]),
            how(1).seed_of(&[Message::user("ab"), Message::user("c")]),
            how(1).seed_of(&[]),
        ];
        let distinct: std::collections::HashSet<u64> = seeds.into_iter().collect();
        assert_eq!(distinct.len(), seeds.len());
        assert_eq!(how(1).seed_of(&said), seeds[0]);
    }
}

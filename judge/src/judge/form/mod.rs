//! How a language model is asked for a verdict, and how its reply is read.
//!
//! | form | a request shows | the reply ends in | verdict |
//! |---|---|---|---|
//! | `letter` | both answers | `[[A]]`, `[[B]]` or `[[C]]` for a tie | first, second, tie |
//! | `five` | both | `[[A>>B]]`, `[[A>B]]`, `[[A=B]]`, `[[B>A]]`, `[[B>>A]]` | with two strengths |
//! | `logprob` | both | is one token, `m` or `M` | the probability of the first, from the token's log-probability |
//! | `score` | one; two requests | `[[1]]` … `[[10]]` | whose score is higher |
//!
//! The protocols are those of MT-bench (`letter`, `score`; Zheng et al. 2023), Arena-Hard (`five`) and AlpacaEval 2 (`logprob`), in words
//! of our own. Where MT-bench takes the first of A, B, C that a reply names, the last match wins here: a reply that weighs both letters
//! is no verdict for A. A reply that names none is a [`NoVerdict`], never a tie.
//!
//! Only replies are read for verdicts, never prompts: what an answer says about verdicts has no say unless the model repeats it.
//!
//! All forms are to be asked at temperature 0.

mod five;
mod letter;
mod log_prob;
mod prompt;
mod reply;
mod score;

use std::sync::LazyLock;

use redline_model::files::hash_of;
use serde_json::json;

use super::dimension::Dimension;
use super::judge::{Comparison, Shown};
use super::message::Message;
use super::order::{Order, Orders};
use super::verdict::{NoVerdict, Verdict};

pub use prompt::longest_run;
pub use reply::{Reply, TokenLogProb};

/// The form of a question to a judge and of its reply.
///
/// # Example
/// ```
/// use redline_judge::judge::{Form, NoVerdict, Reply, Verdict};
///
/// let reply = Reply::text("At first sight [[A]], but it is wrong: [[B]]");
/// assert_eq!(Form::Letter.verdict(&[reply]), Ok(Verdict::Second));
/// assert_eq!(Form::Letter.verdict(&[Reply::text("Both are fine.")]), Err(NoVerdict::NoToken));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Form {
    /// A, B or a tie.
    Letter,
    /// A or B, better or much better, or a tie.
    Five,
    /// One token with its log-probability.
    LogProb,
    /// A score for each answer alone.
    Score,
}

redline_model::named_enum! {
    "form", Form { Letter = "letter", Five = "five", LogProb = "logprob", Score = "score" }
}

/// A template's name: its form and 16 digits of the hash of its words.
static TEMPLATE_IDS: LazyLock<[String; Form::ALL.len()]> = LazyLock::new(|| Form::ALL.map(Form::hashed));

impl Form {
    /// What the answers are called in the prompt, the first and the second.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::LogProb => log_prob::NAMES,
            Self::Letter | Self::Five | Self::Score => ["A", "B"],
        }
    }

    /// How the reply must end, as the last sentences of the system message.
    fn ending(self) -> &'static str {
        match self {
            Self::Letter => letter::ENDING,
            Self::Five => five::ENDING,
            Self::LogProb => log_prob::ENDING,
            Self::Score => score::ENDING,
        }
    }

    /// What a model is to be sent: a conversation a request, one for the forms that show both answers, two for `score`, the first answer's first.
    pub fn requests(self, comparison: &Comparison<'_>) -> Vec<Vec<Message>> {
        let Comparison { question, first, second, dimension, reference, .. } = *comparison;
        let [a, b] = self.names();
        let system = |is_single| Message::system(prompt::system(dimension, self.names(), is_single, self.ending()));
        let user = |answers: &[(&str, &str)]| Message::user(prompt::user(question, reference, answers));
        match self {
            Self::Letter | Self::Five | Self::LogProb => {
                vec![vec![system(false), user(&[(a, first.output), (b, second.output)])]]
            }
            Self::Score => [first, second].map(|shown| vec![system(true), user(&[("", shown.output)])]).to_vec(),
        }
    }

    /// What the replies to the [`requests`](Self::requests) say, in the same order.
    ///
    /// # Errors
    /// [`NoVerdict`] where they name none; also where there are fewer replies than requests.
    pub fn verdict(self, replies: &[Reply]) -> Result<Verdict, NoVerdict> {
        match (self, replies) {
            (Self::Letter, [reply]) => letter::verdict(reply.said()?),
            (Self::Five, [reply]) => five::verdict(reply.said()?),
            (Self::LogProb, [reply]) => log_prob::verdict(&reply.first_token),
            (Self::Score, [first, second]) => score::verdict(first.said()?, second.said()?),
            _ => Err(NoVerdict::NoReply),
        }
    }

    /// The replies as a record keeps them: the text; for `score` a JSON array of both; for `logprob` a JSON object of the likeliest tokens.
    pub fn raw(self, replies: &[Reply]) -> String {
        match (self, replies) {
            (Self::LogProb, [reply]) => log_prob::raw(&reply.first_token),
            (_, [reply]) => reply.text.clone(),
            _ => json!(replies.iter().map(|reply| &reply.text).collect::<Vec<_>>()).to_string(),
        }
    }

    /// How many of the likeliest tokens the reply must state at its first place; none where the text is enough.
    pub fn n_top_log_probs(self) -> Option<usize> {
        (self == Self::LogProb).then_some(log_prob::N_TOP)
    }

    /// Tokens that a reply may have. A model that reasons first needs more.
    pub fn max_new_tokens(self) -> usize {
        match self {
            Self::LogProb => 1,
            Self::Letter | Self::Five | Self::Score => 1024,
        }
    }

    /// In which orders a pair is shown: `logprob` in one that is drawn, as AlpacaEval does; `score` needs no order.
    pub fn orders(self) -> Orders {
        match self {
            Self::Letter | Self::Five => Orders::Both,
            Self::LogProb => Orders::Drawn,
            Self::Score => Orders::AsGiven,
        }
    }

    /// The name of its fixed words, such as `letter-0123456789abcdef`, for keys: with other words, or another definition of a dimension,
    /// it is another one.
    pub fn template_id(self) -> &'static str {
        let place = Self::ALL.iter().position(|form| *form == self).unwrap_or_default();
        &TEMPLATE_IDS[place]
    }

    /// The form whose template this is; none for the words of another version, and for instruments that are no models.
    pub fn of_template(template: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.template_id() == template)
    }

    fn hashed(self) -> String {
        let shown = |output| Shown { system: "", output };
        let words = Dimension::ALL.map(|dimension| {
            [None, Some("{reference}")].map(|reference| {
                let (first, second, order) = (shown("{first}"), shown("{second}"), Order::Ab);
                let question = "{question}";
                self.requests(&Comparison { row: 0, question, first, second, order, dimension, reference })
            })
        });
        format!("{self}-{}", &hash_of(json!(words).to_string().as_bytes())[..16])
    }
}

#[cfg(test)]
mod tests;

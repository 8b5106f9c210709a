//! A model behind a server as a writer: what it replies to conversations.

use std::fmt;
use std::sync::Arc;

use redline_lab::Result;
use redline_lab::baseline::{Conversation, KeepReply, WriteHow, Writer, Written};
use redline_lab::judge::Reply;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use super::super::upstream_error::UpstreamError;
use super::asker::{Asker, How};
use super::options::JudgeOptions;
use super::refusal::{ServerJudgeError, is_about_comparison};
use super::said::Said;
use super::tally::{Account, Spent};
use super::{Check, Connection, LOOK_EVERY, Note, name};

/// A model behind an OpenAI-compatible server that replies to conversations, several at a time, each sent again while that may help.
///
/// A request that the server refuses, or declines in words, has no reply and says why; one that it does not get to ends the work, as the next
/// ones would fail as well.
pub struct ServerWriter {
    name: String,
    asker: Arc<Asker>,
    n_workers: usize,
    check: Check,
    note: Note,
    runtime: Runtime,
}

impl ServerWriter {
    /// A writer: the model of this name at the server whose base URL is `url`. It is called `URL#model`.
    ///
    /// # Errors
    /// As [`ServerJudge::new`](super::ServerJudge::new).
    pub fn new(url: &str, model: &str, key: Option<&str>, options: JudgeOptions) -> Result<Self> {
        let n_workers = options.n_workers;
        let (url, model, id) = name(url, model, key)?;
        let made = Connection::new(url, model, id, key, options).map_err(|error| error.of_writer(model));
        let Connection { id, asker, runtime } = made?;
        Ok(Self { name: id, asker, n_workers, check: Box::new(|| Ok(())), note: Box::new(|_| ()), runtime })
    }

    /// Tells `note` what people should know, such as that the server wants to be asked later, and when.
    #[must_use]
    pub fn with_notes(self, note: impl FnMut(&str) + Send + 'static) -> Self {
        Self { note: Box::new(note), ..self }
    }

    /// Asks `check` after each reply and at least every 200 ms; its error ends the work.
    #[must_use]
    pub fn with_check(self, check: impl FnMut() -> redline_lab::judge::Result<()> + Send + 'static) -> Self {
        Self { check: Box::new(check), ..self }
    }

    /// What was asked so far, and what it cost.
    pub fn account(&self) -> Account {
        self.asker.account()
    }
}

impl Writer for ServerWriter {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, asked: &[Conversation], how: &WriteHow) -> Result<Vec<std::result::Result<Written, String>>> {
        let mut replies: Vec<Option<std::result::Result<Written, String>>> = vec![None; asked.len()];
        self.write_each(asked, how, &mut |place, reply| {
            replies[place] = Some(reply);
            Ok(())
        })?;
        Ok(replies.into_iter().flatten().collect())
    }

    fn write_each(&mut self, asked: &[Conversation], how: &WriteHow, keep: KeepReply<'_>) -> Result<()> {
        let Self { name, asker, n_workers, check, note, runtime } = self;
        let ended = |error: ServerJudgeError| error.of_writer(name);
        runtime.block_on(async {
            let mut open = asked.iter().enumerate();
            let mut tasks = JoinSet::new();
            loop {
                while tasks.len() < *n_workers
                    && let Some((place, conversation)) = open.next()
                {
                    let (asker, messages) = (asker.clone(), conversation.clone());
                    let how = How {
                        temperature: how.temperature,
                        // servers hold seeds in 32 or 64 bits, with or without a sign
                        seed: (how.temperature > 0.0).then(|| how.seed_of(conversation) >> 33),
                        max_new_tokens: how.max_new_tokens,
                        n_top_log_probs: None,
                    };
                    tasks.spawn(async move {
                        let mut spent = Spent::default();
                        (place, asker.said(&messages, &how, &mut spent).await)
                    });
                }
                match tokio::time::timeout(LOOK_EVERY, tasks.join_next()).await {
                    Ok(None) => break,
                    Ok(Some(Ok((place, said)))) => {
                        let reply = written(said).map_err(|error| ended(error.into()))?;
                        // a server may echo the key
                        let hidden = |reply: Written| Written { text: asker.hide(&reply.text), ..reply };
                        keep(place, reply.map(hidden).map_err(|why| asker.hide(&why)))?;
                    }
                    Ok(Some(Err(source))) => return Err(ended(ServerJudgeError::Panicked { source })),
                    Err(_) => {}
                }
                asker.waits().iter().for_each(|text| note(text));
                check()?;
            }
            Ok(())
        })
    }
}

/// What came of a request, or the error that ends the work.
fn written(
    said: std::result::Result<Said, UpstreamError>,
) -> std::result::Result<std::result::Result<Written, String>, UpstreamError> {
    match said {
        Ok(Said { is_declined: true, reply: Reply { text, .. }, .. }) => Ok(Err(format!("it declined: {text}"))),
        Ok(Said { reply, is_cut, tokens, .. }) => {
            let [n_prompt_tokens, n_tokens] = tokens.unwrap_or_default().map(|n| n as usize);
            let n_tokens = tokens.map(|_| n_tokens);
            Ok(Ok(Written { text: reply.text, n_tokens, n_prompt_tokens, truncated: is_cut }))
        }
        Err(error) if is_about_comparison(&error) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for ServerWriter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ServerWriter");
        shown.field("name", &self.name).field("options", self.asker.options());
        shown.finish_non_exhaustive()
    }
}

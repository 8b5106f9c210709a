//! A judge behind an OpenAI-compatible server: several requests at a time, each asked again while that may help.
//!
//! What comes of a comparison:
//!
//! | the server | the comparison | the run |
//! |---|---|---|
//! | replies | is judged, whatever the reply says | goes on |
//! | refuses this request (400, 403, 413, 422, 500), or replies in no form that is known | has no verdict, [`NoReply`] | ends after 3 in a row while nothing was judged yet, else after 20 |
//! | declines in words, or by a filter | has no verdict, [`NoAnswer`] | goes on |
//! | wants a key, is not there, has no time or no such model, after all attempts | stays open, and is not reported | ends after 3 in a row, else when all others are judged |
//!
//! What stays open is no judgement: a log that kept it as one would never ask again. A request that was refused is reported only once
//! another one was judged, or at the end: until then the settings may be at fault, and the log would hold the fault for ever.
//!
//! The key goes into a header and nowhere else: not into names, records, errors, or what `{:?}` shows.
//!
//! [`NoReply`]: redline_lab::judge::NoVerdict::NoReply
//! [`NoAnswer`]: redline_lab::judge::NoVerdict::NoAnswer

mod asker;
mod options;
mod pace;
mod refusal;
mod run;
mod said;
mod tally;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redline_lab::judge::{Comparison, Form, Judge, JudgeError, JudgeObserver, Judged, Orders, Result, check_id};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::asker::Asker;
use self::run::Run;

pub use self::options::{JudgeOptions, Prices};
pub use self::refusal::ServerJudgeError;
pub use self::tally::Account;
pub use self::writer::ServerWriter;

/// How often work that waits looks whether it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Keys from this length on may stand in no name; shorter ones are words such as `none`, for servers that need no key.
const SHORTEST_KEY: usize = 16;

/// Told what people should know.
type Note = Box<dyn FnMut(&str) + Send>;

/// Asked now and then whether the work shall go on.
type Check = Box<dyn FnMut() -> Result<()> + Send>;

/// A model behind an OpenAI-compatible server that says which of two outputs is better.
///
/// # Example
/// ```
/// use redline_lab::judge::{Form, Judge};
/// use redline_serve::{JudgeOptions, ServerJudge};
///
/// # fn main() -> redline_lab::judge::Result<()> {
/// let options = JudgeOptions { n_workers: 8, ..JudgeOptions::default() };
/// let judge = ServerJudge::new("http://localhost:8000/v1/", "judge-7b", Form::Letter, None, options)?;
/// assert_eq!(judge.id(), "http://localhost:8000/v1#judge-7b");
/// # Ok(())
/// # }
/// ```
pub struct ServerJudge {
    id: String,
    asker: Arc<Asker>,
    form: Form,
    n_workers: usize,
    check: Check,
    runtime: Runtime,
}

/// A model behind a server, ready to be asked.
struct Connection {
    /// `URL#model`.
    id: String,
    asker: Arc<Asker>,
    runtime: Runtime,
}

impl Connection {
    /// Of a model by its name, without spaces around it; `id` has passed [`name`].
    fn new(
        url: &str,
        model: &str,
        id: String,
        key: Option<&str>,
        options: JudgeOptions,
    ) -> std::result::Result<Self, ServerJudgeError> {
        options.check(model)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|source| ServerJudgeError::Threads { source })?;
        let asker = Asker::new(url, model, key, options)?;
        Ok(Self { id, asker: Arc::new(asker), runtime })
    }
}

/// URL and model without what may stand around them, and the name of both, which may hold no secret.
fn name<'a>(url: &'a str, model: &'a str, key: Option<&str>) -> Result<(&'a str, &'a str, String)> {
    let (url, model) = (url.trim().trim_end_matches('/'), model.trim());
    let id = format!("{url}#{model}");
    check_id(&id)?;
    match key.is_some_and(|key| key.len() >= SHORTEST_KEY && id.contains(key)) {
        true => Err(JudgeError::JudgeId { rule: "must not hold the key" }),
        false => Ok((url, model, id)),
    }
}

impl ServerJudge {
    /// A judge that is asked in a form: the model of this name at the server whose base URL is `url`, with `/v1` where the server has
    /// it there. It is called `URL#model`.
    ///
    /// # Errors
    /// [`JudgeError::JudgeId`] for a URL with a user, password or query in it, and for a key in URL or model; [`JudgeError::Failed`]
    /// with a [`ServerJudgeError`] for options that break a rule, and what [`Upstream::new`](super::Upstream::new) refuses.
    pub fn new(url: &str, model: &str, form: Form, key: Option<&str>, options: JudgeOptions) -> Result<Self> {
        let n_workers = options.n_workers;
        let (url, model, id) = name(url, model, key)?;
        // an address that is none may hold anything, so the model alone is named
        let made = Connection::new(url, model, id, key, options).map_err(|error| error.of(model));
        let Connection { id, asker, runtime } = made?;
        Ok(Self { id, asker, form, n_workers, check: Box::new(|| Ok(())), runtime })
    }

    /// Asks `check`, on the thread that judges, after each judgement and at least every 200 ms; its error ends the work.
    #[must_use]
    pub fn with_check(self, check: impl FnMut() -> Result<()> + Send + 'static) -> Self {
        Self { check: Box::new(check), ..self }
    }

    /// The form of its questions.
    pub fn form(&self) -> Form {
        self.form
    }

    /// What was asked so far, and what it cost.
    pub fn account(&self) -> Account {
        self.asker.account()
    }
}

impl Judge for ServerJudge {
    fn id(&self) -> &str {
        &self.id
    }

    fn template(&self) -> &str {
        self.form().template_id()
    }

    fn orders(&self) -> Orders {
        self.form().orders()
    }

    /// # Errors
    /// What the observer and the [check](ServerJudge::with_check) say, which ends what is being asked; [`JudgeError::Failed`] with a
    /// [`ServerJudgeError`] where comparisons stay open.
    ///
    /// # Panics
    /// Within another runtime of tokio.
    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        let Self { id, asker, form, n_workers, check, runtime } = self;
        let mut run = Run::new(id, comparisons.len(), observer);
        runtime.block_on(async {
            let mut open = comparisons.iter().enumerate();
            let mut tasks = JoinSet::new();
            loop {
                // texts are copied for what is being asked, not for all
                while tasks.len() < *n_workers
                    && let Some((index, comparison)) = open.next()
                {
                    let (asker, form, requests) = (asker.clone(), *form, form.requests(comparison));
                    tasks.spawn(async move { (index, asker.ask(form, &requests).await) });
                }
                match tokio::time::timeout(LOOK_EVERY, tasks.join_next()).await {
                    Ok(None) => return run.finish(),
                    Ok(Some(Ok((index, outcome)))) => run.take(index, outcome)?,
                    Ok(Some(Err(source))) => return Err(ServerJudgeError::Panicked { source }.of(run.judge())),
                    Err(_) => {}
                }
                asker.waits().iter().for_each(|note| run.note(note));
                // an error here or above drops the tasks, which ends them
                check()?;
            }
        })
    }
}

impl fmt::Debug for ServerJudge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("ServerJudge");
        shown.field("id", &self.id).field("form", &self.form()).field("options", self.asker.options());
        shown.finish_non_exhaustive()
    }
}

//! Who judges: models behind an address, files of judgements, and instruments of this program, all by one trait.

use super::Result;
use super::dimension::Dimension;
use super::error::JudgeError;
use super::key::key;
use super::order::{Order, Orders};
use super::verdict::{NoVerdict, Verdict};

/// An output as a judge is shown it; the name of its system is for records, and no prompt holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shown<'a> {
    /// Who wrote it, with the coefficient where there is one: `aligner@0.5`.
    pub system: &'a str,
    /// The text.
    pub output: &'a str,
}

/// What a judge is asked: which of two outputs is better, in one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comparison<'a> {
    /// The row that both outputs answer: instruments that know more of it than the texts find it by this.
    pub row: usize,
    /// The question of the row.
    pub question: &'a str,
    /// The output shown first.
    pub first: Shown<'a>,
    /// The output shown second.
    pub second: Shown<'a>,
    /// Which of the pair's outputs is the first.
    pub order: Order,
    /// By what they are compared.
    pub dimension: Dimension,
    /// A right answer, which the judge is shown as such.
    pub reference: Option<&'a str>,
}

/// What a judge said about a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The verdict, or why there is none.
    pub verdict: std::result::Result<Verdict, NoVerdict>,
    /// What the judge wrote; empty for an instrument that writes nothing.
    pub raw: String,
    /// Seconds that it took.
    pub seconds: f64,
    /// What it cost, in the currency of the price list; none where no price is known.
    pub cost: Option<f64>,
    /// Whether it was read from a file: seconds and cost are those of then.
    pub is_recorded: bool,
}

impl Judged {
    /// What an instrument of this program found: no words, no cost.
    pub fn local(verdict: std::result::Result<Verdict, NoVerdict>, seconds: f64) -> Self {
        Self { verdict, raw: String::new(), seconds, cost: Some(0.0), is_recorded: false }
    }

    /// The probability that the first is better, where the verdict is soft.
    pub fn p(&self) -> Option<f64> {
        match self.verdict {
            Ok(Verdict::Soft(p)) => Some(p),
            _ => None,
        }
    }
}

/// Hears of judgements as they come. `()` hears nothing.
pub trait JudgeObserver {
    /// The comparison at `index` of those asked was judged. An error ends the work; what was reported before stays.
    ///
    /// # Errors
    /// Whatever shall end the work: a log that cannot be written, the user's wish.
    fn judged(&mut self, index: usize, judged: &Judged) -> Result<()>;

    /// Something that people should know.
    fn note(&mut self, text: &str);
}

impl JudgeObserver for () {
    fn judged(&mut self, _: usize, _: &Judged) -> Result<()> {
        Ok(())
    }

    fn note(&mut self, _: &str) {}
}

/// Says which of two outputs is better.
pub trait Judge {
    /// Who it is, as records and keys name it: the model and the address, never a secret ([`check_id`]).
    fn id(&self) -> &str;

    /// What else its verdict depends on beside the texts: [`Form::template_id`](super::Form::template_id), or the hash of the rows, weights or
    /// rules that an instrument judges by. Judgements of another template are other judgements.
    fn template(&self) -> &str;

    /// In which orders it wants to be asked. An instrument that looks at each output alone is asked once.
    fn orders(&self) -> Orders {
        Orders::Both
    }

    /// Judges comparisons. Each is reported to the observer once, in any order, as soon as it is judged; all are returned in the order of the
    /// comparisons. A comparison without a verdict is no error, but a [`Judged`] that says so.
    ///
    /// # Errors
    /// [`JudgeError::Failed`] where no further comparison can be judged, and what the observer says.
    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>>;
}

impl<J: Judge + ?Sized> Judge for Box<J> {
    fn id(&self) -> &str {
        (**self).id()
    }

    fn template(&self) -> &str {
        (**self).template()
    }

    fn orders(&self) -> Orders {
        (**self).orders()
    }

    fn judge(&mut self, comparisons: &[Comparison<'_>], observer: &mut dyn JudgeObserver) -> Result<Vec<Judged>> {
        (**self).judge(comparisons, observer)
    }
}

/// The keys of comparisons under a judge.
pub(super) fn keys(judge: &str, template: &str, comparisons: &[Comparison<'_>]) -> Vec<String> {
    comparisons.iter().map(|comparison| key(judge, template, comparison)).collect()
}

/// Refuses the name of a judge that is empty, has a character that is none to read, or an address with a user, a password or a query in it:
/// names go into every record.
///
/// # Errors
/// [`JudgeError::JudgeId`], which does not repeat the name.
///
/// # Example
/// ```
/// use redline_judge::judge::check_id;
///
/// assert!(check_id("http://localhost:8000/v1#judge-7b").is_ok());
/// assert!(check_id("https://user:word@example.org/v1#judge-7b").is_err());
/// ```
pub fn check_id(id: &str) -> Result<()> {
    let refuse = |rule| Err(JudgeError::JudgeId { rule });
    if id.trim().is_empty() {
        return refuse("must not be empty");
    }
    if id.chars().any(char::is_control) {
        return refuse("must not hold line breaks or other control characters");
    }
    let Some((_, address)) = id.split_once("://") else { return Ok(()) };
    // the model behind `#` may hold any of these
    let address = address.split('#').next().unwrap_or_default();
    if address.split('/').next().is_some_and(|host| host.contains('@')) {
        return refuse("must not hold a user or a password");
    }
    match address.contains('?') {
        true => refuse("must not hold a query, which may be a key"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_secrets_are_refused_and_not_repeated() {
        for id in ["", " ", "a\nb", "https://me:secret@host/v1#m", "https://secret@host#m", "http://h/v1?key=secret#m"]
        {
            let error = check_id(id).unwrap_err();
            assert!(matches!(error, JudgeError::JudgeId { .. }));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        for id in ["flaws", "gpt-4o", "http://localhost:1/v1#org/model@rev?x", "reward=DIR"] {
            assert!(check_id(id).is_ok(), "{id}");
        }
    }
}

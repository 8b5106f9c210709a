//! Is this answer of the kind that this Aligner knows?
//!
//! An Aligner mostly copies, and it can copy what it knows. So an answer is put behind its own prompt, as if the Aligner had
//! left it unchanged, and each of its tokens has a cost: −log p, in nats. The first figure is the upper quartile of these costs: flaws
//! that the Aligner means to mend are dear, but they are fewer than a quarter of the tokens. On text of its kind three quarters cost
//! next to nothing; elsewhere copying itself fails. The second figure is the number of tokens: an Aligner that copies well still goes
//! wrong now and then, and learnt when to end from answers of some length. The third is the number of letters per token: text in
//! another language, code and rare names are spelt in pieces by a tokenizer that was learnt from other texts. The limits are those that
//! nearly all answers of a calibration keep ([`calibrate`]).
//!
//! Nothing here says whether an answer is right, nor whether a correction of it will be: `docs/when-steering-fails.md` has the
//! numbers of where it predicts harm and where it does not.

mod calibrate;
mod copy_cost;
mod file;
mod letters;
mod share;

use redline_model::{Decoder, SharedPrefix, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::aligner::Aligner;
use crate::embedded;
use crate::error::{Error, Result};

pub use calibrate::{LEAST_ROWS, PASSES, calibrate, limit_of};
pub use copy_cost::{JUDGED_TOKENS, LEAST_TOKENS, upper_quartile};
pub use share::{Kept, KeptByDomain};

/// Value of the `schema` key.
pub const SCHEMA: &str = "redline.domain.v1";

/// What is done with an answer outside of what an Aligner knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outside {
    /// It is corrected, and marked.
    #[default]
    Warn,
    /// It is left as it is, and marked.
    Copy,
    /// It is corrected; nothing is checked.
    Correct,
}

redline_model::named_enum! {
    "treatment of answers outside of the domain", Outside { Warn = "warn", Copy = "copy", Correct = "correct" }
}

/// What an Aligner knows: the limits of three figures, and where they come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// [`SCHEMA`].
    pub schema: String,
    /// Fingerprint of the model.
    pub model: String,
    /// Text of the template that it was prompted with.
    pub template: String,
    /// Highest cost of an answer inside: the upper quartile over its tokens, in nats.
    pub most_cost: f64,
    /// Most tokens of an answer inside.
    pub most_tokens: usize,
    /// Fewest letters per token of an answer inside; 0 in files of older versions, which had no such limit.
    #[serde(default)]
    pub least_letters_per_token: f64,
    /// Share of new answers of the same kind that keep all limits, by expectation, at least.
    pub passes: f64,
    /// Answers of the calibration.
    pub n_rows: usize,
    /// Program and version that wrote it.
    pub made_with: String,
}

/// How an answer stands to a domain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Upper quartile of what its tokens cost as a copy, in nats.
    pub cost: f64,
    /// The cost up to which an answer counts as inside.
    pub most_cost: f64,
    /// Tokens of the answer.
    pub tokens: usize,
    /// The number of tokens up to which an answer counts as inside.
    pub most_tokens: usize,
    /// Letters per token that holds some; none of an answer without letters.
    pub letters_per_token: Option<f64>,
    /// The number of them from which on an answer counts as inside.
    pub least_letters_per_token: f64,
    /// Whether it is outside.
    pub outside: bool,
    /// Whether it was therefore left as it is.
    pub copied: bool,
}

/// An answer to judge.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Of the Aligner.
    pub tokenizer: &'a Tokenizer,
    /// The tokens of the answer's own prompt.
    pub prompt: &'a [u32],
    /// The tokens of the answer.
    pub answer: &'a [u32],
}

/// What is known of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Upper quartile of what its tokens cost as a copy, in nats.
    pub cost: f64,
    /// Tokens.
    pub tokens: usize,
    /// Letters per token that holds some; none of an answer without letters.
    pub letters_per_token: Option<f64>,
}

/// An answer that was judged; what was read for it serves to write its correction too.
pub struct Judged {
    /// How it stands.
    pub standing: Standing,
    /// All of the prompt but its last token, read without any steering.
    pub prefix: SharedPrefix,
}

impl Domain {
    /// What is known of an Aligner of the project; `None` of others, and where it is prompted by another template.
    ///
    /// # Errors
    /// None that a program whose tests pass can meet.
    pub fn built_in(aligner: &Aligner) -> Result<Option<Self>> {
        for text in embedded::DOMAINS {
            let domain = Self::parse("the built-in Aligner", text)?;
            if domain.check_aligner("the built-in Aligner", aligner).is_ok() {
                return Ok(Some(domain));
            }
        }
        Ok(None)
    }

    /// What is known of an Aligner: as given, which must be of this Aligner; else what its profile says, where that is of this
    /// Aligner; else [`Domain::built_in`]. Nothing where nothing is checked.
    ///
    /// # Errors
    /// A given domain of another Aligner, or answers that shall be left as they are where nothing is known.
    pub fn of(
        aligner: &Aligner,
        given: Option<&Self>,
        profile: Option<&Self>,
        outside: Outside,
    ) -> Result<Option<Self>> {
        if outside == Outside::Correct {
            return Ok(None);
        }
        if let Some(given) = given {
            given.check_aligner("--domain", aligner)?;
            return Ok(Some(given.clone()));
        }
        let profile = profile.filter(|domain| domain.check_aligner("the profile", aligner).is_ok());
        let known = profile.map_or_else(|| Self::built_in(aligner), |domain| Ok(Some(domain.clone())))?;
        match (known, outside) {
            (None, Outside::Copy) => Err(Error::option(
                "--outside copy: nothing tells what answers this Aligner knows",
                "calibrate it: redline check MODEL --data ROWS --domain-out FILE, then give --domain FILE",
            )),
            (known, _) => Ok(known),
        }
    }

    /// Refuses an Aligner of other weights, or prompted by another template: its figures have another scale.
    ///
    /// # Errors
    /// Which of the two differs; `origin` says where this was read.
    pub fn check_aligner(&self, origin: &str, aligner: &Aligner) -> Result<()> {
        let other = match () {
            () if self.model != aligner.model.fingerprint => "other weights",
            () if self.template != aligner.template.source() => "another template",
            () => return Ok(()),
        };
        Err(Error::option(
            format!("{origin}: the domain was calibrated with {other}"),
            "calibrate again: redline check MODEL --data ROWS --domain-out FILE",
        ))
    }

    /// Judges an answer by the tokens of its prompt and its own. `None` where it is too short to tell.
    ///
    /// # Errors
    /// No room in the model's context, or a pass fails.
    pub fn judge(&self, decoder: &Decoder, asked: &Asked<'_>, outside: Outside) -> Result<Option<Judged>> {
        self.judge_read(decoder, asked, outside, None)
    }

    /// [`Domain::judge`] where all of the prompt but its last token may have been read before, unsteered.
    ///
    /// # Errors
    /// As [`Domain::judge`].
    pub fn judge_read(
        &self,
        decoder: &Decoder,
        asked: &Asked<'_>,
        outside: Outside,
        read: Option<SharedPrefix>,
    ) -> Result<Option<Judged>> {
        let Some((cost, prefix)) = copy_cost::copy_cost(decoder, asked.prompt, asked.answer, read)? else {
            return Ok(None);
        };
        let letters_per_token = letters::letters_per_token(asked.tokenizer, asked.answer);
        let figures = Figures { cost, tokens: asked.answer.len(), letters_per_token };
        Ok(Some(Judged { standing: self.standing(figures, outside), prefix }))
    }

    /// [`Domain::judge`] of an answer as text; `prompt` is its own.
    ///
    /// # Errors
    /// As [`Domain::judge`], or the model came without a tokenizer.
    pub fn judge_text(
        &self,
        aligner: &Aligner,
        prompt: &[u32],
        answer: &str,
        outside: Outside,
    ) -> Result<Option<Judged>> {
        let tokenizer = aligner.tokenizer()?;
        let answer = tokenizer.encode_text(answer.trim())?;
        self.judge(&aligner.model.decoder, &Asked { tokenizer, prompt, answer: &answer }, outside)
    }

    /// How figures stand.
    pub fn standing(&self, figures: Figures, outside: Outside) -> Standing {
        let Self { most_cost, most_tokens, least_letters_per_token, .. } = *self;
        let Figures { cost, tokens, letters_per_token } = figures;
        let is_spelt = letters_per_token.is_some_and(|letters| letters < least_letters_per_token);
        let is_outside = cost > most_cost || tokens > most_tokens || is_spelt;
        let copied = is_outside && outside == Outside::Copy;
        Standing {
            cost,
            most_cost,
            tokens,
            most_tokens,
            letters_per_token,
            least_letters_per_token,
            outside: is_outside,
            copied,
        }
    }

    /// The limits, for people.
    pub fn in_words(&self) -> String {
        let Self { most_cost, most_tokens, least_letters_per_token, .. } = self;
        let letters = match *least_letters_per_token > 0.0 {
            true => format!(", at least {least_letters_per_token:.2} letters a token"),
            false => String::new(),
        };
        format!("at most {most_cost:.4} nats and {most_tokens} tokens{letters}")
    }
}

impl Standing {
    /// The one of two that stands farther outside; of an answer in parts.
    pub fn worse(self, other: Self) -> Self {
        let worse = if other.excess() > self.excess() { other } else { self };
        Self { copied: self.copied || other.copied, ..worse }
    }

    /// The largest figure as a multiple of its limit; above 1 outside.
    fn excess(&self) -> f64 {
        let cost = self.cost / self.most_cost.max(f64::MIN_POSITIVE);
        let length = self.tokens as f64 / self.most_tokens.max(1) as f64;
        let spelling = self.letters_per_token.map_or(0.0, |letters| self.least_letters_per_token / letters);
        cost.max(length).max(spelling)
    }

    /// The figures beyond their limits, for messages.
    pub fn in_words(&self) -> String {
        let Self { cost, most_cost, tokens, most_tokens, least_letters_per_token: least, .. } = self;
        let dear = format!("copying it costs {cost:.3} nats a token (upper quartile; the limit is {most_cost:.3})");
        let long = format!("it has {tokens} tokens (the limit is {most_tokens})");
        let spelt = self.letters_per_token.filter(|letters| letters < least);
        let spelt = spelt
            .map(|letters| format!("its words fall into tokens of {letters:.2} letters (the limit is {least:.2})"));
        let beyond: Vec<String> = (cost > most_cost)
            .then_some(dear.clone())
            .into_iter()
            .chain((tokens > most_tokens).then_some(long))
            .chain(spelt)
            .collect();
        if beyond.is_empty() { dear } else { beyond.join(", and ") }
    }
}

#[cfg(test)]
mod tests;

//! From questions and answers to what an Aligner writes: prompt, draft, injection, tokens, text.

use std::ops::ControlFlow;

use redline_model::generate::{
    Beam, BeamOptions, Beams, CopyBias, Drafting, Finish, GenerateOptions, Generated, Prompt, beam_search, generate,
};
use redline_model::sampling::SamplingOptions;
use redline_model::{Decoder, Hook, NoHook};
use redline_steer::{Inject, Operator, TokenRange};

use crate::aligner::Aligner;
use crate::domain::{Domain, Judged, Outside, Standing};
use crate::error::{Error, Result};
use crate::policy::ReadPolicy;
use crate::steering::MoreVectors;

/// A question and the answer that is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Number of the row: it chooses the random numbers of sampling, whatever is written beside it.
    pub row: usize,
    /// The question.
    pub question: &'a str,
    /// The answer.
    pub answer: &'a str,
}

/// How corrections are written.
#[derive(Debug, Clone, PartialEq)]
pub struct WriteOptions {
    /// Longest output, in tokens.
    pub max_new_tokens: usize,
    /// How tokens are chosen; greedy by default.
    pub sampling: SamplingOptions,
    /// Outputs searched side by side, the likeliest of which by the mean of its log-probabilities is taken; 1 is no search.
    pub n_beams: usize,
    /// Whether the answer is the draft of its correction, where few rows are written together. The output is the same, copies come faster.
    pub drafts: bool,
    /// What the Aligner knows, where answers are checked against it.
    pub domain: Option<Domain>,
    /// What is done with answers outside of that.
    pub outside: Outside,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 256,
            sampling: SamplingOptions::default(),
            n_beams: 1,
            drafts: true,
            domain: None,
            outside: Outside::default(),
        }
    }
}

/// Vectors that are injected while rows are written, each row by the same terms.
pub struct Injection {
    /// The hook.
    pub inject: Inject,
    /// Positions that are steered.
    pub range: TokenRange,
    /// How the vectors meet activations.
    pub operator: Operator,
    /// Strength of the first vector.
    pub coefficient: f32,
    /// Chooses another one for each request.
    pub policy: Option<ReadPolicy>,
    /// Nats that a unit of coefficient takes from the logit of the answer's next token.
    pub copy_bias: f32,
    /// The strengths of the others.
    pub more: MoreVectors,
}

impl Injection {
    /// The coefficient of a prompt.
    fn coefficient_of(&self, aligner: &Aligner, prompt: &[u32]) -> Result<f32> {
        let by_policy = |policy: &ReadPolicy| policy.coefficient(&aligner.model.decoder, prompt);
        self.policy.as_ref().map_or(Ok(self.coefficient), by_policy)
    }
}

/// What was written for a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrote {
    /// Token ids of the prompt.
    pub prompt: Vec<u32>,
    /// Token ids of the output.
    pub tokens: Vec<u32>,
    /// The output as text, without white space at its ends.
    pub text: String,
    /// Whether the length limit cut it.
    pub truncated: bool,
    /// Tokens computed for it, those of other beams among them.
    pub n_tokens: usize,
    /// What drafting did.
    pub drafting: Drafting,
    /// How the answer stands to what the Aligner knows, where that was checked.
    pub standing: Option<Standing>,
    /// The coefficient it was steered by; 0 where nothing steered.
    pub coefficient: f32,
}

/// Watches tokens as they are chosen: the row and the token; breaking ends the writing.
pub type OnToken<'a> = &'a mut dyn FnMut(usize, u32) -> redline_model::Result<ControlFlow<()>>;

/// Writes the corrections of rows together. A row whose prompt leaves no room has its own error; `origin` says in it where texts come from.
///
/// # Errors
/// The model came without a tokenizer, a pass fails, or whatever `on_token` returns.
pub fn write(
    aligner: &Aligner,
    asked: &[Asked<'_>],
    options: &WriteOptions,
    injection: Option<&mut Injection>,
    origin: &dyn Fn(usize) -> String,
    on_token: OnToken<'_>,
) -> Result<Vec<std::result::Result<Wrote, Error>>> {
    let mut injection = injection;
    let tokenizer = aligner.tokenizer()?;
    let (mut outcomes, mut places, mut prompts) = (Vec::with_capacity(asked.len()), Vec::new(), Vec::new());
    for one in asked {
        let texts = [one.question, one.answer];
        let tokens = match aligner.prompt_with_room(texts, options.max_new_tokens, &origin(one.row)) {
            Ok(tokens) => tokens,
            Err(error) => {
                outcomes.push(Some(Err(error)));
                continue;
            }
        };
        let judged = judge(aligner, one, &tokens, options)?;
        let standing = judged.as_ref().map(|judged| judged.standing);
        if standing.is_some_and(|standing| standing.copied) {
            outcomes.push(Some(Ok(Wrote::copy(one, tokens, standing))));
            continue;
        }
        let chosen = injection.as_deref().map(|by| by.coefficient_of(aligner, &tokens)).transpose()?;
        let coefficient = chosen.unwrap_or_default();
        if let Some(by) = &mut injection {
            for term in by.more.terms(by.operator, coefficient, tokens.len()) {
                by.inject.also_steer(one.row, term)?;
            }
        }
        let draft = if options.drafts { aligner.draft(one.answer, asked.len())? } else { Vec::new() };
        // a gate counts what it sees of the prompt, so that the prompt is read again for it
        let is_shared = injection.as_ref().is_none_or(|by| by.range.leaves_prompt() && by.more.gate.is_none());
        let prefix = judged.map(|judged| judged.prefix).filter(|_| is_shared);
        places.push((outcomes.len(), standing, coefficient));
        outcomes.push(None);
        let copy_bias = match &injection {
            Some(by) if by.copy_bias != 0.0 => {
                CopyBias::at(&tokenizer.encode_text(one.answer.trim())?, by.copy_bias, [coefficient])
            }
            _ => None,
        };
        prompts.push(Prompt { draft, prefix, copy_bias, ..Prompt::new(tokens, vec![one.row]) });
    }
    let generate_options = GenerateOptions {
        max_new_tokens: options.max_new_tokens,
        sampling: options.sampling.clone(),
        stop_ids: tokenizer.stop_ids().to_vec(),
        share_prompt: injection.as_ref().is_none_or(|by| by.range.leaves_prompt()),
    };
    let decoder = &aligner.model.decoder;
    let hook: &mut dyn Hook = match injection {
        Some(by) => &mut by.inject,
        None => &mut NoHook,
    };
    let rows = match options.n_beams {
        ..=1 => generate(decoder, &prompts, &generate_options, hook, on_token)?.into_iter().map(Found::from).collect(),
        n_beams => search(decoder, &prompts, &generate_options, n_beams, hook, on_token)?,
    };
    for (((place, standing, coefficient), prompt), row) in places.into_iter().zip(prompts).zip(rows) {
        outcomes[place] = Some(Ok(Wrote { standing, coefficient, ..wrote(aligner, prompt, row)? }));
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// What was written, with the tokens computed for it.
struct Found {
    row: Generated,
    n_tokens: usize,
}

impl From<Generated> for Found {
    fn from(row: Generated) -> Self {
        Self { n_tokens: row.tokens.len(), row }
    }
}

/// The best output of each prompt by beams; its tokens are told once the search is over.
fn search(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    n_beams: usize,
    hook: &mut dyn Hook,
    on_token: OnToken<'_>,
) -> Result<Vec<Found>> {
    if options.sampling.temperature > 0.0 || prompts.iter().any(|prompt| prompt.copy_bias.is_some()) {
        let message = "beams search the likeliest output, so nothing is sampled and nothing favoured";
        return Err(Error::option(message, "leave out beams, or the temperature and the copy bias"));
    }
    let beams = BeamOptions {
        n_beams,
        length_power: 1.0,
        max_new_tokens: options.max_new_tokens,
        stop_ids: options.stop_ids.clone(),
    };
    let mut found = Vec::with_capacity(prompts.len());
    for prompt in prompts {
        let row = prompt.rows.first().copied().unwrap_or_default();
        let Beams { best, passes, n_tokens } = beam_search(decoder, &prompt.tokens, row, &beams, hook, &mut || Ok(()))?;
        let Some(Beam { tokens, finish, .. }) = best.into_iter().next() else { continue };
        for &token in &tokens {
            if on_token(row, token)?.is_break() {
                break;
            }
        }
        let drafting = Drafting { passes, ..Drafting::default() };
        found.push(Found { row: Generated { row, tokens, finish, drafting }, n_tokens });
    }
    Ok(found)
}

fn wrote(aligner: &Aligner, prompt: Prompt, Found { row, n_tokens }: Found) -> Result<Wrote> {
    Ok(Wrote {
        n_tokens,
        text: aligner.tokenizer()?.decode(&row.tokens, true)?.trim().to_owned(),
        prompt: prompt.tokens,
        truncated: row.finish == Finish::Length,
        drafting: row.drafting,
        tokens: row.tokens,
        standing: None,
        coefficient: 0.0,
    })
}

/// How an answer stands to what the Aligner knows, where that is asked for and can be told.
fn judge(aligner: &Aligner, one: &Asked<'_>, prompt: &[u32], options: &WriteOptions) -> Result<Option<Judged>> {
    let Some(domain) = options.domain.as_ref().filter(|_| options.outside != Outside::Correct) else { return Ok(None) };
    domain.judge_text(aligner, prompt, one.answer, options.outside)
}

impl Wrote {
    /// The answer as it is.
    fn copy(one: &Asked<'_>, prompt: Vec<u32>, standing: Option<Standing>) -> Self {
        let (tokens, drafting) = (Vec::new(), Drafting::default());
        Self {
            prompt,
            tokens,
            n_tokens: 0,
            text: one.answer.trim().to_owned(),
            truncated: false,
            drafting,
            standing,
            coefficient: 0.0,
        }
    }
}

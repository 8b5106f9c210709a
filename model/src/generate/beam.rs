//! Beam search: the likeliest outputs that several unfinished ones, kept side by side, lead to (Lowerre 1976; as transformers searches with
//! `early_stopping=True`).
//!
//! At each step the B likeliest continuations of all beams go on. One that ends is set aside with its score, Σ ln p / lengthᵅ, the token that
//! ends it counted; the search ends when B are set aside, or at the length limit.

use super::{Finish, read_prefix};
use crate::hook::Hook;
use crate::{Chunk, Decoder, Error, KvCache, Past, Result, Wanted};

/// How is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct BeamOptions {
    /// Beams side by side, at least 1.
    pub n_beams: usize,
    /// α: the power of the length that scores are divided by; 0 compares sums, 1 means.
    pub length_power: f64,
    /// Most new tokens.
    pub max_new_tokens: usize,
    /// Ids that end an output.
    pub stop_ids: Vec<u32>,
}

/// A finished output.
#[derive(Debug, Clone, PartialEq)]
pub struct Beam {
    /// New token ids, without the stop id.
    pub tokens: Vec<u32>,
    /// Σ ln p of them and of the stop id, in nats.
    pub log_prob: f64,
    /// What it is compared by.
    pub score: f64,
    /// Why it ended.
    pub finish: Finish,
}

/// What was found for a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Beams {
    /// Finished outputs, the best first; at least one, at most as many as there are beams.
    pub best: Vec<Beam>,
    /// Forward passes after the prompt.
    pub passes: usize,
    /// Tokens computed, all beams together.
    pub n_tokens: usize,
}

/// An output that goes on.
#[derive(Clone)]
struct Open {
    tokens: Vec<u32>,
    log_prob: f64,
}

/// A token after an open output.
struct Step {
    beam: usize,
    token: u32,
    log_prob: f64,
}

/// Searches the outputs of one prompt. All beams are the caller's row `row` to the hook; `check` is called at each pass and can end the work.
///
/// # Errors
/// Options out of range, an empty prompt or one without room, logits that are not finite, or whatever the hook or `check` returns.
pub fn beam_search(
    decoder: &Decoder,
    prompt: &[u32],
    row: usize,
    options: &BeamOptions,
    hook: &mut dyn Hook,
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<Beams> {
    let last = check_request(decoder, prompt, options)?;
    let prefix = read_prefix(decoder, &prompt[..prompt.len() - 1], hook)?;
    let mut cache = prefix.branch(decoder.config(), vec![row], options.max_new_tokens, decoder.device())?;
    let mut open = vec![Open { tokens: Vec::new(), log_prob: 0.0 }];
    let mut found = Beams { best: Vec::new(), passes: 0, n_tokens: 0 };
    while found.passes < options.max_new_tokens && found.best.len() < options.n_beams && !open.is_empty() {
        check()?;
        let pending: Vec<u32> = open.iter().map(|own| own.tokens.last().copied().unwrap_or(last)).collect();
        let logits = read(decoder, &mut cache, &pending, hook)?;
        (found.passes, found.n_tokens) = (found.passes + 1, found.n_tokens + open.len());
        let steps = best_steps(&open, &logits, decoder.config().vocab_size, 2 * options.n_beams);
        let (next, parents) = advance(&open, steps, options, &mut found.best);
        if !parents.is_empty() {
            cache.keep(&parents)?;
        }
        open = next;
    }
    if found.best.len() < options.n_beams {
        let cut = open.into_iter().map(|own| finished(own, options, 0, Finish::Length));
        found.best.extend(cut);
    }
    found.best.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.best.truncate(options.n_beams);
    Ok(found)
}

/// Refuses what cannot be searched; gives the last token of the prompt.
fn check_request(decoder: &Decoder, prompt: &[u32], options: &BeamOptions) -> Result<u32> {
    let refuse =
        |what: &'static str, got: String, expected: &str| Err(Error::Request { what, got, expected: expected.into() });
    let Some(&last) = prompt.last() else { return refuse("prompt", "no tokens".into(), "at least one token") };
    if options.n_beams == 0 || options.max_new_tokens == 0 {
        return refuse("beams or new tokens", "0".into(), "at least 1");
    }
    if !options.length_power.is_finite() {
        return refuse("length power of beams", options.length_power.to_string(), "a finite number");
    }
    let (tokens, context) = (prompt.len().saturating_add(options.max_new_tokens), decoder.config().context);
    match tokens > context {
        false => Ok(last),
        true => {
            let what = format!("the prompt ({} tokens) with {} new tokens", prompt.len(), options.max_new_tokens);
            Err(Error::ContextExceeded { what, tokens, context })
        }
    }
}

/// The logits after each row's next token.
fn read(decoder: &Decoder, cache: &mut KvCache, pending: &[u32], hook: &mut dyn Hook) -> Result<Vec<f32>> {
    let chunk = Chunk { tokens: pending, past: Past::Cache(cache) };
    let states = decoder.forward(&mut [chunk], hook, &Wanted::All)?;
    let none = || Error::Request { what: "beams", got: "no states".into(), expected: "one a beam".into() };
    let logits: Vec<f32> = decoder.logits(&states.ok_or_else(none)?)?.flatten_all()?.to_vec1()?;
    match logits.iter().any(|logit| logit.is_nan()) {
        false => Ok(logits),
        true => Err(Error::Request { what: "logits", got: "NaN".into(), expected: "numbers".into() }),
    }
}

/// The likeliest tokens after all open outputs, the best first; of equals the earlier beam and the smaller token.
fn best_steps(open: &[Open], logits: &[f32], vocab_size: usize, n: usize) -> Vec<Step> {
    let mut steps = Vec::with_capacity(open.len() * n);
    for ((beam, own), line) in open.iter().enumerate().zip(logits.chunks(vocab_size)) {
        let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let log_sum = f64::from(max) + line.iter().map(|logit| f64::from(logit - max).exp()).sum::<f64>().ln();
        let mut order: Vec<u32> = (0..line.len() as u32).collect();
        let by_logit = |a: &u32, b: &u32| line[*b as usize].total_cmp(&line[*a as usize]).then(a.cmp(b));
        if n < order.len() {
            order.select_nth_unstable_by(n, by_logit);
            order.truncate(n);
        }
        steps.extend(order.into_iter().map(|token| Step {
            beam,
            token,
            log_prob: own.log_prob + f64::from(line[token as usize]) - log_sum,
        }));
    }
    steps.sort_by(|a, b| b.log_prob.total_cmp(&a.log_prob).then((a.beam, a.token).cmp(&(b.beam, b.token))));
    steps.truncate(n);
    steps
}

/// Sets aside what ends and carries on the rest; with the beam that each open output comes from.
fn advance(open: &[Open], steps: Vec<Step>, options: &BeamOptions, best: &mut Vec<Beam>) -> (Vec<Open>, Vec<usize>) {
    let (mut next, mut parents) = (Vec::with_capacity(options.n_beams), Vec::with_capacity(options.n_beams));
    for (rank, Step { beam, token, log_prob }) in steps.into_iter().enumerate() {
        let mut own = Open { log_prob, ..open[beam].clone() };
        if options.stop_ids.contains(&token) {
            // an end that is not among the best continuations is none of the search
            best.extend((rank < options.n_beams).then(|| finished(own, options, 1, Finish::Stopped)));
        } else if next.len() < options.n_beams {
            own.tokens.push(token);
            next.push(own);
            parents.push(beam);
        }
    }
    (next, parents)
}

/// `n_ends`: tokens that ended it.
fn finished(own: Open, options: &BeamOptions, n_ends: usize, finish: Finish) -> Beam {
    let length = (own.tokens.len() + n_ends).max(1) as f64;
    Beam { score: own.log_prob / length.powf(options.length_power), log_prob: own.log_prob, tokens: own.tokens, finish }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{GenerateOptions, Prompt, generate};
    use crate::log_prob::{Continuation, log_probs};
    use crate::train::Parameters;
    use crate::{ModelConfig, NoHook};
    use std::ops::ControlFlow;

    const PROMPT: [u32; 4] = [1, 5, 2, 6];

    fn decoder() -> Decoder {
        let parameters = Parameters::from_scratch(ModelConfig::llama([8, 32, 64, 2, 4], 64), 3).unwrap();
        parameters.inference_decoder().unwrap()
    }

    fn options(n_beams: usize, max_new_tokens: usize, stop_ids: &[u32]) -> BeamOptions {
        BeamOptions { n_beams, length_power: 1.0, max_new_tokens, stop_ids: stop_ids.to_vec() }
    }

    fn search(decoder: &Decoder, options: &BeamOptions) -> Beams {
        beam_search(decoder, &PROMPT, 0, options, &mut NoHook, &mut || Ok(())).unwrap()
    }

    fn log_prob(decoder: &Decoder, tokens: &[u32]) -> f64 {
        let prefix = read_prefix(decoder, &PROMPT[..3], &mut NoHook).unwrap();
        let text = Continuation { prefix: &prefix, last_prompt_token: PROMPT[3], tokens, rows: &[0] };
        log_probs(decoder, &[text], &mut NoHook).unwrap()[0][0].iter().map(|own| f64::from(*own)).sum()
    }

    #[test]
    fn one_beam_is_greedy() {
        let decoder = decoder();
        let found = search(&decoder, &options(1, 12, &[]));
        let greedy = GenerateOptions { max_new_tokens: 12, ..GenerateOptions::default() };
        let greedy = generate(&decoder, &[Prompt::new(PROMPT.to_vec(), vec![0])], &greedy, &mut NoHook, &mut |_, _| {
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!((&found.best[0].tokens, found.best[0].finish), (&greedy[0].tokens, Finish::Length));
        assert_eq!((found.passes, found.n_tokens), (12, 12));
    }

    #[test]
    fn enough_beams_find_the_likeliest_of_all_outputs() {
        let decoder = decoder();
        let found = search(&decoder, &options(64, 3, &[]));
        let all = (0..512u32).map(|n| [n / 64, n / 8 % 8, n % 8].to_vec());
        let best = all.map(|tokens| (log_prob(&decoder, &tokens), tokens)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
        assert_eq!(found.best[0].tokens, best.1);
        assert!((found.best[0].log_prob - best.0).abs() < 1e-4, "{} {}", found.best[0].log_prob, best.0);
        assert!(found.best.windows(2).all(|two| two[0].score >= two[1].score));
    }

    #[test]
    fn scores_are_those_of_a_fresh_reading_whatever_beams_were_left() {
        let decoder = decoder();
        for stop_ids in [vec![], vec![4], vec![0, 3]] {
            let found = search(&decoder, &options(4, 9, &stop_ids));
            assert!(!found.best.is_empty() && found.best.len() <= 4);
            for beam in &found.best {
                let ends = || stop_ids.iter().map(|end| [beam.tokens.clone(), vec![*end]].concat());
                let texts = if beam.finish == Finish::Length { vec![beam.tokens.clone()] } else { ends().collect() };
                let is_near = |text: &Vec<u32>| (log_prob(&decoder, text) - beam.log_prob).abs() < 1e-4;
                assert!(texts.iter().any(is_near), "{beam:?}");
                let length = beam.tokens.len() + usize::from(beam.finish == Finish::Stopped);
                assert!((beam.score - beam.log_prob / length as f64).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn wrong_requests_are_refused_and_a_check_ends_the_work() {
        let decoder = decoder();
        let ask = |prompt: &[u32], options: &BeamOptions| {
            beam_search(&decoder, prompt, 0, options, &mut NoHook, &mut || Ok(())).map(|_| ())
        };
        assert!(ask(&[], &options(2, 3, &[])).is_err());
        assert!(ask(&PROMPT, &options(0, 3, &[])).is_err() && ask(&PROMPT, &options(2, 0, &[])).is_err());
        assert!(ask(&PROMPT, &options(2, 61, &[])).is_err() && ask(&PROMPT, &options(2, 60, &[])).is_ok());
        assert!(ask(&PROMPT, &BeamOptions { length_power: f64::NAN, ..options(2, 3, &[]) }).is_err());
        let mut left = 2;
        let mut check = || {
            left -= 1;
            if left == 0 { Err(Error::Interrupted) } else { Ok(()) }
        };
        let ended = beam_search(&decoder, &PROMPT, 0, &options(2, 9, &[]), &mut NoHook, &mut check);
        assert!(matches!(ended, Err(Error::Interrupted)));
    }
}

//! From token pairs to activations, one pass a text.
//!
//! In a causal model one pass over prompt and output holds the activation of every truncation, and the two texts of a
//! forced pair share the pass over their prompt.

use ndarray::Array2;
use redline_model::generate::read_prefix;
use redline_model::{Chunk, Decoder, Past, Site, Wanted};

use crate::capture::Capture;
use crate::pair::{ContrastPair, ReadAt, TokenText};
use crate::{Error, LayerPairs, Result};

/// What is read of every pair.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureOptions {
    /// Site in each block.
    pub site: Site,
    /// Blocks, ascending.
    pub layers: Vec<usize>,
    /// Positions whose mean becomes the pair's activation.
    pub read: ReadAt,
    /// Keep each of the first n output tokens as well, for the first `token_pairs` pairs: they calibrate scans.
    pub n_tokens: usize,
    /// Number of pairs of which single tokens are kept.
    pub token_pairs: usize,
}

/// Activations of the first output tokens of one text: `[token][layer][hidden]`, shorter when the text is.
pub type TokenActivations = Vec<Vec<Vec<f32>>>;

/// What was read.
#[derive(Debug, Clone, Default)]
pub struct PairActivations {
    /// For each layer the poles, (n_pairs, hidden).
    pub layers: Vec<LayerPairs>,
    /// Indices into the pairs given: the pairs that were read. A text too short for the positions asked for has none.
    pub read: Vec<usize>,
    /// Single tokens of positive and negative texts, for the first pairs.
    pub tokens: Vec<[TokenActivations; 2]>,
}

/// Reads all pairs. `on_pair(done, total)` is called after each and can end the reading with an error.
///
/// # Errors
/// No pair long enough for the positions asked for, activations that are not finite, a text beyond the context, or
/// whatever `on_pair` returns.
pub fn capture_pairs(
    decoder: &Decoder,
    pairs: &[ContrastPair],
    options: &CaptureOptions,
    on_pair: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<PairActivations> {
    let CaptureOptions { site, ref layers, read, .. } = *options;
    let mut poles = Poles::new(layers.len(), pairs.len());
    let mut tokens = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let n_tokens = if index < options.token_pairs { options.n_tokens } else { 0 };
        let captured = capture_pair(decoder, pair, site, layers, &[read], n_tokens)?;
        poles.add(index, captured.each_ref().map(|text| text.means[0].as_deref()));
        if n_tokens > 0 {
            tokens.push(captured.map(|text| text.tokens));
        }
        on_pair(index + 1, pairs.len())?;
    }
    let PlaceActivations { layers, read: found } = poles.finish(layers)?;
    match found.is_empty() {
        true => Err(Error::NothingToRead { read: read.to_string(), n_pairs: pairs.len() }),
        false => Ok(PairActivations { layers, read: found, tokens }),
    }
}

/// What pairs gave at one place.
#[derive(Debug, Clone, Default)]
pub struct PlaceActivations {
    /// For each layer the poles, (n_pairs, hidden); empty when no pair has the place.
    pub layers: Vec<LayerPairs>,
    /// Indices into the pairs given: those that have the place in both texts.
    pub read: Vec<usize>,
}

/// Reads many places of all pairs, still in one pass a text. It keeps 2 · pairs · places · layers · hidden values.
///
/// # Errors
/// Activations that are not finite, a text beyond the context, or whatever `on_pair` returns.
pub fn capture_places(
    decoder: &Decoder,
    pairs: &[ContrastPair],
    site: Site,
    layers: &[usize],
    places: &[ReadAt],
    on_pair: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<PlaceActivations>> {
    let mut poles: Vec<Poles> = places.iter().map(|_| Poles::new(layers.len(), pairs.len())).collect();
    for (index, pair) in pairs.iter().enumerate() {
        let [positive, negative] = capture_pair(decoder, pair, site, layers, places, 0)?;
        for (poles, (positive, negative)) in poles.iter_mut().zip(positive.means.iter().zip(&negative.means)) {
            poles.add(index, [positive.as_deref(), negative.as_deref()]);
        }
        on_pair(index + 1, pairs.len())?;
    }
    poles.into_iter().map(|poles| poles.finish(layers)).collect()
}

/// Activations of one place as they come in, each pole `[layer][pair · hidden]`.
struct Poles {
    values: [Vec<Vec<f32>>; 2],
    read: Vec<usize>,
    /// Pairs that may come: room for all of them is made at once, since vectors that grow by turns leave gaps behind.
    n_pairs: usize,
}

impl Poles {
    fn new(n_layers: usize, n_pairs: usize) -> Self {
        Self { values: [vec![Vec::new(); n_layers], vec![Vec::new(); n_layers]], read: Vec::new(), n_pairs }
    }

    /// Adds a pair that was read in both texts: for each `[layer][hidden]`.
    fn add(&mut self, index: usize, means: [Option<&[f32]>; 2]) {
        let [Some(positive), Some(negative)] = means else { return };
        for (pole, mean) in self.values.iter_mut().zip([positive, negative]) {
            let width = mean.len() / pole.len();
            for (layer, values) in pole.iter_mut().zip(mean.chunks(width)) {
                layer.reserve_exact(self.n_pairs * width - layer.len());
                layer.extend_from_slice(values);
            }
        }
        self.read.push(index);
    }

    fn finish(self, layers: &[usize]) -> Result<PlaceActivations> {
        let n_pairs = self.read.len();
        let mut result = PlaceActivations { layers: Vec::new(), read: self.read };
        if n_pairs == 0 {
            return Ok(result);
        }
        let matrix = |values: Vec<f32>| {
            let width = values.len() / n_pairs;
            Array2::from_shape_vec((n_pairs, width), values).expect("every pair added one line a layer")
        };
        let [positive, negative] = self.values;
        for ((&layer, positive), negative) in layers.iter().zip(positive).zip(negative) {
            result.layers.push(LayerPairs::new(layer, matrix(positive), matrix(negative))?);
        }
        Ok(result)
    }
}

/// What one text gave.
#[derive(Default)]
struct CapturedText {
    /// One a place, each `[layer][hidden]`.
    means: Vec<Option<Vec<f32>>>,
    tokens: TokenActivations,
}

fn capture_pair(
    decoder: &Decoder,
    pair: &ContrastPair,
    site: Site,
    layers: &[usize],
    places: &[ReadAt],
    n_tokens: usize,
) -> Result<[CapturedText; 2]> {
    let texts = [&pair.positive, &pair.negative];
    let mut capture = Capture::new(site, layers.to_vec());
    let mut needed = [0, 0];
    for (row, text) in texts.iter().enumerate() {
        let mut slots: Vec<_> = places.iter().map(|place| place.positions(text, pair.first_difference)).collect();
        slots.extend(token_slots(text, n_tokens));
        needed[row] = slots.iter().filter(|slot| !slot.is_empty()).map(|slot| slot.end).max().unwrap_or(0);
        capture.request(row, &slots);
    }
    read_texts(decoder, texts, needed, &mut capture)?;
    Ok([0, 1].map(|row| {
        let mut slots = capture.take(row).into_iter();
        let means = slots.by_ref().take(places.len()).collect();
        let split = |line: Vec<f32>| line.chunks(line.len() / layers.len()).map(<[f32]>::to_vec).collect();
        CapturedText { means, tokens: slots.map_while(|slot| slot.map(split)).collect() }
    }))
}

/// One slot a position: the first `n` output tokens.
fn token_slots(text: &TokenText, n: usize) -> Vec<std::ops::Range<usize>> {
    (0..n).map(|k| ReadAt::OutputToken(k).positions(text, 0)).collect()
}

/// Runs each text up to its needed length; a shared prompt once.
fn read_texts(decoder: &Decoder, texts: [&TokenText; 2], needed: [usize; 2], capture: &mut Capture) -> Result<()> {
    let before_last = |text: &TokenText| text.prompt.len().saturating_sub(1);
    let prefix =
        |text: &TokenText, capture: &mut Capture| read_prefix(decoder, &text.prompt[..before_last(text)], capture);
    // positions before the last prompt token are never read, so the prefix passes capture nothing
    let first = prefix(texts[0], capture)?;
    let second = if texts[0].prompt == texts[1].prompt { first.clone() } else { prefix(texts[1], capture)? };

    let mut tails = Vec::new();
    let mut caches = Vec::new();
    for (row, (text, prefix)) in texts.iter().zip([first, second]).enumerate() {
        let start = before_last(text);
        let whole = [text.prompt.as_slice(), text.output.as_slice()].concat();
        let end = needed[row].clamp(start + 1, whole.len().max(start + 1));
        tails.push(whole[start..end].to_vec());
        caches.push(prefix.branch(decoder.config(), vec![row], end - start, decoder.device())?);
    }
    let mut chunks: Vec<Chunk<'_>> =
        tails.iter().zip(&mut caches).map(|(tokens, cache)| Chunk { tokens, past: Past::Cache(cache) }).collect();
    decoder.forward(&mut chunks, capture, &Wanted::Nothing)?;
    Ok(())
}

/// The first `n` output tokens of one text.
///
/// # Errors
/// As [`capture_pairs`].
pub fn capture_tokens(
    decoder: &Decoder,
    text: &TokenText,
    site: Site,
    layers: &[usize],
    n: usize,
) -> Result<TokenActivations> {
    // beyond the output there is nothing, however much is asked for
    let n = n.min(text.output.len());
    let mut capture = Capture::new(site, layers.to_vec());
    capture.request(0, &token_slots(text, n));
    let needed = (text.prompt.len() + n).min(text.len());
    let start = text.prompt.len().saturating_sub(1);
    let prefix = read_prefix(decoder, &text.prompt[..start], &mut capture)?;
    let whole = [text.prompt.as_slice(), text.output.as_slice()].concat();
    let mut cache = prefix.branch(decoder.config(), vec![0], needed - start, decoder.device())?;
    let chunk = Chunk { tokens: &whole[start..needed], past: Past::Cache(&mut cache) };
    decoder.forward(&mut [chunk], &mut capture, &Wanted::Nothing)?;
    let split = |line: Vec<f32>| line.chunks(line.len() / layers.len()).map(<[f32]>::to_vec).collect();
    Ok(capture.take(0).into_iter().map_while(|slot| slot.map(split)).collect())
}

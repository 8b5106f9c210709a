//! The first, unsteered pass over a prompt: whatever decides about it reads here, and what was read serves to write behind it.

use redline_model::generate::read_prefix;
use redline_model::hook::{SHARED_ROW, Then};
use redline_model::{Chunk, Decoder, Past, SharedPrefix, Site, Wanted};
use redline_probe::capture::Capture;

use crate::error::{Error, Result};

/// What is kept of the pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromptPlaces {
    /// Site and blocks whose activation at the last token is kept.
    pub last: Option<(Site, Vec<usize>)>,
    /// Site and block whose mean activation over all tokens is kept.
    pub mean: Option<(Site, usize)>,
}

/// What the pass gave.
#[derive(Debug)]
pub struct PromptRead {
    /// All of the prompt but its last token.
    pub prefix: SharedPrefix,
    /// The last token's activations, a block after the other: (blocks, hidden).
    pub last: Vec<Vec<f32>>,
    /// The mean activation: (hidden), empty where none is kept.
    pub mean: Vec<f32>,
}

impl PromptPlaces {
    /// Whether nothing is kept, so that no pass is needed.
    pub fn is_empty(&self) -> bool {
        self.last.is_none() && self.mean.is_none()
    }

    fn hooks(&self, n_tokens: usize) -> [Option<Capture>; 2] {
        let all = 0..n_tokens;
        let hook = |site: Site, layers: Vec<usize>, kept: std::ops::Range<usize>| {
            let mut capture = Capture::new(site, layers);
            capture.request(SHARED_ROW, std::slice::from_ref(&kept));
            capture
        };
        let last = self.last.as_ref().map(|(site, layers)| hook(*site, layers.clone(), n_tokens - 1..n_tokens));
        [last, self.mean.map(|(site, layer)| hook(site, vec![layer], all))]
    }
}

impl PromptRead {
    /// Reads a prompt of at least one token.
    ///
    /// # Errors
    /// No token, no room in the context, or a pass fails.
    pub fn new(decoder: &Decoder, prompt: &[u32], places: &PromptPlaces) -> Result<Self> {
        let Some((last_token, before)) = prompt.split_last() else {
            return Err(Error::option("a prompt without tokens cannot be read", "give a question and an answer"));
        };
        let [mut last, mut mean] = places.hooks(prompt.len());
        let mut hook = Then(&mut last, &mut mean);
        let prefix = read_prefix(decoder, before, &mut hook)?;
        if !places.is_empty() {
            let mut cache = prefix.branch(decoder.config(), vec![SHARED_ROW], 1, decoder.device())?;
            let chunk = Chunk { tokens: &[*last_token], past: Past::Cache(&mut cache) };
            decoder.forward(&mut [chunk], &mut hook, &Wanted::Nothing)?;
        }
        let taken = |hook: Option<Capture>| -> Vec<f32> {
            hook.and_then(|mut capture| capture.take(SHARED_ROW).into_iter().flatten().next()).unwrap_or_default()
        };
        let n_layers = places.last.as_ref().map_or(0, |(_, layers)| layers.len());
        let last = taken(last);
        let width = (last.len() / n_layers.max(1)).max(1);
        Ok(Self { prefix, last: last.chunks(width).map(<[f32]>::to_vec).collect(), mean: taken(mean) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redline_probe::TokenText;
    use redline_probe::activations::capture_tokens;

    #[test]
    fn what_is_kept_is_what_separate_passes_find() {
        let model = crate::embedded::model().unwrap();
        let decoder = &model.decoder;
        let prompt: Vec<u32> = (5..25).collect();
        let site = Site::ResidPost;
        let places = PromptPlaces { last: Some((site, vec![0, 2])), mean: Some((site, 1)) };
        let read = PromptRead::new(decoder, &prompt, &places).unwrap();
        assert_eq!(read.prefix.len(), prompt.len() - 1);
        let text = TokenText { prompt: prompt[..1].to_vec(), output: prompt[1..].to_vec() };
        let tokens = capture_tokens(decoder, &text, site, &[0, 1, 2], 100).unwrap();
        let near = |a: &[f32], b: &[f32]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        let end = tokens.last().unwrap();
        assert!(near(&read.last[0], &end[0]) && near(&read.last[1], &end[2]));
        // the first token, which is the prompt of that text, is part of the mean
        let only = PromptPlaces { mean: Some((site, 1)), ..PromptPlaces::default() };
        let first = PromptRead::new(decoder, &prompt[..1], &only).unwrap();
        assert!(first.last.is_empty());
        let mean: Vec<f32> = (0..first.mean.len())
            .map(|i| (first.mean[i] + tokens.iter().map(|token| token[1][i]).sum::<f32>()) / prompt.len() as f32)
            .collect();
        assert!(near(&read.mean, &mean));
        assert!(PromptRead::new(decoder, &[], &places).is_err());
    }
}

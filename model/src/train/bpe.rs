//! Training of a byte-level BPE tokenizer (Sennrich et al. 2016; bytes as in GPT-2): every text can be expressed, and the
//! same texts in the same order give the same bytes.

use std::path::Path;

use tokenizers::AddedToken;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use crate::guard::guarded_threads;
use crate::{Error, Result, Tokenizer};

/// Sizes and special tokens of a tokenizer to train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BpeOptions {
    /// Tokens in all: special ones, the 256 bytes, merges.
    pub vocab_size: usize,
    /// Ends every output; it gets id 0.
    pub end_token: String,
    /// Fills batches in other programs; it gets id 1.
    pub padding_token: String,
    /// Pairs that are rarer are not merged.
    pub min_frequency: u64,
}

impl Default for BpeOptions {
    fn default() -> Self {
        Self { vocab_size: 2048, end_token: "<|endoftext|>".into(), padding_token: "<|pad|>".into(), min_frequency: 2 }
    }
}

/// Learns merges from texts. Digits stand alone, so that numbers are copied digit by digit.
///
/// # Errors
/// [`Error::TrainOption`] when the vocabulary cannot hold the special tokens and all bytes; [`Error::Tokenizer`].
pub fn train_bpe(texts: &[&str], options: &BpeOptions) -> Result<Tokenizer> {
    let smallest = 258;
    if options.vocab_size < smallest || options.end_token == options.padding_token {
        let got = format!("{} with `{}`, `{}`", options.vocab_size, options.end_token, options.padding_token);
        let expected = "at least 258 and two different special tokens";
        return Err(Error::TrainOption { option: "vocabulary", got, expected });
    }
    let path = Path::new("tokenizer.json");
    let problem = |source: tokenizers::Error| Error::Tokenizer { path: path.into(), problem: source.to_string() };
    let special = |token: &String| AddedToken::from(token.clone(), true);
    let trainer = BpeTrainer::builder()
        .vocab_size(options.vocab_size)
        .min_frequency(options.min_frequency)
        .show_progress(false)
        .special_tokens(vec![special(&options.end_token), special(&options.padding_token)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut trainer = TrainerWrapper::from(trainer);
    let mut tokenizer = tokenizers::Tokenizer::new(BPE::default());
    let digits = tokenizers::pre_tokenizers::digits::Digits::new(true);
    let bytes = ByteLevel::new(false, true, true);
    let steps = vec![digits.into(), bytes.into()];
    tokenizer.with_pre_tokenizer(Some(tokenizers::pre_tokenizers::sequence::Sequence::new(steps)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let trained = guarded_threads(|| tokenizer.train(&mut trainer, texts.iter().copied()).map(|_| ()));
    trained
        .unwrap_or_else(|panic| Err(format!("the library that trains it failed: {panic}").into()))
        .map_err(problem)?;
    let json = tokenizer.to_string(true).map_err(problem)?;
    let tokenizer = Tokenizer::from_bytes(path, json.as_bytes())?;
    let end = tokenizer.token_id(&options.end_token);
    let end = end.ok_or_else(|| problem(format!("`{}` got no id", options.end_token).into()))?;
    tokenizer.with_eos(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        "Water boils at 100 degrees at sea level.",
        "Boil the water, then add the rice.\nStir well.",
        "The sea is level; the water is not: 1997, 2024.",
        "Degrees and levels, levels and degrees — naïve.",
    ];

    #[test]
    fn the_same_texts_give_the_same_bytes() {
        let options = BpeOptions { vocab_size: 300, ..BpeOptions::default() };
        let train = || train_bpe(&TEXTS, &options).unwrap().to_json().unwrap();
        let first = train();
        for _ in 0..3 {
            assert_eq!(first, train());
        }
    }

    #[test]
    fn every_text_comes_back_and_merges_were_learnt() {
        let tokenizer = train_bpe(&TEXTS, &BpeOptions { vocab_size: 300, ..BpeOptions::default() }).unwrap();
        for text in TEXTS.iter().chain(&["Ünknown 漢字 \u{1f600}\t<tags> & \\ \0", ""]) {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids, false).unwrap(), *text);
        }
        assert!(tokenizer.encode(TEXTS[0]).unwrap().len() < TEXTS[0].len() - 8);
        assert!((259..=300).contains(&tokenizer.vocab_size()));
        assert_eq!((tokenizer.eos_id(), tokenizer.stop_ids()), (Some(0), &[0][..]));
        assert_eq!(tokenizer.encode("a<|endoftext|>").unwrap().last(), Some(&0));
        let digits = tokenizer.encode("1997").unwrap();
        assert_eq!(digits.len(), 4);
    }

    #[test]
    fn a_vocabulary_without_room_for_bytes_is_refused() {
        let error = train_bpe(&TEXTS, &BpeOptions { vocab_size: 100, ..BpeOptions::default() }).unwrap_err();
        assert!(matches!(error, Error::TrainOption { option: "vocabulary", .. }), "{error}");
    }
}

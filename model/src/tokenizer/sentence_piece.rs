//! Rebuilds a SentencePiece tokenizer of the BPE kind from the metadata of a GGUF file, where it is called `llama`.
//!
//! The file holds pieces and scores, not merges. A merge of two pieces is possible where their join is a piece; the join with the highest
//! score comes first. Characters that are no piece fall back to their bytes, `<0x0A>` for one.

use std::collections::HashMap;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as NormalizerSequence};
use tokenizers::{DecoderWrapper, NormalizerWrapper};

use super::from_gguf::{flag, problem};
use crate::error::Result;
use crate::gguf::{GgufFile, GgufValue};

/// Most bytes in all merges, each written as its two parts; half a million of ten bytes, as large vocabularies have, are 5 MB.
const MOST_MERGE_BYTES: usize = 64 << 20;
/// Most bytes looked at to find them: the square of a piece's length, for all pieces.
const MOST_WORK: u64 = 1 << 30;
/// What stands for a space.
const SPACE: &str = "▁";

/// Builds the tokenizer without its added tokens.
pub(super) fn build(file: &GgufFile, tokens: &[String]) -> Result<tokenizers::Tokenizer> {
    let scores = file.typed("tokenizer.ggml.scores", "a list of numbers", |value| value.as_array()?.to_f32s())?;
    let scores = scores.ok_or_else(|| problem(file, "`tokenizer.ggml.scores` is missing"))?;
    if scores.len() != tokens.len() {
        return Err(problem(file, format!("{} scores for {} tokens", scores.len(), tokens.len())));
    }
    if let Some(id) = scores.iter().position(|score| score.is_nan()) {
        return Err(problem(file, format!("the score of token {id} is not a number")));
    }
    let unknown = file.typed("tokenizer.ggml.unknown_token_id", "a token id", GgufValue::to_u64)?.unwrap_or(0);
    let unknown = usize::try_from(unknown).ok().and_then(|id| tokens.get(id));
    let unknown = unknown.ok_or_else(|| problem(file, "`tokenizer.ggml.unknown_token_id` is no token id"))?;
    let vocabulary: HashMap<&str, u32> = tokens.iter().map(String::as_str).zip(0u32..).collect();
    if vocabulary.len() != tokens.len() {
        return Err(problem(file, "two tokens are the same"));
    }
    let merges = merges(tokens, &scores, &vocabulary).map_err(|rule| problem(file, rule))?;
    let bpe = BPE::builder()
        .vocab_and_merges(tokens.iter().cloned().zip(0u32..).collect::<Vocab>(), merges)
        .byte_fallback(true)
        .fuse_unk(true)
        .unk_token(unknown.clone())
        .build()
        .map_err(|source| problem(file, source))?;
    let has_prefix = flag(file, "tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
    let mut tokenizer = tokenizers::Tokenizer::new(bpe);
    tokenizer.with_normalizer(Some(normalizer(file, has_prefix)?)).map_err(|source| problem(file, source))?;
    tokenizer.with_decoder(Some(decoder(file, has_prefix)?));
    Ok(tokenizer)
}

/// Every pair of pieces whose join is a piece, the highest score first; equal scores by the lengths of the parts, as Hugging Face's
/// converter orders them.
fn merges(tokens: &[String], scores: &[f32], vocabulary: &HashMap<&str, u32>) -> std::result::Result<Merges, String> {
    let work = |piece: &String| (piece.len() as u64).saturating_mul(piece.len() as u64);
    if tokens.iter().map(work).fold(0, u64::saturating_add) > MOST_WORK {
        let longest = tokens.iter().map(String::len).max().unwrap_or(0);
        return Err(format!(
            "its pieces are too long to be joined from others: up to {longest} bytes; the squares of their lengths may add up to {MOST_WORK}"
        ));
    }
    let mut found: Vec<(f32, &str, &str)> = Vec::new();
    let mut n_bytes = 0;
    for (piece, &score) in tokens.iter().zip(scores) {
        let cuts = piece.char_indices().skip(1).map(|(at, _)| piece.split_at(at));
        let parts = cuts.filter(|(left, right)| vocabulary.contains_key(left) && vocabulary.contains_key(right));
        let n_before = found.len();
        found.extend(parts.map(|(left, right)| (score, left, right)));
        n_bytes += (found.len() - n_before) * piece.len();
        if n_bytes > MOST_MERGE_BYTES {
            return Err(format!(
                "its pieces are joined from others in too many ways: more than {} MiB of merges",
                MOST_MERGE_BYTES >> 20
            ));
        }
    }
    let rank = |(score, left, right): &(f32, &str, &str)| (*score, left.chars().count(), right.chars().count());
    found.sort_by(|a, b| {
        let ((a, a_left, a_right), (b, b_left, b_right)) = (rank(a), rank(b));
        b.total_cmp(&a).then(b_left.cmp(&a_left)).then(b_right.cmp(&a_right))
    });
    Ok(found.into_iter().map(|(_, left, right)| (left.to_owned(), right.to_owned())).collect())
}

fn normalizer(file: &GgufFile, has_prefix: bool) -> Result<NormalizerWrapper> {
    let spaces = Replace::new(" ", SPACE).map_err(|source| problem(file, source))?.into();
    let prefix = has_prefix.then(|| Prepend::new(SPACE.to_owned()).into());
    Ok(NormalizerSequence::new(prefix.into_iter().chain([spaces]).collect()).into())
}

fn decoder(file: &GgufFile, has_prefix: bool) -> Result<DecoderWrapper> {
    let spaces = Replace::new(SPACE, " ").map_err(|source| problem(file, source))?.into();
    let prefix = has_prefix.then(|| Strip::new(' ', 1, 0).into());
    let steps = [spaces, ByteFallback::new().into(), Fuse::new().into()].into_iter().chain(prefix);
    Ok(DecoderSequence::new(steps.collect()).into())
}

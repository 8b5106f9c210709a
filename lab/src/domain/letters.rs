//! How a tokenizer cuts the words of an answer.

use redline_model::Tokenizer;

/// Letters per token that holds some: few where the tokenizer, which was learnt from the texts that its model knows, has to spell.
/// A letter is one of the alphabet's, or any character beyond ASCII. `None` of an answer without any.
pub(super) fn letters_per_token(tokenizer: &Tokenizer, tokens: &[u32]) -> Option<f64> {
    let (mut letters, mut holding) = (0, 0);
    for bytes in tokens.iter().filter_map(|id| tokenizer.token_bytes(*id)) {
        // of a character beyond ASCII the first byte counts, wherever its others are
        letters += bytes.iter().filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0xc0).count();
        holding += usize::from(bytes.iter().any(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()));
    }
    (holding > 0).then(|| letters as f64 / holding as f64)
}

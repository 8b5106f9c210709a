//! Tokenizers of pieces with scores.

use super::*;

/// A SentencePiece vocabulary: special tokens, bytes, and a few pieces with scores.
pub(super) fn pieces(prefix: bool) -> Tokenizer {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
    let mut scores = vec![0f32; tokens.len()];
    let scored =
        [("▁", -9.0), ("h", -9.5), ("e", -9.6), ("l", -9.7), ("o", -9.8), ("he", -1.0), ("ll", -2.0), ("hell", -3.0)];
    for (piece, score) in scored.into_iter().chain([("▁hell", -4.0), ("lo", -0.5), ("[user]", 0.0)]) {
        tokens.push(piece.into());
        scores.push(score);
    }
    let n = tokens.len();
    let kind = |id: usize| match id {
        0 => 2,
        1 | 2 => 3,
        id if id + 1 == n => 4,
        id if id < 259 => 6,
        _ => 1,
    };
    build(&[
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.scores", GgufValue::Array(GgufArray::F32(scores))),
        ("tokenizer.ggml.token_type", GgufValue::Array(GgufArray::I32((0..n).map(kind).collect()))),
        ("tokenizer.ggml.bos_token_id", 1.into()),
        ("tokenizer.ggml.eos_token_id", 2.into()),
        ("tokenizer.ggml.add_space_prefix", GgufValue::Bool(prefix)),
    ])
    .unwrap()
}

#[test]
fn sentence_pieces_merge_by_score() {
    let tokenizer = pieces(true);
    let texts = |text: &str| -> Vec<String> {
        tokenizer.encode(text).unwrap().into_iter().map(|id| tokenizer.token(id).unwrap()).collect()
    };
    // `lo` has the highest score, so it is joined before `ll` could be
    assert_eq!(texts("hello"), ["▁", "he", "l", "lo"]);
    assert_eq!(texts("hell"), ["▁hell"]);
    assert_eq!(texts("he hell"), ["▁", "he", "▁hell"]);
    // what is no piece falls back to bytes; user-defined and special tokens are found in texts
    assert_eq!(texts("hé"), ["▁", "h", "<0xC3>", "<0xA9>"]);
    assert_eq!(texts("h[user]"), ["▁", "h", "[user]"]);
    assert_eq!(texts("</s>"), ["</s>"]);
    assert_eq!((tokenizer.bos_id(), tokenizer.adds_bos()), (Some(1), true));
    assert_eq!(tokenizer.encode_prompt("hell").unwrap().first(), Some(&1));
    assert_eq!(tokenizer.stop_ids(), [2]);
}

#[test]
fn sentence_pieces_give_texts_back() {
    for prefix in [true, false] {
        let tokenizer = pieces(prefix);
        for text in ["hello hell", "hé, 日本!\n\tx", "  two spaces", "héllo"] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids, true).unwrap(), text, "{prefix}");
            assert_eq!(stream_all(&tokenizer, &ids), text, "{prefix}");
        }
    }
}

#[test]
fn sentence_pieces_without_scores_are_refused() {
    let refused = |key: &str, value: Option<GgufValue>| {
        let mut metadata = vec![
            ("tokenizer.ggml.model", GgufValue::from("llama")),
            ("tokenizer.ggml.tokens", strings(["<unk>", "a"]).unwrap()),
            ("tokenizer.ggml.scores", GgufValue::Array(GgufArray::F32(vec![0.0, -1.0]))),
        ];
        metadata.retain(|(other, _)| *other != key);
        let key = metadata.iter().map(|(key, _)| *key).find(|other| *other == key).unwrap_or(match key {
            "tokenizer.ggml.scores" => "tokenizer.ggml.scores",
            _ => "tokenizer.ggml.unknown_token_id",
        });
        metadata.extend(value.map(|value| (key, value)));
        build(&metadata).unwrap_err().to_string()
    };
    let scores = |scores: Vec<f32>| Some(GgufValue::Array(GgufArray::F32(scores)));
    assert!(refused("tokenizer.ggml.scores", None).contains("`tokenizer.ggml.scores` is missing"));
    assert!(refused("tokenizer.ggml.scores", scores(vec![0.0])).contains("1 scores for 2 tokens"));
    assert!(refused("tokenizer.ggml.scores", scores(vec![0.0, f32::NAN])).contains("token 1 is not a number"));
    assert!(refused("tokenizer.ggml.unknown_token_id", Some(7.into())).contains("is no token id"));
}

/// A tokenizer of `<unk>` and the pieces given.
fn piece_list(pieces: Vec<String>) -> Result<Tokenizer> {
    let scores = (0..=pieces.len()).map(|i| -(i as f32)).collect();
    let tokens = std::iter::once("<unk>".to_owned()).chain(pieces).collect();
    build(&[
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.scores", GgufValue::Array(GgufArray::F32(scores))),
    ])
}

#[test]
fn pieces_that_would_take_all_memory_are_refused() {
    let chain = |n: usize| (1..=n).map(|n| "a".repeat(n)).collect();
    assert!(piece_list(chain(64)).is_ok());
    let message = piece_list(chain(1000)).unwrap_err().to_string();
    assert!(message.contains("joined from others in too many ways: more than 64 MiB of merges"), "{message}");
    let message = piece_list(vec!["a".repeat(1 << 16)]).unwrap_err().to_string();
    assert!(message.contains("too long to be joined from others: up to 65536 bytes"), "{message}");
    let typed = build(&[
        ("tokenizer.ggml.model", "llama".into()),
        ("tokenizer.ggml.tokens", GgufValue::Array(GgufArray::String(vec!["u".into(), "b".repeat(1 << 14)]))),
        ("tokenizer.ggml.scores", GgufValue::Array(GgufArray::F32(vec![0.0; 2]))),
        ("tokenizer.ggml.token_type", GgufValue::Array(GgufArray::I32(vec![1, 4]))),
    ]);
    assert!(typed.is_ok(), "16 KiB of added tokens are few");
}

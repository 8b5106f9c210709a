//! Tokens become text by the decoder that a tokenizer names.

use super::sentence_pieces::pieces;
use super::*;

/// A word-level tokenizer of a few tokens with the decoder given.
fn words_decoded_by(decoder: Value) -> Tokenizer {
    let tokens = ["▁the", "in", "##er", "<0x0A>", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "▁", " ", "|", ".", "</w>"];
    let vocab: serde_json::Map<String, Value> = tokens.iter().zip(0..).map(|(t, i)| ((*t).into(), json!(i))).collect();
    let json = json!({
        "version": "1.0", "added_tokens": [], "decoder": decoder,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "|"}
    });
    Tokenizer::from_bytes(Path::new("w.json"), json.to_string().as_bytes()).unwrap()
}

/// Decoders of all kinds: for `true` the library's text is ours whatever the tokens are.
fn decoders() -> Vec<(Value, bool)> {
    let replace = json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "});
    let (bytes, fuse) = (json!({"type": "ByteFallback"}), json!({"type": "Fuse"}));
    let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
    let sequence = |steps: &[&Value]| json!({"type": "Sequence", "decoders": steps});
    let metaspace =
        |scheme: &str| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": true});
    vec![
        (Value::Null, true),
        (json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}), true),
        (metaspace("always"), true),
        (metaspace("never"), true),
        (json!({"type": "WordPiece", "prefix": "##", "cleanup": true}), true),
        (json!({"type": "BPEDecoder", "suffix": "</w>"}), true),
        (json!({"type": "CTC", "pad_token": "|", "word_delimiter_token": ".", "cleanup": true}), true),
        (sequence(&[&replace, &fuse, &strip]), true),
        (sequence(&[&replace, &strip]), true),
        (sequence(&[&fuse, &replace]), true),
        (sequence(&[&replace, &bytes, &fuse, &strip]), false),
        (sequence(&[&replace, &bytes, &fuse]), false),
        (sequence(&[&bytes]), false),
    ]
}

proptest! {
    #[test]
    fn a_stream_of_any_decoder_is_the_text_at_once(ids in prop::collection::vec(0u32..14, 0..24)) {
        for (decoder, is_librarys) in decoders() {
            let tokenizer = words_decoded_by(decoder.clone());
            let text = tokenizer.decode(&ids, false).unwrap();
            prop_assert_eq!(stream_all(&tokenizer, &ids), text.as_str(), "{}", decoder);
            // the library gives up a whole run of bytes for one that is wrong
            if is_librarys || !text.contains('\u{fffd}') {
                prop_assert_eq!(tokenizer.inner.decode(&ids, false).unwrap(), text.as_str(), "{}", decoder);
            }
            let mut trimmed = crate::TrimmedStream::new(&tokenizer);
            let mut streamed: String = ids.iter().map(|&id| trimmed.push(id).unwrap()).collect();
            streamed += &trimmed.finish().unwrap();
            prop_assert_eq!(streamed, text.trim(), "{}", decoder);
        }
    }

    #[test]
    fn streams_of_sentence_pieces_are_the_text_at_once(ids in prop::collection::vec(0u32..271, 0..60), prefix in any::<bool>()) {
        let tokenizer = pieces(prefix);
        prop_assert_eq!(stream_all(&tokenizer, &ids), tokenizer.decode(&ids, false).unwrap());
    }
}

#[test]
fn no_token_is_lost_after_a_byte_that_is_no_character() {
    let sequence = decoders().swap_remove(10).0;
    let tokenizer = words_decoded_by(sequence);
    let text = |ids: &[u32]| {
        let text = tokenizer.decode(ids, false).unwrap();
        assert_eq!(stream_all(&tokenizer, ids), text);
        text
    };
    assert_eq!(text(&[0, 3, 4, 1, 2]), "the\n\u{fffd}in##er");
    assert_eq!(text(&[4, 5, 6, 7]), "😀");
    assert_eq!(text(&[4, 5, 6, 1]), "\u{fffd}\u{fffd}\u{fffd}in", "one for each byte, as SentencePiece has it");
    assert_eq!(text(&[4, 4, 5, 6, 7]), "\u{fffd}😀");
    assert_eq!(text(&[8, 8, 1]), " in", "one space is the prefix");
}

#[test]
fn a_library_that_panics_is_an_error() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
    for case in ["tok-precompiled", "tok-template-101"] {
        let error = Tokenizer::from_file(&cases.join(case).join("tokenizer.json")).unwrap_err();
        assert!(matches!(error, Error::Tokenizer { .. }), "{case}: {error}");
    }
    let long = "a".repeat(MOST_TEXT_BYTES + 1);
    assert!(tiny().encode(&long).unwrap_err().to_string().contains("a text of 2097153 bytes is too long"));
}

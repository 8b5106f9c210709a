//! The conversations that a model is sent.

use redline_model::files::hash_of;
use serde_json::json;

use super::aspect::Aspect;
use super::plan::{AnnotationKind, PlanOptions};
use super::words;
use crate::baseline::{Conversation, Protocol, Strictness, fenced, prompt};
use crate::judge::Message;

/// Digits of a template's hash.
const N_DIGITS: usize = 16;

/// The request for texts in the order in which they are shown; of a correction there is one.
pub(super) fn conversation(options: &PlanOptions, question: &str, shown: &[&str]) -> Conversation {
    match options.kind {
        AnnotationKind::Aspects => vec![Message::user(aspects(&options.aspects, question, shown))],
        AnnotationKind::Correction => {
            prompt(Strictness::Plain, question, shown.first().copied().unwrap_or_default().trim())
        }
    }
}

fn aspects(aspects: &[Aspect], question: &str, shown: &[&str]) -> String {
    let before = if shown.len() == 1 { words::ONE } else { words::SEVERAL };
    let titles = (1..=shown.len()).map(|number| format!("{} {number}", words::ANSWER));
    let answers = titles.zip(shown).map(|(title, text)| (title, *text));
    let sections: Vec<(String, &str)> =
        std::iter::once((words::QUESTION.to_owned(), question)).chain(answers).collect();
    let list = aspects.iter().map(|aspect| format!("{}: {}", aspect.title(), aspect.meaning()));
    let list = list.collect::<Vec<_>>().join("\n");
    format!("{before} {}\n\n{}\n\n{}\n\n{list}\n\n{}", words::MATERIAL, fenced(&sections), words::ASPECTS, words::FORM)
}

/// What the words are, with marks in place of texts.
pub(super) fn template(kind: AnnotationKind) -> String {
    match kind {
        AnnotationKind::Correction => Protocol::Prompt(Strictness::Plain).template(),
        AnnotationKind::Aspects => {
            let sent =
                [&["{answer}"][..], &["{answer}", "{answer}"]].map(|shown| aspects(&Aspect::ALL, "{question}", shown));
            format!("{kind}-{}", &hash_of(json!(sent).to_string().as_bytes())[..N_DIGITS])
        }
    }
}

//! Preference pairs written as two whole dialogues that share all but the last answer.

use super::readers::Preference;

const HUMAN: &str = "Human:";
const ASSISTANT: &str = "Assistant:";

/// Takes the shared part, the last question and the two answers out of two dialogues.
pub(super) fn pair(chosen: &str, rejected: &str) -> Result<Preference, &'static str> {
    let (context, chosen) = last_answer(chosen)?;
    let (other, rejected) = last_answer(rejected)?;
    if context.trim() != other.trim() {
        return Err("chosen and rejected differ before the last answer");
    }
    let Some(at) = last_turn(context, HUMAN) else {
        return Err("no turn begins with `Human:`");
    };
    let question = context[at + HUMAN.len()..].trim().to_owned();
    let context = (!context[..at].trim().is_empty()).then(|| context.trim().to_owned());
    Ok(Preference { question, context, chosen: chosen.trim().to_owned(), rejected: rejected.trim().to_owned() })
}

/// The dialogue before its last answer, and that answer.
fn last_answer(dialogue: &str) -> Result<(&str, &str), &'static str> {
    let Some(at) = last_turn(dialogue, ASSISTANT) else {
        return Err("no turn begins with `Assistant:`");
    };
    if last_turn(dialogue, HUMAN).is_some_and(|human| human > at) {
        return Err("the last turn is not the assistant's");
    }
    Ok((&dialogue[..at], &dialogue[at + ASSISTANT.len()..]))
}

/// Where the last turn of a speaker begins: at the start of a line, or, when all is one line, after a space.
fn last_turn(dialogue: &str, speaker: &str) -> Option<usize> {
    let one_line = !dialogue.trim().contains('\n');
    let begins = |&at: &usize| {
        let before = dialogue[..at].trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with('\n') || (one_line && before.len() < at)
    };
    dialogue.rmatch_indices(speaker).map(|(at, _)| at).find(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answers_part_two_dialogues() {
        let shared = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: What does Human: mean?\n\nAssistant:";
        let found = pair(&format!("{shared} A speaker."), &format!("{shared} No.")).unwrap();
        assert_eq!(found.question, "What does Human: mean?");
        assert_eq!((found.chosen.as_str(), found.rejected.as_str()), ("A speaker.", "No."));
        assert!(found.context.unwrap().starts_with("Human: Hi\n\nAssistant: Hello."));
        let single = pair("Human: Why? Assistant: Because.", "Human: Why? Assistant: No idea.").unwrap();
        assert_eq!((single.question.as_str(), single.context, single.chosen.as_str()), ("Why?", None, "Because."));
    }

    #[test]
    fn what_is_no_dialogue_is_refused() {
        let whole = "Human: a\nAssistant: b";
        assert_eq!(pair("text", whole), Err("no turn begins with `Assistant:`"));
        assert_eq!(pair("Assistant: b", "Assistant: c"), Err("no turn begins with `Human:`"));
        assert_eq!(pair(whole, "Human: z\nAssistant: b"), Err("chosen and rejected differ before the last answer"));
        assert_eq!(pair("Assistant: b\nHuman: a", whole), Err("the last turn is not the assistant's"));
    }
}

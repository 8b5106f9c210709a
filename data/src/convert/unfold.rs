//! Formats of one row an example, as plain rows.

use redline_model::qac::{Fields, kind};
use serde_json::{Map, Value};

use super::fault::ConvertFault;
use super::format::{SourceFormat, Target};
use super::loose::{index, score, truth};
use super::{ConvertOptions, Dimension, plain};
use crate::left_out::RowFault;
use crate::row;
use crate::turns::Turn;

/// The middle of UltraFeedback's scores, which go from 1 to 5.
const MIDDLE_RATING: f64 = 3.0;
const ASPECTS: [&str; 4] = ["instruction_following", "truthfulness", "honesty", "helpfulness"];

/// The plain rows that a row holds; rows that are plain stay as they are.
pub(super) fn unfold(format: SourceFormat, fields: Fields, options: &ConvertOptions) -> Result<Vec<Fields>, RowFault> {
    match format {
        SourceFormat::PkuSafeRlhf => pku(&fields, options),
        SourceFormat::UltraFeedback => ultra_feedback(&fields, options),
        SourceFormat::BeaverTails => beaver_tails(&fields, options.to).map(|row| vec![row]),
        SourceFormat::ShareGpt => share_gpt(&fields).map(|row| vec![row]),
        _ => Ok(vec![fields]),
    }
}

/// Two responses: by `better_response_id` a pair for a reward model, by `safer_response_id` and the flags one for a cost model.
fn pku(fields: &Fields, options: &ConvertOptions) -> Result<Vec<Fields>, RowFault> {
    const RESPONSES: [&str; 2] = ["response_0", "response_1"];
    const FLAGS: [&str; 2] = ["is_response_0_safe", "is_response_1_safe"];
    let prompt = [Turn::user(row::text(fields, "prompt")?)];
    let others = plain::without(fields, &["prompt", RESPONSES[0], RESPONSES[1]]);
    if options.to == Target::Questions {
        return Ok(vec![plain::answer(&prompt, "", None, others)]);
    }
    let texts = [row::text(fields, RESPONSES[0])?, row::text(fields, RESPONSES[1])?];
    let flag = |at: usize| fields.has(FLAGS[at]).then(|| truth(fields, FLAGS[at])).transpose();
    let safe = [flag(0)?, flag(1)?];
    let field = match options.dimension {
        Dimension::Helpful => "better_response_id",
        Dimension::Harmless => "safer_response_id",
    };
    let better = if fields.has(field) { index(&row::value(fields, field)?) } else { None };
    let better = better.ok_or(ConvertFault::NoBetter { field })?;
    let worse = 1 - better;
    if options.dimension == Dimension::Harmless && safe[better] == Some(false) && safe[worse] == Some(true) {
        return Err(ConvertFault::SafetyContradicts.into());
    }
    if safe[better] == Some(false) && options.to != Target::Preferences {
        return Err(ConvertFault::Unsafe.into());
    }
    let mut row = plain::pair(&prompt, &texts[better], &texts[worse], others);
    for (name, at) in [("is_chosen_safe", better), ("is_rejected_safe", worse)] {
        if let Some(is_safe) = safe[at] {
            row.put(name, is_safe);
        }
    }
    Ok(vec![row])
}

/// A response that is safe or not.
fn beaver_tails(fields: &Fields, target: Target) -> Result<Fields, RowFault> {
    let prompt = [Turn::user(row::text(fields, "prompt")?)];
    let is_safe = truth(fields, "is_safe")?;
    if target == Target::Answers && !is_safe {
        return Err(ConvertFault::Unsafe.into());
    }
    let others = plain::without(fields, &["prompt", "response"]);
    let label = (target == Target::Unpaired).then_some(is_safe);
    Ok(plain::answer(&prompt, &row::text(fields, "response")?, label, others))
}

/// Turns of `from` and `value`, or of `role` and `content`, as messages.
fn share_gpt(fields: &Fields) -> Result<Fields, RowFault> {
    const FIELD: &str = "conversations";
    let value = row::value(fields, FIELD)?;
    let wrong = || RowFault::FieldType { field: FIELD, expected: "a list of turns", got: kind(&value) };
    let turns = value.as_array().ok_or_else(wrong)?.iter().enumerate();
    let messages: Result<Vec<Value>, RowFault> = turns.map(|(at, turn)| share_gpt_turn(FIELD, at, turn)).collect();
    let mut row = Fields::default();
    row.put("messages", Value::Array(messages?));
    Ok(plain::with_others(row, plain::without(fields, &[FIELD])))
}

fn share_gpt_turn(field: &'static str, index: usize, turn: &Value) -> Result<Value, RowFault> {
    let wrong = |rule: String| RowFault::Message { field, index, rule };
    let text = |names: [&str; 2]| names.iter().find_map(|name| turn.get(name)).and_then(Value::as_str);
    let speaker = text(["from", "role"]).ok_or_else(|| wrong("needs a `from` of text".into()))?;
    let content = text(["value", "content"]).ok_or_else(|| wrong("needs a `value` of text".into()))?;
    let role = match speaker.to_ascii_lowercase().as_str() {
        "human" | "user" => "user",
        "gpt" | "assistant" | "chatgpt" | "bard" | "bing" | "claude" | "model" => "assistant",
        "system" => "system",
        "tool" | "observation" | "function_response" => "tool",
        "function" | "function_call" => "function",
        other => return Err(wrong(format!("has the unknown speaker `{other}`"))),
    };
    let mut message = Map::new();
    message.insert("role".into(), role.into());
    message.insert("content".into(), content.into());
    Ok(Value::Object(message))
}

/// A completion with the mean of its aspects.
struct Rated {
    text: String,
    model: Option<String>,
    rating: Option<f64>,
}

/// Completions with annotations. The overall score of this file is not used: in many rows it is 10 where 1 was meant; the mean of the four
/// aspects is.
fn ultra_feedback(fields: &Fields, options: &ConvertOptions) -> Result<Vec<Fields>, RowFault> {
    const FIELD: &str = "completions";
    let asked = row::text(fields, "instruction")?;
    let prompt = [Turn::user(asked.as_str())];
    let value = row::value(fields, FIELD)?;
    let wrong = || RowFault::FieldType { field: FIELD, expected: "a list of completions", got: kind(&value) };
    let completions = value.as_array().ok_or_else(wrong)?;
    let rated: Result<Vec<Rated>, RowFault> = completions.iter().map(rated).collect();
    let rated = rated?;
    let others = plain::without(fields, &["instruction", FIELD]);
    if options.to == Target::Questions {
        return Ok(vec![plain::answer(&prompt, "", None, others)]);
    }
    if rated.is_empty() {
        return Err(RowFault::EmptyField { field: FIELD });
    }
    if options.to == Target::Unpaired {
        return labelled(&prompt, &rated, &others);
    }
    let scored: Vec<(f64, &Rated)> = rated.iter().filter_map(|one| Some((one.rating?, one))).collect();
    let no_better = ConvertFault::NoBetter { field: "annotations" };
    // of equal ones the first
    let better = |one: &(f64, &Rated), other: &(f64, &Rated)| other.0 > one.0;
    let best = scored.iter().copied().reduce(|one, other| if better(&one, &other) { other } else { one });
    let best = best.ok_or_else(|| no_better.clone())?;
    if options.to == Target::Answers {
        let mut row = plain::answer(&prompt, &best.1.text, None, others);
        describe(&mut row, ["model", "score"], best);
        return Ok(vec![row]);
    }
    let worse: Vec<(f64, &Rated)> = scored
        .iter()
        .filter(|(score, one)| *score < best.0 && one.text.trim() != best.1.text.trim())
        .copied()
        .collect();
    let at = usize::try_from(hash(&asked, options.seed) % worse.len().max(1) as u64).unwrap_or_default();
    let other = *worse.get(at).ok_or(no_better)?;
    let mut row = plain::pair(&prompt, &best.1.text, &other.1.text, others);
    describe(&mut row, ["chosen_model", "score_chosen"], best);
    describe(&mut row, ["rejected_model", "score_rejected"], other);
    Ok(vec![row])
}

fn describe(row: &mut Fields, [model, score]: [&str; 2], (rating, rated): (f64, &Rated)) {
    if let Some(name) = &rated.model {
        row.put(model, name.as_str());
    }
    row.put(score, rating);
}

/// A row for each completion that is better or worse than the middle.
fn labelled(prompt: &[Turn], rated: &[Rated], others: &Fields) -> Result<Vec<Fields>, RowFault> {
    let mut rows = Vec::new();
    for one in rated {
        if let Some(rating) = one.rating.filter(|rating| *rating != MIDDLE_RATING) {
            let mut row = plain::answer(prompt, &one.text, Some(rating > MIDDLE_RATING), others.clone());
            describe(&mut row, ["model", "score"], (rating, one));
            rows.push(row);
        }
    }
    match rows.is_empty() {
        true => Err(ConvertFault::MiddleScore { score: MIDDLE_RATING.to_string() }.into()),
        false => Ok(rows),
    }
}

fn rated(completion: &Value) -> Result<Rated, RowFault> {
    let response = &completion["response"];
    let wrong = || RowFault::FieldType { field: "response", expected: "text", got: kind(response) };
    let text = response.as_str().ok_or_else(wrong)?.to_owned();
    let ratings: Vec<f64> =
        ASPECTS.iter().filter_map(|aspect| score(&completion["annotations"][*aspect]["Rating"])).collect();
    let rating = (!ratings.is_empty()).then(|| ratings.iter().sum::<f64>() / ratings.len() as f64);
    Ok(Rated { text, model: completion["model"].as_str().map(str::to_owned), rating })
}

/// FNV-1a of a text, begun with a seed: the same pair on every machine.
fn hash(text: &str, seed: u64) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let hash = text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash ^ hash >> 29
}

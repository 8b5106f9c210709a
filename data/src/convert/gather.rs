//! Formats whose examples are spread over rows: HelpSteer2's responses by prompt, EmpatheticDialogues' utterances by dialogue.

use std::collections::HashMap;

use redline_model::qac::{Fields, kind};

use super::fault::ConvertFault;
use super::format::{SourceFormat, Target};
use super::loose::score;
use super::plain;
use crate::left_out::RowFault;
use crate::row;
use crate::turns::Turn;

/// The middle of HelpSteer2's scores, which go from 0 to 4.
const MIDDLE_SCORE: f64 = 2.0;
/// What a turn begins with in a prompt of several turns.
const TURN_MARK: &str = "<extra_id_1>";
/// What a comma is in the texts of EmpatheticDialogues.
const COMMA: &str = "_comma_";

/// Whether a format's rows have to be gathered first.
pub(super) fn is_gathered(format: SourceFormat, target: Target) -> bool {
    match format {
        SourceFormat::EmpatheticDialogues => true,
        SourceFormat::HelpSteer2 => target.is_pair() || target == Target::Questions,
        _ => false,
    }
}

/// Rows by what they belong to, in the order of the first of each.
#[derive(Default)]
pub(super) struct Gathered {
    groups: Vec<Group>,
    by_key: HashMap<(SourceFormat, String), usize>,
}

/// Rows that belong together.
pub(super) struct Group {
    pub format: SourceFormat,
    pub rows: Vec<(usize, Fields)>,
}

impl Gathered {
    pub(super) fn add(&mut self, format: SourceFormat, line: usize, fields: Fields) -> Result<(), RowFault> {
        let key = match format {
            SourceFormat::EmpatheticDialogues => row::text(&fields, "conv_id")?,
            _ => row::text(&fields, "prompt")?,
        };
        let at = *self.by_key.entry((format, key)).or_insert(self.groups.len());
        match self.groups.get_mut(at) {
            Some(group) => group.rows.push((line, fields)),
            None => self.groups.push(Group { format, rows: vec![(line, fields)] }),
        }
        Ok(())
    }

    pub(super) fn into_groups(self) -> Vec<Group> {
        self.groups
    }
}

impl Group {
    /// The plain rows that the group makes, each with the line it is from.
    pub(super) fn plain_rows(self, target: Target) -> Result<Vec<(usize, Fields)>, RowFault> {
        match self.format {
            SourceFormat::EmpatheticDialogues => dialogue(self.rows),
            _ => help_steer_group(&self.rows, target).map(|row| vec![row]),
        }
    }
}

/// One response as a labelled or plain answer.
pub(super) fn help_steer_row(fields: &Fields, target: Target) -> Result<Fields, RowFault> {
    let prompt = help_steer_prompt(&row::text(fields, "prompt")?);
    let others = plain::without(fields, &["prompt", "response"]);
    let label = match (target, helpfulness(fields)?) {
        (Target::Unpaired, score) if score == MIDDLE_SCORE => {
            return Err(ConvertFault::MiddleScore { score: score.to_string() }.into());
        }
        (Target::Unpaired, score) => Some(score > MIDDLE_SCORE),
        _ => None,
    };
    Ok(plain::answer(&prompt, &row::text(fields, "response")?, label, others))
}

/// The most and the least helpful response to a prompt.
fn help_steer_group(rows: &[(usize, Fields)], target: Target) -> Result<(usize, Fields), RowFault> {
    let (line, first) = &rows[0]; // a group begins with a row
    let prompt = help_steer_prompt(&row::text(first, "prompt")?);
    if target == Target::Questions {
        return Ok((*line, plain::answer(&prompt, "", None, Fields::default())));
    }
    if rows.len() == 1 {
        return Err(ConvertFault::SingleAnswer.into());
    }
    let scored: Result<Vec<(f64, &Fields)>, RowFault> =
        rows.iter().map(|(_, fields)| Ok((helpfulness(fields)?, fields))).collect();
    let scored = scored?;
    let pick = |is_better: fn(f64, f64) -> bool| {
        scored.iter().copied().reduce(|one, other| if is_better(other.0, one.0) { other } else { one })
    };
    let (best, worst) = (pick(|new, old| new > old), pick(|new, old| new < old));
    let (Some(best), Some(worst)) = (best, worst) else { return Err(ConvertFault::SingleAnswer.into()) };
    if best.0 == worst.0 {
        return Err(ConvertFault::NoBetter { field: "helpfulness" }.into());
    }
    let texts = [row::text(best.1, "response")?, row::text(worst.1, "response")?];
    let mut pair = plain::pair(&prompt, &texts[0], &texts[1], merged(best.1, worst.1));
    pair.put("score_chosen", best.0);
    pair.put("score_rejected", worst.0);
    Ok((*line, pair))
}

fn helpfulness(fields: &Fields) -> Result<f64, RowFault> {
    const FIELD: &str = "helpfulness";
    let value = row::value(fields, FIELD)?;
    score(&value).ok_or_else(|| RowFault::FieldType { field: FIELD, expected: "a number", got: kind(&value) })
}

/// The other fields of two rows: under their names where both say the same, else as `chosen_…` and `rejected_…`.
fn merged(chosen: &Fields, rejected: &Fields) -> Fields {
    let mut merged = Fields::default();
    for (side, own, other) in [("chosen", chosen, rejected), ("rejected", rejected, chosen)] {
        let mut own_fields = plain::without(own, &["prompt", "response"]);
        let names: Vec<String> = own_fields.names().map(str::to_owned).collect();
        for name in names.iter().filter(|name| own.raw(name) != other.raw(name)) {
            own_fields.rename(name, &format!("{side}_{name}"));
        }
        merged.append(own_fields);
    }
    merged
}

/// The turns of a prompt, in which later ones are marked.
fn help_steer_prompt(prompt: &str) -> Vec<Turn> {
    let mut parts = prompt.split(TURN_MARK);
    let mut turns = vec![Turn::user(parts.next().unwrap_or_default().trim_end())];
    for part in parts {
        let (speaker, text) = part.split_once('\n').unwrap_or((part, ""));
        let role = if speaker.trim().eq_ignore_ascii_case("assistant") { "assistant" } else { "user" };
        turns.push(Turn { role: role.into(), text: text.trim_end().into() });
    }
    if turns.len() == 1 { vec![Turn::user(prompt)] } else { turns }
}

/// Every answer of the listener, with the turns before it. The first who speaks is the user.
fn dialogue(mut rows: Vec<(usize, Fields)>) -> Result<Vec<(usize, Fields)>, RowFault> {
    let id = row::text(&rows[0].1, "conv_id")?; // a group begins with a row
    let wrong = |rule| RowFault::from(ConvertFault::Dialogue { id: id.clone(), rule });
    let place = |fields: &Fields| fields.value("utterance_idx").and_then(Result::ok).as_ref().and_then(score);
    if rows.iter().any(|(_, fields)| place(fields).is_none()) {
        return Err(wrong("has an utterance whose `utterance_idx` is no number"));
    }
    rows.sort_by(|(_, one), (_, other)| place(one).partial_cmp(&place(other)).unwrap_or(std::cmp::Ordering::Equal));
    if rows.windows(2).any(|two| place(&two[0].1).zip(place(&two[1].1)).is_none_or(|(one, next)| next != one + 1.0)) {
        return Err(wrong("lacks an utterance, or has one twice"));
    }
    let speaker = |fields: &Fields| fields.raw("speaker_idx").unwrap_or_default().trim_matches('"').to_owned();
    let first = speaker(&rows[0].1);
    let mut others: Vec<String> = rows.iter().map(|(_, fields)| speaker(fields)).filter(|one| *one != first).collect();
    others.dedup();
    if first.is_empty() || others.len() != 1 {
        return Err(wrong("must have two speakers"));
    }
    let mut turns: Vec<(usize, Turn, Fields)> = Vec::new();
    for (line, fields) in rows {
        let text = row::text(&fields, "utterance")?.replace(COMMA, ",");
        let role = if speaker(&fields) == first { "user" } else { "assistant" };
        match turns.last_mut() {
            // who speaks on continues the turn
            Some((_, last, _)) if last.role == role => {
                last.text = format!("{}\n{}", last.text.trim_end(), text.trim_start())
            }
            _ => turns.push((line, Turn { role: role.into(), text }, fields)),
        }
    }
    let answers = turns.iter().enumerate().filter(|(_, (_, turn, _))| turn.role == "assistant");
    let rows = answers.map(|(at, (line, turn, fields))| {
        let prompt: Vec<Turn> = turns[..at].iter().map(|(_, turn, _)| turn.clone()).collect();
        (*line, plain::answer(&prompt, &turn.text, None, about_dialogue(fields)))
    });
    Ok(rows.collect())
}

/// The other fields of an utterance. What the file calls prompt and context are the situation and the feeling that the speaker was given,
/// which are no part of what is said.
fn about_dialogue(fields: &Fields) -> Fields {
    let mut others = plain::without(fields, &["utterance"]);
    for (name, new) in [("prompt", "situation"), ("context", "emotion")] {
        if let Some(text) = others.text(name) {
            others.put(name, text.replace(COMMA, ","));
        }
        others.rename(name, new);
    }
    others
}

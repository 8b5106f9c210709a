//! The score of question and answer by a reward or cost model.

use redline_model::RewardModel;

use super::GateKind;
use crate::data::pairs::scored_text;
use crate::error::{Error, Result};

/// Bytes of text for each position of a context that are worth tokenising: no text with more of them fits.
const MOST_BYTES_A_TOKEN: usize = 32;

/// The tokens of question and answer as a reward or cost model reads them; none where they do not fit its context.
pub(crate) fn head_tokens(model: &RewardModel, question: &str, answer: &str) -> Result<Option<Vec<u32>>> {
    let context = model.model.decoder.config().context;
    if question.len() + answer.len() > context * MOST_BYTES_A_TOKEN {
        return Ok(None);
    }
    let text = scored_text(model.model.tokenizer()?, question, answer);
    let text = text.map_err(|error| Error::option(error.to_string(), "check the model's chat template"))?;
    Ok(Some(text).filter(|text| text.len() <= context))
}

/// The raw score of a text by a reward or cost model.
pub(crate) fn head_value(model: &RewardModel, kind: GateKind, tokens: Vec<u32>) -> Result<f64> {
    finite(kind.name(), model.scores(&[tokens])?.first().copied().unwrap_or(f64::NAN))
}

/// Refuses a value that is no number.
pub(super) fn finite(what: &str, value: f64) -> Result<f64> {
    match value.is_finite() {
        true => Ok(value),
        false => {
            Err(Error::option(format!("the {what} is {value}, which is no finite number"), "check the model's weights"))
        }
    }
}

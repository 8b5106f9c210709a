//! What a policy writes, scored by an instrument: from questions to prompts, and from completions to rewards.

use std::collections::HashMap;

use redline_model::train::policy::PolicyPrompt;
use redline_model::{Error as ModelError, Tokenizer};
use serde_json::json;

use crate::chat::chat_prompt;
use crate::error::{Error, Result};
use crate::judge::Dimension;
use crate::judge::local::Score;

/// Questions as prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRows {
    /// Those that leave room, in the order of the questions.
    pub prompts: Vec<PolicyPrompt>,
    /// Questions that are too long.
    pub n_too_long: usize,
}

/// Turns questions, each with the number of its row, into prompts by the model's own chat template.
///
/// # Errors
/// As the tokenizer and its chat template report.
pub fn policy_prompts(tokenizer: &Tokenizer, questions: &[(usize, &str)], most_tokens: usize) -> Result<PolicyRows> {
    let mut found = PolicyRows { prompts: Vec::with_capacity(questions.len()), n_too_long: 0 };
    for &(row, question) in questions {
        let messages = json!([{ "role": "user", "content": question }]);
        let prompt = chat_prompt(tokenizer, &messages)
            .map_err(|error| Error::option(format!("row {row}: {error}"), "check the model's chat template"))?;
        let tokens = tokenizer.encode_prompt(&prompt)?;
        match tokens.len() > most_tokens {
            true => found.n_too_long += 1,
            false => found.prompts.push(PolicyPrompt { row, tokens }),
        }
    }
    Ok(found)
}

/// Scores completions as texts.
pub struct Rewarder<'a> {
    score: &'a mut dyn Score,
    dimension: Dimension,
    questions: HashMap<usize, &'a str>,
    tokenizer: &'a Tokenizer,
    /// Why a score failed, which the run itself does not carry.
    failure: Option<Error>,
}

impl<'a> Rewarder<'a> {
    /// Puts an instrument to the questions of rows.
    pub fn new(
        score: &'a mut dyn Score,
        dimension: Dimension,
        questions: &[(usize, &'a str)],
        tokenizer: &'a Tokenizer,
    ) -> Self {
        Self { score, dimension, questions: questions.iter().copied().collect(), tokenizer, failure: None }
    }

    /// Who scores, and what that depends on.
    pub fn name(&self) -> String {
        format!("{} {} {}", self.score.id(), self.score.template(), self.dimension)
    }

    /// The rewards of completions: each the row of its prompt, its tokens, whether it was cut. None where the instrument cannot tell.
    ///
    /// # Errors
    /// [`redline_model::Error::Interrupted`] where the instrument fails; [`Rewarder::failure`] then says why.
    pub fn rewards(&mut self, drawn: &[(usize, &[u32], bool)]) -> redline_model::Result<Vec<Option<f64>>> {
        let mut found = Vec::with_capacity(drawn.len());
        for (row, tokens, _) in drawn {
            let text = self.tokenizer.decode(tokens, true)?;
            let question = self.questions.get(row).copied().unwrap_or_default();
            match self.score.score(*row, question, text.trim(), self.dimension) {
                Ok(score) => found.push(score.filter(|score| score.is_finite())),
                Err(error) => {
                    self.failure = Some(error.into());
                    return Err(ModelError::Interrupted);
                }
            }
        }
        Ok(found)
    }

    /// Why a score failed, if one did.
    pub fn failure(self) -> Option<Error> {
        self.failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::JudgeError;
    use crate::judge::local::ScoreFn;

    #[test]
    fn questions_become_prompts_and_completions_are_scored_as_texts() {
        let model = crate::embedded::model().unwrap();
        let tokenizer = model.tokenizer().unwrap();
        let long = "long ".repeat(300);
        let questions = [(4, "Why is the sky blue?"), (7, long.as_str())];
        let found = policy_prompts(tokenizer, &questions, 60).unwrap();
        assert_eq!((found.prompts.len(), found.n_too_long, found.prompts[0].row), (1, 1, 4));

        let mut score = ScoreFn::new("length", "none", |row, question: &str, output: &str, _| match output {
            "fail" => Err(JudgeError::failed("length", std::io::Error::other("broken"))),
            "unknown" => Ok(None),
            _ => Ok(Some((row + question.len() + output.len()) as f64)),
        });
        let mut rewarder = Rewarder::new(&mut score, Dimension::Overall, &questions, tokenizer);
        assert!(rewarder.name().starts_with("length none "));
        let tokens = |text: &str| tokenizer.encode_text(text).unwrap();
        let (short, unknown, failing) = (tokens("abc"), tokens("unknown"), tokens("fail"));
        let rewards = rewarder.rewards(&[(4, &short, false), (4, &unknown, true)]).unwrap();
        assert_eq!(rewards, [Some(27.0), None]);
        assert!(matches!(rewarder.rewards(&[(4, &failing, false)]), Err(ModelError::Interrupted)));
        assert!(rewarder.failure().unwrap().to_string().contains("length"));
    }
}

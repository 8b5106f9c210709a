//! A model of this program as a writer.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use redline_model::generate::batch::Batch;
use redline_model::generate::{Finish, GenerateOptions, Generated, Prompt};
use redline_model::sampling::SamplingOptions;
use redline_model::{Model, NoHook};
use serde_json::json;

use super::writer::{Conversation, WriteHow, Writer, Written};
use crate::chat::chat_prompt;
use crate::correct::Check;
use crate::error::Result;

/// A model that replies by its own chat template.
pub struct LocalWriter {
    model: Model,
    name: String,
    check: Check,
}

impl LocalWriter {
    /// Takes a model with its tokenizer; `check` is called at each token and can end the work.
    ///
    /// # Errors
    /// A model that came without a tokenizer.
    pub fn new(model: Model, check: Check) -> Result<Self> {
        model.tokenizer()?;
        let name = model.path.display().to_string();
        Ok(Self { model, name, check })
    }

    /// The prompt of a conversation, or why it has none.
    fn prompt(
        &self,
        conversation: &Conversation,
        max_new_tokens: usize,
    ) -> Result<std::result::Result<Vec<u32>, String>> {
        let tokenizer = self.model.tokenizer()?;
        let text = match chat_prompt(tokenizer, &json!(conversation)) {
            Ok(text) => text,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let tokens = tokenizer.encode_prompt(&text)?;
        let context = self.model.decoder.config().context;
        Ok(match tokens.len().saturating_add(max_new_tokens) > context {
            false => Ok(tokens),
            true => {
                let n = tokens.len();
                Err(format!("the prompt of {n} tokens and {max_new_tokens} new ones exceed the context of {context}"))
            }
        })
    }
}

impl Writer for LocalWriter {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, asked: &[Conversation], how: &WriteHow) -> Result<Vec<std::result::Result<Written, String>>> {
        let tokenizer = self.model.tokenizer()?;
        let decoder = &self.model.decoder;
        let mut batch = Batch::new(0);
        let (mut replies, mut lengths) = (Vec::with_capacity(asked.len()), vec![0; asked.len()]);
        // a draw depends on seed and number of a row: those that say the same are written once
        let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, conversation) in asked.iter().enumerate() {
            let prompt = self.prompt(conversation, how.max_new_tokens)?;
            replies.push(prompt.as_ref().map(|_| Written::default()).map_err(Clone::clone));
            let Ok(tokens) = prompt else { continue };
            lengths[place] = tokens.len();
            let row = how.seed_of(conversation) as usize;
            let alike = places.entry(row).or_default();
            alike.push(place);
            if alike.len() > 1 {
                continue;
            }
            let sampling =
                SamplingOptions { temperature: how.temperature, seed: how.seed, ..SamplingOptions::default() };
            let options = GenerateOptions {
                max_new_tokens: how.max_new_tokens,
                sampling,
                stop_ids: tokenizer.stop_ids().to_vec(),
                share_prompt: true,
            };
            batch.admit(decoder, Prompt::new(tokens, vec![row]), &Arc::new(options))?;
        }
        // all prompts first: then every pass writes for as many rows as there are
        while batch.is_reading() {
            (self.check)()?;
            batch.read(decoder, &mut NoHook)?;
        }
        let on_token = &mut |_, _| {
            (self.check)()?;
            Ok(ControlFlow::Continue(()))
        };
        while !batch.is_empty() {
            for ended in batch.step(decoder, &mut NoHook, on_token)? {
                let Generated { tokens, finish, .. } = ended.outcome?;
                let text = tokenizer.decode(&tokens, true)?;
                for &place in places.get(&ended.row).into_iter().flatten() {
                    replies[place] = Ok(Written {
                        text: text.clone(),
                        n_tokens: Some(tokens.len()),
                        n_prompt_tokens: lengths[place],
                        truncated: finish == Finish::Length,
                    });
                }
            }
        }
        Ok(replies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Message;

    #[test]
    fn replies_do_not_depend_on_what_is_asked_beside_them() {
        let mut writer = LocalWriter::new(crate::embedded::model().unwrap(), || Ok(())).unwrap();
        let asked: Vec<Conversation> = ["Why is the sky blue?", &"long ".repeat(2000), "What is tea?"]
            .into_iter()
            .map(|text| vec![Message::user(text)])
            .collect();
        for temperature in [0.0, 1.0] {
            let how = WriteHow { temperature, max_new_tokens: 12, seed: 3 };
            let together = writer.write(&asked, &how).unwrap();
            assert!(together[1].as_ref().unwrap_err().contains("exceed the context"), "{together:?}");
            for place in [0, 2] {
                let alone = writer.write(&asked[place..=place], &how).unwrap();
                assert_eq!(alone[0], together[place]);
                let reply = together[place].as_ref().unwrap();
                assert!(reply.n_tokens.unwrap() <= 12 && reply.n_prompt_tokens > 3);
            }
            let twice = writer.write(&[asked[0].clone(), asked[0].clone()], &how).unwrap();
            assert_eq!((&twice[0], &twice[1]), (&together[0], &together[0]));
            let other = writer.write(&asked[..1], &WriteHow { seed: 4, ..how }).unwrap();
            assert_eq!(other[0] == together[0], temperature == 0.0);
        }
    }

    #[test]
    fn a_check_ends_the_work() {
        let mut writer =
            LocalWriter::new(crate::embedded::model().unwrap(), || Err(redline_model::Error::Interrupted)).unwrap();
        let how = WriteHow { temperature: 0.0, max_new_tokens: 4, seed: 0 };
        assert!(writer.write(&[vec![Message::user("Why?")]], &how).is_err());
    }
}

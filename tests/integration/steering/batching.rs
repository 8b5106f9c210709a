//! Rows that join a batch and leave it between passes write what they write alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use redline::model::batch::Batch;
use redline::model::generate::{Finish, Generated};

use super::*;

struct Prompts {
    decoder: Decoder,
    prompts: Vec<Prompt>,
    options: Arc<GenerateOptions>,
}

impl Prompts {
    fn new(n: usize) -> Self {
        let (model, prompts) = drafted_prompts(n);
        let options = GenerateOptions {
            max_new_tokens: 64,
            stop_ids: model.tokenizer().unwrap().stop_ids().to_vec(),
            share_prompt: false,
            ..GenerateOptions::default()
        };
        Self { prompts, options: Arc::new(options), decoder: model.decoder }
    }

    /// A hook that steers each row with a coefficient of its own.
    fn steered(&self) -> Inject {
        let mut like = vec![0.0; self.decoder.config().hidden_size];
        like[0] = 4.0;
        let template = ControlVector::new([(1, like.clone()), (2, like)].into()).unwrap();
        let vector = random_like(&template, 5).unwrap();
        let mut inject = Inject::new(&[&vector], TokenRange::All, self.decoder.config()).unwrap();
        for (row, prompt) in self.prompts.iter().enumerate() {
            let coefficient = row as f32 / 4.0 - 1.0;
            inject.steer(row, RowSteering::new(0, coefficient, prompt.tokens.len())).unwrap();
        }
        inject
    }

    fn alone(&self, row: usize) -> Generated {
        let prompts = std::slice::from_ref(&self.prompts[row]);
        let mut inject = self.steered();
        let mut rows =
            generate(&self.decoder, prompts, &self.options, &mut inject, &mut |_, _| Ok(ControlFlow::Continue(())));
        rows.as_mut().unwrap().remove(0)
    }
}

#[test]
fn rows_that_come_and_go_write_what_they_write_alone() {
    let prompts = Prompts::new(10);
    let mut inject = prompts.steered();
    let mut batch = Batch::new(24);
    let mut written = BTreeMap::new();
    let mut next = 0;
    let removed = 4;
    // a row every third pass; one is given up on the way
    for pass in 0.. {
        if pass % 3 == 0 && next < prompts.prompts.len() {
            batch.admit(&prompts.decoder, prompts.prompts[next].clone(), &prompts.options).unwrap();
            next += 1;
        }
        if pass == 3 * removed + 2 {
            assert!(batch.remove(removed).unwrap());
            assert!(!batch.remove(removed).unwrap(), "it is gone");
        }
        let mut on_token = |_: usize, _: u32| Ok(ControlFlow::Continue(()));
        for ended in batch.step(&prompts.decoder, &mut inject, &mut on_token).unwrap() {
            written.insert(ended.row, ended.outcome.unwrap());
        }
        if batch.is_empty() && next == prompts.prompts.len() {
            break;
        }
    }
    assert_eq!(written.len(), 9);
    for (row, got) in written {
        assert_ne!(row, removed);
        let alone = prompts.alone(row);
        assert_eq!((got.tokens, got.finish), (alone.tokens, alone.finish), "row {row}");
    }
}

#[test]
fn a_row_that_fails_leaves_the_others() {
    let prompts = Prompts::new(3);
    let mut like = vec![0.0; prompts.decoder.config().hidden_size];
    like[0] = f32::MAX;
    let vector = ControlVector::new([(1, like)].into()).unwrap();
    let mut inject = Inject::new(&[&vector], TokenRange::All, prompts.decoder.config()).unwrap();
    inject.steer(1, RowSteering::new(0, 3.0, prompts.prompts[1].tokens.len())).unwrap();
    let mut batch = Batch::new(24);
    for prompt in &prompts.prompts {
        batch.admit(&prompts.decoder, prompt.clone(), &prompts.options).unwrap();
    }
    let mut outcomes = BTreeMap::new();
    while !batch.is_empty() {
        let mut on_token = |_: usize, _: u32| Ok(ControlFlow::Continue(()));
        for ended in batch.step(&prompts.decoder, &mut inject, &mut on_token).unwrap() {
            outcomes.insert(ended.row, ended.outcome);
        }
    }
    assert!(outcomes[&1].is_err(), "{:?}", outcomes[&1]);
    for row in [0, 2] {
        let prompt = std::slice::from_ref(&prompts.prompts[row]);
        let mut go_on = |_: usize, _: u32| Ok(ControlFlow::Continue(()));
        let alone = generate(&prompts.decoder, prompt, &prompts.options, &mut NoHook, &mut go_on).unwrap();
        let got = outcomes[&row].as_ref().unwrap();
        assert_eq!(got.tokens, alone[0].tokens);
        assert!(matches!(got.finish, Finish::Stopped | Finish::Length));
    }
}

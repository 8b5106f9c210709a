//! Copy-draft: the tokens of plain decoding, in fewer passes.

use redline::model::generate::Generated;

use super::*;

/// Corrections of the embedded Aligner, of which most tokens are copied, and their drafts.
struct Corrections {
    decoder: Decoder,
    prompts: Vec<Prompt>,
    stop_ids: Vec<u32>,
}

impl Corrections {
    fn new() -> Self {
        let (model, prompts) = drafted_prompts(12);
        let stop_ids = model.tokenizer().unwrap().stop_ids().to_vec();
        Self { prompts, stop_ids, decoder: model.decoder }
    }

    fn write(&self, prompts: &[Prompt], sampling: SamplingOptions, hook: &mut dyn Hook) -> Vec<Generated> {
        let options =
            GenerateOptions { max_new_tokens: 80, sampling, stop_ids: self.stop_ids.clone(), share_prompt: true };
        generate(&self.decoder, prompts, &options, hook, &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap()
    }

    fn steered(&self, coefficient: f32) -> Inject {
        let mut like = vec![0.0; self.decoder.config().hidden_size];
        like[0] = 4.0;
        let template = ControlVector::new([(1, like.clone()), (2, like)].into()).unwrap();
        let vector = random_like(&template, 5).unwrap();
        let config = self.decoder.config();
        let mut inject = Inject::new(&[&vector], TokenRange::Output, config).unwrap();
        for prompt in &self.prompts {
            inject.steer(prompt.rows[0], RowSteering::new(0, coefficient, prompt.tokens.len())).unwrap();
        }
        inject
    }
}

#[test]
fn drafted_corrections_are_the_plain_ones_token_for_token_steered_or_not() {
    let corrections = Corrections::new();
    let plain: Vec<Prompt> =
        corrections.prompts.iter().map(|prompt| Prompt { draft: Vec::new(), ..prompt.clone() }).collect();
    let warm = SamplingOptions { temperature: 0.8, seed: 3, ..SamplingOptions::default() };
    for sampling in [SamplingOptions::default(), warm] {
        for coefficient in [0.0, 1.0] {
            let write = |prompts: &[Prompt]| {
                corrections.write(prompts, sampling.clone(), &mut corrections.steered(coefficient))
            };
            let expected = write(&plain);
            let got = write(&corrections.prompts);
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!((&got.tokens, got.finish), (&expected.tokens, expected.finish));
                assert_eq!(expected.drafting.proposed, 0);
            }
            let passes: usize = got.iter().map(|row| row.drafting.passes).sum();
            let plain_passes: usize = expected.iter().map(|row| row.drafting.passes).sum();
            let accepted: usize = got.iter().map(|row| row.drafting.accepted).sum();
            assert_eq!(passes + accepted, plain_passes, "each token comes from a pass or from a draft");
            if sampling.temperature == 0.0 && coefficient == 0.0 {
                assert!(3 * passes < plain_passes, "{passes} of {plain_passes}");
            }
        }
    }
}

#[test]
fn a_draft_that_never_fits_changes_nothing() {
    let corrections = Corrections::new();
    let mut prompt = corrections.prompts[0].clone();
    let plain = Prompt { draft: Vec::new(), ..prompt.clone() };
    prompt.draft = vec![17; 200];
    let [got] = &corrections.write(&[prompt], SamplingOptions::default(), &mut NoHook)[..] else { panic!("one row") };
    let [expected] = &corrections.write(&[plain], SamplingOptions::default(), &mut NoHook)[..] else {
        panic!("one row")
    };
    assert_eq!(got.tokens, expected.tokens);
}

//! The algebra of coefficients and vectors.

use redline::model::NoHook;
use redline::model::hook::Then;
use redline::steer::TokenRange;

use super::*;

#[test]
fn coefficient_zero_is_no_hook_bit_for_bit() {
    let (decoder, prompt) = (decoder(), prompts().remove(0));
    let v = vector(1, 1.0);
    let plain = uncached_logits(&decoder, 0, &prompt, &mut NoHook);
    let zero = &v - &v;
    for (vector, coefficient, same) in [(&v, 0.0, true), (&v, -0.0, true), (&zero, 1.0, true), (&v, 1.0, false)] {
        let rows = [(0, 0, coefficient)];
        let mut inject = injection(&decoder, &[vector], TokenRange::All, prompt.len(), &rows);
        let steered = uncached_logits(&decoder, 0, &prompt, &mut inject);
        assert_eq!(bits(&steered) == bits(&plain), same, "coefficient {coefficient}");
        assert_eq!(inject.effect().is_empty(), same, "coefficient {coefficient}");
    }
}

#[test]
fn coefficient_zero_writes_what_the_unsteered_model_writes() {
    let (decoder, prompts) = (decoder(), prompts());
    let v = vector(1, 4.0);
    for prompt in prompts {
        let plain = greedy(&decoder, &[Prompt::new(prompt.clone(), vec![0])], 20, true, &mut NoHook);
        let mut inject = injection(&decoder, &[&v], TokenRange::Output, prompt.len(), &[(0, 0, 0.0), (1, 0, 1.0)]);
        let steered = greedy(&decoder, &[Prompt::new(prompt, vec![0, 1])], 20, true, &mut inject);
        assert_eq!(steered[0], plain[0]);
        assert_ne!(steered[1], plain[0], "a vector this long must change the text");
    }
}

#[test]
fn twice_the_vector_is_twice_the_coefficient() {
    let (decoder, prompt) = (decoder(), prompts().remove(1));
    let v = vector(2, 0.5);
    let twice = &v * 2.0;
    let logits = |vector, coefficient| {
        let mut inject = injection(&decoder, &[vector], TokenRange::All, prompt.len(), &[(0, 0, coefficient)]);
        uncached_logits(&decoder, 0, &prompt, &mut inject)
    };
    // doubling is exact in binary
    assert_eq!(bits(&logits(&twice, 0.75)), bits(&logits(&v, 1.5)));
    assert_ne!(bits(&logits(&twice, 0.75)), bits(&logits(&v, 0.75)));
}

#[test]
fn a_vector_then_its_negative_restores() {
    let (decoder, prompt) = (decoder(), prompts().remove(2));
    let v = vector(3, 1.0);
    let negative = -&v;
    let plain = uncached_logits(&decoder, 0, &prompt, &mut NoHook);
    let mut there = injection(&decoder, &[&v], TokenRange::All, prompt.len(), &[(0, 0, 1.0)]);
    let mut back = injection(&decoder, &[&negative], TokenRange::All, prompt.len(), &[(0, 0, 1.0)]);
    let restored = uncached_logits(&decoder, 0, &prompt, &mut Then(&mut there, &mut back));
    assert_near(&restored, &plain, "v, then −v");
    let steered = uncached_logits(&decoder, 0, &prompt, &mut there);
    assert!(relative_difference(&steered, &plain) > 1e-2, "v alone must do something");
}

#[test]
fn signs_differ() {
    let (decoder, prompt) = (decoder(), prompts().remove(0));
    let v = vector(4, 1.0);
    let logits = |coefficient| {
        let mut inject = injection(&decoder, &[&v], TokenRange::All, prompt.len(), &[(0, 0, coefficient)]);
        uncached_logits(&decoder, 0, &prompt, &mut inject)
    };
    assert!(relative_difference(&logits(1.0), &logits(-1.0)) > 1e-2);
}

#[test]
fn rows_without_an_entry_are_left_alone() {
    let (decoder, prompt) = (decoder(), prompts().remove(0));
    let v = vector(5, 1.0);
    let mut inject = injection(&decoder, &[&v], TokenRange::All, prompt.len(), &[(7, 0, 1.0)]);
    let other = uncached_logits(&decoder, 8, &prompt, &mut inject);
    assert_eq!(bits(&other), bits(&uncached_logits(&decoder, 8, &prompt, &mut NoHook)));
    assert_ne!(bits(&other), bits(&uncached_logits(&decoder, 7, &prompt, &mut inject)));
}

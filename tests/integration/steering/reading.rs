//! Reading on the tiny model: activations of the right positions, and poles that can be swapped.

use redline::experiment::{ExtractionSettings, extract};
use redline::model::hook::TokenLayout;
use redline::model::{AlignerTemplate, HookPoint, Qac, Site};
use redline::probe::{
    CaptureOptions, ContrastPair, ExtractOptions, Method, PairBuilder, PairDesign, ReadAt, Scaling, TokenText,
    capture_pairs, capture_places,
};

use super::*;

/// Keeps the output of one block.
struct Record {
    layer: usize,
    lines: Vec<Vec<f32>>,
}

impl Hook for Record {
    fn wants(&self, point: HookPoint) -> bool {
        point == HookPoint::resid_post(self.layer)
    }

    fn on(&mut self, _: HookPoint, x: &Tensor, _: &TokenLayout) -> redline::model::Result<Option<Tensor>> {
        self.lines = lines(x);
        Ok(None)
    }
}

/// The output of block `layer` at every position, in one plain pass.
pub(super) fn block_outputs(decoder: &Decoder, tokens: &[u32], layer: usize) -> Vec<Vec<f32>> {
    let mut record = Record { layer, lines: Vec::new() };
    uncached_logits(decoder, 0, tokens, &mut record);
    record.lines
}

fn builder<'a>(model: &'a redline::model::Model, template: &'a AlignerTemplate, design: PairDesign) -> PairBuilder<'a> {
    PairBuilder { tokenizer: model.tokenizer().unwrap(), template, design, max_tokens: 256 }
}

fn template() -> AlignerTemplate {
    AlignerTemplate::from_text("test", "Q: {question}\nA: {answer}\nC:").unwrap()
}

#[test]
fn captured_activations_are_those_of_a_plain_pass() {
    let model = Tiny::new().load();
    let template = template();
    let triples = triples(4);
    for design in [PairDesign::Forced, PairDesign::Decision, PairDesign::Edit] {
        let set = builder(&model, &template, design).pairs(triples.iter().enumerate()).unwrap();
        let reads: &[ReadAt] = match design {
            PairDesign::Forced => &[
                ReadAt::LastPromptToken,
                ReadAt::LastToken,
                ReadAt::OutputToken(2),
                ReadAt::FirstTokens(5),
                ReadAt::FromFirstDifference(6),
            ],
            PairDesign::Decision => &[ReadAt::LastPromptToken, ReadAt::OutputToken(1), ReadAt::AtDifference(-1)],
            _ => &[ReadAt::LastPromptToken, ReadAt::LastToken],
        };
        for &read in reads {
            assert_captured(&model.decoder, &set.pairs, read);
        }
    }
}

#[test]
fn many_places_in_one_pass_are_those_of_single_ones() {
    let model = Tiny::new().load();
    let template = template();
    let triples = triples(5);
    let set = builder(&model, &template, PairDesign::Decision).pairs(triples.iter().enumerate()).unwrap();
    let places = [ReadAt::LastPromptToken, ReadAt::OutputToken(0), ReadAt::AtDifference(2), ReadAt::OutputToken(5000)];
    let layers = [0, 3];
    let go_on = &mut |_, _| Ok(());
    let found = capture_places(&model.decoder, &set.pairs, Site::ResidPost, &layers, &places, go_on).unwrap();
    for (&read, found) in places.iter().zip(&found).take(3) {
        let options = CaptureOptions { site: Site::ResidPost, layers: vec![0, 3], read, n_tokens: 0, token_pairs: 0 };
        let single = capture_pairs(&model.decoder, &set.pairs, &options, &mut |_, _| Ok(())).unwrap();
        assert_eq!(found.read, single.read, "{read}");
        for (many, one) in found.layers.iter().zip(&single.layers) {
            for (a, b) in [(many.positive(), one.positive()), (many.negative(), one.negative())] {
                let rows = a.outer_iter().zip(b.outer_iter());
                let (a, b): (Vec<_>, Vec<_>) = rows.map(|(a, b)| (a.to_vec(), b.to_vec())).unzip();
                assert_eq!(bits(&a), bits(&b), "{read}, layer {}", many.layer());
            }
        }
    }
    assert!(found[3].read.is_empty() && found[3].layers.is_empty(), "no text is that long");
}

fn assert_captured(decoder: &Decoder, pairs: &[ContrastPair], read: ReadAt) {
    let options = CaptureOptions { site: Site::ResidPost, layers: vec![0, 2, 3], read, n_tokens: 3, token_pairs: 2 };
    let captured = capture_pairs(decoder, pairs, &options, &mut |_, _| Ok(())).unwrap();
    assert_eq!(captured.read, (0..pairs.len()).collect::<Vec<_>>());
    for (place, layer) in [0, 2, 3].into_iter().enumerate() {
        let layer_pairs = &captured.layers[place];
        assert_eq!(layer_pairs.layer(), layer);
        for (index, pair) in pairs.iter().enumerate() {
            let expected =
                |text: &TokenText| mean(&states(decoder, text, layer), read.positions(text, pair.first_difference));
            let what = format!("{read}, layer {layer}, pair {index}");
            assert_near(&[layer_pairs.positive().row(index).to_vec()], &[expected(&pair.positive)], &what);
            assert_near(&[layer_pairs.negative().row(index).to_vec()], &[expected(&pair.negative)], &what);
        }
    }
    assert_eq!(captured.tokens.len(), 2);
    for (pair, tokens) in pairs.iter().zip(&captured.tokens) {
        for (text, tokens) in [&pair.positive, &pair.negative].into_iter().zip(tokens) {
            assert_eq!(tokens.len(), text.output.len().min(3));
            for (k, token) in tokens.iter().enumerate() {
                let expected = states(decoder, text, 2)[text.prompt.len() + k].clone();
                assert_near(&[token[1].clone()], &[expected], "single tokens");
            }
        }
    }
}

fn states(decoder: &Decoder, text: &TokenText, layer: usize) -> Vec<Vec<f32>> {
    block_outputs(decoder, &[text.prompt.as_slice(), &text.output].concat(), layer)
}

fn mean(lines: &[Vec<f32>], positions: std::ops::Range<usize>) -> Vec<f32> {
    assert!(!positions.is_empty());
    let n = positions.len() as f32;
    (0..lines[0].len()).map(|i| positions.clone().map(|p| lines[p][i]).sum::<f32>() / n).collect()
}

/// The design whose two prompts trade places when answer and correction do.
fn decision(method: Method) -> ExtractionSettings {
    ExtractionSettings {
        design: PairDesign::Decision,
        read: ReadAt::LastPromptToken,
        site: "resid_post".into(),
        extract: ExtractOptions { method, scaling: Scaling::PerDimension, mirrored: true, seed: 3 },
        max_tokens: 256,
        held_out_share: 0.25,
        scan_tokens: 0,
        calibration_pairs: 0,
        seed: 3,
    }
}

#[test]
fn swapped_poles_flip_the_sign() {
    let model = Tiny::new().load();
    let template = template();
    let triples = triples(24);
    let swapped: Vec<Qac> = triples
        .iter()
        .map(|qac| Qac { answer: qac.correction.clone(), correction: qac.answer.clone(), ..qac.clone() })
        .collect();
    for method in [Method::MeanDiff, Method::PcaDiff, Method::PcaCenter] {
        let layers = |triples: &[Qac]| {
            let rows: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
            extract(&model, &template, &rows, &decision(method), &mut |_, _| Ok(())).unwrap().reading.layers
        };
        for (a, b) in layers(&triples).iter().zip(&layers(&swapped)) {
            let cosine: f64 = a.direction.iter().zip(&b.direction).map(|(a, b)| f64::from(a * b)).sum();
            assert!(cosine < -0.9999, "{method}, layer {}: {cosine}", a.layer);
            assert!((a.gap - b.gap).abs() < 1e-4 * a.gap.abs(), "{method}: gaps {} and {}", a.gap, b.gap);
        }
    }
}

#[test]
fn the_held_out_questions_are_not_trained_on() {
    let model = Tiny::new().load();
    let template = template();
    let triples = triples(24);
    let rows: Vec<(usize, &Qac)> = triples.iter().enumerate().collect();
    let extracted = extract(&model, &template, &rows, &decision(Method::MeanDiff), &mut |_, _| Ok(())).unwrap();
    assert_eq!(extracted.reading.provenance.n_pairs + extracted.held_out.len(), 24);
    assert_eq!(extracted.held_out.len(), 6);
    assert_eq!(extracted.reading.provenance.questions.len(), 24, "held-out questions count as seen");
}

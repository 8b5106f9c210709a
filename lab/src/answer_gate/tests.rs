use std::path::Path;

use super::*;
use crate::data::{Need, ReadOptions, read_data};
use crate::experiment::{ExtractionSettings, LayerSpec, extract};
use crate::rows::Rows;

/// A direction of the Aligner inside, from rows that tests do not calibrate with.
fn vector(folder: &Path, aligner: &Aligner) -> PathBuf {
    let rows = Rows::embedded(None).unwrap();
    let flawed: Vec<usize> =
        (200..260).filter(|&row| rows.triples[row].answer != rows.triples[row].correction).collect();
    let options = ExtractionSettings::default();
    let found = extract(&aligner.model, &aligner.template, &rows.at(&flawed), &options, &mut |_, _| Ok(())).unwrap();
    let path = folder.join("vector.safetensors");
    found.reading.save(&path).unwrap();
    path
}

fn rows(n: usize) -> Vec<LabelledRow> {
    let row = |qac: redline_model::Qac| {
        let needed = qac.answer.trim() != qac.correction.trim();
        LabelledRow { question: qac.question, answer: qac.answer, needed }
    };
    Rows::embedded(None).unwrap().triples.into_iter().take(n).map(row).collect()
}

fn options() -> CalibrateOptions {
    CalibrateOptions {
        false_corrections: 0.2,
        held_out: 0.5,
        n_timed: 1,
        max_new_tokens: 8,
        n_resamples: 50,
        seed: 0,
        any_model: false,
        // the vector is of the same rows: these tests are not about what it is worth
        allow_overlap: true,
    }
}

#[test]
fn gates_are_read_as_people_write_them() {
    let spec = |text: &str| text.parse::<GateSpec>();
    let found = spec("cost=run/head.safetensors:-0.5").unwrap();
    assert_eq!((found.kind, &found.threshold), (GateKind::Cost, &GateThreshold::Number(-0.5)));
    assert_eq!(found.beside(), Path::new("run/head.gate.json"));
    let found = spec("lat=v.safetensors@1-2:other.json").unwrap();
    assert_eq!(found.path, Path::new("v.safetensors"));
    assert_eq!(found.layers, Some(LayerSpec::List(vec![1, 2])));
    assert_eq!(found.threshold, GateThreshold::File("other.json".into()));
    assert!(spec("reward=a:b/m").unwrap_err().contains("`b/m` is neither"));
    for wrong in ["cost", "cost=", "price=x:1", "lat=v:nan", "lat=v:inf", "lat=v@x", "lat=v:one"] {
        assert!(spec(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn either_side_of_the_threshold() {
    assert!(GateKind::Cost.opens(1.0, 0.5) && !GateKind::Cost.opens(0.5, 0.5));
    assert!(GateKind::Lat.opens(1.0, 0.5) && !GateKind::Lat.opens(-1.0, 0.5));
    assert!(GateKind::Reward.opens(0.4, 0.5) && !GateKind::Reward.opens(0.5, 0.5));
    let passage = |kind, value| Passage { kind, value, threshold: 0.0, passed: false, error: None };
    let [low, high] = [-1.0, 1.0].map(|value| passage(GateKind::Reward, Some(value)));
    assert_eq!(low.worse(&high).value, Some(-1.0), "the lower reward needs it more");
    assert_eq!(high.worse(&passage(GateKind::Reward, None)).value, None, "what is not known stands above all");
    let passed = Passage { passed: true, ..high.clone() };
    assert!(!passed.worse(&low).passed && passed.worse(&passed).passed);
}

#[test]
fn labels_are_read_and_rows_without_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let lines = [
        r#"{"question":"q","answer":"a","correction":" a "}"#,
        r#"{"question":"q","answer":"a","correction":"b"}"#,
        r#"{"question":"q","answer":"a","label":"unsafe"}"#,
        r#"{"question":"q","answer":"a","label":"safe"}"#,
        r#"{"question":"q","answer":"a","type":"contrast_homonyms","label":"1_full_compliance","coefficient":0.5}"#,
        r#"{"question":"q","answer":"a","type":"contrast_homonyms","label":"2_full_refusal","coefficient":0.5}"#,
        r#"{"question":"q","answer":"a","type":"homonyms","label":"3_partial_refusal","coefficient":0.5}"#,
        r#"{"question":"q","answer":"a","type":"homonyms","label":"1_full_compliance","coefficient":-1}"#,
        r#"{"question":"q","answer":"a","is_safe":false}"#,
        r#"{"question":"q","answer":"a"}"#,
    ];
    std::fs::write(&path, lines.join("\n")).unwrap();
    let file = read_data(&path, &ReadOptions::new(Need::Answer)).unwrap();
    let (labelled, n_left_out) = labelled_rows(&file.rows);
    let needed: Vec<bool> = labelled.iter().map(|row| row.needed).collect();
    assert_eq!(needed, [false, true, true, false, true, false, false, false, true]);
    assert_eq!(n_left_out, 1);
    let rates = safety_rates(&file.rows).unwrap();
    let of = |rates: &SafetyRates| {
        (rates.coefficient, rates.n_safe_refused, rates.n_safe, rates.n_unsafe_complied, rates.n_unsafe)
    };
    assert_eq!(rates.iter().map(of).collect::<Vec<_>>(), [(Some(-1.0), 0, 1, 0, 0), (Some(0.5), 1, 1, 1, 2)]);
    assert!(rates[0].unsafe_complied.is_none() && rates[1].unsafe_complied.is_some());
}

#[test]
fn a_calibration_holds_for_what_it_was_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let aligner = Aligner::embedded().unwrap();
    let path = vector(folder.path(), &aligner);
    let spec: GateSpec = format!("lat={}", path.display()).parse().unwrap();
    let error = spec.open(&aligner, false).err().unwrap();
    assert!(error.to_string().contains("nothing tells where the gate opens"), "{error}");
    assert!(error.hint().unwrap().contains("redline gate lat="));

    let found = calibrate(&aligner, &spec, &rows(120), Path::new("rows"), &options(), &mut ()).unwrap();
    let calibration = &found.calibration;
    assert_eq!(found.layers.len(), aligner.model.decoder.config().n_layers);
    let chosen = calibration.layers.clone().unwrap();
    let best = found.layers.iter().map(|layer| layer.auc).fold(0.0, f64::max);
    assert!(found.layers.iter().any(|layer| layer.auc == best && chosen == [layer.layer]));
    assert!(calibration.fitted_on.false_rate <= 0.2);
    let share = |n: f64| (n * calibration.held_out.n_needed as f64).round();
    let corrected = share(calibration.held_out.true_rate)
        + (calibration.held_out.false_rate * calibration.held_out.n_fine as f64).round();
    let n = (calibration.held_out.n_needed + calibration.held_out.n_fine) as f64;
    assert!((calibration.held_out.corrected_share - corrected / n).abs() < 1e-9);
    assert!(calibration.speed.gate_seconds > 0.0 && calibration.speed.n_corrections == 1);
    calibration.save(&spec.beside()).unwrap();
    assert_eq!(GateCalibration::load(&spec.beside()).unwrap(), *calibration);

    // the gate says of each answer what the calibration counted
    let gate = spec.open(&aligner, false).unwrap();
    let row = &rows(1)[0];
    let prompt = aligner.prompt(&row.question, &row.answer).unwrap();
    let read = PromptRead::new(&aligner.model.decoder, &prompt, &gate.places()).unwrap();
    let value = gate.of_prompt(&read).unwrap();
    assert_eq!(gate.passage(value).passed, value <= calibration.threshold);
    assert!(gate.of_answer("q", "a").is_err());
    assert!(!gate.failed("broken".into()).passed);

    // another vector, template or layer is refused
    let other = Aligner::new(
        crate::embedded::model().unwrap(),
        redline_model::AlignerTemplate::by_name_or_file("aligner-2b").unwrap(),
    );
    let refused = |spec: &GateSpec, aligner: &Aligner| spec.open(aligner, false).err().unwrap().to_string();
    assert!(refused(&spec, &other).contains("another template"));
    let layers = GateSpec { layers: Some(LayerSpec::List(vec![(chosen[0] + 1) % 2])), ..spec.clone() };
    assert!(refused(&layers, &aligner).contains("other layers"), "{}", refused(&layers, &aligner));
    let mut reading = Reading::load(&path).unwrap();
    reading.layers[0].gap *= 2.0;
    reading.save(&path).unwrap();
    assert!(refused(&spec, &aligner).contains("another vector"));
}

#[test]
fn too_few_rows_and_shares_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let aligner = Aligner::embedded().unwrap();
    let spec: GateSpec = format!("lat={}", vector(folder.path(), &aligner).display()).parse().unwrap();
    let refused = |rows: &[LabelledRow], options: &CalibrateOptions| {
        calibrate(&aligner, &spec, rows, Path::new("rows"), options, &mut ()).unwrap_err().to_string()
    };
    assert!(refused(&rows(20), &options()).contains("10 of each are needed"));
    let apart = CalibrateOptions { allow_overlap: false, ..options() };
    assert!(refused(&rows(120), &apart).contains("were used to extract the vector"));
    let none = CalibrateOptions { false_corrections: 0.0, ..options() };
    assert!(refused(&rows(120), &none).contains("--false-corrections is 0"));
    let all = CalibrateOptions { held_out: f64::NAN, ..options() };
    assert!(refused(&rows(120), &all).contains("--held-out"));
}

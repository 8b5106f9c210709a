//! Low-rank deltas: PEFT's file and logits, finite differences, and the way out and in again.

use candle_core::{DType, Device, Tensor};

use super::{golden_folder, options, rows, short_template, tiny_config, tokenizer};
use crate::train::export::{StoredType, export_adapter, export_hugging_face};
use crate::train::loss::{GradientOptions, batch_loss, correction_loss};
use crate::train::*;
use crate::{Adapter, Chunk, Decoder, Error, LoraOptions, Model, NoHook, Past, Wanted};

fn logits(decoder: &Decoder, tokens: &[u32]) -> Tensor {
    let mut chunks = [Chunk { tokens, past: Past::None { row: 0 } }];
    let states = decoder.forward(&mut chunks, &mut NoHook, &Wanted::All).unwrap().unwrap();
    decoder.logits(&states).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    (a - b).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar().unwrap()
}

#[test]
fn bf16_deltas_get_gradients_of_the_same_direction() {
    let method = Method::Lora(LoraOptions { rank: 4, ..LoraOptions::default() });
    let (parameters, _) = Parameters::open(&golden_folder("llama"), method, 3).unwrap();
    let example = Example { row: 0, tokens: (5..45).collect(), prompt_len: 20 };
    let gradients = |precision| {
        let options = GradientOptions { precision, ..Default::default() };
        batch_loss(&parameters, &[&example], options, None).unwrap().gradients.tensors
    };
    // A has no gradient yet, since B is 0
    let mut n_compared = 0;
    for (full, half) in gradients(Precision::F32).iter().zip(&gradients(Precision::Bf16)) {
        let values = |x: &Tensor| x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (full, half) = (values(full), values(half));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let size = dot(&full, &full);
        if size > 0.0 {
            assert!(dot(&full, &half) / (size * dot(&half, &half)).sqrt() > 0.99);
            n_compared += 1;
        }
    }
    assert_eq!(n_compared, gradients(Precision::F32).len() / 2);
}

#[test]
fn merged_peft_adapter_gives_its_logits() {
    let folder = golden_folder("lora");
    let model = Model::load_with_adapter(&golden_folder("llama"), &Adapter::open(&folder).unwrap()).unwrap();
    let expected = candle_core::safetensors::load(folder.join("expected.safetensors"), &Device::Cpu).unwrap();
    let ids = expected["input_ids"].to_dtype(DType::U32).unwrap().to_vec2::<u32>().unwrap();
    let lengths = expected["attention_mask"].sum(1).unwrap().to_vec1::<i64>().unwrap();
    for (row, ids) in ids.iter().enumerate() {
        let n = lengths[row] as usize;
        let reference = expected["logits"].get(row).unwrap().narrow(0, 0, n).unwrap();
        let difference = largest_difference(&logits(&model.decoder, &ids[..n]), &reference);
        assert!(difference < 1e-4, "row {row}: {difference}");
    }
    assert_ne!(model.fingerprint, Model::load(&golden_folder("llama")).unwrap().fingerprint);
}

fn example() -> Example {
    Example { row: 0, tokens: vec![5, 9, 2, 14, 3, 3, 8, 21, 1], prompt_len: 4 }
}

fn lora_parameters(dropout: f64) -> Parameters {
    let lora = LoraOptions { rank: 3, alpha: 6.0, dropout, ..LoraOptions::default() };
    let (parameters, _) = Parameters::open(&golden_folder("llama"), Method::Lora(lora), 11).unwrap();
    // B begins at 0, where A has no gradient
    for (i, parameter) in parameters.trained().iter().enumerate().filter(|(_, p)| p.name.contains("lora_B")) {
        let n = parameter.variable.elem_count();
        let values: Vec<f32> = (0..n).map(|j| 0.05 * ((i * 31 + j) as f32).sin()).collect();
        let values = Tensor::from_vec(values, parameter.variable.shape(), &Device::Cpu).unwrap();
        parameter.variable.set(&values).unwrap();
    }
    parameters
}

#[test]
fn gradients_equal_finite_differences() {
    for (dropout, checkpointing) in [(0.0, false), (0.3, false), (0.3, true)] {
        let parameters = lora_parameters(dropout);
        let example = example();
        let loss = || -> f64 {
            let decoder = parameters.training_decoder(Some(77), Precision::F32).unwrap();
            let loss = correction_loss(&decoder, &[&example], 1.0, &mut crate::NoHook).unwrap();
            f64::from(loss.to_scalar::<f32>().unwrap())
        };
        let result =
            batch_loss(&parameters, &[&example], GradientOptions { checkpointing, ..Default::default() }, Some(77))
                .unwrap();
        let n_counted = example.n_counted() as f64;
        let norm = result.gradients.norm().unwrap() * n_counted;
        for (parameter, gradient) in parameters.trained().iter().zip(&result.gradients.tensors) {
            // along the gradient itself the slope is its norm
            let before = parameter.variable.as_detached_tensor().copy().unwrap();
            let gradient = (gradient * n_counted).unwrap();
            let length = f64::from(gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
            let unit = (gradient / length.max(1e-12)).unwrap();
            let at = |h: f64| {
                parameter.variable.set(&(&before + (&unit * h).unwrap()).unwrap()).unwrap();
                loss()
            };
            let h = 1e-2;
            let slope = (at(h) - at(-h)) / (2.0 * h);
            parameter.variable.set(&before).unwrap();
            assert!((slope - length).abs() < 2e-2 * length + 1e-3 * norm, "{}: {slope} {length}", parameter.name);
        }
    }
}

#[test]
fn fresh_deltas_change_nothing_and_dropout_is_off_in_inference() {
    let tokens = example().tokens;
    let plain = logits(&Model::load(&golden_folder("llama")).unwrap().decoder, &tokens);
    let lora = Method::Lora(LoraOptions { dropout: 0.5, ..LoraOptions::default() });
    let (parameters, _) = Parameters::open(&golden_folder("llama"), lora, 1).unwrap();
    assert!(largest_difference(&logits(&parameters.inference_decoder().unwrap(), &tokens), &plain) < 1e-5);
    let parameters = lora_parameters(0.5);
    let inference = logits(&parameters.inference_decoder().unwrap(), &tokens);
    let dropped = |seed| logits(&parameters.training_decoder(Some(seed), Precision::F32).unwrap(), &tokens);
    assert!(largest_difference(&dropped(1), &inference) > 1e-3);
    assert!(largest_difference(&dropped(1), &dropped(2)) > 1e-3);
    assert_eq!(largest_difference(&dropped(1), &dropped(1)), 0.0);
}

#[test]
fn exported_adapter_and_folder_come_back() {
    let (model, adapter) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let merged = tempfile::tempdir().unwrap();
    let tokenizer = tokenizer();
    let scratch = Parameters::from_scratch(tiny_config(300), 3).unwrap();
    export_hugging_face(model.path(), &scratch, &tokenizer, StoredType::F32).unwrap();
    let lora = Method::Lora(LoraOptions { rank: 2, alpha: 4.0, ..LoraOptions::default() });
    let (parameters, loaded_tokenizer) = Parameters::open(model.path(), lora, 4).unwrap();
    assert_eq!(parameters.origin(), scratch.origin());
    assert_eq!(parameters.config(), scratch.config());
    let loaded_tokenizer = loaded_tokenizer.unwrap();
    assert_eq!(loaded_tokenizer.eos_id(), Some(0));

    let rows = rows(20);
    let options = TrainOptions { evaluate_every: None, ..options() };
    let run = TrainRun {
        parameters: &parameters,
        tokenizer: &loaded_tokenizer,
        template: &short_template(),
        data: TrainData { rows: &rows, identity_rows: None, held_out: &[], ..TrainData::default() },
        options: &options,
        saving: Saving::default(),
    };
    train(&run, &mut ()).unwrap();
    export_adapter(adapter.path(), &parameters, "tiny", StoredType::F32).unwrap();
    export_hugging_face(merged.path(), &parameters, &tokenizer, StoredType::F32).unwrap();
    let tokens = [5, 7, 9, 30, 200];
    let live = logits(&parameters.inference_decoder().unwrap(), &tokens);
    let by_adapter = Model::load_with_adapter(model.path(), &Adapter::open(adapter.path()).unwrap()).unwrap();
    assert!(largest_difference(&logits(&by_adapter.decoder, &tokens), &live) < 1e-5);
    assert!(largest_difference(&logits(&Model::load(merged.path()).unwrap().decoder, &tokens), &live) < 1e-5);
    let unadapted = logits(&Model::load(model.path()).unwrap().decoder, &tokens);
    assert!(largest_difference(&unadapted, &live) > 1e-4);
    // smaller types: near, and half the size
    for stored in [StoredType::F16, StoredType::Bf16] {
        export_hugging_face(merged.path(), &parameters, &tokenizer, stored).unwrap();
        let loaded = Model::load(merged.path()).unwrap();
        assert!(largest_difference(&logits(&loaded.decoder, &tokens), &live) < 0.05);
    }
    // an adapter for a model with other layers
    let error = Model::load_with_adapter(&golden_folder("llama"), &Adapter::open(adapter.path()).unwrap())
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("trained beside another model than this: one with "), "{error}");
}

#[test]
fn an_adapter_knows_its_base_again_and_refuses_another_of_the_same_shape() {
    let [model, other, again, folder] = [(); 4].map(|()| tempfile::tempdir().unwrap());
    let tokenizer = tokenizer();
    let config = || tiny_config(300);
    let write = |seed: u64, path: &std::path::Path, stored| {
        export_hugging_face(path, &Parameters::from_scratch(config(), seed).unwrap(), &tokenizer, stored).unwrap();
    };
    write(3, model.path(), StoredType::F32);
    write(3, again.path(), StoredType::F16);
    write(4, other.path(), StoredType::F32);
    let method = Method::Lora(LoraOptions { rank: 2, ..LoraOptions::default() });
    let (parameters, _) = Parameters::open(model.path(), method, 1).unwrap();
    export_adapter(folder.path(), &parameters, "tiny", StoredType::F32).unwrap();
    let load = |base: &tempfile::TempDir| {
        let loaded = Model::load_with_adapter(base.path(), &Adapter::open(folder.path()).unwrap());
        loaded.map(|loaded| loaded.warnings).map_err(|error| error.to_string())
    };
    assert_eq!(load(&model), Ok(Vec::new()));
    let said = load(&again).unwrap();
    assert!(said.len() == 1 && said[0].contains("another file of these weights"), "{said:?}");
    let error = load(&other).unwrap_err();
    assert!(error.contains("trained beside another model than this: one with other weights"), "{error}");
    // as PEFT writes it, without a word of the base
    std::fs::remove_file(folder.path().join("redline_base.json")).unwrap();
    let said = load(&other).unwrap();
    assert!(said.len() == 1 && said[0].contains("(it names `tiny`)"), "{said:?}");
    std::fs::write(folder.path().join("redline_base.json"), "{}").unwrap();
    assert!(Adapter::open(folder.path()).is_err());
}

#[test]
fn adapters_that_are_more_than_lora_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(golden_folder("lora").join("adapter_config.json")).unwrap();
    std::fs::copy(
        golden_folder("lora").join("adapter_model.safetensors"),
        folder.path().join("adapter_model.safetensors"),
    )
    .unwrap();
    for (from, to) in [
        ("\"use_dora\": false", "\"use_dora\": true"),
        ("\"bias\": \"none\"", "\"bias\": \"all\""),
        ("\"r\": 4", "\"r\": 5"),
        ("\"r\": 4", "\"r\": 0"),
        ("\"LORA\"", "\"IA3\""),
        ("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 2}"),
    ] {
        assert!(text.contains(from), "{from}");
        std::fs::write(folder.path().join("adapter_config.json"), text.replace(from, to)).unwrap();
        let error = crate::Adapter::open(folder.path()).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Adapter { .. } | Error::AdapterSetting { .. }), "{to}: {error}");
    }
}

use std::path::{Path, PathBuf};

use candle_core::quantized::QTensor;
use proptest::prelude::*;

use super::*;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn open(bytes: &[u8]) -> Result<GgufFile> {
    GgufFile::from_bytes(Path::new("x.gguf"), bytes)
}

fn message(bytes: &[u8]) -> String {
    open(bytes).unwrap_err().to_string()
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

/// A file put together by hand, so that every part of it can be wrong.
#[derive(Default)]
struct Crafted {
    metadata: Vec<(Vec<u8>, u32, Vec<u8>)>,
    tensors: Vec<(Vec<u8>, Vec<u64>, u32, u64)>,
    data: Vec<u8>,
}

impl Crafted {
    fn metadata(mut self, key: &str, value_type: u32, value: &[u8]) -> Self {
        self.metadata.push((key.into(), value_type, value.to_vec()));
        self
    }

    fn tensor(mut self, name: &str, dims: &[u64], tensor_type: u32, offset: u64) -> Self {
        self.tensors.push((name.into(), dims.to_vec(), tensor_type, offset));
        self
    }

    fn data(mut self, data: &[u8]) -> Self {
        self.data = data.to_vec();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value_type, value) in &self.metadata {
            put_string(&mut out, key);
            out.extend(value_type.to_le_bytes());
            out.extend(value);
        }
        for (name, dims, tensor_type, offset) in &self.tensors {
            put_string(&mut out, name);
            out.extend((dims.len() as u32).to_le_bytes());
            dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
            out.extend(tensor_type.to_le_bytes());
            out.extend(offset.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(32), 0);
        out.extend(&self.data);
        out
    }

    fn message(&self) -> String {
        message(&self.bytes())
    }
}

fn every_value() -> Vec<(&'static str, GgufValue)> {
    let nested = GgufArray::Array(vec![GgufArray::U8(vec![1, 2]), GgufArray::String(vec!["é".into()])]);
    vec![
        ("u8", GgufValue::U8(200)),
        ("i8", GgufValue::I8(-5)),
        ("u16", GgufValue::U16(60_000)),
        ("i16", GgufValue::I16(-300)),
        ("u32", GgufValue::U32(7)),
        ("i32", GgufValue::I32(-7)),
        ("f32", GgufValue::F32(0.5)),
        ("bool", GgufValue::Bool(true)),
        ("string", "text".into()),
        ("u64", GgufValue::U64(u64::MAX)),
        ("i64", GgufValue::I64(i64::MIN)),
        ("f64", GgufValue::F64(1e300)),
        ("a.u8", GgufValue::Array(GgufArray::U8(vec![1]))),
        ("a.i8", GgufValue::Array(GgufArray::I8(vec![-1]))),
        ("a.u16", GgufValue::Array(GgufArray::U16(vec![1, 2]))),
        ("a.i16", GgufValue::Array(GgufArray::I16(vec![-1]))),
        ("a.u32", GgufValue::Array(GgufArray::U32(vec![]))),
        ("a.i32", GgufValue::Array(GgufArray::I32(vec![1, -2, 3]))),
        ("a.f32", GgufValue::Array(GgufArray::F32(vec![0.25, -1.0]))),
        ("a.bool", GgufValue::Array(GgufArray::Bool(vec![true, false]))),
        ("a.string", GgufValue::Array(GgufArray::String(vec!["a".into(), String::new()]))),
        ("a.array", GgufValue::Array(nested)),
        ("a.u64", GgufValue::Array(GgufArray::U64(vec![u64::MAX]))),
        ("a.i64", GgufValue::Array(GgufArray::I64(vec![-1]))),
        ("a.f64", GgufValue::Array(GgufArray::F64(vec![0.125]))),
    ]
}

#[test]
fn golden_control_vector_equals_its_safetensors_twin() {
    let file = GgufFile::open(&golden("control_vector.gguf")).unwrap();
    assert_eq!(file.version(), 3);
    assert_eq!(file.str("general.architecture"), Some("controlvector"));
    assert_eq!(file.str("controlvector.model_hint"), Some("llama"));
    assert_eq!(file.u64("controlvector.layer_count"), Some(3));
    assert_eq!(file.tensor_names().collect::<Vec<_>>(), ["direction.1", "direction.2", "direction.3"]);
    let twin = candle_core::safetensors::load(golden("control_vector.safetensors"), &Device::Cpu).unwrap();
    for name in file.tensor_names() {
        let read = file.tensor_f32(name).unwrap();
        assert_eq!(read.dims(), twin[name].dims());
        assert_eq!(read.to_vec1::<f32>().unwrap(), twin[name].to_vec1::<f32>().unwrap(), "{name}");
    }
}

#[test]
fn writing_the_golden_control_vector_gives_the_same_bytes() {
    let path = golden("control_vector.gguf");
    let file = GgufFile::open(&path).unwrap();
    let data: Vec<Vec<f32>> =
        file.tensor_names().map(|name| file.tensor_f32(name).unwrap().to_vec1().unwrap()).collect();
    let names: Vec<&str> = file.tensor_names().collect();
    let tensors: Vec<GgufTensor<'_>> =
        names.iter().zip(&data).map(|(name, data)| GgufTensor { name, dims: &[64], data }).collect();
    let metadata = [
        ("general.architecture", "controlvector".into()),
        ("controlvector.model_hint", "llama".into()),
        ("controlvector.layer_count", 3.into()),
    ];
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("v.gguf");
    write_gguf(&written, &metadata, &tensors).unwrap();
    assert_eq!(std::fs::read(&written).unwrap(), std::fs::read(&path).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn every_value_type_round_trips() {
    let file = open(&encode_gguf(&every_value(), &[]).unwrap()).unwrap();
    for (key, value) in every_value() {
        assert_eq!(file.value(key), Some(&value), "{key}");
    }
    assert_eq!(file.metadata().count(), every_value().len());
}

#[test]
fn lookups_convert_between_number_types_and_nothing_else() {
    let file = open(&encode_gguf(&every_value(), &[]).unwrap()).unwrap();
    assert_eq!((file.u64("u8"), file.u64("i8"), file.u64("string")), (Some(200), None, None));
    assert_eq!((file.i64("i16"), file.i64("u64")), (Some(-300), None));
    assert_eq!((file.f64("f32"), file.f64("u32"), file.f64("bool")), (Some(0.5), Some(7.0), None));
    assert_eq!((file.bool("bool"), file.bool("u8"), file.str("bool")), (Some(true), None, None));
    assert_eq!(file.i64s("a.i32"), Some(vec![1, -2, 3]));
    assert_eq!((file.i64s("a.u64"), file.i64s("a.f32"), file.i64s("i32")), (None, None, None));
    assert_eq!(file.f32s("a.f64"), Some(vec![0.125]));
    assert_eq!(file.bools("a.bool"), Some(&[true, false][..]));
    assert_eq!(file.strings("a.string").unwrap().len(), 2);
    assert_eq!(file.value("absent"), None);
}

#[test]
fn dimensions_are_row_major() {
    let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let bytes = encode_gguf(&[], &[GgufTensor { name: "w", dims: &[2, 3], data: &data }]).unwrap();
    assert_eq!(bytes[37..45], 3u64.to_le_bytes(), "the file stores the innermost dimension first");
    let file = open(&bytes).unwrap();
    assert_eq!(file.tensor_info("w").unwrap().dims, [2, 3]);
    assert_eq!(file.tensor_f32("w").unwrap().to_vec2::<f32>().unwrap(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
}

#[test]
fn reads_version_2() {
    let mut bytes = Crafted::default().tensor("t", &[1], 0, 0).data(&1.5f32.to_le_bytes()).bytes();
    bytes[4] = 2;
    let file = open(&bytes).unwrap();
    assert_eq!(file.version(), 2);
    assert_eq!(file.tensor_f32("t").unwrap().to_vec1::<f32>().unwrap(), [1.5]);
}

#[test]
fn half_precision_is_widened_exactly() {
    let f16: Vec<u8> = [1.5f32, -0.25].iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect();
    let bf16: Vec<u8> = [3.0f32, -8.0].iter().flat_map(|&x| half::bf16::from_f32(x).to_le_bytes()).collect();
    let mut data = f16;
    data.resize(32, 0);
    data.extend(bf16);
    let file = open(&Crafted::default().tensor("h", &[2], 1, 0).tensor("b", &[2], 30, 32).data(&data).bytes()).unwrap();
    assert_eq!(file.tensor_f32("h").unwrap().to_vec1::<f32>().unwrap(), [1.5, -0.25]);
    assert_eq!(file.tensor_f32("b").unwrap().to_vec1::<f32>().unwrap(), [3.0, -8.0]);
    assert_eq!(file.qtensor("b").unwrap().dtype(), GgmlDType::BF16);
}

#[test]
fn quantised_tensors_equal_their_own_dequantisation() {
    let values: Vec<f32> = (0..512).map(|i| (i as f32 * 0.37).sin()).collect();
    let source = Tensor::from_vec(values, (2, 256), &Device::Cpu).unwrap();
    for number in [2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 15] {
        let ggml = GgufTensorType::from_number(number).ggml().unwrap();
        let quantised = QTensor::quantize(&source, ggml).unwrap();
        let file = open(&Crafted::default().tensor("q", &[256, 2], number, 0).data(&quantised.data().unwrap()).bytes())
            .unwrap();
        let expected = quantised.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(file.tensor_f32("q").unwrap().to_vec2::<f32>().unwrap(), expected, "{ggml:?}");
        assert_eq!(file.qtensor("q").unwrap().dtype(), ggml);
    }
}

#[test]
fn an_unknown_type_fails_only_its_own_tensor() {
    let crafted = Crafted::default().tensor("iq", &[256], 23, 32).tensor("new", &[7], 99, 192).tensor("ok", &[1], 0, 0);
    let file = open(&crafted.data(&[0; 200]).bytes()).unwrap();
    assert_eq!(file.tensor_f32("ok").unwrap().to_vec1::<f32>().unwrap(), [0.0]);
    assert_eq!(file.tensor_f32("iq").unwrap_err().to_string(), "x.gguf: tensor `iq` has unsupported type IQ4_XS");
    assert_eq!(file.tensor_bytes("iq").unwrap().len(), 136);
    for error in
        [file.tensor_f32("new").unwrap_err(), file.qtensor("new").unwrap_err(), file.tensor_bytes("new").unwrap_err()]
    {
        assert_eq!(error.to_string(), "x.gguf: tensor `new` has unsupported type number 99");
    }
    assert_eq!(file.tensor_f32("none").unwrap_err().to_string(), "x.gguf: tensor `none` is missing");
}

#[test]
fn names_a_missing_file() {
    assert!(matches!(GgufFile::open(Path::new("no/such.gguf")), Err(Error::NotFound { .. })));
}

#[test]
fn refuses_a_wrong_magic_and_version() {
    let rule = |bytes: &[u8]| message(bytes).replace("x.gguf: not a valid GGUF file: ", "");
    assert_eq!(rule(b"PK\x03\x04 and so on"), "the magic is `PK\\x03\\x04`, not `GGUF` (at byte 0)");
    assert_eq!(rule(b"GGUF\x01\0\0\0"), "version 1 cannot be read, only 2 and 3 (at byte 4)");
    assert_eq!(rule(b"GGUF\0\0\0\x03"), "big-endian files cannot be read (at byte 4)");
    assert_eq!(message(b""), "x.gguf: truncated: the magic needs 4 bytes, 0 are left");
}

#[test]
fn refuses_absurd_counts_and_lengths() {
    let mut bytes = Crafted::default().bytes();
    bytes[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(
        message(&bytes).ends_with("18446744073709551615 tensor entries are more than the 262144 allowed (at byte 8)")
    );
    bytes[8..16].copy_from_slice(&1000u64.to_le_bytes());
    assert_eq!(message(&bytes), "x.gguf: truncated: the list of 1000 tensor entries needs 24000 bytes, 8 are left");
    let array = [8u32.to_le_bytes().to_vec(), (1u64 << 50).to_le_bytes().to_vec()].concat();
    let crafted = Crafted::default().metadata("k", 9, &array);
    assert!(
        crafted.message().ends_with("metadata `k` claims 1125899906842624 elements (at byte 37)"),
        "{}",
        crafted.message()
    );
    let crafted = Crafted::default().metadata("k", 8, &u64::MAX.to_le_bytes());
    assert!(crafted.message().ends_with("metadata `k` claims 18446744073709551615 bytes (at byte 37)"));
    let array = [6u32.to_le_bytes().to_vec(), (1u64 << 39).to_le_bytes().to_vec()].concat();
    assert!(
        Crafted::default()
            .metadata("k", 9, &array)
            .message()
            .contains("truncated: metadata `k` needs 2199023255552 bytes")
    );
}

#[test]
fn refuses_bad_metadata() {
    let twice = Crafted::default().metadata("k", 7, &[1]).metadata("k", 7, &[0]);
    assert!(twice.message().ends_with("metadata `k` appears twice (at byte 38)"), "{}", twice.message());
    assert!(
        Crafted::default().metadata("k", 7, &[2]).message().ends_with("is a truth value of 2, not 0 or 1 (at byte 37)")
    );
    assert!(Crafted::default().metadata("k", 13, &[]).message().ends_with("has unknown value type 13 (at byte 37)"));
    let text = [2u64.to_le_bytes().to_vec(), vec![0xff, 0xfe]].concat();
    assert!(Crafted::default().metadata("k", 8, &text).message().ends_with("metadata `k` is not UTF-8 (at byte 37)"));
    let element = [13u32.to_le_bytes().to_vec(), 0u64.to_le_bytes().to_vec()].concat();
    assert!(
        Crafted::default().metadata("k", 9, &element).message().ends_with("has unknown element type 13 (at byte 37)")
    );
    let nested = [9u32.to_le_bytes().to_vec(), 1u64.to_le_bytes().to_vec()].concat().repeat(1000);
    assert!(Crafted::default().metadata("k", 9, &nested).message().contains("nests arrays more than 8 deep"));
}

#[test]
fn refuses_a_bad_alignment() {
    for alignment in [0u32, 1, 4, 24, 1 << 30] {
        let text = Crafted::default().metadata("general.alignment", 4, &alignment.to_le_bytes()).message();
        assert!(text.contains(&format!("`general.alignment` is U32({alignment}), not a power of two")), "{text}");
    }
    let crafted = Crafted::default().metadata("general.alignment", 4, &64u32.to_le_bytes()).tensor("t", &[1], 0, 32);
    assert!(crafted.message().contains("tensor `t` starts at offset 32, no multiple of 64"));
}

#[test]
fn refuses_bad_tensors() {
    let one = |dims: &[u64], tensor_type, offset| {
        Crafted::default().tensor("t", dims, tensor_type, offset).data(&[0; 64]).message()
    };
    assert!(one(&[1], 0, 4).ends_with("tensor `t` starts at offset 4, no multiple of 32 (at byte 24)"));
    assert!(one(&[4, 0], 0, 0).contains("has shape [4, 0], but no dimension may be 0"));
    assert!(one(&[1; 5], 0, 0).contains("tensor `t` has 5 dimensions, more than 4"));
    assert!(one(&[1 << 40, 1 << 40], 0, 0).contains("more elements than can be counted"));
    assert!(one(&[1 << 62, 2], 0, 0).contains("more bytes than can be counted"));
    assert!(one(&[33], 8, 0).contains("has rows of 33 elements, no multiple of the 32 in a block of Q8_0"));
    assert_eq!(one(&[17], 0, 0), "x.gguf: truncated: tensor `t` at offset 0 needs 68 bytes, 64 are left");
    assert_eq!(
        one(&[1], 99, 1 << 40),
        "x.gguf: truncated: tensor `t` at offset 1099511627776 needs 0 bytes, 0 are left"
    );
    assert!(one(&[1], 0, u64::MAX - 31).contains("truncated: tensor `t` at offset 18446744073709551584"));
    let twice = Crafted::default().tensor("t", &[1], 0, 0).tensor("t", &[1], 0, 32).data(&[0; 64]);
    assert!(twice.message().contains("tensor `t` appears twice"));
    let overlap = Crafted::default().tensor("a", &[9], 0, 0).tensor("b", &[1], 0, 32).data(&[0; 64]);
    assert!(overlap.message().contains("tensors `a` and `b` overlap"));
}

#[test]
fn every_truncation_of_the_golden_file_is_an_error() {
    let bytes = std::fs::read(golden("control_vector.gguf")).unwrap();
    for length in 0..bytes.len() {
        assert!(matches!(open(&bytes[..length]), Err(Error::Truncated { .. })), "{length} bytes");
    }
}

#[test]
fn the_writer_refuses_what_it_could_not_read_back() {
    let tensor = |name, dims, data| GgufTensor { name, dims, data };
    let failure = |tensors: &[GgufTensor<'_>]| encode_gguf(&[], tensors).unwrap_err().to_string();
    assert!(failure(&[tensor("t", &[2], &[1.0])]).contains("tensor `t` with shape [2] and 1 elements"));
    assert!(failure(&[tensor("t", &[], &[1.0])]).contains("1 to 4 dimensions"));
    assert!(failure(&[tensor("t", &[0], &[])]).contains("shape [0] and 0 elements"));
    assert!(failure(&[tensor("t", &[1], &[1.0]), tensor("t", &[1], &[1.0])]).contains("name `t` twice"));
    let twice = encode_gguf(&[("k", 1.into()), ("k", 2.into())], &[]).unwrap_err();
    assert!(twice.to_string().contains("key `k` twice"));
    assert!(encode_gguf(&[("general.alignment", 64.into())], &[]).is_err());
    assert!(write_gguf(Path::new("no/such/folder/v.gguf"), &[], &[]).is_err());
}

/// Opens, and on success reads everything; only the absence of a panic counts.
fn exercise(bytes: &[u8]) {
    let Ok(file) = open(bytes) else { return };
    for name in file.tensor_names() {
        let _ = file.tensor_f32(name);
        let _ = file.qtensor(name);
    }
}

fn small_file() -> Vec<u8> {
    let data = [0.5f32; 12];
    encode_gguf(
        &every_value(),
        &[GgufTensor { name: "w", dims: &[3, 4], data: &data }, GgufTensor { name: "b", dims: &[2], data: &data[..2] }],
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn damaged_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let mut bytes = small_file();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if cut {
            bytes.truncate(length.index(bytes.len()));
        }
        exercise(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&[b"GGUF\x03\0\0\0".to_vec(), tail].concat());
    }

    #[test]
    fn tensors_round_trip(rows in 1usize..5, columns in 1usize..9, seed in any::<u32>()) {
        let data: Vec<f32> = (0..rows * columns).map(|i| f32::from_bits(seed.wrapping_mul(i as u32 + 1) & 0x7eff_ffff)).collect();
        let file = open(&encode_gguf(&[], &[GgufTensor { name: "w", dims: &[rows, columns], data: &data }]).unwrap()).unwrap();
        let read = file.tensor_f32("w").unwrap();
        prop_assert_eq!(read.dims(), &[rows, columns]);
        prop_assert_eq!(read.flatten_all().unwrap().to_vec1::<f32>().unwrap(), data);
    }
}

#[test]
fn a_file_cut_short_after_it_was_opened_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let bytes = std::fs::read(golden("control_vector.gguf")).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let file = GgufFile::open(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
    assert!(file.tensor_f32("direction.1").is_ok());
    assert!(matches!(file.tensor_f32("direction.3"), Err(Error::CutShort { .. })));
    assert!(matches!(file.for_each_part(|_| {}), Err(Error::CutShort { .. })));
}

#[test]
fn a_header_is_read_in_parts() {
    let tokens = GgufArray::String((0..300_000).map(|i| format!("token {i}")).collect());
    let metadata = [("t", GgufValue::Array(tokens.clone()))];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, encode_gguf(&metadata, &[]).unwrap()).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 4 << 20);
    assert_eq!(GgufFile::open(&path).unwrap().value("t"), Some(&GgufValue::Array(tokens)));
}

use parquet::basic::{Compression, GzipLevel};
use serde_json::json;

use super::*;

const SETS: [&str; 8] = [
    "beavertails",
    "empathetic_dialogues",
    "helpsteer2",
    "hh_rlhf",
    "pku_saferlhf",
    "trl_preference",
    "trl_unpaired",
    "ultrafeedback_binarized",
];

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", "parquet", name].iter().collect()
}

fn lines(name: &str) -> Vec<Map<String, Value>> {
    let text = std::fs::read_to_string(golden(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read_bytes(bytes: Vec<u8>) -> Result<Vec<Map<String, Value>>, ParquetError> {
    ParquetFile::from_bytes(Path::new("f.parquet"), bytes)?.rows().collect()
}

fn fields(json: &str) -> Fields {
    Fields::read(json).unwrap()
}

fn written(rows: &[&str]) -> Vec<u8> {
    let rows: Vec<Fields> = rows.iter().map(|row| fields(row)).collect();
    let mut bytes = Vec::new();
    to_parquet(&rows, &mut bytes).unwrap();
    bytes
}

#[test]
fn golden_files_equal_their_twins() {
    for set in SETS {
        let file = ParquetFile::open(&golden(&format!("{set}.parquet"))).unwrap();
        let rows: Vec<_> = file.rows().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, lines(&format!("{set}.jsonl")), "{set}");
        assert_eq!(file.n_rows() as usize, rows.len());
        assert!(is_parquet(&golden(&format!("{set}.parquet"))).unwrap());
        assert!(!is_parquet(&golden(&format!("{set}.jsonl"))).unwrap());
        // a file that is cut short is still one, and said to be cut short
        let bytes = std::fs::read(golden(&format!("{set}.parquet"))).unwrap();
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), &bytes[..bytes.len() / 2]).unwrap();
        assert!(is_parquet(cut.path()).unwrap());
        // the order of the columns is that of the lines
        let text = std::fs::read_to_string(golden(&format!("{set}.jsonl"))).unwrap();
        let names = |fields: &Fields| fields.names().map(str::to_owned).collect::<Vec<_>>();
        let first = fields(text.lines().next().unwrap());
        assert_eq!(names(&file.in_order(rows[0].clone())), names(&first));
    }
    let plain = read_bytes(std::fs::read(golden("hh_rlhf.plain.parquet")).unwrap()).unwrap();
    assert_eq!(plain, lines("hh_rlhf.jsonl"));
}

#[test]
fn codecs_that_are_not_built_in_are_refused_by_name() {
    let error = ParquetFile::open(&golden("hh_rlhf.zstd.parquet")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("column `chosen` is compressed with zstd, which is not built in; snappy, gzip and none are")
    );
    assert!(error.hint().unwrap().contains("compression=\"snappy\""));
}

#[test]
fn what_is_no_parquet_is_said() {
    let said = |bytes: &[u8]| read_bytes(bytes.to_vec()).unwrap_err().to_string();
    assert_eq!(said(b"PAR1"), "f.parquet: not a Parquet file: it is shorter than any");
    assert_eq!(said(b"PAR1........"), "f.parquet: not a Parquet file: it does not end with `PAR1`: is it cut short?");
    assert_eq!(said(b"........PAR1"), "f.parquet: not a Parquet file: it does not begin with `PAR1`");
    assert!(matches!(read_bytes(b"PAR1....PARE".to_vec()), Err(ParquetError::Encrypted { .. })));
    assert_eq!(said(b"PAR1\xff\xff\xff\xffPAR1"), "f.parquet: its footer says it has more than 64 MiB");
    assert_eq!(
        said(b"PAR1\x09\x00\x00\x00PAR1"),
        "f.parquet: not a valid Parquet file: the footer is longer than the file"
    );
    assert!(matches!(
        ParquetFile::open(Path::new("no/such")),
        Err(ParquetError::Open(redline_model::Error::NotFound { .. }))
    ));
}

#[test]
fn deep_schemas_are_refused_before_they_are_built() {
    let footer = footer::nested_for_tests(1 << 18);
    let mut bytes = b"PAR1".to_vec();
    bytes.extend(&footer);
    bytes.extend((footer.len() as u32).to_le_bytes());
    bytes.extend(b"PAR1");
    let error = read_bytes(bytes).unwrap_err();
    assert_eq!(error.to_string(), "f.parquet: its columns are nested more than 24 levels deep");
}

#[test]
fn rows_are_written_and_come_back() {
    let rows = [
        r#"{"prompt":[{"role":"user","content":"Wie spät?"}],"chosen":[{"role":"assistant","content":"8"}],"n":1,"x":1.5,"ok":true,"label":null}"#,
        r#"{"prompt":[],"chosen":null,"n":-9007199254740993,"x":2,"ok":false,"more":{"a":[1,2]}}"#,
        r#"{"prompt":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"n":null,"x":1e300}"#,
    ];
    let bytes = written(&rows);
    assert_eq!(bytes, written(&rows), "the same rows, the same bytes");
    let read = read_bytes(bytes).unwrap();
    assert_eq!(read[0]["prompt"], json!([{ "role": "user", "content": "Wie spät?" }]));
    assert_eq!((&read[1]["prompt"], &read[1]["chosen"]), (&json!([]), &Value::Null));
    assert_eq!(read[1]["n"], json!(-9_007_199_254_740_993_i64));
    assert_eq!(read.iter().map(|row| row["x"].as_f64().unwrap()).collect::<Vec<_>>(), [1.5, 2.0, 1e300]);
    assert_eq!(read[1]["more"], json!("{\"a\":[1,2]}"), "other objects are their JSON text");
    assert_eq!((&read[0]["label"], &read[2]["ok"]), (&Value::Null, &Value::Null));
    assert_eq!(read[2]["prompt"][1]["content"], "b");
}

#[test]
fn many_rows_make_several_groups() {
    let rows: Vec<Fields> = (0..20_000).map(|n| fields(&format!("{{\"n\":{n},\"t\":\"row {n}\"}}"))).collect();
    let mut bytes = Vec::new();
    to_parquet(&rows, &mut bytes).unwrap();
    let file = ParquetFile::from_bytes(Path::new("f"), bytes).unwrap();
    let mut rows = file.rows();
    assert_eq!(rows.next().unwrap().unwrap()["t"], "row 0");
    assert_eq!(rows.last().unwrap().unwrap()["t"], "row 19999");
}

#[test]
fn rows_that_make_no_columns_are_refused() {
    let said = |rows: &[&str]| {
        let rows: Vec<Fields> = rows.iter().map(|row| fields(row)).collect();
        to_parquet(&rows, &mut Vec::new()).unwrap_err().to_string()
    };
    assert_eq!(said(&[r#"{"a":"x"}"#, r#"{"a":1}"#]), "row 2: column `a` holds text, but here is a number");
    assert_eq!(said(&["{}"]), "there are no rows with fields to write as Parquet");
}

/// A file of one text.
fn one_text(text: &str, compression: Compression) -> Vec<u8> {
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = parquet::schema::parser::parse_message_type("message m { required binary a (STRING); }").unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&[ByteArray::from(text)], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.close().unwrap();
    bytes
}

#[test]
fn small_files_that_become_large_are_refused() {
    let said = |bytes: Vec<u8>| read_bytes(bytes).unwrap_err().to_string();
    let long = "x".repeat(70 << 20);
    let bytes = one_text(&long, Compression::SNAPPY);
    assert!(bytes.len() < 4 << 20, "snappy makes 1 of 21");
    assert_eq!(said(bytes), "f.parquet: a row needs more than 64 MiB of memory (row 1)");
    let gzip = Compression::GZIP(GzipLevel::default());
    let bomb = one_text(&long, gzip);
    assert!(bomb.len() < 1 << 20);
    let error = said(bomb);
    assert!(error.starts_with("f.parquet: it inflates to more than 64 MiB and more than 50 times its size"), "{error}");
    assert_eq!(read_bytes(one_text(&long[..1000], gzip)).unwrap()[0]["a"], long[..1000]);
    // one text in a dictionary, named very often by a single row
    let many = vec![r#"{"role":"user","content":"x"}"#; 90_000].join(",");
    let bytes = written(&[&format!("{{\"a\":[{many}]}}")]);
    assert!(bytes.len() < 100_000);
    assert_eq!(said(bytes), "f.parquet: a row needs more than 64 MiB of memory (row 1)");
}

/// Small changes of damaged files: nothing may panic, take long or take all memory.
#[test]
fn damaged_files_are_errors_or_other_rows() {
    let names = ["pku_saferlhf", "ultrafeedback_binarized", "trl_preference", "beavertails", "helpsteer2"];
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let n_changes = std::env::var("REDLINE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let mut n_errors = 0;
    for name in names {
        let whole = std::fs::read(golden(&format!("{name}.parquet"))).unwrap();
        for change in 0..n_changes {
            let mut bytes = whole.clone();
            for _ in 0..=change % 3 {
                let at = random() % bytes.len();
                match random() % 3 {
                    0 => bytes[at] = random() as u8,
                    1 => bytes[at] ^= 1 << (random() % 8),
                    _ => bytes[at] = if random() % 2 == 0 { 0xff } else { 0x7f },
                }
            }
            let rows = ParquetFile::from_bytes(Path::new("f"), bytes)
                .map(|file| file.rows().take(10_000).map(|row| row.map(drop)).collect::<Result<Vec<_>, _>>());
            n_errors += usize::from(!matches!(rows, Ok(Ok(_))));
        }
    }
    assert!(n_errors > n_changes / 4);
}

#[test]
fn files_cut_short_anywhere_are_errors() {
    let whole = std::fs::read(golden("trl_preference.parquet")).unwrap();
    for length in 0..whole.len() {
        assert!(read_bytes(whole[..length].to_vec()).is_err(), "{length}");
        // with an end as a whole file has it
        let mut mended = whole[..length].to_vec();
        mended.extend(&whole[whole.len() - 8..]);
        let _ = read_bytes(mended);
    }
}

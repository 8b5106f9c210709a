use serde_json::{Value, json};

use super::*;

fn golden(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "golden", "parquet", name].iter().collect()
}

fn convert(rows: &[Value], options: ConvertOptions) -> Result<Converted, DataError> {
    let mut converter = Converter::new(Path::new("d"), options)?;
    for (row, line) in rows.iter().zip(1..) {
        converter.push(JsonRow { line, fields: Fields::read(&row.to_string()) })?;
    }
    converter.finish()
}

fn to(target: Target) -> ConvertOptions {
    ConvertOptions::new(target)
}

fn values(converted: &Converted) -> Vec<Value> {
    converted.rows.iter().map(|row| serde_json::to_value(row).unwrap()).collect()
}

fn made(rows: &[Value], target: Target) -> Vec<Value> {
    values(&convert(rows, to(target)).unwrap_or_else(|error| panic!("{error}")))
}

/// The message and the reason of the only fault.
fn said(row: &Value, options: ConvertOptions) -> String {
    convert(std::slice::from_ref(row), options).unwrap_err().to_string()
}

fn reasons(converted: &Converted) -> Vec<(&'static str, usize)> {
    converted.report.left_out.iter().map(|rows| (rows.reason, rows.n_rows)).collect()
}

fn file(name: &str, options: ConvertOptions) -> Converted {
    let of_lines = convert_file(&golden(&format!("{name}.jsonl")), options).unwrap();
    let of_parquet = convert_file(&golden(&format!("{name}.parquet")), options).unwrap();
    assert_eq!(values(&of_lines), values(&of_parquet), "{name}");
    of_lines
}

fn texts(converted: &Converted, names: &[&str]) -> Vec<Vec<String>> {
    let row = |row: &Fields| names.iter().map(|name| row.text(name).unwrap_or_default()).collect();
    converted.rows.iter().map(row).collect()
}

const TRIPLE: [&str; 3] = ["question", "answer", "correction"];
const EGG: [&str; 3] =
    ["How long do I boil an egg?", "Just boil it.", "Eight minutes in boiling water for a firm yolk."];

#[test]
fn golden_pairs_become_the_same_triples() {
    for name in ["hh_rlhf", "pku_saferlhf", "helpsteer2", "trl_preference", "ultrafeedback_binarized"] {
        let converted = file(name, to(Target::Triples));
        let texts = texts(&converted, &TRIPLE);
        assert_eq!(texts[0], EGG, "{name}");
        assert_eq!(texts[2][1..], ["12 Uhr.", "20 Uhr."], "{name}");
        assert_eq!(reasons(&converted), [("empty-field", 1)], "{name}: the platypus has no other answer");
        assert_eq!(converted.formats[0].format, name.replace('_', "-"));
    }
    let turns = file("hh_rlhf", to(Target::Triples));
    assert_eq!(turns.rows[3].text("question").unwrap(), "USER: Hi\nASSISTANT: Hello!\nUSER: And 2+2?");
    assert_eq!(turns.rows[3].value("messages").unwrap().unwrap()[1]["content"], "Hello!");
}

#[test]
fn golden_answers_are_the_good_ones() {
    let beaver = file("beavertails", to(Target::Answers));
    assert_eq!((beaver.rows.len(), reasons(&beaver)), (3, vec![("empty-field", 1)]));
    let unpaired = file("trl_unpaired", to(Target::Answers));
    assert_eq!((unpaired.rows.len(), reasons(&unpaired)), (4, vec![("bad-answer", 3), ("empty-field", 1)]));
    let dialogues = file("empathetic_dialogues", to(Target::Answers));
    assert_eq!(dialogues.rows.len(), 4);
    let second = serde_json::to_value(&dialogues.rows[1]).unwrap();
    assert_eq!(
        second["question"],
        "USER: I ran my first race today, all ten kilometres.\nASSISTANT: That is wonderful! How do you feel?\nUSER: Tired, but proud."
    );
    assert_eq!((&second["answer"], &second["emotion"]), (&json!("You have every reason to be."), &json!("proud")));
    assert_eq!(second["situation"], "I finished my first race, slowly.");
    assert!(second.get("prompt").is_none() && second.get("context").is_none());
    assert_eq!(file("helpsteer2", to(Target::Questions)).rows.len(), 4);
}

#[test]
fn safe_rlhf_gives_reward_and_cost_pairs() {
    let row = |better: Value, safer: Value, safe: [Value; 2]| {
        json!({
            "prompt": "Q?", "response_0": "zero", "response_1": "one", "better_response_id": better, "safer_response_id": safer,
            "is_response_0_safe": safe[0], "is_response_1_safe": safe[1], "prompt_source": "x", "response_0_severity_level": 2
        })
    };
    let harmless = ConvertOptions { dimension: Dimension::Harmless, ..to(Target::Preferences) };
    let both = row(json!(0), json!(1), [json!(false), json!(true)]);
    let reward = made(std::slice::from_ref(&both), Target::Preferences).remove(0);
    assert_eq!((&reward["chosen"][0]["content"], &reward["is_chosen_safe"]), (&json!("zero"), &json!(false)));
    assert_eq!((&reward["prompt_source"], &reward["response_0_severity_level"]), (&json!("x"), &json!(2)));
    let cost = values(&convert(std::slice::from_ref(&both), harmless).unwrap()).remove(0);
    assert_eq!((&cost["chosen"][0]["content"], &cost["is_rejected_safe"]), (&json!("one"), &json!(false)));
    // known traps: an index as a truth value or text, a flag as text
    for safer in [json!(true), json!("1"), json!(1.0)] {
        let row = row(json!(0), safer, [json!("False"), json!("True")]);
        let found = values(&convert(&[row], harmless).unwrap()).remove(0);
        for name in ["chosen", "rejected", "is_chosen_safe", "is_rejected_safe"] {
            assert_eq!(found[name], cost[name]);
        }
    }
    for none in [json!(null), json!(-1), json!("tie")] {
        let message = said(&row(json!(0), none, [json!(true), json!(true)]), harmless);
        assert!(message.ends_with("`safer_response_id` says of no answer that it is better than another"), "{message}");
    }
    let contradiction = said(&row(json!(0), json!(0), [json!(false), json!(true)]), harmless);
    assert!(contradiction.contains("called the safer one is flagged unsafe"), "{contradiction}");
    let taught = said(&both, to(Target::Triples));
    assert!(taught.ends_with("the answer to learn from is flagged unsafe"), "{taught}");
    let flag = said(&row(json!(0), json!(0), [json!("maybe"), json!(true)]), harmless);
    assert!(flag.ends_with("field `is_response_0_safe` must be true or false, but is text"), "{flag}");
}

fn completion(text: &str, ratings: [&str; 4]) -> Value {
    let aspects = ["instruction_following", "truthfulness", "honesty", "helpfulness"];
    let annotations: serde_json::Map<String, Value> = aspects
        .iter()
        .zip(ratings)
        .map(|(aspect, rating)| ((*aspect).to_owned(), json!({ "Rating": rating })))
        .collect();
    json!({ "model": text, "response": text, "annotations": annotations, "overall_score": 10 })
}

#[test]
fn ultra_feedback_is_scored_by_its_aspects() {
    let bad = completion("bad", ["1", "1", "1", "N/A"]);
    let row = json!({
        "source": "s", "instruction": "Q?", "models": [],
        "completions": [bad, completion("good", ["5", "4", "5", "4"]), completion("fair", ["3", "3", "3", "3"]), completion("none", ["N/A"; 4])]
    });
    let rows = std::slice::from_ref(&row);
    let pair = made(rows, Target::Preferences).remove(0);
    assert_eq!((&pair["chosen"][0]["content"], &pair["score_chosen"]), (&json!("good"), &json!(4.5)));
    let drawn: std::collections::BTreeSet<String> = (0..20)
        .map(|seed| {
            let options = ConvertOptions { seed, ..to(Target::Triples) };
            convert(rows, options).unwrap().rows[0].text("answer").unwrap()
        })
        .collect();
    assert_eq!(drawn.into_iter().collect::<Vec<_>>(), ["bad", "fair"], "worse ones, but never the unrated one");
    let unpaired = made(rows, Target::Unpaired);
    let labels: Vec<(&Value, &Value)> =
        unpaired.iter().map(|row| (&row["completion"][0]["content"], &row["label"])).collect();
    assert_eq!(labels, [(&json!("bad"), &json!(false)), (&json!("good"), &json!(true))]);
    let answer = made(rows, Target::Answers).remove(0);
    assert_eq!((&answer["answer"], &answer["source"], &answer["model"]), (&json!("good"), &json!("s"), &json!("good")));
    let alone = json!({ "instruction": "Q?", "completions": [completion("a", ["3"; 4])] });
    assert!(
        said(&alone, to(Target::Triples)).ends_with("`annotations` says of no answer that it is better than another")
    );
    assert!(said(&alone, to(Target::Unpaired)).ends_with("a score of 3 is neither good nor bad"));
    let none = json!({ "instruction": "Q?", "completions": [] });
    for target in [Target::Unpaired, Target::Preferences, Target::Answers] {
        assert!(said(&none, to(target)).contains("`completions` is empty"), "{}", said(&none, to(target)));
    }
}

#[test]
fn help_steer_pairs_are_found_wherever_they_stand() {
    let row = |prompt: &str, response: &str, helpfulness: Value, complexity: u8| json!({ "prompt": prompt, "response": response, "helpfulness": helpfulness, "complexity": complexity, "verbosity": 1 });
    let rows = [
        row("A?", "bad", json!(0), 1),
        row("B?", "only", json!(4), 1),
        row("A?", "good", json!("4"), 2),
        row("C?", "x", json!(2), 1),
        row("C?", "y", json!(2), 1),
    ];
    let converted = convert(&rows, to(Target::Triples)).unwrap();
    assert_eq!(reasons(&converted), [("single-answer", 1), ("no-better-answer", 1)]);
    let found = values(&converted).remove(0);
    let expected = json!({
        "question": "A?", "answer": "bad", "correction": "good", "chosen_complexity": 2, "rejected_complexity": 1, "verbosity": 1,
        "chosen_helpfulness": "4", "rejected_helpfulness": 0, "score_chosen": 4.0, "score_rejected": 0.0
    });
    assert_eq!(found, expected);
    let labels = convert(&rows, to(Target::Unpaired)).unwrap();
    assert_eq!((labels.rows.len(), reasons(&labels)), (3, vec![("middle-score", 2)]));
    let turns = row("Hi\n<extra_id_1>Assistant\nHello.\n<extra_id_1>User\nWhy?", "So.", json!(4), 1);
    assert_eq!(made(&[turns], Target::Answers)[0]["question"], "USER: Hi\nASSISTANT: Hello.\nUSER: Why?");
}

#[test]
fn dialogues_that_make_no_sense_are_left_out() {
    let row = |idx: Value, speaker: u8, text: &str| json!({ "conv_id": "c", "utterance_idx": idx, "speaker_idx": speaker, "utterance": text, "prompt": "p", "context": "sad" });
    let answers =
        |rows: &[Value]| convert(rows, to(Target::Answers)).map(|converted| texts(&converted, &["question", "answer"]));
    // rows out of order, and one who speaks on
    let rows = [row(json!(3), 7, "b_comma_"), row(json!(1), 9, "a"), row(json!(2), 7, "So")];
    assert_eq!(answers(&rows).unwrap(), [["a", "So\nb,"]]);
    let said = |rows: &[Value]| answers(rows).unwrap_err().to_string();
    assert!(
        said(&[row(json!(1), 1, "a"), row(json!(3), 2, "b")])
            .contains("dialogue `c` lacks an utterance, or has one twice")
    );
    assert!(said(&[row(json!(1), 1, "a"), row(json!(2), 1, "b")]).contains("must have two speakers"));
    assert!(said(&[row(json!("x"), 1, "a")]).contains("whose `utterance_idx` is no number"));
}

#[test]
fn empathetic_csv_is_read_by_its_commas() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train.csv");
    let text = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n\
        c:1,1,sad,I said \"no_comma_ I lost,4,He said \"hm_comma_ no,5|5,\nc:1,2,sad,x,5,Oh_comma_ sorry.,5|5\nc:1,3,sad\n";
    std::fs::write(&path, text).unwrap();
    let converted = convert_file(&path, to(Target::Answers)).unwrap();
    assert_eq!(texts(&converted, &["question", "answer", "emotion"]), [["He said \"hm, no", "Oh, sorry.", "sad"]]);
    assert_eq!(reasons(&converted), [("unknown-kind", 1)]);
    assert_eq!(converted.report.left_out[0].first_line, 4);
}

#[test]
fn chats_and_instructions_give_answers() {
    let sharegpt = json!({ "id": 3, "conversations": [
        { "from": "system", "value": "Be kind." }, { "from": "human", "value": "Hi" }, { "from": "gpt", "value": "Hello." },
        { "from": "human", "value": "Why?" }, { "from": "gpt", "value": "So." }
    ] });
    let found = made(&[sharegpt], Target::Answers).remove(0);
    assert_eq!(
        (&found["question"], &found["answer"], &found["id"]),
        (&json!("USER: Hi\nASSISTANT: Hello.\nUSER: Why?"), &json!("So."), &json!(3))
    );
    let alpaca = json!({ "instruction": "Add.", "input": "1 + 1", "output": "2", "text": "t" });
    assert_eq!(made(&[alpaca], Target::Answers), [json!({ "question": "Add.\n\n1 + 1", "answer": "2", "text": "t" })]);
    let wrong = json!({ "conversations": [{ "from": "narrator", "value": "x" }] });
    assert!(
        said(&wrong, to(Target::Answers)).ends_with("message 0 of `conversations` has the unknown speaker `narrator`")
    );
    let completion = json!({ "prompt": "Why?", "completion": "So." });
    assert_eq!(made(&[completion], Target::Questions), [json!({ "question": "Why?" })]);
}

#[test]
fn what_a_format_cannot_give_is_said() {
    let alpaca = json!({ "instruction": "Add.", "output": "2" });
    assert_eq!(
        said(&alpaca, to(Target::Triples)),
        "d:1: alpaca rows cannot become triples; they can become answers, questions"
    );
    let named = ConvertOptions { from: Some(SourceFormat::BeaverTails), ..to(Target::Preferences) };
    let error = Converter::new(Path::new("d"), named).err().unwrap();
    assert_eq!(
        error.to_string(),
        "beavertails rows cannot become preferences; they can become answers, unpaired, questions"
    );
    let lacking = ConvertOptions { from: Some(SourceFormat::Alpaca), ..to(Target::Answers) };
    assert_eq!(said(&json!({ "question": "q", "answer": "a" }), lacking), "d:1: field `instruction` is missing");
    let odd = json!({ "text": "t" });
    assert!(said(&odd, to(Target::Answers)).contains("not a known kind of row"));
    for format in SourceFormat::all() {
        assert!(!format.gives().is_empty() && format.gives().contains(&Target::Questions), "{format:?}");
    }
}

#[test]
fn rows_of_a_mixed_file_are_converted_each_by_its_fields() {
    let rows = [
        json!({ "question": "A?", "answer": "a", "correction": "c" }),
        json!({ "instruction": "B?", "output": "b" }),
        json!({ "prompt": "C?", "chosen": "c", "rejected": "r" }),
        json!({ "prompt": "D?", "chosen": "same", "rejected": "same " }),
        json!({ "question": "E?", "answer": "same", "correction": "same" }),
    ];
    let triples = convert(&rows, to(Target::Triples)).unwrap();
    assert_eq!(triples.rows.iter().map(|row| row.text("question").unwrap()).collect::<String>(), "A?C?E?");
    assert_eq!(reasons(&triples), [("cannot-give", 1), ("equal-texts", 1)]);
    let formats: Vec<(&str, usize)> = triples.formats.iter().map(|rows| (rows.format, rows.n_rows)).collect();
    assert_eq!(formats, [("triples", 2), ("alpaca", 1), ("trl-preference", 2)]);
    assert_eq!(reasons(&convert(&rows, to(Target::Preferences)).unwrap()), [("cannot-give", 1), ("equal-texts", 2)]);
    let strict = ConvertOptions { is_strict: true, ..to(Target::Triples) };
    assert!(matches!(convert(&rows, strict), Err(DataError::Row { line: 2, .. })));
}

#[test]
fn labels_are_read_however_they_are_spelt() {
    let row = |label: Value| json!({ "prompt": "Why?", "completion": "So.", "label": label });
    for bad in [json!(false), json!("False"), json!(0)] {
        assert!(said(&row(bad.clone()), to(Target::Answers)).contains("its `label` is false"), "{bad}");
        assert_eq!(made(&[row(bad)], Target::Unpaired)[0]["label"], false);
    }
    assert_eq!(made(&[row(json!("true"))], Target::Answers)[0]["answer"], "So.");
    // an answer that a reader of tables made a truth value
    let lost = json!({ "question": "Is it?", "answer": true });
    assert!(said(&lost, to(Target::Answers)).ends_with("field `answer` must be text, but is a truth value"));
}

#[test]
fn there_and_back_again() {
    let user = |text: &str| json!({ "role": "user", "content": text });
    let assistant = |text: &str| json!({ "role": "assistant", "content": text });
    let system = json!({ "role": "system", "content": "Be kind." });
    let pairs = [
        json!({ "prompt": [user("Why?")], "chosen": [assistant("c")], "rejected": [assistant("r")], "id": 1, "messages_n": [1] }),
        json!({ "prompt": [system, user("Hi"), assistant("Hello."), user("And?")], "chosen": [assistant("c")], "rejected": [assistant("r")] }),
    ];
    let triples = made(&pairs, Target::Triples);
    assert_eq!(made(&triples, Target::Preferences), pairs, "preferences through triples");
    let own =
        [json!({ "question": "Why?", "answer": "a", "correction": "c", "strictness": 3, "source": { "a": 1.5 } })];
    assert_eq!(made(&made(&own, Target::Preferences), Target::Triples), own, "triples through preferences");
    for target in Target::ALL {
        let once = made(&pairs, target);
        assert_eq!(made(&once, target), once, "{target:?} stay what they are");
    }
    let whole = file("trl_preference", to(Target::Preferences));
    let text = std::fs::read_to_string(golden("trl_preference.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().take(3).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values(&whole), lines);
    // and through Parquet
    let mut bytes = Vec::new();
    crate::parquet_file::to_parquet(&whole.rows, &mut bytes).unwrap();
    let read = crate::parquet_file::ParquetFile::from_bytes(Path::new("p"), bytes).unwrap();
    let rows: Vec<Value> = read.rows().map(|row| Value::Object(row.unwrap())).collect();
    assert_eq!(rows, lines);
}

#[test]
fn other_fields_are_kept_and_never_change_what_a_row_says() {
    let row = json!({
        "question": "Why?", "answer": "a", "correction": "c", "chosen": "x", "rejected": "y", "prompt": "p", "label": 5, "context": "k"
    });
    let rows = std::slice::from_ref(&row);
    assert_eq!(made(rows, Target::Triples), rows);
    assert_eq!(
        made(rows, Target::Answers),
        [
            json!({ "question": "Why?", "answer": "c", "source_chosen": "x", "source_rejected": "y", "prompt": "p", "label": 5, "context": "k" })
        ]
    );
    let pair = made(rows, Target::Preferences).remove(0);
    assert_eq!(
        (&pair["source_chosen"], &pair["source_prompt"], &pair["source_context"]),
        (&json!("x"), &json!("p"), &json!("k"))
    );
    for target in Target::ALL {
        let once = made(rows, target);
        let again = made(&once, target);
        assert_eq!(again, once, "{target:?}");
    }
    // spellings stay
    let text = r#"{"prompt":"q","chosen":"c","rejected":"r","id":18446744073709551617,"x":1e-400}"#;
    let mut converter = Converter::new(Path::new("d"), to(Target::Triples)).unwrap();
    converter.push(JsonRow { line: 1, fields: Fields::read(text) }).unwrap();
    let written = serde_json::to_string(&converter.finish().unwrap().rows[0]).unwrap();
    assert_eq!(written, r#"{"question":"q","answer":"r","correction":"c","id":18446744073709551617,"x":1e-400}"#);
}

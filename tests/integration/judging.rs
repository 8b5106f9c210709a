//! `evaluate` with judges: systems beside each other, judgements that are kept and replayed, preferences that are there already.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixture::{Tiny, words};
use crate::program::{json, lines, repository, run, succeed};

/// A few rows that carry their flaws.
fn rows(folder: &Path) {
    let data = repository().join("assets/aligner/held-out.jsonl.gz");
    let split = words("data split --share 0.02 --seed 5 --out rest.jsonl --held-out rows.jsonl");
    succeed(folder, &[&split[..], &[data.to_str().unwrap()]].concat());
}

const SYSTEMS: &str = "evaluate --data rows.jsonl --prompts 8 --max-new-tokens 120 --systems upstream,aligner --judge flaws \
                       --dimension overall,harmless --out answers.jsonl --judgements judgements.jsonl";

fn outcome<'a>(contest: &'a Value, system: &str, dimension: &str) -> &'a Value {
    let standings = contest["contests"][0]["standings"].as_array().unwrap();
    let found = standings.iter().find(|of| of["system"] == system && of["dimension"] == dimension);
    &found.unwrap_or_else(|| panic!("{system} {dimension}: {contest}"))["outcome"]["found"]
}

#[test]
fn systems_are_judged_kept_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    rows(here);
    let first = json(here, &words(SYSTEMS));
    let of_aligner = outcome(&first, "aligner", "overall");
    let count = |name: &str| of_aligner[name].as_u64().unwrap();
    assert_eq!((count("n"), count("n_errors")), (8, 0));
    assert_eq!(count("n_wins") + count("n_ties") + count("n_losses"), 8);
    assert!(count("n_wins") > count("n_losses"), "{of_aligner}");
    let net = (count("n_wins") as f64 - count("n_losses") as f64) / 8.0;
    assert!((of_aligner["net"].as_f64().unwrap() - net).abs() < 1e-12);

    // again: nothing is written or asked anew
    let bytes = |name: &str| std::fs::read(here.join(name)).unwrap();
    let before = (bytes("answers.jsonl"), bytes("judgements.jsonl"));
    let again = json(here, &words(SYSTEMS));
    assert_eq!(outcome(&again, "aligner", "overall"), of_aligner);
    assert!(before == (bytes("answers.jsonl"), bytes("judgements.jsonl")));
    // stopped in the middle of a line: the rest is written as it was
    std::fs::write(here.join("answers.jsonl"), &before.0[..before.0.len() - 40]).unwrap();
    json(here, &words(SYSTEMS));
    let without_seconds = |bytes: &[u8]| -> Vec<Value> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let row = |line: &str| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row.as_object_mut().unwrap().remove("seconds");
            row
        };
        text.lines().map(row).collect()
    };
    assert_eq!(without_seconds(&bytes("answers.jsonl")), without_seconds(&before.0));

    // the file of judgements is a judge
    let replay = "evaluate --answers answers.jsonl --judge recorded=judgements.jsonl --dimension overall,harmless";
    assert_eq!(outcome(&json(here, &words(replay)), "aligner", "harmless"), outcome(&first, "aligner", "harmless"));
    let missing = run(here, &words(&replay.replace("harmless", "helpful")));
    assert!(missing.code == 1 && missing.stderr.contains("judgements are missing"), "{}", missing.stderr);
    let unknown = run(here, &words(&format!("{replay} --against nobody")));
    assert!(unknown.code == 1 && unknown.stderr.contains("nobody"), "{}", unknown.stderr);
    let table = succeed(here, &words(replay)).stdout;
    assert!(table.contains("judges against upstream") && table.contains("aligner"), "{table}");
}

#[test]
fn the_best_of_several_draws_pays_with_tokens() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let line = "evaluate --data rows.jsonl --prompts 4 --max-new-tokens 120 --systems upstream,best-of-3 --choose-by flaws --judge flaws --out answers.jsonl";
    let ran = succeed(folder.path(), &words(line));
    assert!(ran.stderr.contains("0.432 nats") && ran.stderr.contains("judges it too"), "{}", ran.stderr);
    let drawn: Vec<Value> =
        lines(&folder.path().join("answers.jsonl")).into_iter().filter(|row| row["system"] == "best-of-3").collect();
    assert!(drawn.len() == 4 && drawn.iter().all(|row| row["passes"] == 3), "{drawn:?}");
    let refused = run(folder.path(), &words(&line.replace("--choose-by flaws", "").replace("answers", "others")));
    assert!(refused.code == 1 && refused.stderr.contains("nobody to choose"), "{}", refused.stderr);
}

#[test]
fn a_reward_model_is_held_to_what_people_prefer_before_it_judges() {
    let tiny = Tiny::new();
    let train =
        "train --objective reward --method head --data triples.jsonl --model model --held-out-share 0.3 --out reward";
    let trained = json(tiny.folder(), &words(train));
    assert!(trained["held_out"]["n"].as_u64().unwrap() > 8 && trained["held_out"]["interval"]["low"].is_number());
    let again = run(tiny.folder(), &words(&train.replace("triples.jsonl", "others.jsonl")));
    assert_eq!(again.code, 1);
    let labelled: Vec<String> = crate::fixture::triples(12)
        .into_iter()
        .enumerate()
        .map(|(i, row)| {
            let (first, second, label) = match i % 2 {
                0 => (row.correction, row.answer, 1),
                _ => (row.answer, row.correction, 2),
            };
            json!({ "question": row.question, "output_1": first, "output_2": second, "label": label }).to_string()
                + "\n"
        })
        .collect();
    std::fs::write(tiny.path("pairs.jsonl"), labelled.concat()).unwrap();
    let found = json(tiny.folder(), &words("evaluate --data pairs.jsonl --judge reward=reward/model"));
    let quality = &found["judges"][0]["quality"];
    assert_eq!((quality["n"].as_u64(), quality["consistent"].as_f64()), (Some(12), Some(1.0)));
    assert!(quality["accuracy_first"].as_f64().unwrap() > 0.9, "{quality}");
    // a head alone scores as the folder does, up to how weights are stored
    let alone = json(tiny.folder(), &words("evaluate --data pairs.jsonl --judge reward=reward/head.safetensors"));
    assert_eq!(alone["judges"][0]["quality"]["accuracy_first"], quality["accuracy_first"]);

    // two scores of systems at once, with what the scores are worth
    let answer = |system: &str, row: usize, output: &str, question: &str| json!({ "row": row, "system": system, "question": question, "answer": output, "output": output, "n_tokens": 1, "passes": 1, "seconds": 0.0 });
    let mut answers = vec![json!({ "schema": "redline.answers.v1" })];
    for (row, qac) in crate::fixture::triples(12).into_iter().enumerate() {
        answers.push(answer("upstream", row, &qac.answer, &qac.question));
        answers.push(answer("aligner", row, &qac.correction, &qac.question));
    }
    std::fs::write(tiny.path("answers.jsonl"), answers.iter().map(|row| row.to_string() + "\n").collect::<String>())
        .unwrap();
    let judges = "--judge reward=reward/head.safetensors --judge cost=reward/head.safetensors --score-shift shift";
    let shifted = json(tiny.folder(), &words(&format!("evaluate --answers answers.jsonl {judges}")));
    let shift = &shifted["shifts"][0];
    let moved = |axis: usize| shift["mean_shift"][axis]["value"].as_f64().unwrap();
    assert!(moved(0) > 0.5 && (moved(0) + moved(1)).abs() < 1e-9, "a cost is a reward turned round: {shift}");
    assert_eq!(
        (shift["n"].as_u64(), shift["accuracies"][0]["n"].as_u64()),
        (Some(12), trained["held_out"]["n"].as_u64())
    );
    assert!(tiny.path("shift.png").exists() && tiny.path("shift.svg").exists());
    std::fs::remove_file(tiny.path("reward/summary.json")).unwrap();
    let refused = run(tiny.folder(), &words(&format!("evaluate --answers answers.jsonl {judges}2")));
    assert!(refused.code == 1 && !tiny.path("shift2.png").exists(), "{}", refused.stderr);
    assert!(refused.stderr.contains("held-out"), "{}", refused.stderr);

    // no head, no reward
    let refused = run(tiny.folder(), &words("evaluate --data pairs.jsonl --judge reward=model"));
    assert!(refused.code == 1 && refused.stderr.contains("score.weight"), "{}", refused.stderr);
}

#[test]
fn preferences_come_to_rates_and_gaps_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: Vec<Value>| {
        let text: String = rows.into_iter().map(|row| row.to_string() + "\n").collect();
        std::fs::write(folder.path().join(name), text).unwrap();
    };
    let preferences = [2.0, 1.0, 1.5, 1.2, 1.9, 1.7];
    let annotation = |(i, p): (usize, &f64)| json!({ "index": i, "length": 100 + 10 * i, "preference": p });
    write("annotations.jsonl", preferences.iter().enumerate().map(annotation).collect());
    let instruction = |i: usize| json!({ "index": i, "dataset": "d", "difficulty": null, "baseline_length": 120 });
    write("instructions.jsonl", (0..6).map(instruction).collect());
    let line = words("evaluate --preferences annotations.jsonl --instructions instructions.jsonl");
    let found = json(folder.path(), &line);
    assert_eq!((found["n"].as_u64(), found["n_wins"].as_u64(), found["n_draws"].as_u64()), (Some(6), Some(3), Some(1)));
    let rate = 100.0 * preferences.iter().map(|p| p - 1.0).sum::<f64>() / 6.0;
    assert!((found["win_rate"].as_f64().unwrap() - rate).abs() < 1e-9, "{found}");
    assert!(
        found["lc_win_rate"].is_null() && found["lc_withheld"].as_str().unwrap().contains("difficulties"),
        "{found}"
    );
    write("instructions.jsonl", (0..5).map(instruction).collect());
    let refused = run(folder.path(), &line);
    assert!(refused.code == 1 && refused.stderr.contains("index 5"), "{}", refused.stderr);
    std::fs::write(folder.path().join("annotations.jsonl"), "{\"index\":0,\"length\":-1,\"preference\":1}\n").unwrap();
    let refused = run(folder.path(), &line);
    assert!(refused.code == 1 && refused.stderr.contains("annotations.jsonl:1"), "{}", refused.stderr);
}

#[test]
fn judges_that_are_none_are_refused_with_their_forms() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    for judge in ["oracle", "reward=", "http://localhost:1/v1", "recorded="] {
        let refused = run(
            folder.path(),
            &words(&format!("evaluate --data rows.jsonl --systems upstream,aligner --judge {judge}")),
        );
        assert!(refused.code != 0 && refused.stderr.contains("URL#MODEL"), "{judge}: {}", refused.stderr);
    }
    let secret =
        "evaluate --data rows.jsonl --prompts 2 --systems upstream,aligner --judge http://me:secret@localhost:1/v1#m";
    let refused = run(folder.path(), &words(secret));
    assert!(refused.code == 1 && !refused.stderr.contains("secret"), "{}", refused.stderr);
}

#[test]
fn systems_keep_the_names_they_are_given_and_outputs_belong_to_their_rows() {
    let tiny = Tiny::new();
    tiny.extract();
    let line = "evaluate --model model --data triples.jsonl --prompts 3 --max-new-tokens 6 --vector vector.safetensors \
                --systems upstream,aligner@0.1,aligner@1.0 --against aligner@1.0 --judge answer --out answers.jsonl";
    let written = || lines(&tiny.path("answers.jsonl"));
    let first = json(tiny.folder(), &words(line));
    assert_eq!(first["contests"][0]["baseline"], "aligner@1");
    assert!(written().iter().any(|row| row["coefficient"] == 0.1));
    // a number that has no short form in f32 is found again
    let n_rows = written().len();
    let again = succeed(tiny.folder(), &words(line));
    assert!(again.stderr.contains("9 of its 9 outputs are used"), "{}", again.stderr);
    assert_eq!(written().len(), n_rows);

    // the same numbers of other rows
    let mut others = crate::fixture::triples(6);
    others.remove(0);
    crate::fixture::write_triples(&tiny.path("others.jsonl"), &others);
    let refused = run(tiny.folder(), &words(&line.replace("triples", "others")));
    assert!(refused.code == 1 && refused.stderr.contains("row 0 has another question"), "{}", refused.stderr);
}

#[test]
fn what_would_have_no_effect_or_fail_late_is_refused_before_anything_is_written() {
    let tiny = Tiny::new();
    tiny.extract();
    let all = "evaluate --model model --data triples.jsonl --out out.jsonl";
    let cases = [
        ("--vector vector.safetensors", "without a vector"),
        ("--vector vector.safetensors --systems upstream,aligner --judge answer", "no system is steered"),
        ("--systems upstream,aligner --judge answer --against nobody", "no such system"),
        ("--systems upstream,aligner --judge answer --judge recorded=nobody.jsonl", "nobody.jsonl"),
        ("--systems upstream,aligner --judge answer --judge reward=nobody", "nobody"),
        ("--systems upstream,aligner --judge http://localhost:1/v1#m --rule logprob", "--judge-form logprob"),
        ("--systems upstream,aligner --judge http://localhost:1/v1#m --judge-key-env sk-12", "no name of one"),
        ("--systems upstream,aligner --judge flaws", "flaws judges by the rows"),
    ];
    for (options, message) in cases {
        let refused = run(tiny.folder(), &words(&format!("{all} {options}")));
        assert!(refused.code == 1 && refused.stderr.contains(message), "{options}: {}", refused.stderr);
        assert!(!refused.stderr.contains("sk-12") && !tiny.path("out.jsonl").exists(), "{options}");
    }
}

//! Traits and instructions: rows, the judge, words in the prompt, and what is refused.

use std::fs;

use serde_json::json;

use crate::fixture::{Tiny, triples, words, write_triples};
use crate::program::{json as run_json, lines, run, succeed};

#[test]
fn rows_of_a_trait_are_the_same_again_and_pass_through_other_verbs() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let line = "data synth --trait empathy --rows 80 --seed 5 --out a.jsonl --held-out b.jsonl --held-out-rows 30";
    let found = run_json(place, &words(line));
    assert_eq!((found["files"][0]["n_rows"].as_u64(), found["files"][1]["n_rows"].as_u64()), (Some(80), Some(30)));
    let first = fs::read(place.join("a.jsonl")).unwrap();
    succeed(place, &words(line));
    assert_eq!(fs::read(place.join("a.jsonl")).unwrap(), first);
    succeed(place, &words("data leak a.jsonl b.jsonl"));
    // to preferences and back, and through the filters, nothing that is taught is lost
    let n_added = lines(&place.join("a.jsonl")).iter().filter(|row| row["kind"] == "added").count();
    let pairs = run_json(place, &words("data convert a.jsonl --to preferences --out pairs.jsonl"));
    assert_eq!(pairs["n_rows"].as_u64().unwrap() as usize, n_added, "{pairs}");
    succeed(place, &words("data convert pairs.jsonl --to triples --out back.jsonl"));
    let texts = |name: &str| -> Vec<[String; 2]> {
        let rows = lines(&place.join(name));
        let rows = rows.iter().filter(|row| row["answer"] != row["correction"]);
        rows.map(|row| ["answer", "correction"].map(|key| row[key].as_str().unwrap().to_owned())).collect()
    };
    assert_eq!(texts("a.jsonl"), texts("back.jsonl"));
    let filtered = run_json(place, &words("data filter a.jsonl --near 1 --out filtered.jsonl"));
    assert!(filtered["n_kept"].as_u64().unwrap() > 70, "{filtered}");
}

#[test]
fn the_judge_of_a_trait_counts_who_acknowledges() {
    let tiny = Tiny::new();
    let record = |row: usize, system: &str, output: &str| {
        json!({
            "row": row, "system": system, "question": format!("q {row}"), "answer": "Call a vet.",
            "output": output, "n_tokens": 3, "passes": 3, "seconds": 0.1,
        })
        .to_string()
            + "\n"
    };
    let mut text = "{\"schema\":\"redline.answers.v1\"}\n".to_owned();
    for row in 0..6 {
        text += &record(row, "upstream", "Call a vet.");
        text +=
            &record(row, "empathic", if row < 3 { "No wonder you feel worried. Call a vet." } else { "Call a vet." });
    }
    fs::write(tiny.path("answers.jsonl"), text).unwrap();
    let found = run_json(tiny.folder(), &words("evaluate --answers answers.jsonl --judge trait"));
    assert_eq!(found["traits"]["empathic"], json!({ "n": 6, "any": 0.5, "exact": 0.5 }));
    assert_eq!(found["traits"]["upstream"]["any"], 0.0);
    let outcome = &found["contests"][0]["standings"][0]["outcome"];
    assert!(outcome.to_string().contains("\"n_wins\":3"), "{outcome}");
    let text = succeed(tiny.folder(), &words("evaluate --answers answers.jsonl --judge trait")).stdout;
    assert!(text.contains("acknowledge") && text.contains("50.0 %"), "{text}");
}

#[test]
fn an_instruction_stands_in_the_prompt_of_every_verb_or_is_refused() {
    let tiny = Tiny::new();
    let correct = |more: &[&str]| {
        let line = [
            "correct",
            "--model",
            "model",
            "--question",
            "Who?",
            "--answer",
            "Me.",
            "--max-new-tokens",
            "12",
            "--json",
        ];
        succeed(tiny.folder(), &[&line[..], more].concat()).stdout
    };
    fs::write(tiny.path("worded.txt"), "Be brief. Q: {question}\nA: {answer}\nC:").unwrap();
    let asked = correct(&["--template", "template.txt", "--instruction", "Be brief"]);
    let own: serde_json::Value = serde_json::from_str(&correct(&["--template", "worded.txt"])).unwrap();
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(asked["correction"], own["correction"], "the same prompt, token for token");
    let refused = |args: &[&str], message: &str, hint: &str| {
        let ran = run(tiny.folder(), args);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{}", ran.stderr);
    };
    let line = words("correct --model model --template worded.txt --question Who? --answer Me. --instruction Brief");
    refused(&line, "the template worded.txt has no place for it", "hint: put {instruction} into the template");
    let line = words("perplexity template.txt --model model --instruction Brief");
    refused(&line, "--instruction", "hint: ");
    tiny.extract();
    let feedback = "feedback --model model --template template.txt --vector vector.safetensors --data";
    refused(&words(&format!("{feedback} triples.jsonl")), "the rows carry no flaws", "data synth --instructions");
    refused(
        &words(&format!("{feedback} triples.jsonl --asked none,kind")),
        "unknown instruction `kind`",
        "give NAME=TEXT",
    );
    refused(&words("data synth --trait kindness --out x.jsonl"), "unknown trait `kindness`; known: empathy", "");
    refused(&words("data synth --trait empathy --instructions --out x.jsonl"), "cannot be used with", "");
}

#[test]
fn training_puts_each_rows_instruction_into_its_prompt() {
    let tiny = Tiny::new();
    write_triples(&tiny.path("plain.jsonl"), &triples(24));
    let asked: String = lines(&tiny.path("plain.jsonl"))
        .into_iter()
        .enumerate()
        .map(|(place, mut row)| {
            if place % 2 == 0 {
                row["instruction"] = "Be brief".into();
            }
            format!("{row}\n")
        })
        .collect();
    fs::write(tiny.path("asked.jsonl"), asked).unwrap();
    let train = |data: &str, template: &str, out: &str| {
        let line = format!(
            "train --model model --template {template} --data {data} --steps 2 --batch-rows 4 --generate 0 --held-out-share 0.2 --out {out}"
        );
        run(tiny.folder(), &words(&line))
    };
    let (plain, asked) = (train("plain.jsonl", "template.txt", "p"), train("asked.jsonl", "template.txt", "a"));
    assert_eq!((plain.code, asked.code), (0, 0), "{}{}", plain.stderr, asked.stderr);
    assert!(asked.stderr.contains("12 rows with an `instruction`"), "{}", asked.stderr);
    let losses = |out: &str| -> Vec<String> {
        let steps = lines(&tiny.path(out).join("train.jsonl"));
        steps.iter().filter(|line| line["kind"] == "step").map(|line| line["loss"].to_string()).collect()
    };
    assert_ne!(losses("p"), losses("a"), "other prompts");
    fs::write(tiny.path("without.txt"), "Q: {question}\nA: {answer}\nC:").unwrap();
    let refused = train("asked.jsonl", "without.txt", "w");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("hint: put {instruction} into the template"), "{}", refused.stderr);
    assert!(!tiny.path("w").join("summary.json").exists());
}

#[test]
fn two_vectors_have_a_cosine_at_each_layer() {
    let tiny = Tiny::new();
    tiny.extract();
    let found = run_json(tiny.folder(), &words("inspect vector.safetensors --against vector.safetensors"));
    let cosines = found["against"]["cosines"].as_array().unwrap();
    assert_eq!(cosines.len(), 4);
    assert!(cosines.iter().all(|one| (one["cosine"].as_f64().unwrap() - 1.0).abs() < 1e-6), "{found}");
    let refused = run(tiny.folder(), &words("inspect vector.safetensors --against triples.jsonl"));
    assert!(refused.code == 1 && refused.stderr.contains("--against compares vectors"), "{}", refused.stderr);
}

//! Faults that were found once: empty files, rows without a label, options that cannot act, names that say something else.

use crate::fixture::{Tiny, triples, words, write_triples};
use crate::program::{json, lines, run, succeed};

/// A line for each verb and option that reads rows; `EMPTY` is a file without any.
const READERS: [&str; 39] = [
    "reproduce --model model --template template.txt --data EMPTY --out out",
    "scan --model model --template template.txt --vector vector.safetensors --data EMPTY --out out",
    "layers --model model --template template.txt --data EMPTY --out out",
    "compare --model model --template template.txt --data EMPTY",
    "extract --model model --template template.txt --data EMPTY --out out.safetensors",
    "sweep --model model --template template.txt --vector vector.safetensors --data EMPTY --out out.jsonl",
    "fit EMPTY",
    "fit sweep.jsonl --rows EMPTY",
    "tune --model model --template template.txt --target-ratio 0.3 --data EMPTY",
    "tune --model model --template template.txt --like EMPTY",
    "plot EMPTY",
    "correct --model model --template template.txt --data EMPTY",
    "train --data EMPTY --from-scratch --out out",
    "train --data triples.jsonl --validation EMPTY --from-scratch --out out",
    "train --data triples.jsonl --warmup-data EMPTY --from-scratch --out out",
    "train --objective dpo --data EMPTY --model model --out out",
    "train --objective kto --data EMPTY --model model --out out",
    "train --objective grpo --reward flaws --data EMPTY --model model --out out",
    "train --objective sft --data EMPTY --model model --out out",
    "train --objective reward --method head --data EMPTY --model model --out out",
    "evaluate --model model --template template.txt --data EMPTY",
    "evaluate --choices --data EMPTY",
    "evaluate --depth 2 --data EMPTY",
    "evaluate --turns --data EMPTY",
    "feedback --model model --template template.txt --vector vector.safetensors --data EMPTY --out out",
    "gate lat=vector.safetensors --model model --template template.txt --data EMPTY",
    "route EMPTY --model model --template template.txt --out out.json",
    "iterate --kind distil --policy model --aligner embedded --data EMPTY --held-out triples.jsonl --out out",
    "iterate --kind distil --policy model --aligner embedded --data triples.jsonl --held-out EMPTY --out out",
    "inspect vector.safetensors --against EMPTY",
    "evaluate --data EMPTY --judge flaws --systems upstream,aligner",
    "evaluate --answers EMPTY --judge flaws",
    "evaluate --answers answers.jsonl --judge recorded=EMPTY",
    "evaluate --preferences EMPTY --instructions triples.jsonl",
    "perplexity EMPTY --model model",
    "check model --data EMPTY",
    "bench --model model --template template.txt --data EMPTY",
    "ratio EMPTY",
    "inspect EMPTY",
];

/// The same of `data`.
const DATA: [&str; 11] = [
    "data corrupt EMPTY --out out.jsonl",
    "data scramble EMPTY --out out.jsonl",
    "data clean EMPTY --out out.jsonl",
    "data split EMPTY --out out.jsonl --held-out other.jsonl",
    "data convert EMPTY --to triples --out out.jsonl",
    "data near EMPTY --out out.jsonl",
    "data annotate EMPTY --kind aspects --model model --out out.jsonl",
    "data annotate triples.jsonl --kind aspects --model model --not-in EMPTY --out out.jsonl",
    "data filter EMPTY --out out.jsonl",
    "data filter triples.jsonl --leak-to EMPTY --out out.jsonl",
    "data leak triples.jsonl EMPTY",
];

#[test]
fn a_file_without_rows_is_an_error_of_the_input_for_every_verb() {
    let tiny = Tiny::new();
    tiny.extract();
    std::fs::write(tiny.path("answers.jsonl"), "{\"schema\":\"redline.answers.v1\"}\n").unwrap();
    let files = [("nothing.jsonl", ""), ("blank.jsonl", "\n \n\n"), ("list.json", "[]")];
    files.iter().for_each(|(name, text)| std::fs::write(tiny.path(name), text).unwrap());
    for line in READERS.iter().chain(&DATA) {
        for (name, text) in files {
            // white space is a text to be read, too
            if line.starts_with("perplexity") && !text.is_empty() {
                continue;
            }
            let line = line.replace("EMPTY", name);
            let ran = run(tiny.folder(), &words(&line));
            assert!(!ran.stderr.contains("please report"), "{line}: {}", ran.stderr);
            // no text is a text that nothing is measured on
            let is_about_rows = ran.code == 1 && ran.stdout.is_empty() && ran.stderr.contains("hint: ");
            assert!(is_about_rows, "{line}: {ran:?}");
        }
    }
}

#[test]
fn a_pair_that_says_less_than_the_others_is_counted_and_left_out() {
    let tiny = Tiny::new();
    let row = |i: usize, more: &str| {
        format!("{{\"prompt\":\"Question {i}?\",\"chosen\":\"Good {i}.\",\"rejected\":\"Bad {i}.\"{more}}}\n")
    };
    let mut rows: Vec<String> =
        (0..10).map(|i| row(i, ",\"is_chosen_safe\":true,\"is_rejected_safe\":false")).collect();
    rows.push(row(10, ",\"is_chosen_safe\":\"yes\",\"is_rejected_safe\":false"));
    rows.push(row(11, ",\"margin\":\"large\""));
    std::fs::write(tiny.path("pairs.jsonl"), rows.concat()).unwrap();
    let line =
        "train --objective cost --data pairs.jsonl --model model --steps 1 --batch-rows 4 --held-out-share 0 --out run";
    let ran = succeed(tiny.folder(), &words(line));
    assert!(
        ran.stderr.contains("line 11") && ran.stderr.contains("`is_chosen_safe` must be true or false"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("12 read, 2 unusable"), "{}", ran.stderr);
    let strict = run(tiny.folder(), &words(&format!("{} --strict", line.replace("--out run", "--out strict"))));
    assert!(strict.code == 1 && strict.stderr.contains("pairs.jsonl:11: field `is_chosen_safe`"), "{}", strict.stderr);
}

#[test]
fn answers_that_are_called_good_or_bad_are_learnt_from() {
    let tiny = Tiny::new();
    let row = |i: usize| {
        let label = ["true", "false"][i % 2];
        format!("{{\"prompt\":\"Question {i}?\",\"completion\":\"Answer {}.\",\"label\":{label}}}\n", i % 2)
    };
    let mut rows: Vec<String> = (0..24).map(row).collect();
    rows.push("{\"prompt\":\"Question?\",\"completion\":\"Answer.\"}\n".into());
    std::fs::write(tiny.path("labels.jsonl"), rows.concat()).unwrap();
    let line = "train --objective kto --data labels.jsonl --model model --steps 6 --batch-rows 6 --learning-rate 3e-3 --held-out-share 0.3 \
                --evaluate-every 3 --desirable-weight 1.5 --seed 4 --out run";
    let found = json(tiny.folder(), &words(line));
    assert_eq!(found["objective"]["kto"]["good_weight"], 1.5, "{found}");
    let pairs = &found["last_evaluation"]["pairs"];
    assert!(pairs["divergence"].as_f64().is_some_and(|z| z >= 0.0), "{found}");
    assert_eq!(found["data_files"][0]["left_out"][0]["first"], "field `label` is missing", "{found}");
    let steps: Vec<_> = lines(&tiny.path("run/train.jsonl")).into_iter().filter(|row| row["kind"] == "step").collect();
    assert_eq!(steps.len(), 6);
    // as 1 − σ(0), with weights 1.5 and 1
    let first = steps[0]["loss"].as_f64().unwrap();
    assert!((0.5..=0.75).contains(&first), "{first}");
    assert!(tiny.path("run/model/config.json").exists());
}

#[test]
fn a_run_on_rewards_is_looked_at_before_its_first_step() {
    let tiny = Tiny::new();
    succeed(tiny.folder(), &words("data synth --rows 8 --seed 3 --out rows.jsonl"));
    let line = "train --objective grpo --reward flaws --data rows.jsonl --model model --steps 2 --batch-rows 2 --group 2 --max-new-tokens 4 \
                --held-out-share 0.3 --evaluate-every 1 --out run";
    json(tiny.folder(), &words(line));
    let log = lines(&tiny.path("run/train.jsonl"));
    let looked: Vec<_> = log.iter().filter(|row| row["kind"] == "evaluation").map(|row| row["step"].clone()).collect();
    assert_eq!(looked, [0, 1, 2], "{log:?}");
    assert!(log[0]["policy"]["reward"].is_number(), "{:?}", log[0]);
}

#[test]
fn removed_rows_are_written_with_what_removed_them() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let rows = [
        r#"{"question":"What is tea?","answer":"A drink of leaves."}"#,
        r#"{"question":"What is tea?","answer":"A drink of leaves."}"#,
        r#"{"question":"How do I sort?","answer":"```python\nsorted(x)"}"#,
        r#"{"question":"Why?","answer":" "}"#,
    ];
    std::fs::write(here.join("rows.jsonl"), rows.join("\n")).unwrap();
    let found = json(here, &words("data filter rows.jsonl --out clean.jsonl --removed removed.jsonl"));
    assert_eq!((&found["n_kept"], &found["removed_file"]), (&1.into(), &"removed.jsonl".into()), "{found}");
    let removed = lines(&here.join("removed.jsonl"));
    let why: Vec<_> =
        removed.iter().map(|row| (row["removed"]["line"].as_u64(), row["removed"]["filter"].as_str())).collect();
    assert_eq!(why, [(Some(4), Some("empty")), (Some(2), Some("equal texts")), (Some(3), Some("code_fence"))]);
    assert_eq!(removed[2]["answer"], "```python\nsorted(x)");
}

#[test]
fn names_of_compressed_files_are_refused_and_replaced_files_are_told_when_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    write_triples(&here.join("triples.jsonl"), &triples(6));
    for name in ["out.jsonl.gz", "OUT.GZ", "out.zst"] {
        let ran = run(here, &words(&format!("data clean triples.jsonl --out {name}")));
        assert!(
            ran.code == 1 && ran.stderr.contains("is not compressed, and the name says that it is"),
            "{}",
            ran.stderr
        );
        assert!(!here.join(name).exists());
    }
    let mine = "mine\n";
    std::fs::write(here.join("out.jsonl"), mine).unwrap();
    std::fs::write(here.join("empty.jsonl"), "").unwrap();
    let failed = run(here, &words("data clean empty.jsonl --out out.jsonl --force"));
    assert!(failed.code == 1 && !failed.stderr.contains("replaced"), "{}", failed.stderr);
    assert_eq!(std::fs::read_to_string(here.join("out.jsonl")).unwrap(), mine);
    let ran = succeed(here, &words("data clean triples.jsonl --out out.jsonl --force"));
    assert!(ran.stderr.contains("note: out.jsonl was replaced, as --force says"), "{}", ran.stderr);
}

#[test]
fn options_that_cannot_act_are_refused_by_name() {
    let tiny = Tiny::new();
    for (line, option) in [
        ("correct --question q --answer a --layers all", "--layers"),
        ("correct --question q --answer a --seed 0", "--seed"),
        ("correct --question q --answer a --batch-rows 16", "--batch-rows"),
        ("correct --question q --answer a --force", "--force"),
        ("correct --question q --answer a --diff --json", "--diff"),
        ("evaluate --data triples.jsonl --against upstream --judge flaws --choices", "--choices"),
        ("evaluate --choices --data triples.jsonl --batch-rows 48", "--batch-rows"),
        ("train --data triples.jsonl --model model --out run --rank 16", "--rank"),
        ("ablate-warmup --data triples.jsonl --from-scratch --steps 2 --warmup-share 0.02 --out run", "--warmup-share"),
    ] {
        let ran = run(tiny.folder(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(option) && ran.stdout.is_empty(), "{line}: {ran:?}");
        assert!(!ran.stderr.contains("please report"), "{line}: {ran:?}");
    }
}

#[test]
fn answers_of_several_files_are_panels_of_one_figure() {
    let tiny = Tiny::new();
    let answer = |system: &str, row: usize, output: &str| {
        format!(
            "{{\"row\":{row},\"system\":\"{system}\",\"coefficient\":null,\"question\":\"q{row}\",\"answer\":\"a\",\"output\":\"{output}\",\
             \"n_tokens\":null,\"passes\":1,\"seconds\":0.0}}\n"
        )
    };
    for (name, output) in [("step-2.jsonl", "one"), ("step-4.jsonl", "two words")] {
        let rows = (0..6).map(|row| {
            answer("upstream", row, &format!("u{row}")) + &answer("aligner", row, &format!("{output} {row}"))
        });
        let text = format!("{{\"schema\":\"redline.answers.v1\"}}\n{}", rows.collect::<String>());
        std::fs::write(tiny.path(name), text).unwrap();
    }
    for (objective, out) in [("reward", "reward"), ("cost", "cost")] {
        let line = format!(
            "train --objective {objective} --data triples.jsonl --model model --steps 2 --batch-rows 4 --held-out-share 0.3 --out {out}"
        );
        succeed(tiny.folder(), &words(&line));
    }
    let line = "evaluate --answers step-2.jsonl --answers step-4.jsonl --judge reward=reward/model --judge cost=cost/model --score-shift shift";
    let found = json(tiny.folder(), &words(line));
    let names: Vec<_> = found["shifts"].as_array().unwrap().iter().map(|shift| shift["system"].clone()).collect();
    assert_eq!(names, ["aligner (step-2)", "aligner (step-4)"], "{found}");
    assert!(tiny.path("shift.svg").exists() && tiny.path("shift.png").exists());
}

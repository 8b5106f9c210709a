//! Further passes and further turns: `evaluate --depth` and `--turns`, systems that are stacks, and the figures of results that a schema names.

use serde_json::{Value, json as value};

use crate::fixture::{Tiny, words};
use crate::program::{json, lines, run, succeed};

/// How many answers a system has.
fn n_of(rows: &[Value], system: &str, coefficient: Option<f64>) -> usize {
    rows.iter().filter(|row| row["system"] == system && row["coefficient"].as_f64() == coefficient).count()
}

#[test]
fn passes_are_written_once_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(here, &words("data synth --rows 12 --seed 8 --out rows.jsonl"));
    let line = "evaluate --data rows.jsonl --prompts 6 --max-new-tokens 120 --depth 3 --out answers.jsonl";
    let first = json(here, &words(line));
    let found = first["table"]["lines"].as_array().unwrap();
    assert_eq!((found.len(), first["table"]["n_rows"].as_u64()), (3, Some(6)));
    let figure = |at: usize, name: &str| found[at][name].as_f64().unwrap();
    assert!((0..3).all(|at| found[at]["mended"]["value"].is_f64() && found[at]["damage"]["value"].is_f64()), "{first}");
    assert!(figure(0, "passes") == 1.0 && figure(2, "passes") <= 3.0 && figure(2, "passes") >= figure(1, "passes"));
    assert!(found[2]["fixed_point"].is_null() && found[0]["fixed_point"]["value"].is_f64());
    assert_eq!(first["table"]["cheaper"].as_array().unwrap().len(), 2);

    let written = lines(&here.join("answers.jsonl"));
    for system in ["aligner", "stack-2", "stack-3"] {
        assert_eq!(n_of(&written, system, None), 6, "{system}");
    }
    let bytes = std::fs::read(here.join("answers.jsonl")).unwrap();
    assert_eq!(json(here, &words(line))["table"], first["table"]);
    assert!(bytes == std::fs::read(here.join("answers.jsonl")).unwrap(), "nothing is written twice");

    // the same file as systems beside each other; and a deeper pass goes on from it
    let judged = "evaluate --data rows.jsonl --prompts 6 --max-new-tokens 120 --systems upstream,stack-4 --judge flaws --out answers.jsonl";
    let contest = json(here, &words(judged));
    let systems = contest["contests"][0]["systems"].as_array().unwrap();
    assert!(systems.contains(&value!("stack-4")) && systems.contains(&value!("stack-2")), "{systems:?}");
    let other = run(here, &words(&line.replace("120", "100")));
    assert!(other.code == 1 && other.stderr.contains("was made by"), "{}", other.stderr);
    let table = succeed(here, &words(line)).stdout;
    assert!(table.contains("mended [95 %]") && table.contains("3 passes mend"), "{table}");

    std::fs::write(here.join("depth.json"), first.to_string()).unwrap();
    let drawn = json(here, &words("plot depth.json --out figure"));
    assert_eq!((drawn["kind"].as_str(), drawn["files"].as_array().unwrap().len()), (Some("depth"), 2));
    assert!(std::fs::read_to_string(here.join("figure.svg")).unwrap().contains("flaws mended"));
}

#[test]
fn passes_have_coefficients_and_options_without_effect_are_refused() {
    let tiny = Tiny::new();
    tiny.extract();
    let line = "evaluate --model model --template template.txt --data triples.jsonl --prompts 3 --max-new-tokens 6 \
                --vector vector.safetensors --depth 2 --out answers.jsonl";
    let found = json(tiny.folder(), &words(&format!("{line} --coefficients 1,0.1")));
    let at: Vec<Option<f64>> =
        found["table"]["lines"].as_array().unwrap().iter().map(|line| line["coefficient"].as_f64()).collect();
    assert_eq!(at, [Some(0.1), Some(0.1), Some(1.0), Some(1.0)]);
    let written = lines(&tiny.path("answers.jsonl"));
    assert_eq!((n_of(&written, "aligner", Some(0.1)), n_of(&written, "stack-2", Some(1.0))), (3, 3));
    for (extra, message) in [
        ("", "no coefficient"),
        ("--coefficients 1 --systems aligner", "--systems has no effect"),
        ("--coefficients 1 --domain d.json", "--domain has no effect"),
        ("--coefficients 1 --turns", "cannot be used with"),
    ] {
        let ran = run(tiny.folder(), &words(&format!("{line} {extra}")));
        assert!(ran.code == 1 && ran.stderr.contains(message), "{extra}: {}", ran.stderr);
    }
    let idle = run(tiny.folder(), &words("evaluate --data triples.jsonl --coefficients 1"));
    assert!(idle.code == 1 && idle.stderr.contains("--coefficients has no effect"), "{}", idle.stderr);
}

#[test]
fn conversations_are_corrected_turn_by_turn() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let transcript = |who: &str| {
        format!(
            "\n\nHuman: What is the capital of {who}?\n\nAssistant: You are a complete fool. The capital is a town.\n\n\
             Human: How large is it?\n\nAssistant: It is large. You are a complete fool.\n\nHuman: And old?\n\nAssistant:"
        )
    };
    let row = |who: &str| {
        let before = transcript(who);
        value!({ "chosen": format!("{before} Yes, it is."), "rejected": format!("{before} Go away, you fool.") })
            .to_string()
    };
    std::fs::write(here.join("rows.jsonl"), ["France", "Spain"].map(row).join("\n")).unwrap();
    let line = "evaluate --turns --data rows.jsonl --max-new-tokens 60 --out answers.jsonl";
    let found = json(here, &words(line));
    let drift = &found["drift"];
    assert_eq!(
        (drift["n_dialogues"].as_u64(), drift["n_answers"].as_u64(), drift["longest"].as_u64()),
        (Some(2), Some(6), Some(3))
    );
    assert_eq!((drift["lines"].as_array().unwrap().len(), drift["slopes"].as_array().unwrap().len()), (6, 2));
    assert_eq!(drift["differences"][0]["difference"]["value"], 0.0, "the first turn has one history");
    let written = lines(&here.join("answers.jsonl"));
    assert_eq!((n_of(&written, "turns-original", None), n_of(&written, "turns-corrected", None)), (6, 6));
    let bytes = std::fs::read(here.join("answers.jsonl")).unwrap();
    assert_eq!(json(here, &words(line))["drift"], *drift);
    assert!(bytes == std::fs::read(here.join("answers.jsonl")).unwrap(), "nothing is written twice");
    assert!(succeed(here, &words(line)).stdout.contains("slope by turn within a conversation"));

    std::fs::write(here.join("turns.json"), found.to_string()).unwrap();
    assert!(succeed(here, &words("plot turns.json --ascii")).stdout.contains("Edit ratio by turn"));
    std::fs::write(here.join("single.jsonl"), value!({ "question": "Why?", "answer": "So." }).to_string()).unwrap();
    let single = run(here, &words("evaluate --turns --data single.jsonl --max-new-tokens 4"));
    assert!(single.code == 1 && single.stderr.contains("second answer"), "{}", single.stderr);
}

#[test]
fn cleaning_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    succeed(here, &words("data synth --rows 60 --seed 1 --out rows.jsonl"));
    let mut text = std::fs::read_to_string(here.join("rows.jsonl")).unwrap();
    let again: String = text.lines().take(5).map(|line| format!("{line}\n")).collect();
    text.push_str(&again);
    std::fs::write(here.join("rows.jsonl"), text).unwrap();
    let found = json(here, &words("data filter rows.jsonl --out clean.jsonl --figure funnel"));
    assert_eq!(found["figure"], "funnel");
    let svg = std::fs::read_to_string(here.join("funnel.svg")).unwrap();
    assert!(svg.contains("rows read") && svg.contains("65 (100.0 %)") && svg.contains("−5, 60 left"), "{svg}");
    std::fs::write(here.join("filter.json"), found.to_string()).unwrap();
    succeed(here, &words("plot filter.json --out again"));
    assert_eq!(std::fs::read(here.join("again.svg")).unwrap(), std::fs::read(here.join("funnel.svg")).unwrap());
    // what is no picture of ours is not replaced
    std::fs::write(here.join("mine.png"), "mine").unwrap();
    let refused = run(here, &words("data filter rows.jsonl --out other.jsonl --figure mine"));
    assert!(refused.code == 1 && !here.join("other.jsonl").exists(), "{}", refused.stderr);

    let split = json(here, &words("data split clean.jsonl --near 0.9 --share 0.3 --out a.jsonl --held-out b.jsonl"));
    let n: u64 = split["nearest"]["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((Some(n), split["threshold"].as_f64()), (split["files"][1]["n_rows"].as_u64(), Some(0.9)));
    std::fs::write(here.join("split.json"), split.to_string()).unwrap();
    let drawn = json(here, &words("plot split.json --out nearest"));
    assert_eq!(drawn["kind"], "nearest");
    assert!(std::fs::read_to_string(here.join("nearest.svg")).unwrap().contains("nearly the same (0.9)"));
    let near = json(here, &words("data near rows.jsonl"));
    std::fs::write(here.join("near.json"), near.to_string()).unwrap();
    assert!(succeed(here, &words("plot near.json --ascii")).stdout.contains("rows read"));
}

#[test]
fn results_that_a_schema_names_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let band = |mean: f64| value!({ "mean": mean, "low": mean - 0.1, "high": mean + 0.1 });
    let mean = |value: f64| value!({ "value": value, "n": 9, "spread": { "interval": { "low": value - 0.1, "high": value + 0.1 } } });
    let round = |arm: &str, round: usize| value!({ "arm": arm, "round": round, "n": 9, "helpful": mean(0.1 * round as f64), "harmless": mean(0.2) });
    let point = |step: usize| value!({ "number": step, "x": { "mean": 0.001 * step as f64 }, "y": band(0.3) });
    let level = |value: f64| value!({ "harmless": mean(value), "helpful": null });
    let seed = value!({ "seed": 1, "levels": { "weak": level(0.3), "ceiling": level(0.6) }, "gaps": {} });
    let cases = [
        (
            "iterate",
            "rounds",
            value!({ "rounds": [round("a", 0), round("a", 1), round("b", 0)] }),
            "figure.svg",
            "helpful",
        ),
        ("iterate", "ladder", value!({ "seeds": [seed] }), "figure-harmless.svg", "ceiling"),
        (
            "trails",
            "trails",
            value!({ "title": "What is lost", "x_label": "lost", "y_label": "won", "trails": [{ "name": "a", "points": [point(0), point(9)] }] }),
            "figure.svg",
            "What is lost",
        ),
    ];
    for (schema, kind, mut document, file, wanted) in cases {
        document["schema"] = format!("redline.{schema}.v1").into();
        std::fs::write(here.join("result.json"), document.to_string()).unwrap();
        let drawn = json(here, &words("plot result.json --out figure"));
        assert_eq!(drawn["kind"], kind);
        let svg = std::fs::read_to_string(here.join(file)).unwrap();
        assert!(svg.contains(wanted), "{kind}: {svg}");
        assert!(!succeed(here, &words("plot result.json --ascii")).stdout.is_empty());
    }
    for (text, message) in [
        (value!({ "rounds": [round("a", 1), round("a", 0)] }), "must grow"),
        (value!({ "rounds": [] }), "no trails to draw"),
        (value!({ "rounds": [{ "arm": "a", "round": "one" }] }), "not a valid result file"),
        (value!({}), "not a valid result file"),
    ] {
        let mut text = text;
        text["schema"] = "redline.iterate.v1".into();
        std::fs::write(here.join("bad.json"), text.to_string()).unwrap();
        let ran = run(here, &words("plot bad.json --out bad"));
        assert!(
            ran.code == 1 && ran.stderr.contains(message) && !here.join("bad.svg").exists(),
            "{text}: {}",
            ran.stderr
        );
    }
}

//! `redline gate` and `redline route`: from rows to a threshold and a router, and what of it is refused.

use serde_json::{Value, json};

use crate::fixture::{Tiny, edit_json, labelled, words, write_triples};
use crate::program::{json as parsed, run, succeed};

const MODEL: &str = "--model model --template template.txt";

fn tiny() -> Tiny {
    let tiny = Tiny::new();
    tiny.extract();
    write_triples(&tiny.path("labelled.jsonl"), &labelled());
    tiny
}

fn read(tiny: &Tiny, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(tiny.path(name)).unwrap()).unwrap()
}

#[test]
fn a_gate_is_calibrated_on_rows_and_refused_elsewhere() {
    let tiny = tiny();
    let line = format!("gate lat=vector.safetensors {MODEL} --data labelled.jsonl --timed 1 --max-new-tokens 4");
    let found = parsed(tiny.folder(), &words(&line));
    let calibration = &found["calibration"];
    assert_eq!(read(&tiny, "vector.gate.json"), *calibration);
    assert_eq!(calibration["schema"], "redline.gate.v1");
    let held_out = &calibration["held_out"];
    assert_eq!((&held_out["n_needed"], &held_out["n_fine"]), (&json!(24), &json!(24)), "{held_out}");
    assert!(held_out["auc"]["interval"]["low"].as_f64() <= held_out["auc"]["value"].as_f64());
    assert!(calibration["fitted_on"]["false_rate"].as_f64().unwrap() <= 0.05);
    assert_eq!(found["layers"].as_array().unwrap().len(), 4);
    for ending in ["png", "svg"] {
        assert!(tiny.path(&format!("vector.gate.{ending}")).exists(), "{ending}");
    }
    assert_eq!(parsed(tiny.folder(), &words("plot vector.gate.json --out curve"))["kind"], "gate");
    // the same rows give the same, and more needless corrections a lower threshold
    let again = parsed(tiny.folder(), &words(&line));
    assert_eq!(again["calibration"]["threshold"], calibration["threshold"]);
    let loose = parsed(tiny.folder(), &words(&format!("{line} --false-corrections 0.5 --out loose.json")));
    assert!(loose["calibration"]["threshold"].as_f64() <= calibration["threshold"].as_f64());
    assert!(loose["calibration"]["held_out"]["true_rate"].as_f64() >= held_out["true_rate"].as_f64());
    let told = succeed(tiny.folder(), &words(&line.replace("--timed 1", "--timed 0"))).stdout;
    assert!(told.contains("held out     AUC ") && told.contains("calibration  vector.gate.json"), "{told}");

    let refused = |line: &str, what: &str| {
        let ran = run(tiny.folder(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(what) && ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
    };
    refused("gate lat=vector.safetensors:0.5 --data labelled.jsonl", "a threshold is what this verb finds");
    refused("gate price=vector.safetensors", "no kind of gate");
    refused("gate cost=vector.safetensors", "reward head");
    // the first rows of these are what the vector was extracted from
    refused(&line.replace("labelled", "triples"), "were used to extract the vector");
    refused(&(line.replace("labelled", "triples") + " --allow-overlap"), "10 of each are needed");
    refused(&format!("{line} --false-corrections 1.5"), "--false-corrections is 1.5");
    std::fs::write(tiny.path("plain.jsonl"), "{\"question\":\"q\",\"answer\":\"a\"}\n").unwrap();
    refused(&line.replace("labelled", "plain"), "no row says whether its answer needs a correction");
    refused(&format!("{line} --out triples.jsonl"), "triples.jsonl");

    // what a server refuses before it listens
    let serve = format!("serve --port 0 {MODEL} --gate");
    refused(&format!("{serve} lat=vector.safetensors:other.json"), "nothing tells where the gate opens");
    refused(&format!("{serve} lat=vector.safetensors:nan"), "no finite number");
    refused(&format!("{serve} lat=absent.safetensors:1"), "absent.safetensors");
    refused("serve --port 0 --gate lat=vector.safetensors", "vector.safetensors");
    edit_json(&tiny.path("loose.json"), |file| file["instrument_hash"] = "other".into());
    refused(&format!("{serve} lat=vector.safetensors:loose.json"), "calibrated with another vector");
    edit_json(&tiny.path("loose.json"), |file| file["threshold"] = Value::Null);
    refused(&format!("{serve} lat=vector.safetensors:loose.json"), "no calibration of a gate");
    edit_json(&tiny.path("vector.gate.json"), |file| file["template"] = "other".into());
    refused(&format!("{serve} lat=vector.safetensors"), "calibrated with another template");
}

#[test]
fn a_route_is_fitted_to_sweeps_and_refused_elsewhere() {
    let tiny = tiny();
    let sweep = |more: &str, out: &str| {
        let line = format!(
            "sweep {MODEL} --data triples.jsonl --vector vector.safetensors --skip 24 --prompts 24 --max-new-tokens 8 {more} --out {out}"
        );
        succeed(tiny.folder(), &words(&line));
    };
    sweep("--coefficients -1,0,1", "one.jsonl");
    sweep("--coefficients 0,2 --unit std", "two.jsonl");
    let line = "route one.jsonl two.jsonl --model model --out route.json";
    let found = parsed(tiny.folder(), &words(line));
    assert_eq!(found["candidates"], json!(["vector-1:-1", "unsteered", "vector-1:1", "vector-2:2"]));
    let tested = &found["tested"];
    let number = |key: &str| tested[key].as_f64().unwrap();
    assert_eq!((&tested["n_fit"], &tested["n_test"]), (&json!(12), &json!(12)));
    assert!(number("routed_worth") <= number("oracle_worth") && number("single_worth") <= number("oracle_worth"));
    let over = number("routed_worth") - number("single_worth");
    assert!((tested["over_single"]["value"].as_f64().unwrap() - over).abs() < 1e-9, "{tested}");
    let is_better = tested["over_single"]["interval"]["low"].as_f64().unwrap() > 0.0;
    assert_eq!(found["is_better"], is_better);
    let told = succeed(tiny.folder(), &words(&line.replace("route.json", "again.json")));
    assert_eq!(told.stdout.contains("is not better than"), !is_better, "{}", told.stdout);
    assert_eq!(read(&tiny, "route.json"), read(&tiny, "again.json"));

    let refused = |line: &str, what: &str| {
        let ran = run(tiny.folder(), &words(line));
        assert!(ran.code == 1 && ran.stderr.contains(what) && ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
    };
    refused("route one.jsonl --out other.json", "another model");
    refused("route triples.jsonl --model model --out other.json", "triples.jsonl");
    refused("route one.jsonl one.jsonl --model model --out other.json", "another sweep has vector-2:-1 too");
    refused(&format!("{line} --layer 9"), "9");
    refused(&format!("{line} --for harmless=5,helpful=1,damage=10"), "carry no flaws");
    refused(&format!("{line} --held-out 0.05"), "24 questions in common");
    refused("serve --port 0 --route route.json", "another Aligner");
    let serve = format!("serve --port 0 {MODEL} --route route.json");
    edit_json(&tiny.path("route.json"), |file| file["router"]["mean"] = json!([0.0]));
    refused(&serve, "no route");
    edit_json(&tiny.path("route.json"), |file| file["schema"] = "other".into());
    refused(&serve, "`schema` is `other`");
    refused(&format!("{serve} --coefficient 1"), "cannot be used with");
}

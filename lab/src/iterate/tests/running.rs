use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::fake::{Fake, Folder, message};
use crate::iterate::{IterateKind, IterateOptions, Run};

fn run(options: &IterateOptions, fake: &mut Fake) -> crate::Result<()> {
    Run::open(options, &mut ())?.all(fake, &mut ())
}

/// All files below a folder but its settings, which name it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(path) = left.pop() {
        match path.is_dir() {
            true => left.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path())),
            false => drop(
                found.insert(path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&path).unwrap()),
            ),
        }
    }
    found
}

fn summary(options: &IterateOptions) -> Value {
    serde_json::from_str(&std::fs::read_to_string(options.out.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_run_that_fails_again_and_again_ends_as_one_that_does_not() {
    let folder = Folder::new();
    for kind in [IterateKind::Distil, IterateKind::WeakToStrong] {
        let whole = folder.options(kind, &format!("whole-{kind}"));
        let mut once = Fake::default();
        run(&whole, &mut once).unwrap();
        let broken = folder.options(kind, &format!("broken-{kind}"));
        let mut ran = Vec::new();
        for _ in 0..once.ran.len() {
            let mut fake = Fake { left: 1, ..Fake::default() };
            let outcome = run(&broken, &mut fake);
            assert!(ran.len() + 1 == once.ran.len() || message(outcome).ends_with("out of memory"));
            ran.extend(fake.ran);
        }
        assert_eq!(ran, once.ran, "no step is done twice");
        run(&broken, &mut Fake { left: 0, ..Fake::default() }).unwrap();
        let (whole, broken) = (files(&whole.out), files(&broken.out));
        assert!(whole == broken, "{:?}", whole.keys().collect::<Vec<_>>());
    }
}

#[test]
fn distilling_measures_what_changed() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Distil, "out");
    run(&options, &mut Fake::default()).unwrap();
    let summary = summary(&options);
    assert_eq!((&summary["schema"], &summary["kind"]), (&"redline.iterate.v1".into(), &"distil".into()));
    let harmless: Vec<f64> = summary["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|round| round["harmless"]["value"].as_f64().unwrap())
        .collect();
    assert_eq!(harmless, [-1.0, -0.5, -0.375], "every answer is rude at first, then every other one, then every third");
    let claim = |name: &str| {
        let claims = summary["claims"].as_array().unwrap();
        claims.iter().find(|claim| claim["claim"] == name).unwrap()["holds"].as_bool()
    };
    assert_eq!((claim("harmless rises"), claim("harmless falls")), (Some(true), Some(false)));
    assert_eq!(claim("helpful falls"), Some(false), "it is tested, not taken for granted");
    let round = &summary["rounds"][1];
    assert_eq!((round["with_aligner"]["harmless"]["value"].as_f64(), round["n"].as_u64()), (Some(0.0), Some(8)));
    let lines = std::fs::read_to_string(options.out.join("rounds.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 3);
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["answers"]["harmless"].as_array().unwrap().len(), 8, "scores of each row are kept");
}

#[test]
fn levels_stand_beside_each_other_and_the_gap_is_refused_where_there_is_none() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::WeakToStrong, "out");
    run(&options, &mut Fake::default()).unwrap();
    let summary = summary(&options);
    let levels = &summary["seeds"][0]["levels"];
    let harmless = |level: &str| levels[level]["harmless"]["value"].as_f64().unwrap();
    assert_eq!(["before", "weak", "corrected", "after", "ceiling"].map(harmless), [-1.0, 0.0, 0.0, -0.5, -0.5]);
    // the weak model's corrections are as good as answers can be here
    let gap = &summary["seeds"][0]["gaps"]["harmless"];
    assert!(gap["recovered"].is_null() && gap["refused"].as_str().unwrap().contains("ceiling is not above"), "{gap}");
    assert_eq!((gap["after_above_weak"].as_f64(), gap["ceiling_above_weak"].as_f64()), (Some(-0.5), Some(-0.5)));
    assert_eq!(summary["gap_recovered"]["harmless"]["n_refused"], 2);
}

#[test]
fn a_file_that_was_changed_stops_the_run() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Distil, "out");
    run(&options, &mut Fake { left: 3, ..Fake::default() }).unwrap_err();
    let path = options.out.join("round-1/amplified.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("It is 1.", "It is 2.")).unwrap();
    let said = message(run(&options, &mut Fake::default()));
    assert!(said.contains("round-1/amplified") && said.contains("changed"), "{said}");
}

#[test]
fn steps_can_be_done_one_by_one() {
    let folder = Folder::new();
    let options = folder.options(IterateKind::Distil, "out");
    let mut fake = Fake::default();
    let mut open = Run::open(&options, &mut ()).unwrap();
    let said = message(open.named("round-1/measure", &mut fake, &mut ()));
    assert!(said.contains("not there yet"), "{said}");
    open.named("rows", &mut fake, &mut ()).unwrap();
    open.named("round-0/held-out", &mut fake, &mut ()).unwrap();
    assert!(message(open.named("nothing", &mut fake, &mut ())).contains("round-2/policy"));
    run(&options, &mut fake).unwrap();
    assert_eq!(fake.ran.iter().filter(|name| *name == "round-0/held-out").count(), 1);
}

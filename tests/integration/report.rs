//! The page that `reproduce`, `scan`, `sweep` and `train` write: what it holds, and what a browser makes of it.

use std::path::{Path, PathBuf};

use redline::model::Qac;
use serde_json::Value;

use crate::browser::{Browser, NO_BROWSER};
use crate::fixture::{Tiny, triples, words, write_triples};
use crate::program::{not_tested, run, succeed};

const MODEL: &str = "--model model --template template.txt --data triples.jsonl";

/// The fixture with rows that would like to be markup.
fn hostile() -> Tiny {
    let tiny = Tiny::new();
    let mut rows = triples(48);
    for (i, row) in rows.iter_mut().enumerate() {
        let Qac { question, answer, correction } = row;
        question.push_str(["<script>alert(1)</script>", "\"'`&amp;", "<b>", "</script>"][i % 4]);
        answer.push_str([" <img src=x onerror=alert(2)>", " '\"", " <!--", ""][i % 4]);
        correction.push_str([" 1 < 2 && 3 > 2", " \\u003c", " </p>", " 🫖"][i % 4]);
    }
    write_triples(&tiny.path("triples.jsonl"), &rows);
    tiny
}

fn reproduce(tiny: &Tiny) -> PathBuf {
    let line = format!(
        "reproduce {MODEL} --pairs 12 --prompts 6 --coefficients -1,-0.5,0,0.5,1 --max-new-tokens 16 --random-generated 2 --shuffled-generated 1 \
         --random-propensity 2 --control-prompts 3 --out report"
    );
    succeed(tiny.folder(), &words(&line));
    tiny.path("report/index.html")
}

fn scan(tiny: &Tiny) -> PathBuf {
    tiny.extract();
    succeed(tiny.folder(), &words(&format!("scan {MODEL} --vector vector.safetensors --row 30 --row 33 --out scan")));
    tiny.path("scan/index.html")
}

fn sweep(tiny: &Tiny, more: &str) -> PathBuf {
    tiny.extract();
    let line = format!(
        "sweep {MODEL} --vector vector.safetensors --skip 24 --prompts 4 --coefficients -1,0,1 --max-new-tokens 8 \
         --out swept/sweep.jsonl {more}"
    );
    std::fs::create_dir_all(tiny.path("swept")).unwrap();
    succeed(tiny.folder(), &words(&line));
    tiny.path("swept/sweep.html")
}

fn train(tiny: &Tiny) -> PathBuf {
    let line = "train --data triples.jsonl --from-scratch --hidden-size 32 --heads 2 --n-layers 2 --vocab-size 280 --context 256 \
                --steps 8 --batch-rows 4 --held-out-share 0.2 --generate 4 --max-new-tokens 8 --evaluate-every 4 --out run";
    succeed(tiny.folder(), &words(line));
    tiny.path("run/index.html")
}

/// What a page holds.
fn data(page: &Path) -> Value {
    let html = std::fs::read_to_string(page).unwrap();
    let json = html.split_once("id=\"data\">").unwrap().1.split_once("</script>").unwrap().0;
    serde_json::from_str(json).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The settings of a page, by their name.
fn setting(page: &Value, name: &str) -> String {
    let rows = list(&page["settings"]).iter().flat_map(|group| list(&group["rows"]));
    let found = rows.filter(|row| row[0] == name).map(|row| row[1].as_str().unwrap().to_owned()).next();
    found.unwrap_or_else(|| panic!("no {name} in {}", page["settings"]))
}

#[test]
fn reproduce_shows_all_of_the_run() {
    let tiny = hostile();
    let page = data(&reproduce(&tiny));
    let summary: Value = serde_json::from_slice(&std::fs::read(tiny.path("report/summary.json")).unwrap()).unwrap();
    assert_eq!(list(&page["sweep"]["prompts"]).len(), 6);
    let means: Vec<&Value> = list(&page["sweep"]["points"]).iter().map(|point| &point["mean"]["value"]).collect();
    assert_eq!(means, list(&summary["mean_edit_ratio"]).iter().collect::<Vec<_>>());
    let kinds: Vec<&str> =
        list(&page["sweep"]["controls"]).iter().map(|control| control["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["random", "random", "shuffled", "clean"]);
    assert_eq!(list(&page["sweep"]["levels"]).len(), 2, "both prompting baselines");
    assert_eq!(list(&page["sweep"]["coherence"]["repetition"]).len(), 5);
    let examples = list(&page["examples"]["examples"]);
    assert_eq!(examples.len(), 6);
    for example in examples {
        let coefficients: Vec<f64> =
            list(&example["outputs"]).iter().map(|output| output["coefficient"].as_f64().unwrap()).collect();
        assert_eq!(coefficients, [-1.0, -0.5, 0.0, 0.5, 1.0]);
    }
    assert_eq!(list(&page["profile"]["layers"]).len(), 4);
    assert_eq!(list(&page["scans"]).len(), 2);
    assert_eq!(setting(&page, "model hash (SHA-256)"), summary["hashes"]["model"].as_str().unwrap());
    assert_eq!(setting(&page, "data hash (SHA-256)"), summary["hashes"]["data"].as_str().unwrap());
    assert!(setting(&page, "command").starts_with("redline reproduce --model model "));
    assert_eq!(setting(&page, "version"), concat!("redline ", env!("CARGO_PKG_VERSION")));
    assert_eq!(setting(&page, "extraction.design"), "forced");
    // the same command draws the same page
    let before = std::fs::read(tiny.path("report/index.html")).unwrap();
    assert!(std::fs::read(reproduce(&tiny)).unwrap() == before);
}

#[test]
fn scan_sweep_and_train_show_their_part() {
    let tiny = hostile();
    let scanned = data(&scan(&tiny));
    let titles: Vec<&str> =
        list(&scanned["scans"]).iter().map(|scan| scan["heatmap"]["title"].as_str().unwrap()).collect();
    assert_eq!(titles[..2], ["LAT scan, row 30, correction", "LAT scan, row 30, copy"]);
    assert_eq!((titles.len(), list(&scanned["examples"]["examples"]).len()), (4, 2));
    let swept = data(&sweep(&tiny, ""));
    assert_eq!((list(&swept["sweep"]["points"]).len(), list(&swept["examples"]["examples"]).len()), (3, 4));
    assert!(list(&swept["warnings"]).iter().any(|text| text.as_str().unwrap().contains("No controls")));
    let trained = data(&train(&tiny));
    assert_eq!(list(&trained["examples"]["examples"]).len(), 4);
    let curves = &list(&trained["curves"])[0];
    assert_eq!(list(&list(&curves["panels"])[0]["curves"]).len(), 2, "training and held-out loss");
    assert_eq!(list(&trained["examples"]["examples"])[0]["outputs"][0]["name"], "output after 8 steps");
    // a run that is complete says the same again
    let before = std::fs::read(tiny.path("run/index.html")).unwrap();
    assert!(std::fs::read(train(&tiny)).unwrap() == before);
}

#[test]
fn another_page_is_not_overwritten() {
    let tiny = Tiny::new();
    sweep(&tiny, "--report elsewhere.html");
    assert!(tiny.path("elsewhere.html").exists() && !tiny.path("swept/sweep.html").exists());
    std::fs::write(tiny.path("swept/sweep.html"), "<!doctype html><title>mine</title>").unwrap();
    std::fs::write(tiny.path("swept/index.html"), "<!doctype html><title>mine</title>").unwrap();
    std::fs::write(tiny.path("index.html"), "<!doctype html><title>mine</title>").unwrap();
    let sweep = format!("sweep {MODEL} --vector vector.safetensors --skip 24 --prompts 4 --out swept/sweep.jsonl");
    let scan = format!("scan {MODEL} --vector vector.safetensors --row 30 --out swept");
    let train = "train --data triples.jsonl --from-scratch --steps 2 --vocab-size 280 --out .".to_owned();
    let reproduce = format!("reproduce {MODEL} --pairs 8 --prompts 2 --max-new-tokens 8 --out swept");
    for line in [sweep, scan, train, reproduce] {
        let ran = run(tiny.folder(), &words(&line));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(".html is there and is no report\nhint: "), "{line}: {}", ran.stderr);
    }
    assert!(std::fs::read_to_string(tiny.path("swept/index.html")).unwrap().contains("mine"));
    assert!(
        !tiny.path("train.jsonl").exists() && !tiny.path("swept/settings.json").exists(),
        "refused before anything is written"
    );
}

#[test]
fn a_browser_shows_every_report() {
    let Some(browser) = Browser::find() else { return not_tested(&format!("reports in a browser: {NO_BROWSER}")) };
    let tiny = hostile();
    let pages = [
        (reproduce(&tiny), "quality,sweep,examples,slopes,layers,scans,settings"),
        (scan(&tiny), "examples,scans,settings"),
        (sweep(&tiny, ""), "quality,sweep,examples,slopes,settings"),
        (train(&tiny), "examples,training,settings"),
    ];
    for (page, parts) in pages {
        browser.holds("report.mjs", &[page.as_os_str(), parts.as_ref()]);
        browser.holds("accessible.mjs", &[format!("file://{}", page.display()).as_ref()]);
        browser.holds("paper.mjs", &[page.as_os_str()]);
    }
}

//! `redline plot`: every kind of file as PNG, SVG and text.

use crate::fixture::{Tiny, words};
use crate::program::{json, run, succeed};

const MODEL: &str = "--model model --template template.txt --data triples.jsonl";

/// The fixture with a file of every kind.
fn prepared() -> Tiny {
    let tiny = Tiny::new();
    tiny.extract();
    let vector = "--vector vector.safetensors";
    for line in [
        format!("extract {MODEL} --pairs 24 --method mean_diff --layers 1-3 --out other.safetensors --gguf other.gguf"),
        format!("scan {MODEL} {vector} --row 30 --row 31 --tokens 6 --out scan"),
        format!("scan {MODEL} --vector other.safetensors --row 31 --tokens 4 --out other"),
        format!("sweep {MODEL} {vector} --skip 24 --prompts 4 --coefficients -1,0,1 --max-new-tokens 8"),
        format!("layers {MODEL} --pairs 48 --held-out-share 0.4 --tokens 1 --around 1 --out layers"),
        "train --data triples.jsonl --from-scratch --hidden-size 32 --heads 2 --n-layers 2 --vocab-size 280 --context 256 \
         --steps 6 --batch-rows 2 --generate 2 --max-new-tokens 4 --held-out-share 0.2 --evaluate-every 2 --out run"
            .to_owned(),
    ] {
        succeed(tiny.folder(), &words(&line));
    }
    let extracted =
        succeed(tiny.folder(), &words(&format!("extract {MODEL} --pairs 24 --json --out third.safetensors")));
    std::fs::write(tiny.path("extract.json"), extracted.stdout).unwrap();
    tiny
}

/// Draws, and returns the SVG documents by their file names, checking that the PNG files are whole.
fn drawn(tiny: &Tiny, line: &str, kind: &str) -> Vec<(String, String)> {
    let found = json(tiny.folder(), &words(&format!("plot {line} --out figures/figure")));
    assert_eq!(found["kind"], kind, "{line}");
    let files: Vec<&str> = found["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    for file in files.iter().filter(|file| file.ends_with(".png")) {
        let png = std::fs::read(tiny.path(file)).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n") && png.ends_with(b"IEND\xaeB`\x82"), "{file}");
    }
    let svg = files.iter().filter(|file| file.ends_with(".svg"));
    svg.map(|file| ((*file).to_owned(), std::fs::read_to_string(tiny.path(file)).unwrap())).collect()
}

/// All text of an SVG document.
fn texts(svg: &str) -> String {
    let text = |part: &str| part.split_once('>').unwrap().1.split("</text>").next().unwrap().trim().to_owned();
    svg.split("<text").skip(1).map(text).collect::<Vec<_>>().join(" ")
}

fn says(svg: &str, wanted: &[&str]) {
    let all = texts(svg);
    wanted.iter().for_each(|text| assert!(all.contains(text), "“{text}” is not in: {all}"));
}

#[test]
fn every_kind_of_file_is_drawn() {
    let tiny = prepared();
    std::fs::create_dir(tiny.path("figures")).unwrap();
    let names = |drawn: &[(String, String)]| drawn.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();

    let scans = drawn(&tiny, "scan/scans.jsonl", "scans");
    assert_eq!(scans.len(), 4);
    assert_eq!(scans[0].0, "figures/figure-30-correction.svg");
    says(&scans[0].1, &["score (z)", "clipped at ±3", "output token", "correction", "copy", "layer"]);
    says(&drawn(&tiny, "scan/scans.jsonl --clip 0.5", "scans")[0].1, &["clipped at ±0.5", "cells lie beyond"]);
    let grey = drawn(&tiny, "scan/scans.jsonl --colours ordered", "scans");
    assert!(grey[0].1 != scans[0].1 && texts(&grey[0].1) == texts(&scans[0].1), "other colours, the same words");

    let difference = drawn(&tiny, "scan/scans.jsonl --difference", "scans");
    assert_eq!(names(&difference), ["figures/figure-30-difference.svg", "figures/figure-31-difference.svg"]);
    says(&difference[0].1, &["difference (z)", "more correction", "less correction", "correction less copy"]);
    let between = drawn(&tiny, "scan/scans.jsonl other/scans.jsonl", "scans");
    assert_eq!(
        names(&between),
        ["figures/figure-31-correction-difference.svg", "figures/figure-31-copy-difference.svg"]
    );

    for file in ["layers/layers.json", "extract.json"] {
        let layers = drawn(&tiny, file, "layers");
        says(
            &layers[0].1,
            &["pair accuracy", "AUROC", "chance (0.5)", "layer (block number, from 0)", "share (0 to 1)"],
        );
    }
    says(&drawn(&tiny, "layers/layers.json --place at-difference:1", "layers")[0].1, &["at-difference:1"]);
    let titled = |title: &str| texts(&drawn(&tiny, &format!("layers/layers.json --title={title}"), "layers")[0].1);
    let (mine, none) = (titled("Mine"), titled(""));
    assert!(mine.contains("Mine") && !mine.contains("at-difference"), "{mine}");
    assert_eq!(mine.replace("Mine", "").trim(), none.trim(), "the rest stays");

    let sweep = drawn(&tiny, "sweep.jsonl", "sweep");
    assert_eq!(names(&sweep), ["figures/figure.svg", "figures/figure-slopes.svg"]);
    says(&sweep[0].1, &["coefficient (gap)", "edit ratio (char", "single prompts (n = 4)", "nats / token"]);
    says(&sweep[1].1, &["slope (edit ratio per unit of coefficient)", "anti-steerable"]);
    says(&drawn(&tiny, "sweep.jsonl --variant token", "sweep")[0].1, &["edit ratio (token"]);

    let cosines = drawn(&tiny, "vector.safetensors", "directions");
    says(&cosines[0].1, &["cosine", "opposite", "the same", "layer (block number, from 0)"]);
    assert_eq!(cosines[0].1.matches("#8A161C").count(), 4 + 1, "the diagonal and the tip of the colour bar");
    let compared = drawn(&tiny, "vector.safetensors other.gguf", "directions");
    says(&compared[0].1, &["cosine (−1 to 1)", "cosine with other.gguf"]);

    let training = drawn(&tiny, "run/train.jsonl", "training");
    says(
        &training[0].1,
        &["loss (nats per token)", "training loss", "held-out loss", "step", "end of identity warm-up"],
    );
}

#[test]
fn every_kind_of_file_is_printed_without_colour() {
    let tiny = prepared();
    let shown = |line: &str| {
        let ran = succeed(tiny.folder(), &words(&format!("plot {line} --ascii")));
        assert!(!ran.stdout.contains('\u{1b}'), "{line} is coloured");
        assert_eq!(ran.stderr, "", "{line}");
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ran.stdout);
        ran.stdout
    };
    for (line, wanted) in [
        ("scan/scans.jsonl", "copy ≡ = - . + * # correction"),
        ("scan/scans.jsonl --difference", "less correction ≡"),
        ("layers/layers.json", "o pair accuracy ("),
        ("sweep.jsonl", "below 0 (anti-steerable): "),
        ("vector.safetensors", "layer  0  1  2  3"),
        ("vector.safetensors other.gguf", "o cosine with other.gguf"),
        ("layers/layers.json --place at-difference:1", "at-difference:1"),
        ("run/train.jsonl", "o training loss ("),
    ] {
        let text = shown(line);
        assert!(text.contains(wanted), "{line}: {text}");
    }
    assert!(!tiny.path("sweep.png").exists(), "--ascii writes no file");
}

#[test]
fn without_a_name_the_pictures_are_called_like_their_file() {
    let tiny = prepared();
    succeed(tiny.folder(), &words("plot scan/scans.jsonl --difference"));
    assert!(tiny.path("scans-30-difference.png").exists() && tiny.path("scans-31-difference.svg").exists());
}

#[test]
fn options_of_other_kinds_are_refused() {
    let tiny = prepared();
    for line in [
        "sweep.jsonl --difference",
        "sweep.jsonl --place output",
        "layers/layers.json --clip 2",
        "run/train.jsonl --variant token",
        "sweep.jsonl --colours ordered",
    ] {
        let ran = run(tiny.folder(), &words(&format!("plot {line} --out idle")));
        assert!(ran.code == 1 && ran.stderr.contains("has no effect for a file of"), "{line}: {}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let tiny = prepared();
    std::fs::write(tiny.path("text.txt"), "no numbers\n").unwrap();
    std::fs::write(tiny.path("empty.jsonl"), "").unwrap();
    std::fs::write(tiny.path("binary.jsonl"), [0xff, 0xfe, 0]).unwrap();
    let log = std::fs::read_to_string(tiny.path("run/train.jsonl")).unwrap();
    std::fs::write(tiny.path("cut.jsonl"), &log[..log.len() - 20]).unwrap();
    succeed(tiny.folder(), &words("plot cut.jsonl --ascii"));
    std::fs::write(tiny.path("damaged.jsonl"), log.replacen("\"loss\":", "\"lost\":", 1)).unwrap();
    std::fs::write(tiny.path("nothing.json"), "{\"schema\": \"redline.layers.v1\", \"places\": []}").unwrap();
    for (line, message) in [
        ("text.txt", "text.txt: not numbers that can be drawn"),
        ("empty.jsonl", "empty.jsonl: not numbers that can be drawn"),
        ("binary.jsonl", "binary.jsonl"),
        ("missing.jsonl", "missing.jsonl"),
        ("triples.jsonl", "not numbers that can be drawn"),
        ("damaged.jsonl", "damaged.jsonl:1"),
        ("nothing.json", "no place was read"),
        ("layers/layers.json --place nowhere", "nowhere was not read"),
        ("sweep.jsonl vector.safetensors", "two files can be compared only if both"),
        ("scan/scans.jsonl --clip 0", "--clip is 0"),
        ("sweep.jsonl --ascii --json", "--ascii prints text"),
        ("sweep.jsonl --out missing/figure", "its folder is not there"),
    ] {
        let ran = run(tiny.folder(), &words(&format!("plot {line}")));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(message), "{line}: {}", ran.stderr);
        assert!(ran.stderr.lines().last().unwrap().starts_with("hint: "), "{line}: {}", ran.stderr);
    }
}

//! Work shared out between machines: the parts together are what one machine writes, whatever was killed, and nothing else goes together.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixture::{Tiny, words};
use crate::program::{json, run, succeed};

const MODEL: &str = "--model model --template template.txt --data triples.jsonl";

fn bytes(tiny: &Tiny, name: &str) -> Vec<u8> {
    std::fs::read(tiny.path(name)).unwrap()
}

fn refused(folder: &Path, line: &str, what: &str) {
    let ran = run(folder, &words(line));
    assert!(ran.code == 1 && ran.stderr.contains(what) && ran.stderr.contains("hint: "), "{line}: {}", ran.stderr);
}

/// Starts a verb and kills it once its file has some lines.
fn kill_early(folder: &Path, line: &str, file: &Path) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_redline"));
    let child = child.args(words(line)).current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child.spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        let n = std::fs::read(file).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
        if n >= 4 {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
}

/// A verb over two rows in three parts, beside the whole.
fn three_parts_of_two_rows(tiny: &Tiny, line: impl Fn(&str) -> String) {
    succeed(tiny.folder(), &words(&line("--out few-whole.jsonl")));
    for part in 1..=3 {
        succeed(tiny.folder(), &words(&line(&format!("--shard {part}/3 --out few-{part}.jsonl"))));
    }
    succeed(tiny.folder(), &words("merge few-1.jsonl few-2.jsonl few-3.jsonl --out few-merged.jsonl"));
    assert!(bytes(tiny, "few-merged.jsonl") == bytes(tiny, "few-whole.jsonl"));
}

#[test]
fn parts_of_a_sweep_are_the_sweep() {
    let tiny = Tiny::new();
    tiny.extract();
    let folder = tiny.folder();
    let sweep = |more: &str| {
        format!(
            "sweep {MODEL} --vector vector.safetensors --skip 24 --prompts 23 --coefficients -1,0,1 --max-new-tokens 8 --temperature 0.7 --seed 5 {more}"
        )
    };
    succeed(folder, &words(&sweep("--out whole.jsonl")));
    for part in 1..=3 {
        let line = sweep(&format!("--batch-rows 6 --shard {part}/3 --out part-{part}.jsonl"));
        if part == 2 {
            kill_early(folder, &line, &tiny.path("part-2.jsonl"));
        }
        let said = succeed(folder, &words(&line));
        assert!(said.stdout.contains(&format!("part {part}/3; `redline merge`")), "{}", said.stdout);
        assert!(!tiny.path(&format!("part-{part}.html")).exists(), "a part has no report");
    }
    let merged = json(folder, &words("merge part-3.jsonl part-1.jsonl part-2.jsonl --out merged.jsonl"));
    assert_eq!((merged["kind"].as_str(), merged["n_parts"].as_u64()), (Some("sweep"), Some(3)));
    assert_eq!(merged["n_rows"], 69);
    assert!(bytes(&tiny, "merged.jsonl") == bytes(&tiny, "whole.jsonl"));
    let fit = |files: &str| json(folder, &words(&format!("fit {files}")))["analysis"].clone();
    assert_eq!(fit("part-2.jsonl part-3.jsonl part-1.jsonl"), fit("whole.jsonl"));
    // a part alone is not taken for the whole
    let alone = succeed(folder, &words("fit part-1.jsonl"));
    assert!(alone.stderr.contains("is part 1 of 3 of a sweep"), "{}", alone.stderr);
    refused(folder, "route part-1.jsonl --model model --out route.json", "only a part of a sweep");
    refused(folder, "merge part-1.jsonl part-3.jsonl --out merged.jsonl", "part 2 of 3 is missing");
    refused(folder, "fit part-1.jsonl part-3.jsonl", "part 2 of 3 is missing");
    succeed(folder, &words(&sweep("--shard 2/3 --repetition-penalty 1.1 --out other.jsonl")));
    refused(folder, "merge part-1.jsonl other.jsonl part-3.jsonl --out merged.jsonl", "repetition_penalty");
    refused(folder, &sweep("--shard 2/3 --out part-1.jsonl"), "made with other settings (shard.");
    assert!(bytes(&tiny, "merged.jsonl") == bytes(&tiny, "whole.jsonl"), "what was there stays");
    // more parts than rows: some are empty, and go together all the same
    three_parts_of_two_rows(&tiny, |more| sweep(more).replace("--prompts 23", "--prompts 2"));
}

#[test]
fn parts_of_corrections_are_the_corrections() {
    let tiny = Tiny::new();
    let folder = tiny.folder();
    let correct = |more: &str| format!("correct {MODEL} --max-new-tokens 6 --temperature 0.8 --seed 2 {more}");
    succeed(folder, &words(&correct("--out whole.jsonl")));
    for part in 1..=4 {
        let line = correct(&format!("--shard {part}/4 --batch-rows 3 --out part-{part}.jsonl"));
        if part == 3 {
            kill_early(folder, &line, &tiny.path("part-3.jsonl"));
        }
        succeed(folder, &words(&line));
    }
    succeed(folder, &words("merge part-4.jsonl part-2.jsonl part-1.jsonl part-3.jsonl --out merged.jsonl"));
    assert!(bytes(&tiny, "merged.jsonl") == bytes(&tiny, "whole.jsonl"));
    // more parts than rows: those without a row are empty files, and go together all the same
    let rows = std::fs::read_to_string(tiny.path("triples.jsonl")).unwrap();
    std::fs::write(tiny.path("few.jsonl"), rows.lines().take(2).collect::<Vec<_>>().join("\n")).unwrap();
    three_parts_of_two_rows(&tiny, |more| correct(more).replace("triples", "few"));
    refused(folder, "merge few-1.jsonl few-2.jsonl --out other.jsonl", "part 3 of 3 is missing");

    refused(folder, "merge part-1.jsonl part-1.jsonl --out other.jsonl", "is part 1/4, as");
    refused(folder, "merge whole.jsonl --out other.jsonl", "line 1 is of no part");
    refused(folder, "merge triples.jsonl --out other.jsonl", "line 1 is of no part");
    succeed(folder, &words(&correct("--shard 2/4 --repetition-penalty 1.2 --out other.jsonl")));
    refused(
        folder,
        "merge part-1.jsonl other.jsonl part-3.jsonl part-4.jsonl --out new.jsonl",
        "made with other options",
    );
    // other rows, as many
    let rows = std::fs::read_to_string(tiny.path("triples.jsonl")).unwrap();
    std::fs::write(tiny.path("moved.jsonl"), rows.replace("question\":\"", "question\":\"Say: ")).unwrap();
    succeed(folder, &words(&correct("--shard 2/4 --out moved-2.jsonl").replace("triples", "moved")));
    refused(
        folder,
        "merge part-1.jsonl moved-2.jsonl part-3.jsonl part-4.jsonl --out new.jsonl",
        "made with other rows",
    );
    let cut = String::from_utf8(bytes(&tiny, "part-2.jsonl")).unwrap();
    let n = cut.lines().count();
    std::fs::write(tiny.path("part-2.jsonl"), &cut[..cut.len() - 5]).unwrap();
    let said = format!("holds {} of the {n} rows of part 2/4", n - 1);
    refused(folder, "merge part-1.jsonl part-2.jsonl part-3.jsonl part-4.jsonl --out new.jsonl", &said);
}

#[test]
fn directions_are_found_in_activations_as_in_texts() {
    let tiny = Tiny::new();
    let folder = tiny.folder();
    let extract = |more: &str| format!("extract {MODEL} --pairs 40 --seed 3 {more}");
    succeed(folder, &words(&extract("--activations all.safetensors --method mean_diff --out whole.safetensors")));
    for part in 1..=3 {
        let told = json(folder, &words(&extract(&format!("--shard {part}/3 --activations part-{part}.safetensors"))));
        assert_eq!(told["schema"], "redline.extract-part.v1");
    }
    assert!(!tiny.path("vector.safetensors").exists(), "no vector is made of a part");
    let from = |files: &str, more: &str| format!("extract --from-activations {files} {more}");
    let parts = "part-2.safetensors part-3.safetensors part-1.safetensors";
    for files in ["all.safetensors", parts] {
        let found = json(folder, &words(&from(files, "--method mean_diff --out again.safetensors")));
        assert!(bytes(&tiny, "again.safetensors") == bytes(&tiny, "whole.safetensors"), "{files}");
        assert_eq!(found["schema"], "redline.extract.v1");
    }
    // another method, as it would be found in the texts; and as GGUF
    succeed(folder, &words(&extract("--method pca_diff --out pca.safetensors --gguf pca.gguf")));
    succeed(folder, &words(&from(parts, "--method pca_diff --out again.safetensors --gguf again.gguf --force")));
    assert!(bytes(&tiny, "again.safetensors") == bytes(&tiny, "pca.safetensors"));
    assert!(bytes(&tiny, "again.gguf") == bytes(&tiny, "pca.gguf"));

    let refuse = |line: &str, what: &str| refused(folder, line, what);
    refuse(&from("part-1.safetensors part-2.safetensors", "--out x.safetensors"), "part 3 of 3 is missing");
    refuse(&from("all.safetensors part-2.safetensors", "--out x.safetensors"), "not of one run");
    refuse(&from("whole.safetensors", "--out x.safetensors"), "the header has no `redline_activations` metadata");
    refuse(&from("all.safetensors", "--method trained --out x.safetensors"), "--from-activations");
    refuse(&from("all.safetensors", "--out all.safetensors --force"), "all.safetensors");
    let mut cut = bytes(&tiny, "all.safetensors");
    cut.truncate(cut.len() / 2);
    std::fs::write(tiny.path("cut.safetensors"), cut).unwrap();
    refuse(&from("cut.safetensors", "--out x.safetensors"), "cut.safetensors");
    succeed(folder, &words(&extract("--shard 2/3 --activations other.safetensors").replace("--seed 3", "--seed 4")));
    refuse(&from("part-1.safetensors other.safetensors part-3.safetensors", "--out x.safetensors"), "other settings");
    // options that have no effect beside the others
    let idle = [
        from("all.safetensors", "--design decision --out x.safetensors"),
        extract("--shard 1/3 --activations x.safetensors --gguf x.gguf"),
        extract("--shard 1/3 --activations x.safetensors --out y.safetensors"),
    ];
    for line in idle {
        let both = run(folder, &words(&line));
        assert!(both.code == 1 && both.stderr.contains("cannot be used with"), "{line}: {}", both.stderr);
    }
}

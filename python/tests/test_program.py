"""Numbers are those of the program, to the last digit."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import redline

ROOT = Path(__file__).resolve().parents[2]


def found():
    asked = os.environ.get("REDLINE_PROGRAM")
    return asked or next((str(p) for p in [ROOT / "target/release/redline"] if p.exists()), None) or shutil.which("redline")


@pytest.fixture(scope="session")
def program():
    path = found()
    if path is None:
        pytest.skip("NOT TESTED: there is no redline program; cargo build --release builds it")

    def run(*arguments):
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def data(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:80].to_dict()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def file(program, data, tmp_path_factory):
    path = tmp_path_factory.mktemp("vector") / "vector.safetensors"
    program("extract", "--data", data, "--pairs", 48, "--method", "mean_diff", "--out", path)
    return path


def test_extract(aligner, data, file):
    ours = aligner.extract(data, pairs=48, method="mean_diff", layers="auto")
    theirs = redline.ControlVector.load(file)
    assert list(redline.ControlVector.load(file, layers="all")) == list(ours)
    assert redline.ControlVector.load(file, layers="all") == ours
    assert set(theirs) < set(ours)
    assert theirs.provenance == ours.provenance


def test_scan(program, aligner, data, file):
    lines = [json.loads(line) for line in program("scan", "--vector", file, "--data", data, "--row", 60, "--json").splitlines()]
    row = redline.Rows(data)[60]
    vector = redline.ControlVector.load(file)
    for ours, theirs in zip(aligner.scan_pair(*row.values(), vector, row=60), lines):
        assert ours.label == theirs["label"] and ours.tokens == theirs["tokens"]
        assert np.array_equal(ours.scores, np.asarray(theirs["scores"], dtype=np.float32))
        assert np.array_equal(ours.z, np.asarray(theirs["z"], dtype=np.float32))


def test_sweep_and_fit(program, aligner, data, file, tmp_path):
    out = tmp_path / "sweep.jsonl"
    options = ["--skip", 60, "--prompts", 6, "--coefficients=-1,0,1", "--max-new-tokens", 24]
    program("sweep", "--vector", file, "--data", data, "--out", out, *options)
    theirs = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()[1:]]
    vector = redline.ControlVector.load(file)
    sweep = aligner.sweep(data, vector, [-1, 0, 1], skip=60, prompts=6, max_new_tokens=24)
    ours = sweep.to_dict()["rows"]
    key = lambda row: (row["row"], row["coefficient"])  # noqa: E731
    assert sorted(ours, key=key) == sorted(theirs, key=key)
    fit = json.loads(program("fit", out, "--json"))
    assert sweep.fit(all_coefficients=True).to_dict() == found_in(fit, "fit_all")


def found_in(value, name):
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            inner = found_in(part, name)
            if inner is not None:
                return inner
    return None


def test_correct(program, aligner, data, file):
    row = redline.Rows(data)[61]
    arguments = ["--question", row["question"], "--answer", row["answer"], "--max-new-tokens", 48]
    plain = program("correct", *arguments)
    assert plain.strip() == aligner.correct(row["question"], row["answer"], max_new_tokens=48).text
    steered = program("correct", *arguments, "--vector", file, "--coefficient", 1)
    vector = redline.ControlVector.load(file)
    ours = aligner.correct(row["question"], row["answer"], vector=vector, coefficient=1, max_new_tokens=48)
    assert steered.strip() == ours.text


def test_evaluate(program, aligner, data):
    theirs = json.loads(program("evaluate", "--data", data, "--prompts", 8, "--max-new-tokens", 48, "--json"))
    ours = aligner.evaluate(redline.Rows(data)[:8], max_new_tokens=48)
    for name in ("model_hash", "quality", "reference", "oracle", "unchanged"):
        assert ours[name] == theirs[name], name

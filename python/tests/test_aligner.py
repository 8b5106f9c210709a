import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import redline


def test_a_missing_model_has_a_hint(tmp_path):
    with pytest.raises(redline.RedlineError) as caught:
        redline.Aligner.from_pretrained(tmp_path / "none.gguf")
    assert "none.gguf" in str(caught.value)


def test_a_name_is_found_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(redline.RedlineError, match="not in the cache") as caught:
        redline.Aligner.from_pretrained("org/model")
    assert "snapshot_download" in caught.value.hint
    repo = tmp_path / "models--org--model"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("abc1234")
    (repo / "snapshots").mkdir()
    (repo / "snapshots" / "abc1234").symlink_to(Path(__file__).resolve().parents[2] / "assets/aligner", target_is_directory=True)
    named = redline.Aligner.from_pretrained("org/model:redline-tiny.gguf", template="aligner")
    assert named.n_layers == 4


def test_names_and_hints_speak_python(aligner, rows, vector):
    with pytest.raises(redline.RedlineError, match="unknown method `pca`; known: pca_diff"):
        aligner.extract(rows[:8], method="pca")
    with pytest.raises(redline.RedlineError) as caught:
        aligner.sweep(rows[:2], vector, [0.0])
    assert "allow_overlap" in caught.value.hint and "--" not in str(caught.value)
    with pytest.raises(redline.RedlineError) as caught:
        aligner.correct("q", "a", coefficient=1.0)
    assert "vector" in caught.value.hint


def test_a_vector_of_another_model_is_refused(aligner, rows):
    other = redline.ControlVector.from_numpy({0: np.ones(aligner.hidden_size + 1)})
    with pytest.raises(redline.RedlineError, match="expected"):
        aligner.sweep(rows[:2], other, [0.0, 1.0])


def test_coefficient_0_is_no_steering(aligner, rows, vector):
    row = rows[50]
    plain = aligner.correct(row["question"], row["answer"], max_new_tokens=32)
    zero = aligner.correct(row["question"], row["answer"], vector=vector, coefficient=0.0, max_new_tokens=32)
    assert plain.text == zero.text == str(plain) and plain.tokens == zero.tokens
    assert plain.edits == {} and plain.coefficient == 0
    steered = aligner.correct(row["question"], row["answer"], vector=vector, coefficient=1.0, max_new_tokens=32)
    assert set(steered.edits) == set(vector) and all(steered.edits.values())
    half = aligner.correct(row["question"], row["answer"], vector=2 * vector, coefficient=0.5, max_new_tokens=32)
    assert half.tokens == steered.tokens
    assert plain.to_dict()["ratios"]["char"] == plain.edit_ratio


def test_many_are_as_one(aligner, rows, vector):
    options = {"vector": vector, "coefficient": 1.0, "max_new_tokens": 24}
    many = aligner.correct_many(rows[50:54], batch_rows=3, **options)
    for row, correction in zip((rows[i] for i in range(50, 54)), many):
        one = aligner.correct(row["question"], row["answer"], **options)
        assert (one.text, one.edits.keys()) == (correction.text, correction.edits.keys())


def test_streaming_gives_the_same_text(aligner, rows):
    row = rows[51]
    pieces = list(aligner.stream(row["question"], row["answer"], max_new_tokens=32))
    assert "".join(pieces) == aligner.correct(row["question"], row["answer"], max_new_tokens=32).text
    assert len(pieces) > 1
    stream = aligner.stream(row["question"], row["answer"])
    next(stream)
    stream.close()
    assert len(list(stream)) <= 65, "what waits is given, no more is written"
    long = "word " * 5000
    with pytest.raises(redline.RedlineError):
        list(aligner.stream(long, long))


def test_scans(aligner, rows, vector):
    row = rows[52]
    correction, copy = aligner.scan_pair(row["question"], row["answer"], row["correction"], vector)
    assert (correction.label, copy.label) == ("correction", "copy")
    assert correction.scores.shape == (aligner.n_layers, len(correction.tokens)) == correction.z.shape
    assert list(correction.layers) == list(range(aligner.n_layers))
    assert correction._repr_svg_().startswith("<svg") and "correction" in repr(correction)
    same = aligner.scan(row["question"], row["answer"], vector, correction=row["correction"])
    n = min(len(same.tokens), len(correction.tokens))
    assert np.allclose(same.scores[:, :n], correction.scores[:, :n], atol=1e-4)
    written = aligner.scan(row["question"], row["answer"], vector, tokens=5)
    assert written.scores.shape[1] <= 5
    with pytest.raises(redline.RedlineError) as caught:
        aligner.scan(row["question"], row["answer"], vector * 2)
    assert "extract()" in caught.value.hint


def test_scans_are_projections_of_activations(aligner, rows, vector):
    row = rows[52]
    scan = aligner.scan(row["question"], row["answer"], vector, correction=row["correction"])
    prompt = aligner.prompt(row["question"], row["answer"])
    output = [token for token in aligner.tokens(row["correction"])]
    names = [f"blocks.{layer}.hook_resid_post" for layer in range(aligner.n_layers)]
    activations = aligner.activations(prompt + output, names)
    unit = vector.at_layers("all", "unit")
    for place, name in enumerate(names):
        projected = activations[name][len(prompt) : len(prompt) + len(scan.tokens)] @ unit[place]
        offset = projected - scan.scores[place]
        assert np.ptp(offset) < 1e-2 * max(1.0, np.abs(projected).max()), "the scores are these but for the centre"


def test_activations(aligner):
    text = "The capital of France is Paris."
    n, width = len(aligner.tokens(text)), aligner.hidden_size
    names = ["hook_embed", "blocks.0.hook_resid_pre", "blocks.1.attn.hook_pattern", "blocks.1.attn.hook_z", "ln_final.hook_normalized"]
    found = aligner.activations(text, names)
    assert list(found) == names
    assert found["hook_embed"].shape == found["ln_final.hook_normalized"].shape == (n, width)
    pattern, z = found["blocks.1.attn.hook_pattern"], found["blocks.1.attn.hook_z"]
    assert pattern.shape == (z.shape[1], n, n) and np.allclose(pattern.sum(-1), 1, atol=1e-5)
    assert not np.triu(pattern, 1).any(), "no token sees a later one"
    several = aligner.activations([text, aligner.tokens(text)], ["hook_embed"])
    assert all(np.array_equal(one["hook_embed"], found["hook_embed"]) for one in several)
    resid = aligner.activations(text, ["blocks.0.hook_resid_post", "blocks.1.hook_resid_pre"])
    assert np.array_equal(resid["blocks.0.hook_resid_post"], resid["blocks.1.hook_resid_pre"])
    for wrong in ("blocks.99.hook_resid_post", "blocks.0.hook_nothing"):
        with pytest.raises(redline.RedlineError):
            aligner.activations(text, [wrong])


def test_sweep_and_fit(aligner, rows, vector):
    seen = []
    sweep = aligner.sweep(
        rows[64:70], vector, [-1, 0, 1], max_new_tokens=32, progress=lambda stage, done, total: seen.append((stage, done, total))
    )
    assert seen and all(stage == "sweep" and done <= total for stage, done, total in seen)
    assert len(sweep) == 18 == len(sweep.rows)
    baseline = [row for row in sweep.rows if row["coefficient"] == 0]
    for place, row in enumerate(baseline):
        triple = rows[64 + place]
        assert row["output"].strip() == aligner.correct(triple["question"], triple["answer"], max_new_tokens=32).text
    fit = sweep.fit(all_coefficients=True)
    means = [np.mean([row["edit_ratio"] for row in sweep.rows if row["coefficient"] == c]) for c in (-1, 0, 1)]
    assert np.allclose(fit.mean_ratio, means)
    assert fit.slope == pytest.approx(np.polyfit([-1, 0, 1], means, 1)[0])
    low, high = fit.slope_interval
    assert low <= fit.slope <= high and fit.at(0) == pytest.approx(fit.intercept)
    assert "<table>" in fit._repr_html_() and sweep._repr_svg_().startswith("<svg")
    with pytest.raises(redline.RedlineError, match="no line"):
        aligner.sweep(rows[64:66], vector, [0.0, 1.0], max_new_tokens=4).fit()


def test_pandas(aligner, rows, vector):
    pandas = pytest.importorskip("pandas")
    sweep = aligner.sweep(rows[64:66].to_pandas(), vector, [0, 1], max_new_tokens=8)
    frame = sweep.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 4
    assert list(frame["coefficient"].unique()) == [0.0, 1.0]
    assert len(vector.report.to_pandas()) == aligner.n_layers


def test_layers(aligner, rows):
    with pytest.warns(redline.RedlineWarning, match="left out, with fewer than 16 pairs"):
        assert len(aligner.layers(rows[:40], tokens=1, method="mean_diff")) == 0
    table = aligner.layers(rows[:200], tokens=2, method="mean_diff")
    assert {row["place"] for row in table} >= {"output-token:0"}
    assert {row["layer"] for row in table} == set(range(aligner.n_layers))


def test_evaluate(aligner, rows):
    found = aligner.evaluate(rows[64:72], max_new_tokens=48)
    assert found["quality"]["n"] == 8 and found["model_hash"] == aligner.fingerprint
    assert found["oracle"] is not None, "the rows inside the package carry their flaws"


def test_an_exception_in_a_callback_ends_the_work(aligner, rows, vector):
    def stop(stage, done, total):
        raise LookupError(stage)

    with pytest.raises(LookupError, match="sweep"):
        aligner.sweep(rows[64:70], vector, [-1, 0, 1], progress=stop)
    with pytest.raises(TypeError):
        aligner.extract(rows[:8], progress=3)


def test_ctrl_c_ends_long_work(aligner, rows, vector):
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    # more than can be done in the time
    many = [row for row in rows.to_dict()[64:]] * 40
    with pytest.raises(KeyboardInterrupt):
        aligner.sweep(many, vector, [-1, -0.5, 0, 0.5, 1])
    timer.join()


def test_other_threads_run_meanwhile(aligner, rows, vector):
    ticks, over = [], threading.Event()

    def tick():
        while not over.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    aligner.sweep(rows[64:70], vector, [-1, 0, 1], max_new_tokens=48)
    after = len(ticks)
    over.set()
    thread.join()
    assert after - before > 5, "the lock of the interpreter is free during the work"


def test_reproduce(tmp_path):
    options = dict(
        pairs=24, prompts=4, coefficients=[-1, 0, 1], max_new_tokens=24, random_generated=1, shuffled_generated=1,
        random_propensity=1, control_prompts=2,
    )
    run = redline.reproduce(tmp_path, progress=False, **options)
    assert run.report.exists() and (tmp_path / "summary.json").exists()
    assert run.summary["coefficients"] == [-1, 0, 1] and run._repr_svg_().startswith("<svg")
    with pytest.warns(redline.RedlineWarning, match="continuing"):
        again = redline.reproduce(tmp_path, progress=False, **options)
    assert again.summary == run.summary
    with pytest.raises(redline.RedlineError, match="other settings"):
        redline.reproduce(tmp_path, progress=False, **{**options, "seed": 1})

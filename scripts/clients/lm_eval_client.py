"""lm-eval: `local-chat-completions` and `local-completions` on a task of local rows; likelihoods, which are refused."""
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import BASE, CLEAN, KEY, QUESTION, REAL_MODEL, NotTested, case, check_corrected, main

TASK = """task: redline_{kind}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {rows}
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
output_type: {kind}
{more}
metadata:
  version: 1
"""
GENERATE = """generation_kwargs:
  until: ["###"]
  do_sample: false
metric_list:
  - metric: exact_match
"""
LIKELIHOOD = """metric_list:
  - metric: acc
"""


def evaluate(model, route, kind, name="plain", more=()):
    """The finished process and the samples that were logged."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = folder / "rows.json"
        rows.write_text("".join(json.dumps({"question": QUESTION, "answer": CLEAN}) + "\n" for _ in range(2)))
        text = TASK.format(kind=kind, rows=rows, more=GENERATE if kind == "generate_until" else LIKELIHOOD)
        (folder / f"redline_{kind}.yaml").write_text(text)
        arguments = f"model={REAL_MODEL or name},base_url={BASE}/{route},max_retries=1,num_concurrent=1,tokenizer_backend=None"
        arguments += ",tokenized_requests=False"
        command = [sys.executable, "-m", "lm_eval", "run", "--model", model, "--model_args", arguments, "--tasks", f"redline_{kind}",
                   "--include_path", scratch, "--output_path", str(folder / "out"), "--log_samples", *more]
        environment = {**os.environ, "OPENAI_API_KEY": KEY, "HF_DATASETS_CACHE": str(folder / "cache")}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=150)
        logged = [json.loads(line) for path in folder.rglob("samples_*.jsonl") for line in path.read_text().splitlines()]
    return done, logged


def check_samples(done, logged):
    assert done.returncode == 0, (done.stdout + done.stderr)[-1500:]
    assert len(logged) == 2, done.stdout[-800:]
    for sample in logged:
        yield sample["resps"][0][0]


@case("eval")
def chat():
    for text in check_samples(*evaluate("local-chat-completions", "chat/completions", "generate_until",
                                        more=["--apply_chat_template"])):
        check_corrected(text)


@case("completions")
def completions():
    for text in check_samples(*evaluate("local-completions", "completions", "generate_until")):
        check_corrected(text)


@case("echo-logprobs")
def likelihood():
    if importlib.util.find_spec("transformers") is None:
        # the openai rows ask for it directly
        raise NotTested("likelihoods need a tokenizer of a model hub, which lm-eval does not bring")
    done, logged = evaluate("local-completions", "completions", "loglikelihood")
    said = done.stdout + done.stderr
    assert done.returncode != 0 and not logged, said[-800:]
    assert "echo" in said or "logprobs" in said, said[-1500:]


@case("real-chat")
def real_chat():
    assert all(check_samples(*evaluate("local-chat-completions", "chat/completions", "generate_until",
                                       more=["--apply_chat_template", "--gen_kwargs", "max_gen_toks=32"])))


if __name__ == "__main__":
    main()

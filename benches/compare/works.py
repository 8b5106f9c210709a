"""The works that are timed. Each returns its name, its sides in turn, ours first, and the least ratio aimed at by peer."""

import collections
import itertools
import json
import shutil
import statistics

from common import MODEL, TEMPLATE, peer, read_lines, redline, seconds_of

N_PREFILL, N_DECODE = 512, 64
N_CORRECTED, MAX_NEW = 16, 96
SWEEP_PROMPTS = 24
# from outputs that stay as they are to outputs that all change
SWEEP_COEFFICIENTS = [-6, -4, -2, 0, 2, 4, 6]
N_PAIRS = 64
# a pass per truncation takes its time: fewer pairs
N_SCANNED_PAIRS, N_OUTPUT_TOKENS = 12, 20
N_SCANS = 8
STEP_ROWS, STEP_TOKENS, N_STEPS = 8, 256, 6

END = "<|im_end|>"

# rounds: None for as many as were asked for
Work = collections.namedtuple("Work", "name sides targets rounds", defaults=[None])


class Side:
    """What one side needed, in seconds, over all rounds."""

    def __init__(self, name, once):
        self.name, self.once, self.seconds = name, once, []

    def median(self):
        return statistics.median(self.seconds)


class Works:
    """The works over one file of triples, with files of their own in `folder`."""

    NAMES = ("prefill", "decode", "correct", "directions", "every_token", "sweep", "figure_4", "training_step")

    def __init__(self, data, folder):
        self.data, self.folder = data, folder
        self.triples = read_lines(data)

    def prefill(self):
        given = {"tokens": tokens(N_PREFILL)}
        ours = lambda: per_token(bench("prefill", "--model", MODEL, "--prefill", N_PREFILL, "--decode", 0, "--repeats", 5))
        sides = [
            Side("redline", ours),
            Side("llama.cpp", lambda: peer("llama", "prefill", given, 5)),
            Side("llama.cpp, as Q4_0", lambda: peer("llama", "prefill", given, 5, self.as_q4_0())),
            Side("PyTorch f32", lambda: peer("torch", "prefill", given, 5)),
        ]
        return Work(f"prefill of {N_PREFILL} tokens", sides, {"llama.cpp": 1.3, "PyTorch f32": 1.0})

    def decode(self):
        given = {"n": N_DECODE}
        ours = lambda: per_token(bench("decode", "--model", MODEL, "--prefill", 0, "--decode", N_DECODE, "--repeats", 5))
        sides = [
            Side("redline", ours),
            Side("llama.cpp", lambda: peer("llama", "decode", given, 5)),
            Side("llama.cpp, as Q4_0", lambda: peer("llama", "decode", given, 5, self.as_q4_0())),
            Side("PyTorch f32", lambda: peer("torch", "decode", given, 2)),
        ]
        return Work(f"decode of {N_DECODE} tokens, one stream", sides, {"llama.cpp": 1.0})

    def correct(self):
        rows = self.written(N_CORRECTED, [1])
        same = self.folder / "corrected.jsonl"
        same.write_text("".join(json.dumps(t) + "\n" for t in self.triples[64 : 64 + N_CORRECTED]), encoding="utf-8")
        n_tokens = sum(len(row["output"]) for row in rows)
        given = {"rows": rows, "vector": str(self.folder / "vector.gguf"), "prompts_untimed": True, "warmup": 0}
        options = ["--model", "smollm2", "--prefill", 0, "--decode", 0, "--data", same, "--prompts", N_CORRECTED,
                   "--vector", self.folder / "vector.safetensors", "--max-new-tokens", MAX_NEW, "--repeats", 3]
        # both sides by the token: ours counts the end of a text too
        ours = lambda: [1 / rate for rate in bench("correct-drafted", *options)["tokens_per_second"]]
        theirs = lambda: [seconds / n_tokens for seconds in peer("llama", "rows", given)]
        name = f"corrections with the answer as draft, steered, by the token ({N_CORRECTED} rows)"
        return Work(name, [Side("redline", ours), Side("llama.cpp", theirs)], {"llama.cpp": 3.0})

    def directions(self):
        pairs = self.pairs(N_PAIRS)
        ours = lambda: [seconds_of(*self.extract_options(N_PAIRS), "--out", self.folder / "timed.safetensors")]
        theirs = lambda: peer("torch", "directions", {"pairs": pairs, "warmup": 0})
        name = f"directions of {N_PAIRS} pairs, all layers, one position"
        return Work(name, [Side("redline", ours), Side("repeng", theirs)], {"repeng": 4.0})

    def every_token(self):
        """Ours also reports, on held-out pairs, how well each direction reads: more work than the peer's."""
        pairs = self.pairs(N_SCANNED_PAIRS)
        given = {"pairs": pairs, "prompts": [prompt(t) for t in self.triples[:N_SCANNED_PAIRS]], "n": N_OUTPUT_TOKENS, "warmup": 0}
        ours = lambda: [self.layers(N_OUTPUT_TOKENS)]
        sides = [Side("redline", ours), Side("repeng, a pass per truncation", lambda: peer("torch", "truncations", given))]
        name = f"directions of {N_SCANNED_PAIRS} pairs, all layers, at each of the first {N_OUTPUT_TOKENS} output tokens"
        return Work(name, sides, {"repeng, a pass per truncation": 30.0}, rounds=1)

    def sweep(self):
        rows = self.written(SWEEP_PROMPTS, SWEEP_COEFFICIENTS)
        given = {"rows": rows, "vector": str(self.folder / "vector.gguf"), "prompts_untimed": False, "warmup": 0}
        prompts = [prompt(t) for t in self.triples[64 : 64 + SWEEP_PROMPTS]]
        generated = {"prompts": prompts, "lengths": mean_lengths(rows), "vector": given["vector"], "coefficient": 2, "warmup": 0}
        times_all = lambda seconds: [s * len(SWEEP_COEFFICIENTS) for s in seconds]
        sides = [
            Side("redline", lambda: [self.timed_sweep(SWEEP_PROMPTS, SWEEP_COEFFICIENTS)]),
            Side("llama.cpp, a stream at a time", lambda: peer("llama", "rows", given)),
            Side("llama.cpp, batched by hand", lambda: peer("llama", "batched", {**given, "context": 16384})),
            Side("llama.cpp, batched by hand, as Q4_0", lambda: peer("llama", "batched", {**given, "context": 16384}, 1, self.as_q4_0())),
            Side("transformers with repeng, one coefficient × 7", lambda: times_all(peer("torch", "generate", generated))),
        ]
        targets = [6.0, 1.5, None, 8.0]
        n_distinct = len({tuple(row["prompt"] + row["output"]) for row in rows})
        name = f"sweep of {SWEEP_PROMPTS} prompts × {len(SWEEP_COEFFICIENTS)} coefficients × up to {MAX_NEW} tokens ({n_distinct} different outputs)"
        return Work(name, sides, {side.name: target for side, target in zip(sides[1:], targets)})

    def figure_4(self):
        """From triples to figures; repeng's sweep is timed at one coefficient and counted for all. Ours are four programs one after the other, with all their loading; peers have loaded before."""
        rows = self.written(SWEEP_PROMPTS, SWEEP_COEFFICIENTS)
        swept = self.triples[64 : 64 + SWEEP_PROMPTS]
        answers = [t["answer"] for t in swept]
        folder = self.folder / "peer-figures"
        folder.mkdir(exist_ok=True)
        both = {
            "pairs": self.pairs(N_PAIRS), "scans": [[prompt(t), t["correction"]] for t in (self.triples[row] for row in self.scanned())],
            "folder": str(folder), "warmup": 0,
        }
        by_stream = {**both, "n": N_OUTPUT_TOKENS, "vector": str(self.folder / "vector.gguf"), "prompts_untimed": False,
                     "rows": [{**row, "answer": answers[i % len(answers)]} for i, row in enumerate(rows)]}
        by_repeng = {**both, "n_scanned": N_OUTPUT_TOKENS, "prompts": [prompt(t) for t in swept], "lengths": mean_lengths(rows),
                     "answers": answers, "coefficients": SWEEP_COEFFICIENTS}
        sides = [
            Side("redline", lambda: [self.timed_figure()]),
            Side("llama.cpp with numpy and matplotlib", lambda: peer("llama", "figure_4", by_stream)),
            Side("transformers with repeng and matplotlib", lambda: peer("torch", "figure_4", by_repeng)),
        ]
        name = f"Figure 4: directions of {N_PAIRS} pairs, scans of {N_SCANS} rows, sweep of {SWEEP_PROMPTS} prompts, figures"
        return Work(name, sides, {sides[1].name: 6.0, sides[2].name: 10.0})

    def training_step(self):
        texts = self.step_texts()
        path = self.folder / "step.jsonl"
        path.write_text("".join(json.dumps(t) + "\n" for t in texts), encoding="utf-8")
        given = {"rows": [[prompt(t), " " + t["correction"]] for t in texts], "batch": STEP_ROWS, "steps": N_STEPS, "warmup": 0}
        sides = [Side("redline", lambda: self.steps(path)), Side("PyTorch with peft", lambda: peer("torch", "steps", given))]
        name = f"training step of LoRA, {STEP_ROWS} rows of up to {STEP_TOKENS} tokens"
        return Work(name, sides, {"PyTorch with peft": 1.0})

    def as_q4_0(self):
        """The same model in the type that llama.cpp multiplies fastest: it has no blocked kernels for Q4_1."""
        path = self.folder / "q4_0.gguf"
        if not path.exists():
            import llama_cpp

            params = llama_cpp.llama_model_quantize_default_params()
            params.ftype, params.allow_requantize = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_0, True
            failed = llama_cpp.llama_model_quantize(MODEL.encode(), str(path).encode(), params)
            assert failed == 0, "the file was not converted"
        return str(path)

    # what the works do on our side

    def extract_options(self, n_pairs, held_out_share=0.05, model=MODEL):
        return ["extract", "--model", model, "--template", "aligner", "--data", self.data, "--pairs", n_pairs,
                "--read", "last-token", "--held-out-share", held_out_share]

    def layers(self, n_tokens, n_pairs=N_SCANNED_PAIRS):
        return seconds_of("layers", "--model", MODEL, "--template", "aligner", "--data", self.data, "--pairs", n_pairs,
                          "--tokens", n_tokens, "--around", 0, "--out", self.folder / "layers")

    def sweep_options(self, out, prompts, coefficients, vector=None):
        return ["sweep", "--model", "smollm2", "--vector", vector or self.folder / "vector.safetensors", "--data", self.data, "--skip", 64,
                "--prompts", prompts, f"--coefficients={','.join(map(str, coefficients))}", "--max-new-tokens", MAX_NEW,
                "--range", "output", "--batch-rows", prompts * len(coefficients), "--allow-overlap", "--out", out]

    def timed_figure(self):
        folder = self.folder / "figures"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        vector = folder / "vector.safetensors"
        rows = [option for row in self.scanned() for option in ("--row", row)]
        return sum(
            seconds_of(*options)
            for options in (
                [*self.extract_options(N_PAIRS, model="smollm2"), "--out", vector],
                ["scan", "--model", "smollm2", "--vector", vector, "--data", self.data, *rows, "--out", folder / "scans"],
                self.sweep_options(folder / "sweep.jsonl", SWEEP_PROMPTS, SWEEP_COEFFICIENTS, vector),
                ["plot", folder / "sweep.jsonl", "--out", folder / "sweep"],
            )
        )

    def timed_sweep(self, prompts, coefficients):
        out = self.folder / "timed.jsonl"
        out.unlink(missing_ok=True)
        return seconds_of(*self.sweep_options(out, prompts, coefficients))

    def written(self, prompts, coefficients):
        """Prompts and outputs of our side as tokens, by coefficient, as llama.cpp shall read and write them."""
        from llama_cpp import Llama

        out = self.folder / f"rows-{prompts}-{len(coefficients)}.jsonl"
        out.unlink(missing_ok=True)
        redline(*self.sweep_options(out, prompts, coefficients))
        vocabulary = Llama(MODEL, vocab_only=True, verbose=False)
        encode = lambda text: vocabulary.tokenize(text.encode(), add_bos=False, special=False)
        rows = [row for row in read_lines(out) if "output" in row]
        rows.sort(key=lambda row: (row["coefficient"], row["row"]))
        return [{"coefficient": row["coefficient"], "prompt": encode(prompt(self.triples[row["row"]])),
                 "output": encode(row["output"])} for row in rows]

    def steps(self, path):
        """Seconds of each step but the first, from the log of a training."""
        out = self.folder / "steps"
        shutil.rmtree(out, ignore_errors=True)
        redline("train", "--data", path, "--model", MODEL, "--method", "lora", "--template", "aligner", "--warmup-share", 0,
                "--steps", N_STEPS + 1, "--batch-rows", STEP_ROWS, "--max-tokens", STEP_TOKENS, "--generate", 0,
                "--held-out-rows", 1, "--evaluate-every", 1000, "--checkpoint-every", 1000, "--out", out)
        log = [row for row in read_lines(out / "train.jsonl") if row["kind"] == "step"]
        return [row["n_tokens"] / row["tokens_per_second"] for row in log[1:]]

    # what the sides are given

    def scanned(self):
        """Rows with a contrast, behind those of the pairs."""
        rows = (row for row in range(64, len(self.triples)) if self.triples[row]["answer"] != self.triples[row]["correction"])
        return list(itertools.islice(rows, N_SCANS))

    def pairs(self, n):
        """Correction and answer after the prompt, with the end token, which is the last of an output on our side."""
        return [[prompt(t) + t["correction"] + END, prompt(t) + t["answer"] + END] for t in self.triples[:n]]

    def step_texts(self):
        """Rows of nearly as many tokens as a step may have."""
        from llama_cpp import Llama

        vocabulary = Llama(MODEL, vocab_only=True, verbose=False)
        length = lambda t: len(vocabulary.tokenize((prompt(t) + t["correction"]).encode(), add_bos=False, special=False))
        fitting = [t for t in self.triples if 0.75 * STEP_TOKENS < length(t) < STEP_TOKENS - 8]
        return [{key: t[key] for key in ("question", "answer", "correction")} for t in fitting[: 2 * STEP_ROWS]]


def mean_lengths(rows):
    """Tokens of each prompt's outputs, on average over coefficients; rows stand coefficient after coefficient."""
    n = SWEEP_PROMPTS
    return [max(1, round(statistics.mean(len(row["output"]) for row in rows[i::n]))) for i in range(n)]


def bench(work, *options):
    timings = json.loads(redline("bench", "--json", *options))["timings"]
    return next(timing for timing in timings if timing["work"] == work)


def per_token(timing):
    return [timing["n_tokens"] / rate for rate in timing["tokens_per_second"]]


def tokens(n):
    return [(i * 7919 + 13) % 49152 for i in range(n)]


def prompt(triple):
    return TEMPLATE.format(question=triple["question"], answer=triple["answer"])

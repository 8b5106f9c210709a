"""That the sides compute the same, before they are timed: likelihoods of texts, and directions."""

import json
import math

import numpy

from common import MODEL, peer, redline
from works import prompt

N_TEXTS = 6
# llama.cpp rounds activations to 8 bits where weights are quantised
LARGEST_DIFFERENCE = {"llama.cpp": 0.01, "PyTorch f32": 1e-4}
LEAST_COSINE = 0.999


def likelihoods(triples, folder):
    """By how much a peer's mean negative log-likelihood of texts differs from ours, relative; ends where it is too much."""
    texts = [prompt(t) + " " + t["correction"] for t in triples[:N_TEXTS]]
    rows, ours = [], []
    for text in texts:
        path = folder / "text.txt"
        path.write_text(text, encoding="utf-8")
        tokens = json.loads(redline("perplexity", path, "--model", MODEL, "--json"))["tokens"]
        rows.append([token["id"] for token in tokens])
        ours.extend(token["log_prob"] for token in tokens[1:])
    differences = {}
    for name, script in (("llama.cpp", "llama"), ("PyTorch f32", "torch")):
        theirs = peer(script, "log_probs", {"rows": rows})
        differences[name] = math.fsum(theirs) / math.fsum(ours) - 1
        most = LARGEST_DIFFERENCE[name]
        assert abs(differences[name]) <= most, f"likelihoods of {name} differ by {differences[name]:.2%}, more than {most:.2%}"
    return differences


def direction_cosines(works, n_pairs=6):
    """The lowest cosine over the layers between our directions and repeng's, by the method that both have.

    Ours keeps one pair for its layer report. Which one is not said, so repeng's directions are those of all pairs but each in turn,
    and those that are nearest count.
    """
    from safetensors.numpy import load_file

    path = works.folder / "agreement.safetensors"
    rows = works.folder / "agreement.jsonl"
    chosen = [(t, pair) for t, pair in zip(works.triples, works.pairs(len(works.triples))) if t["correction"] != t["answer"]][:n_pairs]
    rows.write_text("".join(json.dumps(t) + "\n" for t, _ in chosen), encoding="utf-8")
    redline("extract", "--model", MODEL, "--template", "aligner", "--data", rows, "--pairs", n_pairs, "--read", "last-token",
            "--held-out-share", 1 / n_pairs, "--method", "pca_center", "--scaling", "none", "--out", path)
    ours = load_file(path)
    pairs = [pair for _, pair in chosen]
    sets = [pairs[:i] + pairs[i + 1 :] for i in range(n_pairs)]

    def lowest(theirs):
        # transformers gives the last block's output after the final norm only
        theirs.pop(max(theirs, key=int))
        cosine = lambda x, y: abs(float(x @ y)) / numpy.linalg.norm(x) / numpy.linalg.norm(y)
        return min(cosine(ours[f"direction.{layer}"], numpy.array(direction)) for layer, direction in theirs.items())

    best = max(lowest(theirs) for theirs in peer("torch", "vectors", {"sets": sets, "method": "pca_center"}))
    assert best >= LEAST_COSINE, f"a direction has a cosine of only {best:.5f} with repeng's"
    return best

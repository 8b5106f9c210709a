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


def direction_cosines(works, n_pairs=12):
    """The lowest cosine over the layers between our directions and repeng's, by the method that both have."""
    from safetensors.numpy import load_file

    path = works.folder / "agreement.safetensors"
    redline("extract", "--model", MODEL, "--template", "aligner", "--data", works.data, "--pairs", n_pairs, "--read", "last-token",
            "--held-out-share", 0, "--method", "pca_center", "--scaling", "none", "--out", path)
    ours = load_file(path)
    theirs = peer("torch", "vectors", {"pairs": works.pairs(n_pairs), "method": "pca_center"})
    cosines = []
    for layer, direction in theirs.items():
        own, other = ours[f"direction.{layer}"], numpy.array(direction)
        cosines.append(abs(float(own @ other)) / numpy.linalg.norm(own) / numpy.linalg.norm(other))
    assert min(cosines) >= LEAST_COSINE, f"a direction has a cosine of only {min(cosines):.5f} with repeng's"
    return min(cosines)

#!/usr/bin/env python3
"""Writes rotary frequencies of Hugging Face transformers for every kind of stretching: tests/golden/rope.json.

    pip install torch transformers
    python scripts/make_rope_reference.py tests/golden/rope.json

Each case holds a `config.json` as a model would have it, with the frequencies and the factor of cosines and sines that
transformers derives from it for a text within the original context.
"""

import json
import sys

from transformers import LlamaConfig, Phi3Config
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 4096,
}
SHORT = [1.0 + 0.05 * i for i in range(16)]
LONG = [1.0 + 0.5 * i for i in range(16)]
CASES = {
    "linear": (LlamaConfig, {"rope_type": "linear", "factor": 4.0}),
    "dynamic": (LlamaConfig, {"rope_type": "dynamic", "factor": 4.0}),
    "llama3": (
        LlamaConfig,
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 512,
        },
    ),
    "yarn": (LlamaConfig, {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 512}),
    "yarn-mscale": (
        LlamaConfig,
        {
            "rope_type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 512,
            "beta_fast": 16.0,
            "beta_slow": 2.0,
            "mscale": 0.7,
            "mscale_all_dim": 0.4,
            "truncate": False,
        },
    ),
    "longrope": (
        Phi3Config,
        {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG, "original_max_position_embeddings": 512},
    ),
    "partial": (Phi3Config, {"rope_type": "default", "partial_rotary_factor": 0.75}),
}


def case(name, family, rope):
    rope = {"rope_theta": 10000.0, **rope}
    extra = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if "original_max_position_embeddings" in rope and family is Phi3Config:
        extra["original_max_position_embeddings"] = rope["original_max_position_embeddings"]
    config = family(**SIZES, **extra, rope_parameters=dict(rope))
    kind = rope["rope_type"]
    if kind == "default":
        from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

        frequencies, factor = Phi3RotaryEmbedding.compute_default_rope_parameters(config)
    else:
        frequencies, factor = ROPE_INIT_FUNCTIONS[kind](config, None, seq_len=8)
    written = {"model_type": config.model_type, **SIZES, **extra, "rope_parameters": rope}
    return {
        "name": name,
        "config": written,
        "inverse_frequencies": [float(f) for f in frequencies],
        "attention_factor": float(factor),
    }


def main():
    cases = [case(name, family, rope) for name, (family, rope) in CASES.items()]
    with open(sys.argv[1], "w") as file:
        json.dump(cases, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()

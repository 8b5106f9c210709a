#!/usr/bin/env python3
"""Makes tests/golden/FAMILY: a tiny random model of a family, and the numbers that Hugging Face transformers computes with it.

    python -m venv build/goldens-venv
    build/goldens-venv/bin/pip install torch transformers==5.24.0 safetensors
    build/goldens-venv/bin/python scripts/goldens/make_family.py smollm3 granite     # writes tests/golden/{smollm3,granite}
    build/goldens-venv/bin/python scripts/goldens/make_family.py llama --out /tmp/golden --like tests/golden/llama
    build/goldens-venv/bin/python scripts/goldens/make_family.py qwen2 --gradients-only    # of the golden that is there

The folder holds `config.json` and `model.safetensors`, as transformers writes them, `expected.safetensors`, as
`redline check --reference` reads it, and `gradients.safetensors` (all f32, on the CPU):

- `input_ids`, `attention_mask`: three rows of 24, 19 and 11 tokens, padded on the right with 0;
- `hidden.0` to `hidden.N`: what goes into the first block, and the residual stream after each block, before the final norm;
- `logits`; `greedy`: the first row and 16 greedy tokens after it, with no token that ends;
- `steer.vector`, `steer.layer`, `steer.logits`, `steer.greedy`: the same with a random vector added behind the middle block;
- in `gradients.safetensors`: `loss`, the mean of −ln p over the first row's tokens from the ninth on, and its gradients,
  `grad.NAME`, by the embedding, the final norm, and norms, keys, output projections of the MLP and biases of the last two blocks.

Weights, tokens and the vector are drawn from `--seed` and the golden's name, so the same versions of torch and transformers write the same bytes.
Matrices have a standard deviation of 1.6 / sqrt(inputs), norms lie around 1 (Gemma: 0) with 0.1, biases have 0.1, embeddings
0.5 (Gemma: 0.03): large enough that a wrong factor, window or rotation shows in the first digits.

`--like` compares names, types and shapes of tensors, and what config.json says, with a golden that is there already.

A new family is a line in CASES, with a value for every factor, window and switch that it adds, each other than neutral.
"""

import argparse
import json
import math
import pathlib
import sys
import zlib

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

SIZES = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
GEMMA = {"head_dim": 32, "tie_word_embeddings": True}
WINDOWED_GEMMA = {**GEMMA, "query_pre_attn_scalar": 24, "sliding_window": 8}

# golden: model_type, what differs from SIZES
CASES = {
    "llama": ("llama", {}),
    "llama_tied": (
        "llama",
        {
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "rope_parameters": {**PLAIN_ROPE, "rope_theta": 100000.0},
        },
    ),
    "llama3_rope": (
        "llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            }
        },
    ),
    "mistral_swa": ("mistral", {"head_dim": 16, "sliding_window": 8, "rope_parameters": PLAIN_ROPE}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {"head_dim": 24}),
    "gemma": ("gemma", {**GEMMA, "hidden_activation": "gelu_pytorch_tanh"}),
    "gemma2": ("gemma2", WINDOWED_GEMMA),
    "gemma3": ("gemma3_text", {**WINDOWED_GEMMA, "num_hidden_layers": 7}),
    "phi3": ("phi3", {"rms_norm_eps": 1e-5}),
    # the fourth of five layers does not rotate
    "smollm3": ("smollm3", {"num_hidden_layers": 5, "rope_parameters": {**PLAIN_ROPE, "rope_theta": 50000.0}}),
    # every second layer does not rotate, and sees a window
    "smollm3_swa": (
        "smollm3",
        {
            "no_rope_layers": [1, 0, 1, 0],
            "use_sliding_window": True,
            "sliding_window": 8,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": PLAIN_ROPE,
        },
    ),
    "granite": (
        "granite",
        {
            "embedding_multiplier": 3.0,
            "attention_multiplier": 0.15,
            "residual_multiplier": 0.6,
            "logits_scaling": 2.5,
            "rope_parameters": PLAIN_ROPE,
        },
    ),
}
LENGTHS = [24, 19, 11]
NEW_TOKENS = 16
PROMPT_TOKENS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("golden", nargs="+", choices=CASES)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("tests/golden"), help="[default: tests/golden]")
    parser.add_argument("--like", type=pathlib.Path, help="a golden to compare the format with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gradients-only", action="store_true", help="keep the golden, write its gradients")
    args = parser.parse_args()
    logging.disable_progress_bar()
    for name in args.golden:
        folder = args.out / name
        if not args.gradients_only:
            write(name, folder, args.seed)
        write_gradients(folder)
        print(f"{folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
        for path in folder.glob("*.safetensors"):
            path.chmod(0o644)
        if args.like:
            compare(folder, args.like)


def write(name, folder, seed):
    model_type, more = CASES[name]
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    config = AutoConfig.for_model(model_type, **{**SIZES, **more})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="eager").eval()
    draw_weights(model, generator)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    said = {key: value for key, value in model.config.to_dict().items() if not key.startswith("_")}
    said |= {"dtype": "float32", "architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(said, indent=1))
    with torch.no_grad():
        save_file(numbers(model, generator), folder / "expected.safetensors")


def draw_weights(model, generator):
    is_gemma = model.config.model_type.startswith("gemma")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            random = torch.randn(parameter.shape, generator=generator)
            if "norm" in name:
                parameter.copy_((0.0 if is_gemma else 1.0) + 0.1 * random)
            elif name.endswith(".bias"):
                parameter.copy_(0.1 * random)
            elif "embed_tokens" in name:
                parameter.copy_((0.03 if is_gemma else 0.5) * random)
            else:
                parameter.copy_(1.6 / math.sqrt(parameter.shape[1]) * random)


def numbers(model, generator):
    ids, mask = rows(model.config.vocab_size, generator)
    tensors = {"input_ids": ids, "attention_mask": mask}
    blocks = model.model.layers

    def into_first(_module, inputs, keywords):
        state = inputs[0] if inputs else keywords["hidden_states"]
        tensors["hidden.0"] = state.detach().clone()

    def out_of(index):
        def hook(_module, _inputs, output):
            tensors[f"hidden.{index}"] = state_of(output).detach().clone()

        return hook

    hooks = [blocks[0].register_forward_pre_hook(into_first, with_kwargs=True)]
    hooks += [block.register_forward_hook(out_of(i + 1)) for i, block in enumerate(blocks)]
    tensors["logits"] = model(ids, attention_mask=mask).logits
    for hook in hooks:
        hook.remove()
    tensors["greedy"] = greedy(model, ids[:1])

    layer = len(blocks) // 2
    vector = torch.randn(model.config.hidden_size, generator=generator) * tensors[f"hidden.{layer + 1}"].std()

    def steer(_module, _inputs, output):
        return (output[0] + vector, *output[1:]) if isinstance(output, tuple) else output + vector

    hook = blocks[layer].register_forward_hook(steer)
    tensors["steer.vector"], tensors["steer.layer"] = vector, torch.tensor([layer])
    tensors["steer.logits"] = model(ids, attention_mask=mask).logits
    tensors["steer.greedy"] = greedy(model, ids[:1])
    hook.remove()
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def write_gradients(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    with safe_open(folder / "expected.safetensors", "pt") as file:
        ids = file.get_tensor("input_ids")[:1]
    labels = ids.clone()
    labels[:, :PROMPT_TOKENS] = -100
    loss = model(ids, labels=labels).loss
    loss.backward()
    n = model.config.num_hidden_layers
    blocks = [f"model.layers.{layer}." for layer in (n - 2, n - 1)]
    parts = ("norm", "k_proj", "down_proj", ".bias")
    tensors = {"loss": loss.detach()}
    for name, parameter in model.named_parameters():
        is_of_block = any(name.startswith(block) for block in blocks) and any(part in name for part in parts)
        if is_of_block or name in ("model.embed_tokens.weight", "model.norm.weight"):
            tensors[f"grad.{name}"] = parameter.grad.contiguous()
    save_file(tensors, folder / "gradients.safetensors")


def rows(vocab_size, generator):
    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(3, vocab_size, (length,), generator=generator)
        mask[row, :length] = 1
    return ids, mask


def state_of(output):
    return output[0] if isinstance(output, tuple) else output


def greedy(model, ids):
    return model.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False, eos_token_id=None, pad_token_id=0)


def compare(folder, other):
    """Exits with 1 where the format differs."""
    differences = []
    for name in ["model.safetensors", "expected.safetensors"]:
        made, known = form(folder / name), form(other / name)
        for tensor in sorted(made.keys() | known.keys()):
            if made.get(tensor) != known.get(tensor):
                differences.append(f"{name}, {tensor}: {made.get(tensor)}, there {known.get(tensor)}")
    made, known = (json.loads((place / "config.json").read_text()) for place in (folder, other))
    for key in sorted((made.keys() | known.keys()) - {"transformers_version"}):
        if made.get(key) != known.get(key):
            differences.append(f"config.json, {key}: {made.get(key)}, there {known.get(key)}")
    print("\n".join(differences) or f"{folder} has the format of {other}")
    if differences:
        sys.exit(1)


def form(path):
    with safe_open(path, "pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}
        return {name: (part.get_dtype(), part.get_shape()) for name, part in slices.items()}


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Writes reference numbers of a model, computed by Hugging Face transformers in f32, for `redline check`.

    pip install torch transformers safetensors
    python scripts/make_reference.py MODEL_FOLDER expected.safetensors [--text "..."] [--new-tokens 16]

The file holds input_ids, hidden.N (hidden.0 = what goes into the first block, hidden.N = residual stream after N blocks,
before the final norm), logits, the greedy continuation of the text, and the same with a seeded vector added to one block's
output.
"""

import argparse

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--text", default="##Question: How do I boil an egg?\n##Answer: Put it in water.\n")
    parser.add_argument("--new-tokens", type=int, default=16)
    parser.add_argument("--steer-layer", type=int, default=None, help="block to steer, from 0 [default: the middle one]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
    blocks = model.model.layers
    layer = len(blocks) // 2 if args.steer_layer is None else args.steer_layer
    ids = tokenizer(args.text, return_tensors="pt").input_ids
    tensors = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def output_of(index, store):
        def hook(_module, _inputs, output):
            store[f"hidden.{index}"] = (output[0] if isinstance(output, tuple) else output).detach().clone()
        return hook

    # not the embedding's own output: some families multiply it before the first block
    def into_first(_module, inputs, keywords):
        tensors["hidden.0"] = (inputs[0] if inputs else keywords["hidden_states"]).detach().clone()

    hooks = [block.register_forward_hook(output_of(i + 1, tensors)) for i, block in enumerate(blocks)]
    hooks.append(blocks[0].register_forward_pre_hook(into_first, with_kwargs=True))
    with torch.no_grad():
        tensors["logits"] = model(ids).logits
        for hook in hooks:
            hook.remove()
        tensors["greedy"] = generate(model, ids, args.new_tokens)

        torch.manual_seed(args.seed)
        vector = torch.randn(model.config.hidden_size) * tensors[f"hidden.{layer + 1}"].std()

        def steer(_module, _inputs, output):
            return (output[0] + vector, *output[1:]) if isinstance(output, tuple) else output + vector

        hook = blocks[layer].register_forward_hook(steer)
        tensors["steer.vector"], tensors["steer.layer"] = vector, torch.tensor([layer])
        tensors["steer.logits"] = model(ids).logits
        tensors["steer.greedy"] = generate(model, ids, args.new_tokens)
        hook.remove()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, args.out)


def generate(model, ids, new_tokens):
    # no end token: redline check compares the same number of tokens
    return model.generate(ids, max_new_tokens=new_tokens, do_sample=False, eos_token_id=None, pad_token_id=0)


if __name__ == "__main__":
    main()

"""Writes tests/golden/ten_losses.json: ten training steps of tests/golden/llama on the batch of tests/golden/sft by PyTorch.

Loss on the labelled tokens; AdamW (betas 0.9/0.95, epsilon 1e-8, weight decay 0.1 on matrices other than embeddings), gradients
clipped to norm 1, learning rate 3e-3 with a rise over two steps and then half a cosine.

    pip install torch transformers safetensors
    python scripts/ten_losses.py
"""

import json
import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).parent.parent / "tests" / "golden"
N_STEPS, RISE, RATE = 10, 2, 3e-3


def rate(step):
    if step < RISE:
        return RATE * (step + 1) / RISE
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - RISE) / (N_STEPS - RISE)))


def main():
    torch.manual_seed(0)
    torch.use_deterministic_algorithms(True)
    model = AutoModelForCausalLM.from_pretrained(GOLDEN / "llama", dtype=torch.float32).train()
    batch = load_file(GOLDEN / "sft" / "expected.safetensors")
    decays = {n: p.ndim == 2 and "embed_tokens" not in n for n, p in model.named_parameters()}
    groups = [
        {"params": [p for n, p in model.named_parameters() if decays[n]], "weight_decay": 0.1},
        {"params": [p for n, p in model.named_parameters() if not decays[n]], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.95), eps=1e-8)
    losses, norms = [], []
    for step in range(N_STEPS):
        loss = model(**{k: batch[k] for k in ("input_ids", "attention_mask", "labels")}).loss
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        losses.append(loss.item())
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        optimizer.step()
    text = json.dumps({"torch": torch.__version__, "losses": losses, "gradient_norms": norms}, indent=1)
    (GOLDEN / "ten_losses.json").write_text(text + "\n")


main()

"""Loads what `write_for_python` wrote in transformers and peft and compares logits and token ids.

    export REDLINE_EXPORT=$(mktemp -d)
    cargo test --release --workspace write_for_python -- --ignored
    pip install torch transformers peft
    python scripts/check_export.py
"""

import json
import os
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = Path(os.environ["REDLINE_EXPORT"])
expected = json.loads((folder / "expected.json").read_text())
tokens = torch.tensor([expected["tokens"]])
model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(folder / "model")
assert tokenizer.encode(expected["text"], add_special_tokens=False) == expected["text_ids"]
assert tokenizer.eos_token_id == 0 and model.config.eos_token_id == 0
with torch.no_grad():
    plain = (model(tokens).logits[0] - torch.tensor(expected["logits"])).abs().max().item()
    model = PeftModel.from_pretrained(model, folder / "adapter").eval()
    adapted = (model(tokens).logits[0] - torch.tensor(expected["adapter_logits"])).abs().max().item()
change = (torch.tensor(expected["adapter_logits"]) - torch.tensor(expected["logits"])).abs().max().item()
assert change > 1e-3, "the adapter does something"
print(f"largest difference of logits: model {plain:.1e}, adapter {adapted:.1e}")
assert plain < 1e-5 and adapted < 1e-4

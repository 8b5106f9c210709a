# Trains DPO with TRL on preference rows that `redline data convert --to preferences` wrote, as JSON Lines or Parquet.
# Licence: Apache-2.0. Needs: pip install trl (which brings torch, transformers and datasets).
# Usage: python trl_dpo.py PREFERENCES MODEL OUT [STEPS]
import sys

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer

path, model_path, out = sys.argv[1:4]
steps = int(sys.argv[4]) if len(sys.argv) > 4 else 100
kind = "parquet" if path.endswith(".parquet") else "json"
rows = load_dataset(kind, data_files=path, split="train").select_columns(["prompt", "chosen", "rejected"])
model = AutoModelForCausalLM.from_pretrained(model_path)
tokenizer = AutoTokenizer.from_pretrained(model_path)
if tokenizer.chat_template is None:  # as Redline prompts a model without one
    turn = "{% if m.role == 'assistant' %}ASSISTANT:{{ m.content + eos_token }}{% else %}{{ m.role | upper }}: {{ m.content | trim }}\n{% endif %}"
    tokenizer.chat_template = "{% for m in messages %}" + turn + "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
# TRL's defaults: beta 0.1, log-probabilities summed over the completion, the reference is the model as it began
options = DPOConfig(output_dir=out, max_steps=steps, beta=0.1, learning_rate=1e-6, per_device_train_batch_size=2, logging_steps=1, save_strategy="no", report_to=[], bf16=False)
trainer = DPOTrainer(model=model, args=options, train_dataset=rows, processing_class=tokenizer)
trainer.train()
trainer.save_model(out)

"""PyTorch and repeng at the same work, in f32 on the dequantised weights.

    peer_torch.py WORK MODEL REPEATS [THREADS] < JSON

Prints the seconds of each run as JSON; `log_probs` prints those of the tokens, `vectors` directions by layer.
"""

import json
import os
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path):
    folder, name = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    return model.eval(), AutoTokenizer.from_pretrained(folder, gguf_file=name)


def prefill(model, _, given):
    with torch.inference_mode():
        model(torch.tensor([given["tokens"]]), logits_to_keep=1)


def decode(model, _, given):
    with torch.inference_mode():
        model.generate(
            torch.tensor([[1]]), min_new_tokens=given["n"], max_new_tokens=given["n"], do_sample=False,
            attention_mask=torch.ones((1, 1), dtype=torch.long), pad_token_id=0,
        )


def trained(model, tokenizer, pairs, method):
    from repeng import ControlModel, ControlVector, DatasetEntry

    entries = [DatasetEntry(positive=positive, negative=negative) for positive, negative in pairs]
    tokenizer.pad_token_id = tokenizer.pad_token_id or 0
    control = ControlModel(model, list(range(model.config.num_hidden_layers)))
    vector = ControlVector.train(control, tokenizer, entries, method=method, batch_size=32)
    control.unwrap()
    return vector


def directions(model, tokenizer, given):
    trained(model, tokenizer, given["pairs"], "pca_diff")


def truncations(model, tokenizer, given):
    """A training for each length of output, as RepE's and repeng's notebooks do it: the last token of a text is what is read."""

    def cut(text, prompt, n):
        output = tokenizer(text[len(prompt) :], add_special_tokens=False).input_ids
        return prompt + tokenizer.decode(output[:n])

    for n in range(1, given["n"] + 1):
        pairs = [[cut(text, prompt, n) for text in pair] for pair, prompt in zip(given["pairs"], given["prompts"])]
        trained(model, tokenizer, pairs, "pca_diff")


def generate(model, tokenizer, given):
    """A text at a time under a control vector, as repeng's notebooks do it."""
    from repeng import ControlVector

    written(model, tokenizer, ControlVector.import_gguf(given["vector"]), [given["coefficient"]], given)


def written(model, tokenizer, vector, coefficients, given):
    """Outputs of every prompt at every coefficient, as long as on our side."""
    from repeng import ControlModel

    control = ControlModel(model, sorted(vector.directions))
    outputs = []
    with torch.inference_mode():
        for coefficient in coefficients:
            control.set_control(vector, coefficient)
            for prompt, n in zip(given["prompts"], given["lengths"]):
                ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
                tokens = control.generate(**ids, min_new_tokens=n, max_new_tokens=n, do_sample=False, pad_token_id=0)
                outputs.append((coefficient, tokenizer.decode(tokens[0, ids.input_ids.shape[1] :], skip_special_tokens=True)))
    control.unwrap()
    return outputs


def figure_4(model, tokenizer, given):
    """Directions from pairs, scans by one pass each, sweep and figures."""
    import figures
    import numpy

    vector = trained(model, tokenizer, given["pairs"], "pca_diff")
    directions = numpy.stack([vector.directions[layer] for layer in sorted(vector.directions)])
    scans = []
    with torch.inference_mode():
        for prompt, output in given["scans"]:
            before, after = (tokenizer(text, add_special_tokens=False).input_ids for text in (prompt, output))
            ids = torch.tensor([before + after[: given["n_scanned"]]])
            hidden = model(ids, output_hidden_states=True, logits_to_keep=1).hidden_states[1:]
            scans.append([hidden[layer][0, len(before) :].numpy() @ directions[layer] for layer in range(len(directions))])
    figures.draw_scans(scans, given["folder"])
    started = time.perf_counter()
    outputs = written(model, tokenizer, vector, given["coefficients"][-1:], given)
    a_coefficient = time.perf_counter() - started
    rows = [(c, answer, output) for c in given["coefficients"] for (_, output), answer in zip(outputs, given["answers"])]
    figures.draw_sweep(rows, given["folder"])
    return a_coefficient * (len(given["coefficients"]) - 1)


def steps(model, tokenizer, given):
    """Seconds of each step but the first: rows sorted by length and padded to the longest, loss on the correction only, AdamW, clipping."""
    from peft import LoraConfig, get_peft_model

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=16, lora_alpha=32, target_modules=targets)).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, betas=(0.9, 0.95))
    rows = [[tokenizer(text, add_special_tokens=False).input_ids for text in row] for row in given["rows"]]
    rows.sort(key=lambda row: sum(map(len, row)))
    batches = [rows[i : i + given["batch"]] for i in range(0, len(rows), given["batch"])]
    seconds = []
    for step in range(given["steps"] + 1):
        batch = batches[step % len(batches)]
        width = max(sum(map(len, row)) for row in batch)
        padded = lambda row, fill, prompt: prompt + row[1] + [fill] * (width - len(prompt) - len(row[1]))
        ids = torch.tensor([padded(row, 0, row[0]) for row in batch])
        labels = torch.tensor([padded(row, -100, [-100] * len(row[0])) for row in batch])
        mask = torch.tensor([padded([0, [1] * len(row[1])], 0, [1] * len(row[0])) for row in batch])
        started = time.perf_counter()
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def log_probs(model, _, given):
    """Of each token after the first of a row."""
    found = []
    with torch.inference_mode():
        for row in given["rows"]:
            ids = torch.tensor([row])
            of_all = torch.log_softmax(model(ids).logits[0, :-1].double(), dim=-1)
            found.extend(of_all.gather(1, ids[0, 1:, None])[:, 0].tolist())
    return found


def vectors(model, tokenizer, given):
    """Directions by layer, for each set of pairs."""
    found = [trained(model, tokenizer, pairs, given["method"]) for pairs in given["sets"]]
    return [{layer: direction.tolist() for layer, direction in vector.directions.items()} for vector in found]


def main(work, path, repeats, threads):
    torch.set_num_threads(threads)
    given = json.load(sys.stdin)
    model, tokenizer = load(path)
    printed = {"log_probs": log_probs, "vectors": vectors, "steps": steps}
    if work in printed:
        return print(json.dumps(printed[work](model, tokenizer, given)))
    timed = {"prefill": prefill, "decode": decode, "directions": directions, "truncations": truncations, "generate": generate,
             "figure_4": figure_4}
    run = timed[work]
    seconds = []
    for _ in range(repeats + given.get("warmup", 1)):
        started = time.perf_counter()
        # a run may return the seconds of what it counts without doing it again
        more = run(model, tokenizer, given) or 0.0
        seconds.append(time.perf_counter() - started + more)
    print(json.dumps(seconds[given.get("warmup", 1):]))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 2)

#!/usr/bin/env bash
# Some directions of docs/results/engine.md, on few rows, in a minute: a second pass mends more, and a vector that was read at the prompt's end tells
# which answers need a correction. Usage: scripts/engine-short.sh [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
    out=$1
    mkdir -p "$out"
else
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
fi
program=${REDLINE:-$PWD/target/release/redline}
"$program" data synth --rows 900 --seed 77 --out "$out/rows.jsonl" --force
"$program" data split "$out/rows.jsonl" --share 0.5 --seed 1 --out "$out/pairs.jsonl" --held-out "$out/test.jsonl" --force
"$program" evaluate --data "$out/test.jsonl" --prompts 100 --depth 2 --max-new-tokens 128 --batch-rows 100 --out "$out/depth.jsonl" --json > "$out/depth.json"
"$program" extract --data "$out/pairs.jsonl" --strictness 1 --pairs 120 --method mean_diff --design decision --out "$out/decision.safetensors" --force
"$program" gate "lat=$out/decision.safetensors" --data "$out/test.jsonl" --timed 0 --out "$out/gate.json" --force --json > "$out/gate-all.json"
python3 - "$out" <<'PY'
import json, sys
read = lambda name: json.load(open(f"{sys.argv[1]}/{name}.json"))
first, second = (line["mended"]["value"] for line in read("depth")["table"]["lines"])
auc = read("gate-all")["calibration"]["held_out"]["auc"]
print(f"mended {first:.3f}, with a second pass {second:.3f}; AUC of the gate {auc['value']:.3f}, {auc['interval']}")
# well below what was measured when this was written: 0.025 more, and an AUC of 0.87
assert second > first + 0.01, (first, second)
assert auc["interval"]["low"] > 0.6, auc
PY

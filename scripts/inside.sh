#!/bin/bash
# Three handles on the built-in Aligner, beside each other: a trained vector, an Aligner inside the model, and a LoRA adapter
# whose scale is the dial; each at two sizes. All of them are trained on the same rows for the correction at 1, and measured on the same others.
# Usage: scripts/inside.sh [FOLDER]
#
# FOLDER (by default build/inside) holds all results; a stage whose result is there is skipped, a stage that was stopped goes on. The end
# writes FOLDER/comparison.json and .md, and a picture for each handle.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/inside}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"

source scripts/stage.sh

model=assets/aligner/redline-tiny.gguf
template=aligner
coefficients=-1,-0.5,0,0.25,0.5,0.75,1,1.25,1.5
training=$out/training.jsonl
prompts=$out/prompts.jsonl
writing=(--model "$model" --template "$template" --max-new-tokens 160 --batch-rows 144)

# questions of the test are in no other row
rows() {
    "$program" data synth --rows 2400 --seed 5151 --out "$out/rows.jsonl"
    "$program" data split "$out/rows.jsonl" --share 0.25 --seed 1 --out "$training" --held-out "$out/test.jsonl"
    python3 scripts/inside_report.py prompts "$out/test.jsonl" "${PROMPTS:-200}" "$prompts"
}

handle() { # NAME OPTIONS…: trained by gradient on the frozen model
    local name=$1
    shift
    "$program" extract --model "$model" --template "$template" --data "$training" --pairs 1800 --training-rows 1800 --strictness 1 \
        --steps "${STEPS:-400}" --step-rows 8 --evaluate-every 25 --development-rows 48 --out "$out/$name.safetensors" "$@"
}

swept() { # NAME: a handle that takes a coefficient
    "$program" sweep "${writing[@]}" --data "$prompts" --prompts 100000 --coefficients="$coefficients" --vector "$out/$1.safetensors" \
        --out "$out/$1.jsonl"
}

lora() { # NAME RANK TARGETS
    "$program" train --model "$model" --template "$template" --method lora --rank "$2" --targets "$3" --data "$out/training-strict.jsonl" \
        --warmup-share 0 --steps "${STEPS:-400}" --batch-rows 8 --learning-rate 1e-3 --evaluate-every 50 --generate 0 --export-best --out "$out/$1"
}

scaled() { # NAME: an adapter at one scale after the other; the scales become the coefficients of one sweep
    local scale
    for scale in ${coefficients//,/ }; do
        "$program" sweep "${writing[@]}" --adapter "$out/$1/adapter" --adapter-scale "$scale" --data "$prompts" --prompts 100000 --vector none \
            --copy-bias 1 --coefficients=0 --out "$out/$1-at-$scale.jsonl"
    done
    python3 scripts/inside_report.py merge "$out/$1" "$coefficients" "$out/$1.jsonl"
}

measured() { # NAME
    "$program" fit "$out/$1.jsonl" --rows "$prompts" --plot "$out/$1-sweep" --force --json > "$out/$1.part"
    mv "$out/$1.part" "$out/$1.json"
}

stage rows rows
stage strict python3 scripts/inside_report.py strict "$training" "$out/training-strict.jsonl"
# of about 1,000 parameters each
stage vector handle vector --method trained --goal correction --layers 0-3
stage inside-small handle inside-small --method inside --rank 1 --layers 1,2
stage lora-small lora lora-small 1 o_proj
# of about 25,000
stage inside handle inside --method inside --rank 12 --layers 0-3
stage lora lora lora 1 q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj
for name in vector inside-small inside; do
    stage "$name-swept" swept "$name"
    stage "$name-measured" measured "$name"
done
for name in lora-small lora; do
    stage "$name-scaled" scaled "$name"
    stage "$name-measured" measured "$name"
done
REDLINE=$program python3 scripts/inside_report.py report "$out" "$out/comparison.json" "$out/comparison.md"

#!/bin/bash
# The table of docs/results/dial.md: how far each handle moves the project's Aligners, and what that does to the text.
# Usage: scripts/dial.sh [SOURCES] [FOLDER]
#
# SOURCES: the folder of the source data, see scripts/train-smollm2.sh; without it the Aligner on SmolLM2 is left out, and that is said.
# FOLDER (by default build/dial) holds all results; a stage whose result is there is skipped, a stage that was stopped goes on. The
# end writes docs/results/dial.json, the tables of docs/results/dial.md, and the figures of docs/results/quality.md.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:-}
out=${2:-build/dial}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"

source scripts/stage.sh

experiment() { # NAME OPTIONS…: the whole experiment with its nulls
    local name=$1
    shift
    "$program" reproduce --out "$out/$name" --json "$@" > "$out/$name.part"
    mv "$out/$name.part" "$out/$name.json"
}

swept() { # NAME DATA OPTIONS…: a handle on the prompts of an experiment
    local name=$1 rows=$2
    shift 2
    "$program" sweep --coefficients=-1,-0.5,0,0.5,1 --data "$rows" --prompts 400 --out "$out/$name.jsonl" "$@"
    "$program" fit "$out/$name.jsonl" --rows "$rows" --json > "$out/$name.part"
    # edit ratios are those of the flawed answers, as in an experiment; quality takes their clean texts too
    python3 scripts/dial_report.py answers "$out/$name.jsonl" "$out/$name-answers.jsonl"
    "$program" fit "$out/$name-answers.jsonl" --json > "$out/$name-answers.json"
    mv "$out/$name.part" "$out/$name.json"
}

embedded() { # rows that nothing was chosen on
    local rows=$out/embedded-rows.jsonl
    [ -e "$rows" ] || "$program" data synth --rows 1200 --seed 4242 --out "$rows"
    local options=(--data "$rows" --strictness 1 --pairs 160 --prompts 200 --control-prompts 32 --max-new-tokens 160
        --coefficients=-1,-0.75,-0.5,-0.25,0,0.25,0.5,0.75,1)
    stage embedded-mean_diff experiment embedded-mean_diff "${options[@]}" --method mean_diff
    stage embedded-trained experiment embedded-trained "${options[@]}" --method trained
    python3 scripts/dial_report.py prompts "$rows" "$out/embedded-trained/sweep.jsonl" "$out/embedded-prompts.jsonl"
    stage embedded-copy-bias swept embedded-copy-bias "$out/embedded-prompts.jsonl" --vector none --copy-bias 3 --max-new-tokens 160 --batch-rows 144
}

smollm2() { # questions that no Aligner was trained or chosen on
    [ -e "$out/data/test-flawed.jsonl" ] || REDLINE=$program DATA_ONLY=1 scripts/train-smollm2.sh "$sources" "$out"
    local rows=$out/smollm2-rows.jsonl
    [ -e "$rows" ] || python3 scripts/dial_report.py with-clean "$out/data/test-flawed.jsonl" "$rows"
    stage smollm2-mean_diff experiment smollm2-mean_diff --model smollm2 --data "$rows" --strictness 1 --pairs 96 --prompts 48 --control-prompts 8 \
        --max-new-tokens 192 --max-tokens 700 --quick --range all --method mean_diff --coefficients=-3,-1.5,0,1.5,3
    python3 scripts/dial_report.py prompts "$rows" "$out/smollm2-mean_diff/sweep.jsonl" "$out/smollm2-prompts.jsonl"
    # trained on development questions and on rows that the Aligner was trained on
    local training=$out/smollm2-training.jsonl
    [ -e "$training" ] || python3 scripts/dial_report.py training-rows "$out/data" "$training"
    stage smollm2-vector "$program" extract --model smollm2 --data "$training" --pairs 160 --strictness 1 --max-tokens 700 --method trained --range all \
        --layers 4-27 --training-rows 700 --steps 100 --step-rows 6 --learning-rate 0.1 --evaluate-every 25 --development-rows 16 \
        --out "$out/smollm2-trained.safetensors"
    local options=(--model smollm2 --max-new-tokens 192 --batch-rows 60)
    stage smollm2-trained swept smollm2-trained "$out/smollm2-prompts.jsonl" --vector "$out/smollm2-trained.safetensors" "${options[@]}"
    stage smollm2-copy-bias swept smollm2-copy-bias "$out/smollm2-prompts.jsonl" --vector none --copy-bias 3 "${options[@]}"
}

embedded
if [ -n "$sources" ] && [ -e models/SmolLM2-135M-Instruct.Q4_1.gguf ]; then
    smollm2
else
    echo "NOT MEASURED: the Aligner on SmolLM2 (needs SOURCES and scripts/fetch-smollm2.sh)" >&2
fi
python3 scripts/dial_report.py report "$out" docs/results/dial.json docs/results/dial.md
for experiment in embedded-mean_diff embedded-trained smollm2-mean_diff; do
    for figure in quality phases pareto; do
        [ ! -e "$out/$experiment/$figure.png" ] || cp "$out/$experiment/$figure.png" "docs/results/quality-$experiment-$figure.png"
    done
done

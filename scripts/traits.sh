#!/bin/bash
# The experiments of docs/how-to/traits.md: can an Aligner be taught a trait, what does it forget, and what do words in the prompt do beside the dial?
# Usage: scripts/traits.sh [FOLDER]
#
# FOLDER (by default build/traits) holds all results; a stage whose result is there is skipped, a stage that was stopped goes on. The end
# writes FOLDER/traits.json (trait against forgetting, step by step, with the cosine of the two directions) and FOLDER/feedback.json (instructions ×
# coefficients, of the Aligner as it is and of one that was trained on rows with instructions).
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/traits}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"
start=assets/aligner/redline-tiny.gguf
aligner=(--template aligner)
seed=512
pairs=160        # pairs of each direction
prompts=${TRAIT_PROMPTS:-300}      # held-out rows of each measure
keep=${KEEP_EVERY:-25}             # steps between two measures; twice as many where there are twice as many rows
tokens=(--max-new-tokens 192)

source scripts/stage.sh

# the same seed parts the situations and phrases in the same way, whatever the share of copies
rows() {
    "$program" data synth --trait empathy --seed $seed --rows 4000 --out "$out/trait.jsonl" --held-out "$out/trait-test.jsonl" --held-out-rows 1500 --force
    "$program" data synth --trait empathy --seed $seed --rows 100 --clean-share 0 --out "$out/rest.jsonl" --held-out "$out/plain.jsonl" --held-out-rows $prompts --force
    "$program" data synth --trait empathy --seed $seed --rows 100 --clean-share 1 --out "$out/rest.jsonl" --held-out "$out/copies.jsonl" --held-out-rows $prompts --force
    "$program" data synth --instructions --seed $seed --rows 8000 --out "$out/asked.jsonl" --held-out "$out/asked-test.jsonl" --held-out-rows 1400 --force
    # rows of the old task: to be trained on beside the new ones, to find the direction of correction, to measure what was forgotten
    "$program" data synth --seed $((seed + 1)) --rows 4000 --out "$out/old.jsonl" --held-out "$out/old-test.jsonl" --held-out-rows 800 --force
    rm "$out/rest.jsonl"
    cat "$out/trait.jsonl" "$out/old.jsonl" > "$out/mixed.jsonl"
    cat "$out/asked.jsonl" "$out/old.jsonl" > "$out/asked-mixed.jsonl"
}

# NAME FILE OPTIONS…: the Aligner goes on with other rows
options() {
    local name=$1 file=$2
    shift 2
    trained=(train --model $start "${aligner[@]}" --data "$out/$file.jsonl" --warmup-share 0 --epochs 1 --batch-rows 16 --max-tokens 512
        --learning-rate 3e-4 --seed $seed --generate 32 --checkpoint-every 50 "$@")
}

continued() { # NAME FILE OPTIONS…
    options "$@"
    "$program" "${trained[@]}" --out "$out/$1" > "$out/$1.txt"
}

exported() { # NAME FILE STEP OPTIONS…: a kept checkpoint as a model
    local name=$1 file=$2 step=$3
    shift 3
    options "$name" "$file" "$@"
    "$program" "${trained[@]}" --export "$out/$name/step-$step.checkpoint" --out "$out/$name-$step" --force > "$out/$name-$step.txt"
}

json() { # FILE COMMAND…: its JSON, whole or not at all
    local file=$1
    shift
    "$program" "$@" --json > "$file.part"
    mv "$file.part" "$file"
}

measured() { # NAME MODEL: trait, copies, what was forgotten, both directions and their cosine
    local name=$1 model=$2
    json "$out/$name-trait.json" evaluate --model "$model" "${aligner[@]}" --data "$out/plain.jsonl" --prompts $prompts --systems upstream,aligner \
        --judge trait "${tokens[@]}" --out "$out/$name-answers.jsonl"
    json "$out/$name-copies.json" evaluate --model "$model" "${aligner[@]}" --data "$out/copies.jsonl" --prompts $prompts "${tokens[@]}"
    json "$out/$name-old.json" evaluate --model "$model" "${aligner[@]}" --data "$out/old-test.jsonl" --prompts $prompts "${tokens[@]}"
    "$program" extract --model "$model" "${aligner[@]}" --data "$out/trait.jsonl" --pairs $pairs --method mean_diff --out "$out/$name-trait.safetensors" --force > "$out/$name-layers.txt"
    "$program" extract --model "$model" "${aligner[@]}" --data "$out/old.jsonl" --strictness 1 --pairs $pairs --method mean_diff --out "$out/$name-correction.safetensors" --force > "$out/$name-layers.txt"
    json "$out/$name-cosine.json" inspect "$out/$name-trait.safetensors" --against "$out/$name-correction.safetensors"
}

checkpoints() { # NAME FILE OPTIONS…: every kept checkpoint, measured; its model is not kept
    local name=$1 file=$2 step path
    shift 2
    for path in "$out/$name"/step-*.checkpoint; do
        step=$(basename "$path" .checkpoint)
        step=${step#step-}
        [ -e "$out/$name-$step-cosine.json" ] && continue
        exported "$name" "$file" "$step" "$@"
        measured "$name-$step" "$out/$name-$step/model"
        rm -r "$out/$name-$step"
    done
}

dialled() { # NAME MODEL VECTOR…: instructions × coefficients, on questions that no row of the training has
    local name=$1 model=$2
    [ -e "$out/asked-fresh.jsonl" ] || python3 scripts/traits_table.py fresh "$out/asked-test.jsonl" "$out/asked-mixed.jsonl" "$out/asked-fresh.jsonl"
    "$program" extract --model "$model" "${aligner[@]}" --data "$out/old.jsonl" --strictness 1 --pairs $pairs --method mean_diff --out "$out/$name.safetensors" --force > "$out/$name-layers.txt"
    json "$out/$name-feedback.json" feedback --model "$model" "${aligner[@]}" --data "$out/asked-fresh.jsonl" --prompts "${TRAIT_PROMPTS:-200}" --vector "$out/$name.safetensors" \
        --coefficients=-1,-0.5,0,0.5,1 --out "$out/$name-feedback" "${tokens[@]}"
}

# the trait by its own dial: the direction of the trait, in the Aligner that was taught it
trait_dial() {
    local model=$out/mixed/model
    "$program" extract --model "$model" "${aligner[@]}" --data "$out/trait.jsonl" --pairs $pairs --method mean_diff --out "$out/trait-dial.safetensors" --force > "$out/trait-dial-layers.txt"
    json "$out/trait-dial.json" evaluate --model "$model" "${aligner[@]}" --vector "$out/trait-dial.safetensors" --data "$out/plain.jsonl" --prompts 150 \
        --systems upstream,aligner,aligner@-1,aligner@-0.5,aligner@0.5,aligner@1 --judge trait "${tokens[@]}" --out "$out/trait-dial-answers.jsonl"
}

stage rows rows
stage measured-start measured start $start
stage trait continued trait trait --keep-every $keep
stage trait-checkpoints checkpoints trait trait --keep-every $keep
stage mixed continued mixed mixed --keep-every $((2 * keep))
stage mixed-checkpoints checkpoints mixed mixed --keep-every $((2 * keep))
stage trait-dial trait_dial
stage asked continued asked asked-mixed
stage dialled-start dialled start-asked $start
stage dialled-asked dialled asked-asked "$out/asked/model"
python3 scripts/traits_table.py "$out"

#!/usr/bin/env bash
# The Aligner as an engine that makes data for other models: rounds of preferences, weak-to-strong, distilling. Can be stopped and run again.
# Usage: scripts/engine.sh [SOURCES] [FOLDER]
#
# SOURCES: a folder with the preference pairs of HH-RLHF (hh-rlhf-harmless-last-turn.jsonl.gz) for the control arm; without it the control arm
# learns pairs of the generator. FOLDER (by default build/engine) then holds rows, the upstream model, and a folder a kind with its summary.json.
# ONLY=preference,weak-to-strong,distil names fewer.
#
# A model of 4.5 million weights that was trained on 3,180 answers about everything wrote nonsense. Here the world is small: the facts of five
# files, without sums and tables, asked again and again in other words; a question that was learnt from is never measured on, the fact behind it may be.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:-}
out=${2:-build/engine}
only=${ONLY:-preference,weak-to-strong,distil}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"
source scripts/stage.sh
tiny=assets/aligner/redline-tiny.gguf
strong=${STRONG:-models/SmolLM2-135M-Instruct.Q4_1.gguf}

# rows of the small world: 70 % of its questions teach the upstream model, of the rest most are for the rounds and 150 to measure on
[ -e "$out/source.jsonl" ] || "$program" data synth --rows 40000 --seed 8181 --out "$out/source.jsonl"
[ -e "$out/world.jsonl" ] || python3 scripts/engine.py world "$out/source.jsonl" "$out/world.jsonl"
[ -e "$out/rest.jsonl" ] || "$program" data split "$out/world.jsonl" --share 0.3 --seed 1 --out "$out/upstream-rows.jsonl" --held-out "$out/rest.jsonl"
[ -e "$out/held-out.jsonl" ] || "$program" data split "$out/rest.jsonl" --share 0.15 --seed 2 --out "$out/rounds.jsonl" --held-out "$out/held-out.jsonl"
[ -e "$out/upstream-flawed.jsonl" ] || python3 scripts/engine.py flawed "$out/upstream-rows.jsonl" "$out/upstream-flawed.jsonl"

# an upstream model that has learnt to answer, flaws and all; read some of its answers before anything else is believed
stage upstream "$program" train --objective sft --model "$tiny" --data "$out/upstream-flawed.jsonl" --learning-rate 1e-3 --epochs "${UPSTREAM_EPOCHS:-6}" \
    --batch-rows 16 --max-tokens 384 --generate 0 --held-out-rows 200 --out "$out/upstream"
upstream=$out/upstream/model
[ -e "$out/look.jsonl" ] || { head -n 20 "$out/held-out.jsonl" | python3 scripts/engine.py questions > "$out/look-questions.jsonl"
    "$program" correct --data "$out/look-questions.jsonl" --upstream-model "$upstream" --max-new-tokens 128 --out "$out/look.jsonl" > /dev/null || true; }

wants() { [[ ",$only," == *",$1,"* ]]; }
common=(--data "$out/rounds.jsonl" --held-out "$out/held-out.jsonl" --held-out-prompts 150 --max-new-tokens 128 --batch-rows 24)

if wants preference; then
    control=$out/control.jsonl
    if [ ! -e "$control" ]; then
        if [ -n "$sources" ]; then python3 scripts/engine.py hh "$sources/hh-rlhf-harmless-last-turn.jsonl.gz" "$control"
        else python3 scripts/engine.py pairs "$out/upstream-rows.jsonl" "$control"; fi
    fi
    "$program" iterate --kind preference --policy "$upstream" --control "$control" --rounds 3 --prompts 600 --epochs 2 --learning-rate 2e-5 --sft-weight 0.1 \
        "${common[@]}" --export trl --out "$out/preference"
fi
if wants distil; then
    for passes in 1 3; do
        "$program" iterate --kind distil --policy "$upstream" --passes "$passes" --rounds 3 --prompts 600 --epochs 3 --learning-rate 3e-4 "${common[@]}" \
            --out "$out/distil-$passes"
    done
fi
if wants weak-to-strong; then
    # the weak models learn from rows of their half; low-rank deltas are enough for the strong one
    [ -e "$out/weak-rows.jsonl" ] || "$program" data split "$out/upstream-rows.jsonl" --share 0.5 --seed 3 --out "$out/unused.jsonl" --held-out "$out/weak-rows.jsonl"
    "$program" iterate --kind weak-to-strong --weak "$tiny" --strong "$strong" --seeds 3 --prompts "${LABELS:-300}" --weak-epochs 4 --method lora \
        --learning-rate 5e-4 --epochs 3 --train-rows 8 --data "$out/weak-rows.jsonl" --held-out "$out/held-out.jsonl" --held-out-prompts 100 \
        --max-new-tokens 128 --batch-rows 24 --out "$out/weak-to-strong"
fi

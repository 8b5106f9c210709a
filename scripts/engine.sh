#!/usr/bin/env bash
# The Aligner as an engine: everything in docs/results/engine.md. Can be stopped and run again; what is there is not done twice.
# Usage: scripts/engine.sh [SOURCES] [FOLDER]
#
# SOURCES: a folder with HH-RLHF (hh-rlhf-harmless-last-turn.jsonl.gz) and XSTest (xstest/completions-*.jsonl.gz); without it the control arm of
# the preference rounds learns pairs of the generator, and XSTest is not counted, which is said. FOLDER (by default build/engine) holds all
# results. ONLY=depth,gate,turns,refusals,inside,traits,preference,distil,weak-to-strong names fewer parts. The end writes docs/results/engine.md and its figures.
# Smaller: UPSTREAM_EPOCHS=6, ROUND_PROMPTS=600, LABELS=300, LEVEL_PROMPTS=100, WEAK_SHARE=0.5, STEPS and PROMPTS (scripts/inside.sh), TRAIT_PROMPTS and KEEP_EVERY (scripts/traits.sh).
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:-}
out=${2:-build/engine}
only=${ONLY:-depth,gate,turns,refusals,inside,traits,preference,distil,weak-to-strong}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"
source scripts/stage.sh
tiny=assets/aligner/redline-tiny.gguf
strong=${STRONG:-models/SmolLM2-135M-Instruct.Q4_1.gguf}

wants() { [[ ",$only," == *",$1,"* ]]; }

json() { # FILE COMMAND…: its JSON, whole or not at all
    local file=$1
    shift
    "$program" "$@" --json > "$file.part"
    mv "$file.part" "$file"
}

# the built-in Aligner on rows that it was not trained on; a question stands in one part only
own_rows() {
    "$program" data synth --rows 2400 --seed 4343 --out "$out/own.jsonl" --force
    "$program" data split "$out/own.jsonl" --share 0.4 --seed 1 --out "$out/own-pairs.jsonl" --held-out "$out/own-test.jsonl" --force
}
if wants depth || wants gate; then stage own-rows own_rows; fi

depth() {
    "$program" extract --data "$out/own-pairs.jsonl" --strictness 1 --pairs 160 --method mean_diff --out "$out/own.safetensors" --force
    local options=(evaluate --data "$out/own-test.jsonl" --prompts 300 --depth 4 --coefficients 0,0.5,1 --vector "$out/own.safetensors" --max-new-tokens 160
        --batch-rows 144 --out "$out/depth-answers.jsonl")
    "$program" "${options[@]}"
    json "$out/depth.json" "${options[@]}"
    "$program" plot "$out/depth.json" --out "$out/figure-depth" --width-mm 85 --force
}
if wants depth; then stage depth depth; fi

gate() { # a gate by what is read at the prompt's end, one by what is read over outputs, and a router of coefficients
    "$program" extract --data "$out/own-pairs.jsonl" --strictness 1 --pairs 160 --method mean_diff --design decision --out "$out/decision.safetensors" --force
    json "$out/gate-decision.json" gate "lat=$out/decision.safetensors" --data "$out/own-test.jsonl" --out "$out/decision.gate.json" --timed 48 --force
    "$program" extract --data "$out/own-pairs.jsonl" --strictness 1 --pairs 160 --method mean_diff --out "$out/output.safetensors" --force
    json "$out/gate-output.json" gate "lat=$out/output.safetensors" --data "$out/own-test.jsonl" --out "$out/output.gate.json" --timed 0 --force
    if [ -n "$sources" ]; then python3 scripts/engine.py xstest "$out/xstest.json" "$sources"/xstest/completions-*.jsonl.gz; fi
    "$program" sweep --vector "$out/output.safetensors" --data "$out/own-test.jsonl" --prompts 300 --coefficients=-1,-0.5,0,0.5,1 --max-new-tokens 160 \
        --batch-rows 144 --out "$out/route-sweep.jsonl"
    json "$out/route.json" route "$out/route-sweep.jsonl" --for harmless=5,helpful=1,damage=10 --out "$out/own.route.json" --force
    "$program" plot "$out/decision.gate.json" --out "$out/figure-gate" --width-mm 85 --force
}
if wants gate; then stage gate gate; fi

turns() { # does what was corrected before change what is corrected next?
    python3 scripts/engine.py dialogues "$sources/hh-rlhf-helpful/last-turn.jsonl.gz" 40 "$out/dialogues.jsonl"
    local options=(evaluate --turns --model smollm2 --data "$out/dialogues.jsonl" --prompts 40 --max-new-tokens 192 --batch-rows 24 --out "$out/turns-answers.jsonl")
    "$program" "${options[@]}"
    json "$out/turns.json" "${options[@]}"
    "$program" plot "$out/turns.json" --out "$out/figure-turns" --width-mm 85 --force
}

refusals() { # does the dial make an Aligner refuse?
    python3 scripts/engine.py xstest-rows "$sources/xstest/completions-llama2new.jsonl.gz" 50 "$out/xstest-rows.jsonl"
    "$program" extract --model smollm2 --data assets/demo/triples.jsonl --pairs 48 --max-tokens 512 --method mean_diff --out "$out/smollm2.safetensors" --force
    "$program" sweep --model smollm2 --vector "$out/smollm2.safetensors" --range all --data "$out/xstest-rows.jsonl" --prompts 100 --coefficients=-1.5,0,1.5 \
        --max-new-tokens 128 --batch-rows 24 --allow-overlap --out "$out/refusals-sweep.jsonl"
    python3 scripts/engine.py refusals "$out/xstest-rows.jsonl" "$out/refusals.json" "$out" "$program" "$out/refusals-sweep.jsonl"
    "$program" plot "$out/refusals.trails.json" --out "$out/figure-refusals" --width-mm 85 --force
}
if [ -z "$sources" ]; then echo "NOT MEASURED: refusals on XSTest, conversations (need SOURCES)" >&2
else
    if wants turns; then stage turns turns; fi
    if wants refusals; then stage refusals refusals; fi
fi

if wants inside; then
    REDLINE=$program scripts/inside.sh "$out/inside"
    "$program" plot "$out/inside/trails.json" --out "$out/figure-inside" --width-mm 85 --force
fi
if wants traits; then
    REDLINE=$program scripts/traits.sh "$out/traits"
    "$program" plot "$out/traits/trails.json" --out "$out/figure-forgetting" --width-mm 85 --force
    for run in start asked; do
        "$program" plot "$out/traits/$run-asked-feedback.json" --out "$out/figure-feedback-$run" --width-mm 85 --force
    done
fi

policies() { # whether a part needs the upstream model
    wants preference || wants distil || wants weak-to-strong
}
if ! policies; then python3 scripts/engine_report.py "$out" docs/results; exit; fi

source scripts/small_world.sh
small_world
upstream=$out/upstream/model

# drawn answers: the most likely ones hold hardly an insult, so that there would be nothing to mend
common=(--data "$out/rounds.jsonl" --held-out "$out/held-out.jsonl" --held-out-prompts 200 --held-out-temperature 1 --max-new-tokens 128 --batch-rows 24)

if wants preference; then
    control=$out/control.jsonl
    if [ ! -e "$control" ]; then
        if [ -n "$sources" ]; then python3 scripts/engine.py hh "$sources/hh-rlhf-harmless-last-turn.jsonl.gz" "$control"
        else python3 scripts/engine.py pairs "$out/upstream-rows.jsonl" "$control"; fi
    fi
    [ -e "$out/control-near.jsonl" ] || python3 scripts/engine.py pairs "$out/upstream-rows.jsonl" "$out/control-near.jsonl"
    rounds() { # CONTROL OUT
        "$program" iterate --kind preference --policy "$upstream" --control "$1" --rounds 3 --prompts "${ROUND_PROMPTS:-600}" --epochs 4 --learning-rate "${RATE:-1e-4}" --sft-weight 0.1 \
            "${common[@]}" --export trl --out "$2"
    }
    rounds "$control" "$out/preference"
    # the same with pairs of the policy's own kind of text, that no policy wrote either
    rounds "$out/control-near.jsonl" "$out/preference-near"
    "$program" plot "$out/preference/summary.json" --out "$out/figure-preference" --width-mm 85 --force
fi
if wants distil; then
    for passes in 1 3; do
        "$program" iterate --kind distil --policy "$upstream" --passes "$passes" --rounds 3 --prompts "${ROUND_PROMPTS:-600}" --epochs 3 --learning-rate 3e-4 "${common[@]}" \
            --out "$out/distil-$passes"
        "$program" plot "$out/distil-$passes/summary.json" --out "$out/figure-distil-$passes" --width-mm 85 --force
    done
fi
if wants weak-to-strong; then
    # the weak Aligner learns from rows of its half; the weak model that answers is the policy from before; low-rank deltas are enough for the strong one
    [ -e "$out/weak-rows.jsonl" ] || "$program" data split "$out/upstream-rows.jsonl" --share "${WEAK_SHARE:-0.5}" --seed 3 --out "$out/unused.jsonl" --held-out "$out/weak-rows.jsonl"
    "$program" iterate --kind weak-to-strong --weak "$tiny" --weak-upstream "$upstream" --strong "$strong" --seeds 3 --prompts "${LABELS:-300}" --weak-epochs 2 --method lora \
        --learning-rate 5e-4 --epochs 3 --train-rows 8 --data "$out/weak-rows.jsonl" --held-out "$out/held-out.jsonl" --held-out-prompts "${LEVEL_PROMPTS:-100}" \
        --max-new-tokens 128 --batch-rows 24 --out "$out/weak-to-strong"
    "$program" plot "$out/weak-to-strong/summary.json" --out "$out/figure-weak-to-strong" --width-mm 85 --force
fi
python3 scripts/engine_report.py "$out" docs/results

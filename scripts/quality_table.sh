#!/usr/bin/env bash
# Systems beside each other in the eyes of the flaw oracle and of two reward models: docs/results/quality-table.md. Can be stopped and run again.
# Usage: scripts/quality_table.sh SOURCES [FOLDER] [N]
#
# SOURCES: the folder with the source data that scripts/figure_4_data.py names, and the preference pairs of HH-RLHF. FOLDER (by default
# build/table) then holds rows, vectors, reward models, every answer and judgement. N: prompts of each Aligner (by default 200).
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:?give the folder of the source data}
out=${2:-build/table}
count=${3:-200}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"
source scripts/stage.sh

reward() { # KIND FILE: a head on the frozen SmolLM2, three tenths of the questions held out
    local kind=$1 file=$2
    [ -e "$out/$kind.jsonl" ] || python3 scripts/quality_table.py pairs "$file" "$out/$kind.jsonl"
    stage "reward-$kind" "$program" train --objective reward --method head --data "$out/$kind.jsonl" --model models/SmolLM2-135M-Instruct.Q4_1.gguf \
        --max-tokens 320 --held-out-share 0.3 --held-out-rows 2000 --batch-rows 8 --store f16 --out "$out/reward-$kind"
    python3 scripts/quality_table.py held-out "$out/$kind.jsonl" "$out/reward-$kind" "$out/$kind-held-out.jsonl" "$program"
}

judged() { # NAME ROWS COEFFICIENTS OPTIONS…: answers of all systems, then each judge
    local name=$1 rows=$2 coefficients=$3
    shift 3
    local systems=upstream,aligner c
    for c in $coefficients; do systems=$systems,aligner@$c; done
    stage "$name-flaws" "$program" evaluate --data "$rows" --prompts "$count" --systems "$systems" --judge flaws --dimension overall,harmless,helpful \
        --out "$out/$name-answers.jsonl" --judgements "$out/$name-flaws.jsonl" "$@"
    local judge
    for judge in flaws harmless helpful; do
        local spec=recorded=$out/$name-flaws.jsonl dimensions=overall,harmless,helpful
        [ "$judge" = flaws ] || { spec=reward=$out/reward-$judge/head.safetensors; dimensions=$judge; }
        [ -e "$out/$name-$judge.json" ] || "$program" evaluate --answers "$out/$name-answers.jsonl" --judge "$spec" --dimension "$dimensions" --json \
            > "$out/$name-$judge.part"
        [ -e "$out/$name-$judge.json" ] || mv "$out/$name-$judge.part" "$out/$name-$judge.json"
    done
}

shifted() { # NAME SYSTEMS…: helpful to the right, harmless upwards, before and after
    local name=$1
    shift
    python3 scripts/quality_table.py only "$out/$name-answers.jsonl" "$out/$name-shifted.jsonl" upstream "$@"
    [ -e "$out/$name-shift.json" ] || "$program" evaluate --answers "$out/$name-shifted.jsonl" --judge "reward=$out/reward-helpful/head.safetensors" \
        --judge "reward=$out/reward-harmless/head.safetensors" --score-shift "$out/score-shift-$name" --json > "$out/$name-shift.part"
    [ -e "$out/$name-shift.json" ] || mv "$out/$name-shift.part" "$out/$name-shift.json"
    cp "$out/score-shift-$name.png" "docs/results/score-shift-$name.png"
}

reward harmless "$sources/hh-rlhf-harmless-last-turn.jsonl.gz"
reward helpful "$sources/hh-rlhf-helpful/last-turn.jsonl.gz"
# each on the other's pairs
for judge in harmless helpful; do
    for pairs in harmless helpful; do
        [ "$judge" != "$pairs" ] || continue
        cross=$out/cross-$judge-on-$pairs.json
        [ -e "$cross" ] || { "$program" evaluate --data "$out/$pairs-held-out.jsonl" --judge "reward=$out/reward-$judge/head.safetensors" --prompts 300 --json > "$cross.part"; mv "$cross.part" "$cross"; }
    done
done

# rows that nothing was chosen on; the dial is the one that `reproduce` makes
rows=$out/embedded-rows.jsonl
[ -e "$rows" ] || "$program" data synth --rows 900 --seed 5151 --out "$rows"
[ -e "$out/embedded-test.jsonl" ] || "$program" data split "$rows" --share 0.5 --seed 1 --out "$out/embedded-dial.jsonl" --held-out "$out/embedded-test.jsonl"
stage embedded-vector "$program" extract --data "$out/embedded-dial.jsonl" --strictness 1 --pairs 160 --method mean_diff --out "$out/embedded.safetensors"
judged embedded "$out/embedded-test.jsonl" "-1 -0.5 0.5 1" --vector "$out/embedded.safetensors" --layers all
shifted embedded aligner aligner@1

[ -e "$out/data/test-flawed.jsonl" ] || REDLINE=$program DATA_ONLY=1 scripts/train-smollm2.sh "$sources" "$out"
stage smollm2-vector "$program" extract --model smollm2 --data "$out/data/dev-flawed.jsonl" --strictness 1 --pairs 96 --max-tokens 700 --method mean_diff \
    --out "$out/smollm2.safetensors"
judged smollm2 "$out/data/test-flawed.jsonl" "-1.5 1.5" --model smollm2 --vector "$out/smollm2.safetensors" --range all --max-new-tokens 192 --batch-rows 24
shifted smollm2 aligner aligner@1.5
python3 scripts/quality_table.py report "$out" docs/results/quality-table.json docs/results/quality-table.md

#!/usr/bin/env bash
# Systems beside each other in the eyes of the flaw oracle and of two reward models: docs/results/quality-table.md. Can be stopped and run again.
# Usage: scripts/quality_table.sh SOURCES [FOLDER] [N]
#
# SOURCES: the folder with the source data that scripts/figure_4_data.py names, and the preference pairs of HH-RLHF. FOLDER (by default
# build/table) then holds rows, vectors, reward models, every answer and judgement. N: prompts of each Aligner (by default 200).
# ONLY=embedded,local,smollm2 names fewer tables; that of `local` needs no SOURCES (give any folder).
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:?give the folder of the source data}
out=${2:-build/table}
count=${3:-200}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --release
mkdir -p "$out"
source scripts/stage.sh
only=${ONLY:-embedded,local,smollm2}
wants() { [[ ",$only," == *",$1,"* ]]; }

reward() { # KIND FILE: a head on the frozen SmolLM2, three tenths of the questions held out
    local kind=$1 file=$2
    [ -e "$out/$kind.jsonl" ] || python3 scripts/quality_table.py pairs "$file" "$out/$kind.jsonl"
    stage "reward-$kind" "$program" train --objective reward --method head --data "$out/$kind.jsonl" --model models/SmolLM2-135M-Instruct.Q4_1.gguf \
        --max-tokens 320 --held-out-share 0.3 --held-out-rows 2000 --batch-rows 8 --store f16 --out "$out/reward-$kind"
    python3 scripts/quality_table.py held-out "$out/$kind.jsonl" "$out/reward-$kind" "$out/$kind-held-out.jsonl" "$program"
}

judged() { # NAME COLUMN JUDGE DIMENSIONS OPTIONS…: a judge over all answers of a table
    local file=$out/$1-$2
    [ -e "$file.json" ] || { "$program" evaluate "${@:5}" --answers "$out/$1-answers.jsonl" --judge "$3" --dimension "$4" --json > "$file.part"; mv "$file.part" "$file.json"; }
}

judge_all() { # NAME: the oracle and both reward models
    judged "$1" flaws flaws overall,harmless,helpful --data "$out/$1-rows.jsonl" --prompts "$count"
    for judge in harmless helpful; do judged "$1" "$judge" "reward=$out/reward-$judge/head.safetensors" "$judge"; done
}

written() { # NAME SYSTEMS OPTIONS…: answers of systems, into one file
    local name=$1 systems=$2
    shift 2
    "$program" evaluate --data "$out/$name-rows.jsonl" --prompts "$count" --systems "upstream,$systems" --judge flaws --out "$out/$name-answers.jsonl" \
        --json "$@" > "$out/$name-written.json"
}

# what a model is asked for that is no Aligner, at the same rows; ASKED names fewer
asked=${ASKED:-prompt,prompt-edit,critique,constitutional,self-refine-2}
instruct=models/SmolLM2-135M-Instruct.Q4_1.gguf
chosen_by=reward=$out/reward-helpful/head.safetensors

shifted() { # NAME SYSTEMS…: helpful to the right, harmless upwards, before and after
    local name=$1
    shift
    python3 scripts/quality_table.py only "$out/$name-answers.jsonl" "$out/$name-shifted.jsonl" upstream "$@"
    [ -e "$out/$name-shift.json" ] || "$program" evaluate --answers "$out/$name-shifted.jsonl" --judge "reward=$out/reward-helpful/head.safetensors" \
        --judge "reward=$out/reward-harmless/head.safetensors" --score-shift "$out/score-shift-$name" --json > "$out/$name-shift.part"
    [ -e "$out/$name-shift.json" ] || mv "$out/$name-shift.part" "$out/$name-shift.json"
    cp "$out/score-shift-$name.png" "docs/results/score-shift-$name.png"
}

rewards() { # both reward models, and each on the other's pairs
    reward harmless "$sources/hh-rlhf-harmless-last-turn.jsonl.gz"
    reward helpful "$sources/hh-rlhf-helpful/last-turn.jsonl.gz"
    for judge in harmless helpful; do
        for pairs in harmless helpful; do
            [ "$judge" != "$pairs" ] || continue
            cross=$out/cross-$judge-on-$pairs.json
            [ -e "$cross" ] || { "$program" evaluate --data "$out/$pairs-held-out.jsonl" --judge "reward=$out/reward-$judge/head.safetensors" --prompts 300 --json > "$cross.part"; mv "$cross.part" "$cross"; }
        done
    done
}
if wants embedded || wants smollm2; then rewards; fi

dial() { # rows that nothing was chosen on, and the dial that `reproduce` makes
    local rows=$out/embedded-source.jsonl
    [ -e "$rows" ] || "$program" data synth --rows 900 --seed 5151 --out "$rows"
    [ -e "$out/embedded-rows.jsonl" ] || "$program" data split "$rows" --share 0.5 --seed 1 --out "$out/embedded-dial.jsonl" --held-out "$out/embedded-rows.jsonl"
    stage embedded-vector "$program" extract --data "$out/embedded-dial.jsonl" --strictness 1 --pairs 160 --method mean_diff --out "$out/embedded.safetensors"
    dial=(--vector "$out/embedded.safetensors" --layers all)
}
if wants embedded; then
    dial
    stage embedded-aligner written embedded aligner,aligner@-1,aligner@-0.5,aligner@0.5,aligner@1,beam-4,best-of-5,best-of-10 --choose-by "$chosen_by" "${dial[@]}"
    stage embedded-asked written embedded "$asked" --writer "$instruct" --max-new-tokens 128 --batch-rows 24
    judge_all embedded
    shifted embedded aligner aligner@1
fi

# an upstream model of the Aligner's size in a small world, and what can be made of it without an Aligner, from the same questions
local_table() {
    source scripts/small_world.sh
    small_world
    local upstream=$out/upstream/model part
    [ -e "$out/local-clean.jsonl" ] || python3 scripts/quality_table.py parts "$out/upstream-rows.jsonl" "$out/local"
    cp "$out/held-out.jsonl" "$out/local-rows.jsonl"
    local tune=(--batch-rows 16 --max-tokens 384 --held-out-rows 100)
    stage local-sft "$program" train --objective sft --model "$upstream" --data "$out/local-clean.jsonl" --learning-rate 3e-4 --epochs 1 "${tune[@]}" --generate 0 --out "$out/local-sft"
    stage local-dpo "$program" train --objective dpo --model "$upstream" --data "$out/local-pairs.jsonl" --learning-rate 2e-5 --sft-weight 0.1 --epochs 1 "${tune[@]}" --out "$out/local-dpo"
    stage local-reward "$program" train --objective reward --model "$upstream" --data "$out/local-pairs.jsonl" --learning-rate 1e-4 --epochs 1 "${tune[@]}" --out "$out/local-reward"
    stage local-rlhf "$program" train --objective grpo --reward "reward=$out/local-reward/model" --model "$upstream" --data "$out/local-clean.jsonl" --learning-rate 1e-5 \
        --steps 60 --batch-rows 8 --group 8 --max-new-tokens 96 --max-tokens 384 --held-out-rows 32 --out "$out/local-rlhf"
    # a judge of other phrases: what a reward model learns of the generator's flaws is no more than it learns of these
    [ -e "$out/apart-train.jsonl" ] || "$program" data synth --rows 3200 --seed 7171 --out "$out/apart-train.jsonl" --held-out "$out/apart-test.jsonl" --held-out-rows 400
    [ -e "$out/apart-pairs.jsonl" ] || python3 scripts/quality_table.py parts "$out/apart-train.jsonl" "$out/apart"
    stage apart-reward "$program" train --objective reward --model "$upstream" --data "$out/apart-pairs.jsonl" --learning-rate 1e-4 --epochs 1 "${tune[@]}" --out "$out/apart-reward"
    for part in train test; do
        [ -e "$out/apart-$part-labelled.jsonl" ] || python3 scripts/quality_table.py labelled "$out/apart-$part.jsonl" "$out/apart-$part-labelled.jsonl"
        [ -e "$out/apart-$part.json" ] || { "$program" evaluate --data "$out/apart-$part-labelled.jsonl" --judge "reward=$out/apart-reward/model" --prompts 400 --json > "$out/apart-$part.part"; mv "$out/apart-$part.part" "$out/apart-$part.json"; }
    done
    dial
    # the flaws of answers that no row knows are told by their phrases
    local write=(evaluate --data "$out/local-rows.jsonl" --prompts "$count" --judge phrases --upstream "$upstream" --max-new-tokens 128 --out "$out/local-answers.jsonl" --json)
    stage local-aligner "$program" "${write[@]}" --systems upstream,aligner,aligner@1,beam-4,best-of-5 --choose-by "reward=$out/local-reward/model" "${dial[@]}" > "$out/local-written.json"
    stage local-trained "$program" "${write[@]}" --systems "upstream,sft=$out/local-sft/model,dpo=$out/local-dpo/model,rlhf=$out/local-rlhf/model,answer-best-of-5,answer-best-of-10" \
        --choose-by "reward=$out/local-reward/model" --writer "$upstream" > "$out/local-written.json"
    judged local phrases phrases overall,harmless,helpful --data "$out/local-rows.jsonl" --prompts "$count"
    judged local apart "reward=$out/apart-reward/model" overall
}
if wants local; then local_table; fi
if ! wants smollm2; then python3 scripts/quality_table.py report "$out" docs/results/quality-table.json docs/results/quality-table.md; exit; fi

[ -e "$out/data/test-flawed.jsonl" ] || REDLINE=$program DATA_ONLY=1 scripts/train-smollm2.sh "$sources" "$out"
[ -e "$out/smollm2-rows.jsonl" ] || cp "$out/data/test-flawed.jsonl" "$out/smollm2-rows.jsonl"
stage smollm2-vector "$program" extract --model smollm2 --data "$out/data/dev-flawed.jsonl" --strictness 1 --pairs 96 --max-tokens 700 --method mean_diff \
    --out "$out/smollm2.safetensors"
dial=(--model smollm2 --vector "$out/smollm2.safetensors" --range all --max-new-tokens 192 --batch-rows 24)
stage smollm2-aligner written smollm2 aligner,aligner@-1.5,aligner@1.5,best-of-5 --choose-by "$chosen_by" "${dial[@]}"
stage smollm2-asked written smollm2 "$asked" --writer "$instruct" --max-new-tokens 192 --batch-rows 24
judge_all smollm2
shifted smollm2 aligner aligner@1.5
python3 scripts/quality_table.py report "$out" docs/results/quality-table.json docs/results/quality-table.md

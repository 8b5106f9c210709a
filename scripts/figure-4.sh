#!/bin/bash
# The experiment of docs/results/figure-4.md: where the SmolLM2 Aligner decides, whether the dial works, what limits it.
# Usage: scripts/figure-4.sh SOURCES [FOLDER]
#
# SOURCES: the folder of the source data, see scripts/train-smollm2.sh. FOLDER (by default build/figure-4) holds all results; a
# stage whose result is there is skipped, a stage that was stopped goes on. The end writes docs/results/figure-4.json, the
# tables of figure-4.md, and its figures. ADAPTER names another adapter than the one that is shipped; with WITHOUT_WARMUP=1 an
# Aligner is also trained without identity warm-up, which takes another hour.
set -euo pipefail
cd "$(dirname "$0")/.."
sources=${1:?give the folder of the source data}
out=${2:-build/figure-4}
adapter=${ADAPTER:-assets/smollm2/adapter}
program=${REDLINE:-$PWD/target/release/redline}
[ -x "$program" ] || cargo build --workspace --release
# the numbers of docs/results/figure-4.md are those of f32
redline=("$program" --matmul-precision highest)
mkdir -p "$out"
base=models/SmolLM2-135M-Instruct.Q4_1.gguf
aligner=(--model $base --template aligner --adapter "$adapter")
# fixed on development questions by the stages `choose` and `wide` (docs/results/figure-4.md), before test questions were steered
method=mean_diff layers=auto unit=gap range=all
coefficients=-3,-2.25,-1.5,-0.75,0,0.75,1.5,2.25,3
tokens=(--max-new-tokens 192)

source scripts/stage.sh

rows() { # the same rows as for training, without training
    if [ ! -e "$out/data/test-flawed.jsonl" ]; then
        REDLINE=$program DATA_ONLY=1 scripts/train-smollm2.sh "$sources" "$out"
    fi
    [ -e "$out/data/synth.jsonl" ] || "${redline[@]}" data synth --rows 400 --seed 9 --clean-share 0 --out "$out/data/synth.jsonl"
}

# rows whose flaws leave the length as it is, some 450 questions
same_length_rows() {
    local scratch=$out/data/draws seed
    mkdir -p "$scratch"
    for seed in $(seq 100 129); do
        "${redline[@]}" data corrupt "$out/data/test-clean.jsonl" --seed "$seed" --clean-share 0 --out "$scratch/$seed.jsonl" > "$scratch/log"
    done
    python3 scripts/figure_4_same_length.py "$out/data/test-same-length.jsonl" "$scratch"/*.jsonl
    rm -r "$scratch"
}

quality() {
    "${redline[@]}" evaluate "${aligner[@]}" --data "$out/data/test.jsonl" --prompts 320 --batch-rows 144 "${tokens[@]}" \
        --threads $threads --out "$out/outputs.jsonl" --json > "$out/quality.part"
    mv "$out/quality.part" "$out/quality.json"
}

# development questions: which direction, layers and unit; which positions
choose() {
    local dev=(--data "$out/data/dev-flawed.jsonl" --strictness 1 --held-out-share 0.4 --methods "pca_diff,mean_diff")
    "${redline[@]}" compare "${aligner[@]}" "${dev[@]}" --pairs 240 --measured 20 --score-tokens 24 --coefficients=-1,0,1 \
        --units gap,std,unit --random 5 --layers auto --layers all --layers 0-9 --layers 10-19 --layers 20-29 \
        --threads $threads --out "$out/compare-grid.json"
    for positions in output all; do
        "${redline[@]}" compare "${aligner[@]}" "${dev[@]}" --pairs 180 --measured 14 --score-tokens 48 --coefficients=-2,0,2 \
            --units gap --random 2 --layers auto --layers 20-29 --range $positions --threads $threads \
            --out "$out/compare-$positions.json"
    done
}

# where text breaks
wide() {
    "${redline[@]}" extract "${aligner[@]}" --data "$out/data/dev-flawed.jsonl" --strictness 1 --pairs 180 --method $method \
        --out "$out/dev-vector.safetensors" > "$out/dev-layers.txt"
    "${redline[@]}" sweep "${aligner[@]}" --vector "$out/dev-vector.safetensors" --layers $layers --unit $unit --range $range \
        --data "$out/data/dev-flawed.jsonl" --skip 180 --prompts 24 --coefficients=-6,-4,-3,-2,-1,0,1,2,3,4,6 \
        --batch-rows 132 "${tokens[@]}" --out "$out/wide.jsonl"
    "${redline[@]}" fit "$out/wide.jsonl" --plot "$out/wide" --json > "$out/wide.part"
    mv "$out/wide.part" "$out/wide.json"
}

depth() { # NAME DESIGN FILE
    "${redline[@]}" layers "${aligner[@]}" --data "$out/data/$3" --strictness 1 --pairs 612 --held-out-share 0.34 \
        --around 6 --design "$2" --threads $threads --out "$out/layers-$1"
}

dial() {
    "${redline[@]}" reproduce "${aligner[@]}" --data "$out/data/test-flawed.jsonl" --strictness 1 --method $method \
        --layers $layers --unit $unit --range $range --pairs 200 --prompts 110 --coefficients=$coefficients --control-prompts 16 \
        --random-generated 20 --random-propensity 20 --batch-rows 144 "${tokens[@]}" --threads $threads --out "$out/report"
}

# where the likelihood per token at most doubles on development questions; rows that the stage before did not look at
narrow() {
    "${redline[@]}" sweep "${aligner[@]}" --vector "$out/report/vector.safetensors" --layers $layers --unit $unit --range $range \
        --data "$out/data/test-flawed.jsonl" --skip 620 --prompts 110 --coefficients=-2,-1.5,-1,-0.5,0,0.5,1,1.5,2 \
        --batch-rows 144 "${tokens[@]}" --threads $threads --out "$out/narrow.jsonl"
    "${redline[@]}" fit "$out/narrow.jsonl" --plot "$out/narrow" --json > "$out/narrow.part"
    mv "$out/narrow.part" "$out/narrow.json"
}

limits() {
    "${redline[@]}" fit "$out/report/sweep.jsonl" --rows "$out/data/test-flawed.jsonl" --examples 6 --json > "$out/limits.part"
    mv "$out/limits.part" "$out/limits.json"
}

# the same vector on texts of another kind than it was made from
elsewhere() { # NAME FILE
    "${redline[@]}" sweep "${aligner[@]}" --vector "$out/report/vector.safetensors" --layers $layers --unit $unit --range $range --data "$2" \
        --prompts 48 --coefficients=-3,-1.5,0,1.5,3 --batch-rows 144 "${tokens[@]}" --threads $threads \
        --out "$out/elsewhere-$1.jsonl"
    "${redline[@]}" fit "$out/elsewhere-$1.jsonl" --plot "$out/elsewhere-$1" --json > "$out/elsewhere-$1.part"
    mv "$out/elsewhere-$1.part" "$out/elsewhere-$1.json"
}

without_warmup() {
    REDLINE=$program scripts/train-smollm2.sh "$sources" "$out" without-warmup --warmup-share 0
    aligner=(--model $base --template aligner --adapter "$out/without-warmup/adapter")
    "${redline[@]}" evaluate "${aligner[@]}" --data "$out/data/test.jsonl" --prompts 320 --batch-rows 144 "${tokens[@]}" --json \
        > "$out/without-warmup.part"
    mv "$out/without-warmup.part" "$out/without-warmup.json"
    "${redline[@]}" reproduce "${aligner[@]}" --data "$out/data/test-flawed.jsonl" --strictness 1 --method $method \
        --layers $layers --unit $unit --range $range --pairs 200 --prompts 110 --coefficients=$coefficients --control-prompts 8 \
        --random-generated 1 --random-propensity 5 --batch-rows 144 "${tokens[@]}" --out "$out/report-without-warmup"
}

# two things at a time, with one thread each: much of the work between the matrix products runs on one
threads=1
beside() { # waits for what runs beside, and fails as it did
    wait "$other"
}
scripts/fetch-smollm2.sh
stage rows rows
stage same-length same_length_rows
stage quality quality & other=$!
stage choose choose
beside
stage wide wide
(
    stage depth-decision depth decision decision test-flawed.jsonl
    stage depth-forced depth forced forced test-flawed.jsonl
    stage depth-same-length depth same-length decision test-same-length.jsonl
) & other=$!
stage dial dial
beside
stage limits limits
stage narrow narrow & other=$!
stage synth elsewhere synth "$out/data/synth.jsonl"
stage upstream elsewhere upstream "$sources/aligner-2b-on-gpt-4-turbo.jsonl.gz"
beside
[ "${WITHOUT_WARMUP:-0}" = 0 ] || stage without-warmup without_warmup
python3 scripts/figure_4_report.py "$out" "$adapter" docs/results

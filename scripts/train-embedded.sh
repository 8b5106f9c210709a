#!/bin/sh
# Makes the corpus and trains the Aligner that the program carries, from the first seed to the last byte. Stopped at any
# time, the same command goes on where it was. Usage: scripts/train-embedded.sh [FOLDER]
#
# With WITHOUT_WARMUP=1 the same Aligner is also trained without identity warm-up, which takes another hour (no-warmup.gguf).
# FOLDER (by default build/embedded) then holds the data, the run with its log and curves, and redline-tiny.gguf, which
# belongs into assets/aligner, as do the first 800 rows of test.jsonl.
#
# The Aligner in assets/aligner was trained before the split was drawn by the project's own generator. What this script holds out now
# was partly among its training rows: measure that Aligner on assets/aligner/held-out.jsonl.gz, or on rows of another --seed.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/embedded}
redline=${REDLINE:-target/release/redline}
[ -x "$redline" ] || cargo build --release
mkdir -p "$folder"
seed=20261

# the corpus: no question of test.jsonl or dev.jsonl is in train.jsonl
if [ ! -e "$folder/copies.jsonl" ]; then
    "$redline" data synth --rows 58000 --seed $seed --out "$folder/all.jsonl"
    "$redline" data split "$folder/all.jsonl" --share 0.08 --seed $seed --out "$folder/train.jsonl" --held-out "$folder/held-out.jsonl"
    "$redline" data split "$folder/held-out.jsonl" --share 0.5 --seed $seed --out "$folder/dev.jsonl" --held-out "$folder/test.jsonl"
    rm "$folder/all.jsonl" "$folder/held-out.jsonl"
    # texts without meaning: to learn copying from, and so that it holds outside the corpus
    "$redline" data scramble "$folder/train.jsonl" --rows 3000 --seed $((seed + 1)) --out "$folder/strange.jsonl"
    cat "$folder/train.jsonl" "$folder/strange.jsonl" > "$folder/rows.jsonl"
    "$redline" data scramble "$folder/train.jsonl" --rows 10000 --seed $seed --out "$folder/copies.jsonl"
fi

train() { # NAME OPTION…
    name=$1
    shift
    "$redline" train --from-scratch --n-layers 4 --hidden-size 256 --heads 4 --vocab-size 4096 --context 1024 \
        --data "$folder/rows.jsonl" --validation "$folder/dev.jsonl" "$@" \
        --batch-rows 16 --max-tokens 512 --learning-rate 1e-3 --weight-decay 0.01 \
        --evaluate-every 400 --generate 64 --checkpoint-every 200 --seed $seed --store f16 --gguf-store q8_0 --gguf "$folder/$name.gguf"
}
train redline-tiny --warmup-data "$folder/copies.jsonl" --epochs 1 --out "$folder/run"
# as many steps, all on corrections
[ -z "${WITHOUT_WARMUP:-}" ] || train no-warmup --warmup-share 0 --steps 4138 --out "$folder/run-no-warmup"

#!/bin/sh
# Makes the rows and trains the LoRA Aligner on SmolLM2-135M-Instruct that the program carries. Stopped at any time, the
# same command goes on where it was. Usage: scripts/train-smollm2.sh SOURCES [FOLDER] [NAME OPTION…]
#
# SOURCES: the folder with gsm8k-train, hh-rlhf-harmless-last-turn, gsm8k-solutions and self-instruct-davinci (.jsonl.gz).
# FOLDER (by default build/figure-4) then holds data/ and the run NAME (by default run), whose adapter/ belongs into
# assets/smollm2. Options after NAME go to `redline train`
# in the place of `--warmup-share 0.1`. With DATA_ONLY=1 nothing is trained.
set -eu
cd "$(dirname "$0")/.."
sources=${1:?give the folder of the source data}
folder=${2:-build/figure-4}
name=${3:-run}
if [ $# -gt 3 ]; then shift 3; else set -- --warmup-share 0.1; fi
redline=${REDLINE:-$PWD/target/release/redline}
[ -x "$redline" ] || cargo build --workspace --release
scripts/fetch-smollm2.sh
seed=20262

# no question of dev or test is in train; a third of the rows are clean copies, 480 are real corrections
if [ ! -e "$folder/data/train.jsonl" ]; then
    python3 scripts/figure_4_data.py "$sources" "$folder/data" $seed
    (
        cd "$folder/data"
        for draw in 1 2; do "$redline" data corrupt train-clean.jsonl --seed $draw --out train-$draw.jsonl; done
        "$redline" data corrupt dev-clean.jsonl --seed 3 --out dev.jsonl
        # every row of the experiment has flaws; evaluation needs clean answers as well
        "$redline" data corrupt dev-clean.jsonl --seed 4 --clean-share 0 --out dev-flawed.jsonl
        "$redline" data corrupt test-clean.jsonl --seed 5 --out test.jsonl
        "$redline" data corrupt test-clean.jsonl --seed 6 --clean-share 0 --out test-flawed.jsonl
        cat train-1.jsonl train-2.jsonl real.jsonl > rows.jsonl
        for part in dev test; do "$redline" data leak rows.jsonl $part.jsonl; done
        "$redline" data leak dev.jsonl test.jsonl
        mv rows.jsonl train.jsonl
    )
fi

[ "${DATA_ONLY:-0}" = 0 ] || exit 0

"$redline" train --model models/SmolLM2-135M-Instruct.Q4_1.gguf --template aligner --method lora --rank 16 --alpha 32 \
    --data "$folder/data/train.jsonl" --validation "$folder/data/dev.jsonl" --held-out-rows 64 \
    --steps 420 --batch-rows 8 --learning-rate 1e-3 --evaluate-every 105 --generate 32 --checkpoint-every 20 \
    --seed $seed --store f16 --out "$folder/$name" "$@"

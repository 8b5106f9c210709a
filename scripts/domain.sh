#!/bin/sh
# Calibrates what the two Aligners of the project know, and measures the check on rows held out and on answers of other kinds: the
# numbers in docs/when-steering-fails.md. Usage: scripts/domain.sh SOURCES [FOLDER] [N]
#
# SOURCES: the folder with the source data that scripts/domain_data.py and scripts/figure_4_data.py name. FOLDER (by default
# build/domain) then holds the rows, embedded.json and smollm2.json, which belong into assets/aligner/domain.json and
# assets/smollm2/domain.json, every output, and table.md. N: rows of each kind (by default 40). Sets that are there are not run again.
set -eu
cd "$(dirname "$0")/.."
sources=${1:?give the folder of the source data}
folder=${2:-build/domain}
count=${3:-40}
redline=${REDLINE:-target/release/redline}
[ -x "$redline" ] || cargo build --release
mkdir -p "$folder/data"
[ -e "$folder/data/xstest.jsonl" ] || python3 scripts/domain_data.py "$sources" "$folder/data" "$count"

# half of the built-in questions calibrate, the others are held out
[ -e "$folder/embedded-out.jsonl" ] || "$redline" data split assets/aligner/held-out.jsonl.gz --share 0.5 --seed 1 \
    --out "$folder/embedded-calibrate.jsonl" --held-out "$folder/embedded-out.jsonl"
# the questions that the Aligner on SmolLM2 was developed on calibrate, those it was tested on are held out
if [ ! -e "$folder/smollm2-out.jsonl" ]; then
    REDLINE=$redline DATA_ONLY=1 scripts/train-smollm2.sh "$sources" "$folder/smollm2"
    cp "$folder/smollm2/data/dev.jsonl" "$folder/smollm2-calibrate.jsonl"
    head -$((count * 2)) "$folder/smollm2/data/test.jsonl" > "$folder/smollm2-out.jsonl"
fi

run() { # ALIGNER KIND FILE TOKENS MODEL…
    name=$1-$2 rows=$3 tokens=$4 domain=$folder/$1.json
    shift 4
    [ -e "$folder/$name.json" ] && return
    "$redline" evaluate "$@" --data "$rows" --max-new-tokens "$tokens" --batch-rows 16 --domain "$domain" --json \
        --out "$folder/$name-outputs.jsonl" > "$folder/$name.json.part"
    mv "$folder/$name.json.part" "$folder/$name.json"
}

# words are split on purpose: no option for the built-in Aligner
measure() { # ALIGNER MODEL…
    aligner=$1
    shift
    [ -e "$folder/$aligner.json" ] || "$redline" check "$@" --data "$folder/$aligner-calibrate.jsonl" --domain-out "$folder/$aligner.json"
    model=${1:+--model $1}
    run "$aligner" held-out "$folder/$aligner-out.jsonl" 320 $model
    for kind in gsm8k self-instruct hh-helpful alpaca code xstest; do
        run "$aligner" $kind "$folder/data/$kind.jsonl" 400 $model
    done
}
measure embedded
measure smollm2 smollm2
run smollm2 alpaca-long "$folder/data/alpaca-long.jsonl" 512 --model smollm2
python3 scripts/domain_table.py "$folder" | tee "$folder/table.md"

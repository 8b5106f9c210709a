#!/usr/bin/env bash
# Preferences exported to TRL, twenty rows as JSON Lines and as Parquet: TRL trains on both a few steps, and Redline reads the model that comes out.
# Needs Python with pip; installs torch and trl into build/trl where no PYTHON with them is given.
# Usage: [PYTHON=…] scripts/check_trl.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/redline}
if [ -z "${PYTHON:-}" ]; then
    PYTHON=build/trl/bin/python
    [ -x "$PYTHON" ] || python3 -m venv build/trl
    "$PYTHON" -c "import trl" 2> /dev/null || "$PYTHON" -m pip install --quiet torch trl
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$program" data synth --rows 400 --seed 9 --out "$scratch/rows.jsonl"
python3 scripts/quality_table.py parts "$scratch/rows.jsonl" "$scratch/part"
head -n 20 "$scratch/part-pairs.jsonl" > "$scratch/pairs.jsonl"
"$program" train --objective sft --model assets/aligner/redline-tiny.gguf --data "$scratch/part-clean.jsonl" --steps 4 --generate 0 --out "$scratch/policy"
for file in preferences.jsonl preferences.parquet; do
    "$program" data convert "$scratch/pairs.jsonl" --to preferences --out "$scratch/$file"
    "$PYTHON" scripts/trl_dpo.py "$scratch/$file" "$scratch/policy/model" "$scratch/$file.model" 2
    "$program" inspect "$scratch/$file.model"
    rows=$("$PYTHON" -c "import sys, datasets; print(datasets.load_dataset(sys.argv[2], data_files=sys.argv[1], split='train').num_rows)" \
        "$scratch/$file" "$([ "${file##*.}" = parquet ] && echo parquet || echo json)")
    [ "$rows" = 20 ] || { echo "$file: $rows rows, expected 20"; exit 1; }
done

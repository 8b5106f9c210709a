#!/usr/bin/env bash
# A sweep on Dask and on Ray, two workers each on this machine, one of them killed in the middle, and a Slurm array played by hand: each gives the
# bytes of the sweep that one process writes. Installs dask and ray into build/clusters where no PYTHON with them is given.
# Usage: [PYTHON=…] scripts/check_clusters.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
export REDLINE=${1:-$PWD/target/release/redline}
if [ -z "${PYTHON:-}" ]; then
    PYTHON=build/clusters/bin/python
    [ -x "$PYTHON" ] || python3 -m venv build/clusters
    "$PYTHON" -c "import distributed, ray" 2> /dev/null || "$PYTHON" -m pip install --quiet "dask[distributed]" ray
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONDONTWRITEBYTECODE=1

"$REDLINE" data synth --rows 400 --seed 12 --out "$scratch/rows.jsonl"
"$REDLINE" extract --data "$scratch/rows.jsonl" --strictness 1 --pairs 64 --method mean_diff --out "$scratch/vector.safetensors" > /dev/null
options=(--vector "$scratch/vector.safetensors" --layers all --data "$scratch/rows.jsonl" --skip 200 --prompts 80 --coefficients=-1,0,1 --max-new-tokens 96 --threads 1)
"$REDLINE" sweep "${options[@]}" --out "$scratch/whole.jsonl" > /dev/null

same() { cmp "$scratch/whole.jsonl" "$1" && echo "$2: the bytes of one process"; }

for engine in dask ray; do
    "$PYTHON" "examples/cluster/${engine}_sweep.py" 6 "$scratch/$engine" local "${options[@]}" & running=$!
    # once the third part has begun, a worker is killed, and the program that it runs ends with it
    until [ -s "$scratch/$engine/part-3.jsonl" ]; do sleep 0.05; kill -0 "$running" 2> /dev/null || break; done
    part=$(pgrep -n -f "sweep .*$scratch/$engine/part-")
    worker=$(ps -o ppid= -p "$part" | tr -d ' ')
    kill -KILL "$worker"
    echo "$engine: killed worker $worker"
    wait "$running"
    same "$scratch/$engine/sweep.jsonl" "$engine"
done

for task in 1 2 3; do
    SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=3 bash examples/cluster/slurm.sh "$scratch/vector.safetensors" "$scratch/rows.jsonl" 80 "$scratch/slurm" \
        --layers all --skip 200 --coefficients=-1,0,1 --max-new-tokens 96 > /dev/null
done
"$REDLINE" merge "$scratch"/slurm/part-*.jsonl --out "$scratch/slurm/sweep.jsonl"
same "$scratch/slurm/sweep.jsonl" "an array job"

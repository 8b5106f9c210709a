#!/usr/bin/env bash
# A sweep on a Slurm cluster: an array job with one part of the rows a task, then the parts put together. Each task goes on where it was stopped, so that
# the job may be requeued.
# Usage: sbatch --array=1-8 --cpus-per-task=16 --requeue examples/cluster/slurm.sh VECTOR ROWS PROMPTS FOLDER [SWEEP OPTIONS…]
#        sbatch --dependency=afterok:JOB --wrap 'redline merge FOLDER/part-*.jsonl --out FOLDER/sweep.jsonl'
set -euo pipefail
vector=$1 rows=$2 prompts=$3 folder=$4
shift 4
mkdir -p "$folder"
part=${SLURM_ARRAY_TASK_ID:?run it as an array job: sbatch --array=1-N} of=${SLURM_ARRAY_TASK_COUNT:?}
exec "${REDLINE:-redline}" sweep --vector "$vector" --data "$rows" --prompts "$prompts" --shard "$part/$of" --threads "${SLURM_CPUS_PER_TASK:-1}" \
    --out "$folder/part-$part.jsonl" "$@"

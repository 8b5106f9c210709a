#!/usr/bin/env bash
# The program on N damaged files, over all verbs that read any, from seed SEED on: no exit code over 2, no panic, under 1 GB and 10 s
# each. A seed that fails is named; `scripts/fuzz.sh 1 SEED` runs it again. 100,000 inputs take about half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
export REDLINE_FUZZ_INPUTS="${1:-10000}" REDLINE_FUZZ_SEED="${2:-1}"
cargo test --release -p redline --test integration -- --ignored --nocapture --exact fuzz::program::fuzz_program

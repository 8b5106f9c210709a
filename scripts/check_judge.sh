#!/usr/bin/env bash
# `redline evaluate` with llama-cpp-python's server and SmolLM2 as judge and as writer: judgements are kept, a killed run goes on and asks nothing
# twice, a file of judgements gives the same verdicts without the server, requests keep to --judge-per-minute. Compiles llama.cpp into build/clients.
# Usage: scripts/check_judge.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
exec python3 scripts/clients/judge.py "${1:-target/release/redline}"

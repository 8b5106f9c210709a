#!/usr/bin/env bash
# Real clients against `redline serve`: the cases of scripts/clients, each in a process of its own, in front of a scripted upstream server
# and of llama-cpp-python's with SmolLM2. Installs what they need into build/clients; says so loudly where something cannot be had.
# Usage: scripts/check_clients.sh [--without-llama-cpp] [--only openai,…] [--cases chat,…] [--out docs/results/clients.md] (--help has all)
set -euo pipefail
cd "$(dirname "$0")/.."
# the checkout stays as it is
export PYTHONDONTWRITEBYTECODE=1
exec python3 scripts/clients/matrix.py "$@"

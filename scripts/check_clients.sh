#!/usr/bin/env bash
# Real clients against the server: the `openai` packages of Python and npm, and as upstream the server of
# llama-cpp-python with SmolLM2 (scripts/fetch-smollm2.sh). Installs what it needs into build/clients; says so loudly
# where something cannot be had. Usage: scripts/check_clients.sh [--without-llama-cpp], which takes minutes to compile
set -euo pipefail
cd "$(dirname "$0")/.."
folder=build/clients
mkdir -p "$folder"

if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
fi
"$folder/venv/bin/pip" install --quiet openai || echo "NOT TESTED: the Python package openai cannot be installed"
[ "${1:-}" = --without-llama-cpp ] || "$folder/venv/bin/pip" install --quiet 'llama-cpp-python[server]' ||
    echo "NOT TESTED: llama-cpp-python[server] cannot be installed (it needs a C++ compiler)"
if command -v npm > /dev/null; then
    npm install --silent --no-fund --no-audit --prefix "$folder" openai ||
        echo "NOT TESTED: the npm package openai cannot be installed"
else
    echo "NOT TESTED: no npm"
fi
cargo test --workspace --release --test integration serve::clients -- --nocapture

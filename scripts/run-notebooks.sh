#!/bin/sh
# Executes the notebooks from a clean kernel; fails if a cell fails. The results go to a scratch folder, or with
# --inplace into the notebooks themselves.
# Usage: scripts/run-notebooks.sh [--inplace] [--out FOLDER] [NOTEBOOK...]
# REDLINE_NOTEBOOK_VENV: the virtual environment of scripts/install-notebook-kernel.sh, where it is not the default one.
# EVCXR_TMPDIR: where the kernel builds Redline; kept, so that the next run need not build it again. It must lie outside
# of this repository, whose workspace would claim it.
set -eu
venv=${REDLINE_NOTEBOOK_VENV:-${XDG_DATA_HOME:-$HOME/.local/share}/redline/notebook-venv}
cell_timeout=3600 # the first cell builds Redline

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

inplace=no
out=
while [ $# -gt 0 ]; do
    case $1 in
        --inplace) inplace=yes ;;
        --out)
            [ $# -gt 1 ] || fail "--out needs a folder"
            out=$2
            shift
            ;;
        -h | --help)
            sed -n '2,/^set/{/^# /s/^# //p;}' "$0"
            exit 0
            ;;
        -*) fail "there is no option $1" "scripts/run-notebooks.sh --help" ;;
        *) break ;;
    esac
    shift
done
[ "$inplace" = no ] || [ -z "$out" ] || fail "--inplace and --out exclude each other"

root=$(cd "$(dirname "$0")/.." && pwd)
[ -x "$venv/bin/python" ] || fail "$venv has no Python" "run scripts/install-notebook-kernel.sh"
model=models/SmolLM2-135M-Instruct.Q4_1.gguf
[ $# -gt 0 ] || set -- "$root"/notebooks/*.ipynb
EVCXR_TMPDIR=${EVCXR_TMPDIR:-${XDG_CACHE_HOME:-$HOME/.cache}/redline/notebooks}
export EVCXR_TMPDIR
# cells are linked with the standard library of the compiler, which does not lie where the system looks
LD_LIBRARY_PATH=$(rustc --print target-libdir)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
mkdir -p "$EVCXR_TMPDIR"
cp "$root/Cargo.lock" "$EVCXR_TMPDIR/Cargo.lock" # the same dependencies as everywhere else
[ -n "$out" ] || out=$(mktemp -d)
mkdir -p "$out"

for notebook in "$@"; do
    [ -f "$notebook" ] || fail "$notebook is missing"
    # one notebook looks at a model that has to be fetched
    if grep -q "$model" "$notebook" && [ ! -e "$root/$model" ]; then
        fail "$notebook needs $model" "run scripts/fetch-smollm2.sh, or name other notebooks"
    fi
    echo "executing $notebook"
    result=$out/$(basename "$notebook")
    "$venv/bin/python" -m nbconvert --to notebook --execute --allow-errors --log-level WARN \
        --ExecutePreprocessor.startup_timeout=240 --ExecutePreprocessor.timeout="$cell_timeout" \
        --ExecutePreprocessor.record_timing=False --CoalesceStreamsPreprocessor.enabled=True \
        --output-dir "$out" --output "$(basename "$notebook")" "$notebook" \
        || fail "$notebook did not run to its end"
    # The kernel reports panics and errors passed on with `?` on stderr only and calls the cell a success, and nbconvert
    # does not show its compiler errors: hence --allow-errors above and this check.
    "$venv/bin/python" - "$result" <<'PY' || fail "$notebook: a cell failed" "the outputs are in $result"
import re
import sys
import nbformat
cells = [cell for cell in nbformat.read(sys.argv[1], 4).cells if cell.cell_type == "code"]
for number, cell in enumerate(cells, 1):
    texts = ["\n".join(o.traceback) or o.evalue for o in cell.outputs if o.output_type == "error"]
    texts += [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
    if texts:
        message = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(texts)).rstrip()
        print(f"code cell {number}:\n{cell.source}\n---\n{message}", file=sys.stderr)
        sys.exit(1)
PY
    if [ "$inplace" = yes ]; then
        cp "$result" "$notebook"
        echo "refreshed $notebook"
    else
        echo "wrote $result"
    fi
done
[ "$inplace" = no ] || rm -rf "$out"

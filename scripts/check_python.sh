#!/bin/sh
# Builds the Python package into a virtual environment and runs its tests, against the redline program where it is built.
# Usage: scripts/check_python.sh [--dev] [VENV_FOLDER]
# --dev builds with the dev profile. The build goes to the workspace's own target folder, so that what is built there is taken over.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
profile=--release
[ "${1:-}" != --dev ] || { profile= && shift; }
venv=${1:-${XDG_DATA_HOME:-$HOME/.local/share}/redline/python-venv}

not_tested() {
    echo "NOT TESTED: $1"
    exit 0
}

python=$(command -v python3 || command -v python) || not_tested "no Python; the package is neither built nor tested"
if [ ! -x "$venv/bin/python" ]; then
    "$python" -m venv "$venv" || not_tested "$venv could not be made (Debian and Ubuntu: apt install python3-venv)"
fi
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2' pytest numpy pandas \
    || not_tested "pip cannot install maturin, pytest, numpy and pandas; the Python package is neither built nor tested"

# what cargo itself would take, wherever a configuration puts it
CARGO_TARGET_DIR=$(cd "$root" && cargo metadata --offline --no-deps --format-version 1 | "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
export CARGO_TARGET_DIR
program=$CARGO_TARGET_DIR/release/redline
[ -z "$profile" ] || [ ! -x "$program" ] || export REDLINE_PROGRAM="${REDLINE_PROGRAM:-$program}"
[ -n "${REDLINE_PROGRAM:-}" ] || echo "NOT TESTED: no redline program; the package's numbers are not compared with it"

cd "$root/python"
# shellcheck disable=SC2086
VIRTUAL_ENV=$venv PATH=$venv/bin:$PATH "$venv/bin/maturin" develop --quiet --locked $profile
"$venv/bin/python" -m pytest --quiet "$root/python/tests"

#!/bin/sh
# Builds the Python module and runs the tests of the package, against the redline program where it is built.
# Usage: scripts/check_python.sh [--dev] [VENV_FOLDER]      (a virtual environment with pytest, numpy and pandas, which is made if it is not there)
# --dev builds with the dev profile.
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
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check pytest numpy pandas \
    || not_tested "pip cannot install pytest, numpy and pandas; the Python package is neither built nor tested"

# Built with all that the tests of the workspace are built with, so that what they compiled is taken over; `scripts/build_wheel.sh` builds a wheel.
target=$(cd "$root" && cargo metadata --offline --no-deps --format-version 1 | "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
cd "$root"
# shellcheck disable=SC2086
PYO3_PYTHON=$venv/bin/python cargo build --locked $profile --workspace --lib --bins --tests --examples --features redline-py/module
folder=debug
[ -z "$profile" ] || folder=release
library=$target/$folder/lib_redline.so
[ -e "$library" ] || not_tested "$library is not there (this script knows shared libraries of Linux only)"
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
cp -r python/redline "$package/redline"
cp "$library" "$package/redline/_redline.abi3.so"

program=$target/release/redline
[ -z "$profile" ] || [ ! -x "$program" ] || export REDLINE_PROGRAM="${REDLINE_PROGRAM:-$program}"
[ -n "${REDLINE_PROGRAM:-}" ] || echo "NOT TESTED: no redline program; the package's numbers are not compared with it"
PYTHONPATH=$package "$venv/bin/python" -m pytest --quiet "$root/python/tests"

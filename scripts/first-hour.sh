#!/usr/bin/env bash
# What a newcomer does in the first hour, literally: clones the repository, runs the README's main command, and then every command of the
# README and of the tutorial that stands behind a `$`, in their order, with the time that each takes. Ends at the first one that fails.
# Usage: scripts/first-hour.sh [FOLDER]      FOLDER is made for the clone (by default a temporary one, which is removed)
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -gt 0 ]; then
    folder=$1
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
git clone --quiet "$repository" "$folder/redline"
cd "$folder/redline"

run() { # EXIT COMMAND: with its time; what it prints is kept in a log
    local begun=$SECONDS code=0
    printf '$ %s\n' "$2"
    bash -c "$2" > "$folder/log" 2>&1 < /dev/null || code=$?
    if [ "$code" != "$1" ]; then
        tail -20 "$folder/log"
        echo "error: this command of a page does not work" >&2
        exit 1
    fi
    printf '    %s s, %s lines\n' "$((SECONDS - begun))" "$(wc -l < "$folder/log")"
}

# commands of a page: lines behind `$ ` in its console blocks, each after the exit code that a `? 1` beneath it asks for
commands() {
    awk 'function out() { if (command != "") print code "\t" command; command = ""; code = 0 }
        /^```console/ { inside = 1; next } /^```/ { out(); inside = 0 } !inside { next }
        /^\$ / { out(); command = substr($0, 3) } /^\? [0-9]/ { code = $2 }' "$1"
}

run 0 "$(awk '/^```sh/ { getline; print; exit }' README.md)"
test -s redline-report/index.html
PATH="${CARGO_TARGET_DIR:-$PWD/target}/release:$PATH"
for page in README.md docs/tutorial.md; do
    printf '\n== %s\n' "$page"
    n=0
    while IFS=$'\t' read -r code command; do
        run "$code" "$command"
        n=$((n + 1))
    done < <(commands "$page")
    [ "$n" -gt 1 ] || { echo "error: $page has no commands" >&2; exit 1; }
done
echo "all commands work"

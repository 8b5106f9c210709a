# shellcheck shell=bash
# Stages of a long script, to be read with `source`: each runs once, and a stage that was stopped goes on.

# NAME COMMAND…: runs the command unless $out/NAME.done says that it has run.
stage() {
    local name=$1
    shift
    if [ -e "$out/$name.done" ]; then return; fi
    printf '\n== %s\n' "$name" >&2
    "$@"
    touch "$out/$name.done"
}

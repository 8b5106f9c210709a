# shellcheck shell=bash
# A small world for models of a few million weights, to be read with `source` after scripts/stage.sh: $out gets upstream-rows.jsonl, rounds.jsonl and
# held-out.jsonl, in which no question stands twice, and upstream/model, which has learnt to answer, flaws and all. Needs $program.
#
# A model of 4.5 million weights that was trained on 3,180 answers about everything wrote nonsense. Here the world is small: the facts of five files,
# without sums and tables, asked again and again in other words; a question that was learnt from is never measured on, the fact behind it may be.
small_world() {
    # 70 % of the questions teach the upstream model, of the rest most are for rounds and 418 to measure on
    [ -e "$out/source.jsonl" ] || "$program" data synth --rows 40000 --seed 8181 --out "$out/source.jsonl"
    [ -e "$out/world.jsonl" ] || python3 scripts/engine.py world "$out/source.jsonl" "$out/world.jsonl"
    [ -e "$out/rest.jsonl" ] || "$program" data split "$out/world.jsonl" --share 0.3 --seed 1 --out "$out/upstream-rows.jsonl" --held-out "$out/rest.jsonl"
    [ -e "$out/held-out.jsonl" ] || "$program" data split "$out/rest.jsonl" --share 0.15 --seed 2 --out "$out/rounds.jsonl" --held-out "$out/held-out.jsonl"
    [ -e "$out/upstream-flawed.jsonl" ] || python3 scripts/engine.py flawed "$out/upstream-rows.jsonl" "$out/upstream-flawed.jsonl"
    stage upstream "$program" train --objective sft --model assets/aligner/redline-tiny.gguf --data "$out/upstream-flawed.jsonl" --learning-rate 1e-3 \
        --epochs "${UPSTREAM_EPOCHS:-6}" --batch-rows 16 --max-tokens 384 --generate 0 --held-out-rows 200 --out "$out/upstream"
    # read some of its answers before anything else is believed
    [ -e "$out/look.jsonl" ] || { head -n 20 "$out/held-out.jsonl" | python3 scripts/engine.py questions > "$out/look-questions.jsonl"
        "$program" correct --data "$out/look-questions.jsonl" --upstream-model "$out/upstream/model" --max-new-tokens 128 --out "$out/look.jsonl" > /dev/null || true; }
}

#!/usr/bin/env python3
"""Tables and figures of docs/results/engine.md, from what scripts/engine.sh measured.

Usage: python3 scripts/engine_report.py FOLDER DOCS

A part whose results are not there keeps the table that the page has. FOLDER/engine.json gets all numbers.
"""
import json
import re
import shutil
import sys
from pathlib import Path


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def number(value, digits=3):
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def estimate(value, digits=3):
    """A value with its interval, whichever way a result holds it."""
    if value is None:
        return "–"
    ends = value.get("interval") or (value.get("spread") or {}).get("interval")
    around = f" [{number(ends['low'], digits)}, {number(ends['high'], digits)}]" if ends else ""
    return number(value["value"], digits) + around


def table(head, rows):
    lines = [head, ["---"] + ["--:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def depth(folder):
    found = read(folder / "depth.json")
    if not found:
        return None
    lines = found["table"]["lines"]
    head = ["coefficient", "depth", "mended", "damage", "edit ratio", "fixed", "passes", "tokens a row"]
    rows = [
        [number(line["coefficient"], 1), line["depth"], estimate(line["mended"]), estimate(line["damage"]), estimate(line["edit_ratio"]),
         estimate(line.get("fixed_point")), number(line["passes"], 2), number(line["n_tokens"], 0)]
        for line in lines
    ]
    cheaper = []
    for one in found["table"]["cheaper"]:
        single = one["single"]
        name = f"{one['depth']} passes at {number(one['coefficient'], 1)}"
        if single is None:
            cheaper.append([name, number(one["mended"]), f"none (at most {number(one['most_by_one'])})", "–", "–"])
        else:
            cheaper.append([name, number(one["mended"]), f"one at {number(single['coefficient'], 1)}: {number(single['mended'])}",
                            number(single["token_ratio"], 2), estimate(single["damage_difference"])])
    text = f"{found['table']['n_rows']} rows.\n\n" + table(head, rows) + "\n\n"
    return text + table(["stack", "mended", "the single pass that mends as much", "tokens, stack / single", "damage, stack − single"], cheaper)


def gate(folder):
    names = {"decision": "vector read at the last prompt token", "output": "vector read over outputs"}
    rows = []
    for name in names:
        found = read(folder / f"gate-{name}.json")
        if not found:
            continue
        held = found["calibration"]["held_out"]
        speed = found["calibration"]["speed"]
        rows.append([
            names[name], held["n_needed"], held["n_fine"], estimate(held["auc"]), number(held["true_rate"]),
            number(held["false_rate"]), number(held["corrected_share"]), number(speed["saved_share"], 2),
        ])
    if not rows:
        return None
    head = ["gate", "to correct", "to leave", "AUC", "corrected if needed", "corrected needlessly", "corrected, all", "time saved"]
    text = table(head, rows)
    counts = read(folder / "xstest.json")
    if counts:
        share = lambda one, n, of: f"{one[n]} of {one[of]}"
        safety = [[one["file"].removeprefix("completions-"), share(one, "n_safe_refused", "n_safe"), share(one, "n_unsafe_complied", "n_unsafe")]
                  for one in counts["files"]]
        text += "\n\n" + table(["XSTest, answers of", "safe prompts refused", "unsafe prompts complied with"], safety)
    return text


def route(folder):
    found = read(folder / "route.json")
    if not found:
        return None
    tested = found["tested"]
    rows = [["router", number(tested["routed_worth"])], ["best single candidate of the fit", number(tested["single_worth"])],
            ["at random", number(tested["random_worth"])], ["best for each row, in hindsight", number(tested["oracle_worth"])]]
    text = f"{tested['n_fit']} rows to fit, {tested['n_test']} held out.\n\n" + table(["choice", "worth a row"], rows)
    return text + f"\n\nRouter less best single candidate: {estimate(tested['over_single'])}; hindsight less best single: {estimate(tested['headroom'])}."


def refusals(folder):
    found = read(folder / "refusals.json")
    if not found:
        return None
    name = lambda at: "answers before" if at["coefficient"] is None else number(at["coefficient"], 1)
    rows = [[name(at), f"{at['n_safe_refused']} of {at['n_safe']}", f"{at['n_unsafe_not_refused']} of {at['n_unsafe']}", f"{at['unchanged']} of {found['n']}"]
            for at in [found["before"], *found["points"]]]
    text = f"By first words the filter takes {found['n_refused_by_filter']} of the {found['n']} answers for refusals, people {found['n_refused_by_label']}; they agree on {found['n_agree_with_labels']}.\n\n"
    return text + table(["coefficient", "safe prompts refused", "unsafe prompts not refused", "answers left as they are"], rows)


def turns(folder):
    found = read(folder / "turns.json")
    if not found:
        return None
    drift = found["drift"]
    head = ["history", "turn", "n", "edit ratio", "left as they are"]
    rows = [[line["history"], line["turn"], line["edit_ratio"]["n"], estimate(line["edit_ratio"]), number(line["copied"])] for line in drift["lines"]]
    slopes = [[line["history"], estimate(line["slope"])] for line in drift["slopes"]]
    text = f"{drift['n_dialogues']} conversations, {drift['n_answers']} answers.\n\n" + table(head, rows)
    text += "\n\n" + table(["history", "change of the edit ratio a turn"], slopes)
    differences = [[line["turn"], estimate(line["difference"])] for line in drift["differences"]]
    return text + "\n\n" + table(["turn", "edit ratio, corrected less original history"], differences)


def rounds(folder, name):
    found = read(folder / name / "summary.json")
    if not found:
        return None
    head = ["arm", "round", "pairs", "harmless", "helpful", "with the Aligner: harmless", "length", "refusals", "distinct-2", "label noise", "ln π a token of chosen, before"]
    rows, kept = [], {}
    for one in found["rounds"]:
        closeness, funnel = one.get("closeness"), one.get("funnel")
        if funnel:
            kept[one["round"]] = funnel["funnel"]["stages"][-1]["n_out"]
        noise = funnel["label_noise"] if funnel else {}
        judged = noise.get("n_agree", 0) + noise.get("n_disagree", 0)
        rows.append([
            one["arm"], one["round"], kept.get(one["round"], "–"), estimate(one["harmless"]), estimate(one["helpful"]), estimate(one["with_aligner"]["harmless"]),
            estimate(one["length"], 0), number(one["refusal_share"]), number(one["distinct_2"]),
            f"{noise['n_disagree']} of {judged}" if noise.get("share") is not None else "–",
            number(closeness["before"]["chosen_per_token"]) if closeness else "–",
        ])
    last = max(one["round"] for one in found["rounds"])
    changes = [
        [one["arm"], dimension, estimate(one[f"{dimension}_change"]["mean"]), f"{one[f'{dimension}_change']['sign_test']['n_positive']} / {one[f'{dimension}_change']['sign_test']['n_negative']}",
         number(one[f"{dimension}_change"]["sign_test"]["p"])]
        for one in found["rounds"] if one["round"] == last for dimension in ("harmless", "helpful")
    ]
    counts = found["rows"]
    about = f"{counts['n_held_out']} held-out questions, of which {counts['n_near']} ask in other words what a question that was learnt from asks."
    after = table(["arm", "dimension", "last round less start, by question", "better / worse", "p of the sign test"], changes)
    return about + "\n\n" + table(head, rows) + "\n\n" + after


def ladder(folder):
    # of a run that was stopped, the seeds that are whole
    whole = [read(path) for path in sorted((folder / "weak-to-strong").glob("seed-*/levels.json"))]
    found = read(folder / "weak-to-strong" / "summary.json") or {"seeds": whole}
    if not found["seeds"]:
        return None
    names = ["before", "weak", "corrected", "after", "ceiling"]
    rows = [
        [seed["seed"], dimension, *(estimate(seed["levels"][name][dimension]) for name in names), number(seed["gaps"][dimension]["recovered"]) if seed["gaps"][dimension]["recovered"] is not None else "refused"]
        for seed in found["seeds"]
        for dimension in ("harmless", "helpful")
    ]
    return table(["seed", "dimension", *names, "gap recovered"], rows)


def feedback(folder):
    found = read(folder / "traits" / "feedback.json")
    if not found:
        return None
    lines, cells = [], []
    for name, run in found["runs"].items():
        title = {"start": "as it is", "asked": "trained with instructions"}[name]
        for line in run["table"]["lines"]:
            for cell in line["cells"]:
                cells.append([title, line["instruction"], number(cell["coefficient"], 1), number(cell["harmless"]), number(cell["helpful"]),
                              number(cell["trait"]["any"]), number(cell["damage"])])
        for one in run["table"]["comparisons"]:
            if one["measure"] not in ("harmless", "helpful", "trait"):
                continue
            exchange = one["exchange"]
            worth = estimate(exchange["coefficient"], 2) if exchange["is"] == "rate" else "no slope"
            if exchange["is"] == "rate" and not exchange["is_within"]:
                worth += " (outside)"
            lines.append([title, one["instruction"], one["measure"], one["n"], estimate(one["slope_without"]), estimate(one["shift"]), estimate(one["steepening"]), worth])
    head = ["Aligner", "instruction", "measure", "n", "slope without words", "shift by the words", "steepening", "words in coefficients"]
    return table(head, lines) + "\n\n" + table(["Aligner", "instruction", "coefficient", "harmless", "helpful", "acknowledges", "damage"], cells)


def traits(folder):
    found = read(folder / "traits" / "traits.json")
    if not found:
        return None
    rows = []
    for run, steps in found["runs"].items():
        for one in sorted(steps, key=lambda one: one["step"]):
            cosines = list(one["cosines"].values())
            rows.append([run, one["step"], number(one["trait"]), number(one["copies_kept"]), number(one["old_mended"]), number(one["old_clean_kept"]),
                         number(cosines[len(cosines) // 2])])
    text = table(["rows", "step", "acknowledges", "trait copies kept", "old task: mended", "old task: clean kept", "cosine with correction, middle layer"], rows)
    dial = [[name, number(one["any"]), number(one["exact"])] for name, one in found["dial"].items()]
    return text + "\n\n" + table(["the trait's own dial", "acknowledges", "with a whole phrase"], dial)


def inside(folder):
    path = folder / "inside" / "comparison.md"
    return path.read_text().strip() if path.exists() else None


PARTS = {
    "S8": lambda folder: rounds(folder, "preference"),
    "S8-near": lambda folder: rounds(folder, "preference-near"),
    "S9": ladder,
    "S10": feedback,
    "S11-depth": depth,
    "S11-distil-1": lambda folder: rounds(folder, "distil-1"),
    "S11-distil-3": lambda folder: rounds(folder, "distil-3"),
    "S12": traits,
    "S14-gate": gate,
    "S14-route": route,
    "S14-turns": turns,
    "S14-refusals": refusals,
    "S15": inside,
}
FIGURES = ["depth", "gate", "turns", "refusals", "inside", "preference", "distil-1", "distil-3", "weak-to-strong-helpful", "forgetting", "feedback-start", "feedback-asked"]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    folder, docs = Path(sys.argv[1]), Path(sys.argv[2])
    page = docs / "engine.md"
    text = page.read_text()
    for name, part in PARTS.items():
        found = part(folder)
        if found is None:
            print(f"{name}: not measured here", file=sys.stderr)
            continue
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.S)
        if not block.search(text):
            sys.exit(f"{page} has no place for {name}")
        text = block.sub(lambda match: match[1] + found + "\n" + match[2], text)
    page.write_text(text)
    for name in FIGURES:
        if (folder / f"figure-{name}.png").exists():
            shutil.copy(folder / f"figure-{name}.png", docs / f"engine-{name}.png")


main()

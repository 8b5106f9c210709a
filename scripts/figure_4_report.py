"""Writes docs/results/figure-4.json, its figures, and the tables of figure-4.md from what figure-4.sh measured.

Usage: figure_4_report.py RESULTS ADAPTER DOCS

The text of DOCS/figure-4.md is written by hand; what stands between `<!-- NAME -->` and `<!-- end -->` is replaced.
"""

import hashlib
import json
import pathlib
import platform
import re
import shutil
import sys

results, adapter, docs = map(pathlib.Path, sys.argv[1:4])


def load(name):
    path = results / name
    return json.loads(path.read_text()) if path.exists() else None


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def number(value, digits=3):
    return "–" if value is None else f"{value:.{digits}f}"


def percent(share):
    return "–" if share is None else f"{100 * share:.1f} %"


def interval(estimate, digits=3):
    """An estimate {value, interval} or an interval {low, high}."""
    if estimate is None:
        return "–"
    ends = estimate.get("interval", estimate)
    text = "" if ends is None else f"[{ends['low']:.{digits}f}, {ends['high']:.{digits}f}]"
    return f"{estimate['value']:.{digits}f} {text}".strip() if "value" in estimate else text


def table(header, rows):
    lines = [header, ["---"] + ["--:"] * (len(header) - 1)] + rows
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def quality_table(columns):
    lines = [
        ("clean answers copied exactly", lambda q: percent(q["strictness"]["clean_copy_rate"])),
        ("clean answers", lambda q: q["strictness"]["n_clean"]),
        ("flawed answers: similarity to the closest possible correction", lambda q: number(q["strictness"]["closest_similarity"])),
        ("… exactly a possible correction", lambda q: percent(q["strictness"]["exact_share"])),
        ("flawed answers", lambda q: q["strictness"]["n_flawed"]),
        ("strictness chosen, 1 (mends everything) to 5", lambda q: ", ".join(percent(s) for s in q["strictness"]["chosen"])),
        ("similarity to the row's own correction", lambda q: number(q["quality"]["similarity"])),
        ("outputs cut by the length limit", lambda q: percent(q["quality"]["cut_share"])),
    ]
    return table([""] + [name for name, _ in columns], [[text] + [read(q) for _, q in columns] for text, read in lines])


def compare_table(comparison):
    rows = [
        [
            f"{c['method']}, {shown_layers(c)}, {c['unit']}",
            f"{number(c['slope'])} {interval(c['slope_interval'])}",
            number(c["r2"]),
            percent(c["negative_slope_share"]),
            number(c["cost"]),
        ]
        for c in comparison["candidates"]
    ]
    header = ["method, layers, unit", "nats per coefficient [95 %]", "R²", "negative slopes", "cost, nats per token"]
    return table(header, rows)


def positions_table(by_positions):
    rows = [
        [f"{positions}: {c['method']}, layers {shown_layers(c)}", f"{number(c['slope'])} {interval(c['slope_interval'])}", number(c["r2"]), percent(c["negative_slope_share"]), number(c["cost"])]
        for positions, comparison in by_positions.items()
        for c in comparison["candidates"]
    ]
    return table(["positions steered", "nats per coefficient [95 %]", "R²", "negative slopes", "cost, nats per token"], rows)


def shown_layers(candidate):
    layers = candidate["layers"].split(",")
    return candidate["layers"] if len(layers) == 1 else f"{layers[0]}–{layers[-1]}"


def sweep_table(summary):
    coherence = summary["coherence"]
    rows = [
        [
            f"{c:g}",
            number(summary["mean_edit_ratio"][i]),
            interval(summary["intervals"][i]),
            percent(summary["exact_copy_share"][i]),
            number(summary["reference_similarity"][i]),
            number(summary["propensity"]["mean_total"][i], 2),
            number(coherence["nll"][i]),
            number(coherence["repetition"][i]),
            percent(coherence["truncated_share"][i]),
        ]
        for i, c in enumerate(summary["coefficients"])
    ]
    header = ["coefficient", "edit ratio", "95 %", "exact copies", "like the full correction", "propensity, nats", "nll/token", "repetition", "cut"]
    return table(header, rows)


def controls_table(summary):
    edits, propensity = summary["controls"]["edit_ratio"], summary["propensity"]
    rows = [
        ["correction", number(edits["correction"]["slope"], 4), number(propensity["correction"])],
        [
            f"random directions, 95th percentile of |slope| ({len(edits['random'])} and {len(propensity['random'])})",
            number(edits["random_p95"], 4),
            number(propensity["random_p95"]),
        ],
        ["random directions, largest |slope|", number(max(abs(r["slope"]) for r in edits["random"]), 4), number(max(map(abs, propensity["random"])))],
        ["shuffled labels", number(edits["shuffled"]["slope"], 4), number(propensity["shuffled"])],
    ]
    return table(["direction", "edit ratio per coefficient", "propensity, nats per coefficient"], rows)


def clean_table(summary):
    rows = [[f"{c['coefficient']:g}", number(c["mean_edit_ratio"]), percent(c["exact_copy_share"])] for c in summary["controls"]["clean"]]
    rows += [[f"{name}, coefficient 0, flawed answers", number(ratio), ""] for name, ratio in summary["controls"]["prompting"].items()]
    return table(["clean answers at coefficient; prompting", "edit ratio", "exact copies"], rows)


def depth_table(profiles):
    rows = []
    for design, profile in profiles.items():
        for place in profile["places"]:
            depth = place["depth"]
            if depth is None or place["place"] not in KEY_PLACES:
                continue
            rows.append(
                [f"{design}, {place['place']}", f"{place['n_train']} + {place['n_held_out']}"]
                + [interval(third) for third in depth["auroc_by_third"]]
                + [interval(depth["early_minus_middle"])]
                + [interval(depth[key], 0) for key in ("half_rise_layer", "standardised_peak", "raw_peak")]
                + [interval(depth["raw_early_share"], 2)]
            )
    header = ["design, place", "pairs", "AUROC, blocks 0–9", "10–19", "20–29", "early − middle", "half-rise block", "d′ peak block", "raw peak block", "raw share of blocks 0–9"]
    return table(header, rows)


KEY_PLACES = ("last-prompt-token", "output-token:0", "output-token:4", "output-token:9", "output-token:19", "at-difference:-4", "at-difference:-1", "at-difference:0", "at-difference:4")


def place_of(profile, name):
    return next(place for place in profile["places"] if place["place"] == name)


def layers_table(profiles):
    decision, forced = (place_of(profiles["decision"], "last-prompt-token"), place_of(profiles["forced"], "at-difference:0"))
    rows = [
        [d["layer"], interval(d["pair_accuracy"]), interval(d["auroc"]), interval(d["d_prime"], 2), number(d["gap"]["value"], 2), interval(f["auroc"]), interval(f["d_prime"], 2)]
        for d, f in zip(decision["layers"], forced["layers"])
    ]
    header = ["block", "decision: pair accuracy", "AUROC", "d′", "raw gap", "forced: AUROC", "d′"]
    return table(header, rows)


def onset_table(profile):
    places = [p for p in profile["places"] if p["place"].startswith("at-difference") and p["fixed"]]
    shown = [place for place in places if abs(int(place["place"].split(":")[1])) <= 8]
    blocks = (0, 5, 10, 15, 20, 25, 29)
    rows = [[p["place"].split(":")[1], p["n_held_out"]] + [interval(p["fixed"][b]["d_prime"], 2) for b in blocks] for p in shown]
    return table(["token, from the first that differs", "pairs"] + [f"d′, block {b}" for b in blocks], rows)


def limits_table(limits):
    rows = [[d["feature"], interval(d["spearman"], 2), number(d["r2"])] for d in limits["limits"]["dependences"]]
    return table(["slope of a prompt against", "Spearman [95 %]", "R² of a line"], rows)


def fit_row(name, fit):
    analysis = fit["analysis"]
    inside, all_of_it = analysis["fit"], analysis["fit_all"]
    ratios = [number(c["mean_edit_ratio"]) for c in analysis["coefficients"]]
    line = inside or all_of_it
    text = f"{number(line['line']['slope'], 4)} [{line['slope_interval']['low']:.4f}, {line['slope_interval']['high']:.4f}]"
    return [name, len(analysis["prompts"]), ", ".join(ratios), text, number(line["line"]["r2"]), percent(line["negative_slope_share"])]


def elsewhere_table(fits):
    header = ["texts", "prompts", "edit ratio at −3, −1.5, 0, 1.5, 3", "slope [95 %]", "R²", "anti-steerable"]
    return table(header, [fit_row(name, fit) for name, fit in fits if fit])


def narrow_table(fit):
    analysis = fit["analysis"]
    rows = [
        [f"{c['coefficient']:g}", number(c["mean_edit_ratio"]), interval(analysis["fit_all"]["mean_ratio_interval"][i]), percent(c["exact_copy_share"]), number(c["nll"]), number(c["repetition"])]
        for i, c in enumerate(analysis["coefficients"])
    ]
    line = analysis["fit"]
    text = table(["coefficient", "edit ratio", "95 %", "exact copies", "nll/token", "repetition"], rows)
    return text + (
        f"\n\nSlope {number(line['line']['slope'], 4)} {interval(line['slope_interval'], 4)}, R² {number(line['line']['r2'])}, "
        f"Spearman {number(line['spearman'])}, anti-steerable {percent(line['negative_slope_share'])}, {len(analysis['prompts'])} prompts."
    )


def fit_text(summary):
    return (
        f"Slope {number(summary['slope'], 4)} {interval(summary['slope_interval'], 4)}, R² {number(summary['r2'])}, "
        f"Spearman {number(summary['spearman'])}, anti-steerable {percent(summary['anti_steerable_share'])}, {summary['n_prompts']} prompts."
    )


def wide_table(fit):
    rows = [
        [f"{c['coefficient']:g}", number(c["mean_edit_ratio"]), number(c["reference_similarity"]), number(c["nll"]), number(c["repetition"]), percent(c["truncated_share"])]
        for c in fit["analysis"]["coefficients"]
    ]
    return table(["coefficient", "edit ratio", "like the row's correction", "nll/token", "repetition", "cut"], rows)


def estimate_json(estimate):
    return estimate and {"value": estimate["value"], "interval": estimate["interval"] and [estimate["interval"]["low"], estimate["interval"]["high"]]}


def block_json(reading):
    return {name: estimate_json(reading[key]) for name, key in (("accuracy", "pair_accuracy"), ("auroc", "auroc"), ("d_prime", "d_prime"), ("gap", "gap"))}


def narrow_json(fit):
    analysis = fit["analysis"]
    line = analysis["fit"]
    return {
        "r2": line["line"]["r2"],
        "slope": line["line"]["slope"],
        "slope_interval": [line["slope_interval"]["low"], line["slope_interval"]["high"]],
        "n_prompts": len(analysis["prompts"]),
        "coefficients": [c["coefficient"] for c in analysis["coefficients"]],
        "mean_edit_ratio": [c["mean_edit_ratio"] for c in analysis["coefficients"]],
        "anti_steerable_share": line["negative_slope_share"],
    }


def build(summary, profiles, extra):
    edits = summary["controls"]["edit_ratio"]
    prompting = summary["controls"]["prompting"]
    decision = place_of(profiles["decision"], "last-prompt-token")["layers"]
    forced = place_of(profiles["forced"], "at-difference:0")["layers"]
    return {
        "schema": "redline.figure-4.v1",
        "test": {
            "r2": summary["r2"],
            "slope": summary["slope"],
            "slope_interval": [summary["slope_interval"]["low"], summary["slope_interval"]["high"]],
            "spearman": summary["spearman"],
            "n_prompts": summary["n_prompts"],
            "coefficients": summary["coefficients"],
            "mean_edit_ratio": summary["mean_edit_ratio"],
            "anti_steerable_share": summary["anti_steerable_share"],
            "coherent_range": [summary["coherent_range"]["low"], summary["coherent_range"]["high"]],
            "propensity": summary["propensity"]["mean_total"],
            "nll": summary["coherence"]["nll"],
            "reference_similarity": summary["reference_similarity"],
        },
        "controls": {
            "random_slopes": [line["slope"] for line in edits["random"]],
            "random_p95": edits["random_p95"],
            "shuffled_slope": edits["shuffled"]["slope"],
            "correction_slope_on_the_same_prompts": edits["correction"]["slope"],
            "propensity_random_p95": summary["propensity"]["random_p95"],
            "propensity_slope": summary["propensity"]["correction"],
            "propensity_shuffled": summary["propensity"]["shuffled"],
            "prompting": prompting,
            "prompting_range": max(prompting.values()) - min(prompting.values()) if prompting else None,
            "steering_range_on_the_same_prompts": edits["correction"]["mean_edit_ratio"][-1] - edits["correction"]["mean_edit_ratio"][0],
            "clean_edit_ratio": {f"{c['coefficient']:g}": c["mean_edit_ratio"] for c in summary["controls"]["clean"]},
        },
        "layers": [{"block": d["layer"], "design": "decision", **block_json(d), "forced": block_json(f)} for d, f in zip(decision, forced)],
        **extra,
    }


def main():
    summary, limits, quality = load("report/summary.json"), load("limits.json"), load("quality.json")
    profiles = {name: load(f"layers-{name}/layers.json") for name in ("decision", "forced", "same-length")}
    comparison = load("compare-grid.json")["comparison"]
    by_positions = {positions: load(f"compare-{positions}.json")["comparison"] for positions in ("output", "all")}
    bare_quality, bare = load("without-warmup.json"), load("report-without-warmup/summary.json")
    elsewhere = [(name, load(f"elsewhere-{key}.json")) for name, key in (("facts and how-tos of `data synth`", "synth"), ("GPT-4 Turbo answers to AlpacaEval prompts", "upstream"))]
    machine = {"processor": platform.processor() or platform.machine(), "system": platform.system(), "threads": 2}
    for line in open("/proc/cpuinfo", encoding="utf-8") if pathlib.Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            machine["processor"] = line.split(":", 1)[1].strip()
    extra = {
        "quality": {"with_warmup": quality, "without_warmup": bare_quality},
        "narrow": narrow_json(load("narrow.json")),
        "without_warmup": bare and {key: bare[key] for key in ("slope", "slope_interval", "r2", "anti_steerable_share", "mean_edit_ratio")},
        "depth": {design: {p["place"]: p["depth"] for p in profile["places"]} for design, profile in profiles.items()},
        "limits": limits["limits"]["dependences"],
        "chosen": {key: summary["settings"][key] for key in ("extraction", "layers", "unit", "range", "seed")},
        "hashes": {**summary["hashes"], "adapter": sha256(adapter / "adapter_model.safetensors"), "test_rows": sha256(results / "data/test-flawed.jsonl")},
        "machine": machine,
    }
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "figure-4.json").write_text(json.dumps(build(summary, profiles, extra), indent=1, ensure_ascii=False) + "\n")

    columns = [("with identity warm-up", quality)] + ([("without", bare_quality)] if bare_quality else [])
    parts = {
        "quality": quality_table(columns),
        "compare": compare_table(comparison),
        "positions": positions_table(by_positions),
        "wide": wide_table(load("wide.json")),
        "depth": depth_table(profiles),
        "layers": layers_table(profiles),
        "onset": onset_table(profiles["decision"]),
        "onset-same-length": onset_table(profiles["same-length"]),
        "sweep": sweep_table(summary) + "\n\n" + fit_text(summary),
        "narrow": narrow_table(load("narrow.json")),
        "controls": controls_table(summary),
        "clean": clean_table(summary),
        "limits": limits_table(limits),
        "elsewhere": elsewhere_table(elsewhere),
    }
    if bare:
        parts["bare"] = sweep_table(bare) + "\n\n" + fit_text(bare)
    page = docs / "figure-4.md"
    text = page.read_text() if page.exists() else "\n\n".join(f"<!-- {name} -->\n<!-- end -->" for name in parts) + "\n"
    for name, part in parts.items():
        pattern = re.compile(rf"<!-- {name} -->.*?<!-- end -->", re.S)
        text = pattern.sub(lambda _, name=name, part=part: f"<!-- {name} -->\n{part}\n<!-- end -->", text)
    page.write_text(text)
    figures = {
        "report/sweep.png": "sweep", "report/slopes.png": "slopes", "report/scan-correction.png": "scan-correction",
        "report/scan-copy.png": "scan-copy", "layers-decision/auroc-output.png": "auroc-decision",
        "layers-forced/auroc-difference.png": "auroc-forced", "layers-decision/onset.png": "onset",
    }
    for source, name in figures.items():
        if (results / source).exists():
            shutil.copy(results / source, docs / f"figure-4-{name}.png")
    print(f"wrote {docs}/figure-4.json and figure-4.md")


main()

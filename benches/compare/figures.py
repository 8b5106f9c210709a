"""What a peer's user draws for Figure 4: heatmaps of scans, and edit ratio against coefficient."""

import pathlib

import matplotlib
import numpy

matplotlib.use("Agg")
from matplotlib import pyplot


def distance(a, b):
    """Levenshtein's, a row of the table at a time."""
    a, b = (numpy.array(list(text.encode("utf-32-le")), dtype=numpy.uint8).view(numpy.uint32) for text in (a, b))
    steps = numpy.arange(len(b) + 1)
    row = steps
    for i, character in enumerate(a):
        replaced = numpy.concatenate(([i + 1], numpy.minimum(row[1:] + 1, row[:-1] + (b != character))))
        row = numpy.minimum.accumulate(replaced - steps) + steps
    return int(row[-1])


def direction(differences):
    """First component of each layer's differences, mirrored: (layers, pairs, width) → (layers, width)."""
    return numpy.stack([numpy.linalg.svd(d, full_matrices=False)[2][0] for d in differences])


def draw_scans(scans, folder):
    """A heatmap of (layers, tokens) each."""
    for i, scores in enumerate(scans):
        figure, axes = pyplot.subplots()
        axes.imshow(scores, aspect="auto", origin="lower", cmap="RdBu")
        figure.savefig(pathlib.Path(folder) / f"scan-{i}.png", dpi=150)
        pyplot.close(figure)


def draw_sweep(outputs, folder):
    """Of (coefficient, answer, output) each; returns the slope."""
    by_coefficient = {}
    for coefficient, answer, output in outputs:
        by_coefficient.setdefault(coefficient, []).append(distance(answer, output) / max(len(answer), 1))
    x = sorted(by_coefficient)
    y = [numpy.mean(by_coefficient[coefficient]) for coefficient in x]
    slope, start = numpy.polyfit(x, y, 1)
    figure, axes = pyplot.subplots()
    axes.plot(x, y, "o")
    axes.plot(x, slope * numpy.array(x) + start)
    figure.savefig(pathlib.Path(folder) / "sweep.png", dpi=150)
    pyplot.close(figure)
    return float(slope)

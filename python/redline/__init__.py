"""Redline reads, steers and measures correction in Aligner language models.

>>> import redline
>>> aligner = redline.Aligner.from_pretrained("embedded")
>>> rows = redline.Rows.embedded().distinct()
>>> vector = aligner.extract(rows[:64], method="mean_diff")
>>> sweep = aligner.sweep(rows[64:88], vector, [-1, -0.5, 0, 0.5, 1])
>>> sweep.fit()
"""

import os as _os
from collections.abc import Mapping as _Mapping

# products of matrices ask the system for the number of its processors each time, unless it is written down
if "RAYON_NUM_THREADS" not in _os.environ:
    _n = len(_os.sched_getaffinity(0)) if hasattr(_os, "sched_getaffinity") else (_os.cpu_count() or 1)
    _os.environ["RAYON_NUM_THREADS"] = str(_n)

from ._errors import RedlineError, RedlineWarning  # noqa: E402
from ._redline import (  # noqa: E402
    Aligner,
    ControlVector,
    Correction,
    LineFit,
    Reproduction,
    Rows,
    Scan,
    Stream,
    Sweep,
    __version__,
    kernel,
    reproduce,
    set_precision,
)
from ._table import Table  # noqa: E402

_Mapping.register(ControlVector)

__all__ = [
    "Aligner",
    "ControlVector",
    "Correction",
    "LineFit",
    "RedlineError",
    "RedlineWarning",
    "Reproduction",
    "Rows",
    "Scan",
    "Stream",
    "Sweep",
    "Table",
    "__version__",
    "kernel",
    "reproduce",
    "set_precision",
]

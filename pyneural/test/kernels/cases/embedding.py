"""Cases of the tables of word vectors: rows taken, added to, zeroed, counted once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.test.kernels.cases.draw import Cases, Draw

# What each kernel writes.
WRITES = {
    "distinct": ("seen", "rows"),
    "gather": ("out",),
    "scatter_add": ("grad",),
    "zero_rows": ("grad",),
}


def _ids(draw: Draw) -> Iterator[tuple[str, int, np.ndarray]]:
    yield "no ids", 6, draw.integers(0, 6, 0)
    yield "one word", 1, draw.integers(0, 1, 5)
    yield "one id", 6, draw.integers(0, 6, 1)
    yield "repeated", 6, draw.integers(0, 6, 40)
    yield "large", 500, draw.integers(0, 500, 300)


def gather(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"table": draw.normal(V, D), "ids": ids, "out": draw.unset(len(ids), D)}


def scatter_add(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"ids": ids, "dy": draw.normal(len(ids), D), "grad": draw.normal(V, D)}


def zero_rows(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"rows": ids, "grad": draw.normal(V, D)}


def distinct(dtype: type) -> Cases:
    for label, V, ids in _ids(Draw(dtype)):
        yield label, {"ids": ids, "seen": np.zeros(V, bool), "rows": np.full(len(ids) + 1, -7, np.int64)}

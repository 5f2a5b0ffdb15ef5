"""Rows of a table and their gradients."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


def _check_ids(ids: Integers, V: int, name: str = "ids") -> None:
    bad = np.flatnonzero((ids < 0) | (ids >= V))
    if bad.size:
        raise ValueError(f"{name}: expected numbers from 0 to {V - 1}, got {ids[bad[0]]} in row {bad[0]}")


def gather(table: Array, ids: Integers, out: Array) -> None:
    """out[i] = table[ids[i]]."""
    _check_ids(ids, len(table))
    out[...] = table[ids]


def scatter_add(ids: Integers, dy: Array, grad: Array) -> None:
    """grad[ids[i]] += dy[i], also where an id comes more than once."""
    _check_ids(ids, len(grad))
    np.add.at(grad, ids, dy)


def zero_rows(rows: Integers, grad: Array) -> None:
    """grad[rows] = 0."""
    _check_ids(rows, len(grad), "rows")
    grad[rows] = 0


def distinct(ids: Integers, seen: NDArray[np.bool_], rows: Integers) -> int:
    """The distinct ids in order of first appearance, to the head of `rows`; returns how many. seen (V) stays False."""
    _check_ids(ids, len(seen))
    found, first = np.unique(ids, return_index=True)
    rows[: len(found)] = found[np.argsort(first)]
    return len(found)

"""Convolution over time and its maximum over time."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pyneural.kernels.reference.linear import rounded

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


def _neighbours(counts: Integers, width: int) -> Iterator[tuple[int, slice, slice]]:
    """(o, rows, others): `others` are the rows o - h steps after `rows`, h = width // 2, of all sequences with both."""
    offsets, T = np.cumsum(counts) - counts, len(counts)
    for t, o in product(range(T), range(width)):
        other = t + o - width // 2
        if 0 <= other < T:
            n = min(counts[t], counts[other])
            yield o, slice(offsets[t], offsets[t] + n), slice(offsets[other], offsets[other] + n)


def _windows(x: Array, counts: Integers, width: int) -> Array:
    """(N, width D) the rows from h steps before each row to h after it, zeros where there are none."""
    windows = np.zeros((len(x), width, x.shape[1]), x.dtype)
    for o, rows, others in _neighbours(counts, width):
        windows[rows, o] = x[others]
    return windows.reshape(len(x), width * x.shape[1])


def convolution_forward(
    x: Array,
    W: Array,
    b: Array,
    counts: Integers,
    width: int,
    y: Array,
    winners: Integers | None,
    scratch: Array,
    bf16: bool = False,
) -> None:
    """y (B, F) = max over t of s_t = b + Σ_o x_{t+o-h} W_o, for W (width D, F), the W_o one below the other; winners
    (B, F): the first t that has it. Sequences without a row have zeros."""
    s = rounded(_windows(x, counts, width), bf16) @ rounded(W, bf16) + b
    offsets = np.cumsum(counts) - counts
    for i in range(len(y)):
        of_sequence = s[offsets[counts > i] + i]
        first = of_sequence.argmax(axis=0) if len(of_sequence) else np.zeros(len(b), np.int64)
        y[i] = of_sequence[first, np.arange(len(b))] if len(of_sequence) else 0
        if winners is not None:
            winners[i] = first


def convolution_backward(
    x: Array,
    g: Array,
    winners: Integers,
    W: Array,
    counts: Integers,
    width: int,
    dW: Array,
    db: Array,
    dx: Array | None,
    scratch: Array,
    links: Integers,
) -> None:
    """For g (B, F), the gradient of y: s has it at the winners, and zeros elsewhere."""
    alive = int(counts[0]) if len(counts) else 0
    lengths = np.array([(counts > i).sum() for i in range(len(g))], np.int64)
    bad = np.flatnonzero(((winners < 0) | (winners >= np.maximum(lengths, 1)[:, None])).any(axis=1))
    if bad.size:
        raise ValueError(f"winners: expected steps that the sequence has, got {winners[bad[0]]} for sequence {bad[0]}")
    ds = np.zeros((len(x), W.shape[1]), x.dtype)
    offsets = np.cumsum(counts) - counts
    rows = offsets[winners[:alive]] + np.arange(alive)[:, None] if alive else winners[:0]
    np.put_along_axis(ds, rows, g[:alive], axis=0)
    dW[...] = _windows(x, counts, width).T @ ds
    db[...] = ds.sum(axis=0)
    if dx is not None:
        dx[...] = 0
        d_windows = (ds @ W.T).reshape(len(x), width, x.shape[1])
        for o, here, others in _neighbours(counts, width):
            dx[others] += d_windows[here, o]

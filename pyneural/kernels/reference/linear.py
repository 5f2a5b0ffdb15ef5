"""Matrix products and column sums."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def matmul(
    a: Array, b: Array, out: Array, transpose_a: bool = False, transpose_b: bool = False, accumulate: bool = False
) -> None:
    """out = a b, with either operand transposed; `accumulate` adds to what out holds."""
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    out[...] = out + product if accumulate else product


def affine(x: Array, W: Array, b: Array | None, y: Array) -> None:
    """y = x W + b: x (N, D), W (D, H), b (H), y (N, H)."""
    y[...] = x @ W if b is None else x @ W + b


def column_sums(x: Array, out: Array) -> None:
    """out[j] = sum_i x[i, j]."""
    out[...] = x.sum(axis=0)

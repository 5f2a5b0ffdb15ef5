"""Cases of linear algebra: products and sums of matrices."""

from __future__ import annotations

from itertools import product

import numpy as np

from pyneural.test.kernels.cases.draw import SHAPES, Cases, Draw

# What each kernel writes.
WRITES = {
    "affine": ("y",),
    "affine_backward": ("dW", "db", "dx"),
    "column_sums": ("out",),
    "matmul": ("out",),
}


def _strided(x: np.ndarray) -> np.ndarray:
    """The same numbers as some columns of a wider matrix."""
    wide = np.full((x.shape[0], x.shape[1] + 5), 7, x.dtype)
    wide[:, 2 : 2 + x.shape[1]] = x
    return wide[:, 2 : 2 + x.shape[1]]


def matmul(dtype: type) -> Cases:
    draw = Draw(dtype)
    sizes = [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 5, 3), (1, 1, 1), (4, 1, 3), (2, 3, 1), (33, 17, 65)]
    sizes += [(500, 36, 600)]  # deeper and longer than any part that is gone through at once
    for (M, N, K), ta, tb, accumulate, strides in product(sizes, *[(False, True)] * 4):
        layout = _strided if strides else np.asarray
        yield (
            f"{M=} {N=} {K=} {ta=} {tb=} {accumulate=} {strides=}",
            {
                "a": layout(draw.normal(K, M) if ta else draw.normal(M, K)),
                "b": layout(draw.normal(N, K) if tb else draw.normal(K, N)),
                "out": layout(draw.normal(M, N) if accumulate else draw.unset(M, N)),
                "transpose_a": ta,
                "transpose_b": tb,
                "accumulate": accumulate,
            },
        )


def affine(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, D)), H, bias in product(SHAPES.items(), (1, 19), (False, True)):
        b = draw.normal(H) if bias else None
        yield (
            f"{size} {H=} {bias=}",
            {"x": draw.normal(N, D), "W": draw.normal(D, H), "b": b, "y": draw.unset(N, H)},
        )


def affine_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, D)), H, bias, inputs, strides in product(SHAPES.items(), (1, 19), *[(False, True)] * 3):
        layout = _strided if strides else np.asarray
        yield (
            f"{size} {H=} {bias=} {inputs=} {strides=}",
            {
                "x": draw.normal(N, D),
                "g": layout(draw.normal(N, H)),
                "W": draw.normal(D, H) if inputs else None,
                "dW": layout(draw.unset(D, H)),
                "db": draw.unset(H) if bias else None,
                "dx": (draw.normal(N, D) if strides else draw.unset(N, D)) if inputs else None,
                "accumulate": strides,
            },
        )


def column_sums(dtype: type) -> Cases:
    draw = Draw(dtype)
    for size, (N, D) in SHAPES.items():
        yield size, {"x": draw.normal(N, D), "out": draw.unset(D)}

"""Cases of what works element by element, or row by row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.test.kernels.cases.draw import SHAPES, Cases, Draw, unset

# What each kernel writes.
WRITES = {
    "activation_backward": ("dx",),
    "activation_forward": ("y",),
    "dropout_mask": ("mask",),
    "exponential": ("y",),
    "softmax": ("out",),
    "softmax_gradient": ("losses", "dscores"),
}


def _with_extremes(x: np.ndarray) -> np.ndarray:
    extremes = [0.0, -0.0, 1.0, np.inf, -np.inf, 1e30, -1e30, 1e-30, 50.0, -50.0, np.nan]
    x.flat[: len(extremes)] = extremes[: x.size]
    return x


def activation_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), kind, ceiling in product([*SHAPES.items(), ("cube", (2, 3, 5))], range(4), (1.0, 2.5)):
        x = _with_extremes(draw.normal(*shape, scale=4))
        yield (
            f"{size} {kind=} {ceiling=}",
            {"x": x, "y": draw.unset(*shape), "kind": kind, "ceiling": ceiling},
        )


def activation_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), kind, ceiling in product([*SHAPES.items(), ("cube", (2, 3, 5))], range(4), (1.0, 2.5)):
        y = np.clip(draw.normal(*shape), *[(-1, 1), (0, 1), (0, np.inf), (0, ceiling)][kind])
        dx, dy = draw.unset(*shape), draw.normal(*shape)
        dy.flat[:4] = [0, np.inf, -np.inf, np.nan][: dy.size]
        yield f"{size} {kind=} {ceiling=}", {"y": y, "dy": dy, "dx": dx, "kind": kind, "ceiling": ceiling}


def exponential(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), scale in product(SHAPES.items(), (1e-3, 1, 30)):
        x = _with_extremes(draw.normal(*shape, scale=scale))
        yield f"{size} {scale=}", {"x": x, "y": draw.unset(*shape)}


def dropout_mask(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, D)), rate, key in product(SHAPES.items(), (0.0, 0.3, 0.999), (0, 5, 2**64 - 1)):
        places = draw.integers(0, 2**62, N)
        yield f"{size} {rate=} {key=}", {"places": places, "key": key, "rate": rate, "mask": draw.unset(N, D)}


def _scores(draw: Draw, N: int, K: int) -> Iterator[tuple[str, np.ndarray]]:
    yield "", draw.normal(N, K)
    yield "scores of 1e4", draw.normal(N, K, scale=1e4)
    yield "equal scores", np.full((N, K), 3, draw.dtype)


def softmax(dtype: type) -> Cases:
    draw = Draw(dtype)
    for size, (N, K) in SHAPES.items():
        for label, scores in _scores(draw, N, K):
            yield f"{size} {label}", {"scores": scores, "out": draw.unset(N, K)}
        barred = draw.normal(N, K)
        barred[:, 1:2] = -np.inf
        yield f"{size} score of -inf", {"scores": barred, "out": draw.unset(N, K)}


def softmax_gradient(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, K)), weighted, smoothing in product(SHAPES.items(), (False, True), (0.0, 0.1)):
        for label, scores in _scores(draw, N, K):
            yield (
                f"{size} {label} {weighted=} {smoothing=}",
                {
                    "scores": scores,
                    "targets": draw.integers(0, K, N),
                    "weights": draw.unit(K) if weighted else None,
                    "smoothing": smoothing,
                    "scale": 0.7,
                    "losses": unset(N),
                    "dscores": draw.unset(N, K),
                },
            )

"""Cases of the convolution over time, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.kernels.sizes import convolution_scratch
from pyneural.test.kernels.cases.draw import BATCHES, BOTH, Arguments, Cases, Draw, counts_of

# What each kernel writes.
WRITES = {
    "convolution_backward": ("dW", "db", "dx"),
    "convolution_forward": ("y", "winners"),
}
SIZES = ((1, 1), (5, 7), (33, 19), (40, 33))  # D, F; the last is more than one sum holds


def _common(draw: Draw, lengths: list[int], D: int, F: int, width: int) -> Arguments:
    N, T, B = sum(lengths), max(lengths, default=0), len(lengths)
    return {
        "x": draw.normal(N, D),
        "W": draw.normal(width * D, F, scale=(width * D) ** -0.5),
        "counts": counts_of(lengths),
        "width": width,
        "scratch": draw.unset(convolution_scratch(N, T, B, D, F, width)),
    }


def _each() -> Iterator[tuple[str, list[int], int, int, int]]:
    for (size, lengths), (D, F), width in product(BATCHES.items(), SIZES, (1, 3, 5)):
        yield f"{size} {D=} {F=} {width=}", lengths, D, F, width
    yield "many D=5 F=7 width=3", sorted(Draw(np.float64).integers(0, 9, 90).tolist(), reverse=True), 5, 7, 3


def convolution_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, lengths, D, F, width), kept, ties in product(_each(), BOTH, BOTH):
        B = len(lengths)
        case = _common(draw, lengths, D, F, width) | {
            "b": draw.normal(F),
            "y": draw.unset(B, F),
            "winners": np.full((B, F), -7, np.int64) if kept else None,
        }
        if ties:  # whole numbers are added exactly, whatever their order
            case |= {name: np.round(case[name] * scale) for name, scale in (("x", 1), ("W", 3), ("b", 1))}
        yield f"{label} {kept=} {ties=}", case


def convolution_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, lengths, D, F, width), inputs in product(_each(), BOTH):
        N, B = sum(lengths), len(lengths)
        steps = np.maximum(np.array(lengths, np.int64), 1)[:, None]
        yield (
            f"{label} {inputs=}",
            _common(draw, lengths, D, F, width)
            | {
                "g": draw.normal(B, F),
                "winners": draw.integers(0, 99, B, F) % steps,
                "dW": draw.unset(width * D, F),
                "db": draw.unset(F),
                "dx": draw.unset(N, D) if inputs else None,
                "links": np.full(max(lengths, default=0) + F, -7, np.int64),
            },
        )

"""Cases of the recurrent cells, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from pyneural.kernels.sizes import cell_scratch
from pyneural.test.kernels.cases.draw import BATCHES, BOTH, Cases, Draw, counts_of

# What each kernel writes.
WRITES = {
    "gru_backward": ("dh", "gates", "m", "dm", "dW", "db", "dU", "dc", "dx"),
    "gru_forward": ("gates", "h", "y", "h_prev", "m"),
    "lstm_backward": ("dh", "dc", "gates", "dW", "db", "dU", "dx"),
    "lstm_forward": ("gates", "h", "c", "y", "h_prev", "c_prev", "tanh_c"),
    "rnn_backward": ("dh", "da", "dW", "db", "dU", "dx"),
    "rnn_forward": ("a", "h", "y", "h_prev"),
}


def _walks(*variants: tuple[Any, ...]) -> Iterator[tuple[str, np.ndarray, int, int, int, int, tuple[Any, ...]]]:
    """(label, counts, N, B, D, H, one choice of each variant) for every batch."""
    for (size, lengths), *choice in product(BATCHES.items(), *variants):
        H = 1 if size == "T=1" else 33 if size == "large" else 5
        yield f"{size} {choice}", counts_of(lengths), sum(lengths), len(lengths), H + 2, H, tuple(choice)


BPTT = (0, 2)


def rnn_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, kind, kept) in _walks(BOTH, range(3), BOTH):
        yield (
            label,
            {
                "x": draw.normal(N, D),
                "W": draw.normal(D, H, scale=D**-0.5),
                "b": draw.normal(H),
                "U": draw.normal(H, H, scale=H**-0.5),
                "h": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "kind": kind,
                "a": draw.unset(N, H),
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
                "scratch": draw.unset(cell_scratch(1, H, B)),
            },
        )


def rnn_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, kind, bptt, dy) in _walks(BOTH, range(3), BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "x": draw.normal(N, D),
                "y": np.clip(draw.normal(N, H), -0.9 if kind == 0 else 0, 0.9),
                "h_prev": draw.normal(N, H),
                "W": draw.normal(D, H, scale=D**-0.5),
                "U": draw.normal(H, H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "kind": kind,
                "bptt": bptt,
                "da": draw.unset(N, H),
                "dW": draw.unset(D, H),
                "db": draw.unset(H),
                "dU": draw.unset(H, H),
                "dx": draw.normal(N, D) if dy == (bptt == 0) else None,
                "accumulate": reverse,
                "scratch": draw.unset(cell_scratch(1, H, B)),
            },
        )


def gru_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, reset_after, kept) in _walks(BOTH, BOTH, BOTH):
        yield (
            label,
            {
                "x": draw.normal(N, D),
                "W": draw.normal(D, 3 * H, scale=D**-0.5),
                "b": draw.normal(3 * H),
                "U": draw.normal(H, 3 * H, scale=H**-0.5),
                "c": draw.normal(H) if reset_after else None,
                "h": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "gates": draw.unset(N, 3 * H),
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
                "m": draw.unset(N, H),
                "scratch": draw.unset(cell_scratch(3, H, B)),
            },
        )


def gru_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, reset_after, bptt, dy) in _walks(BOTH, BOTH, BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "x": draw.normal(N, D),
                "gates": draw.unit(N, 3 * H),
                "m": draw.normal(N, H),
                "h_prev": draw.normal(N, H),
                "W": draw.normal(D, 3 * H, scale=D**-0.5),
                "U": draw.normal(H, 3 * H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "bptt": bptt,
                "dm": None if reset_after else draw.unset(N, H),
                "dW": draw.unset(D, 3 * H),
                "db": draw.unset(3 * H),
                "dU": draw.unset(H, 3 * H),
                "dc": draw.unset(H) if reset_after else None,
                "dx": draw.normal(N, D) if dy == (bptt == 0) else None,
                "accumulate": reverse,
                "scratch": draw.unset(cell_scratch(3, H, B)),
            },
        )


def lstm_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, kept) in _walks(BOTH, BOTH):
        yield (
            label,
            {
                "x": draw.normal(N, D),
                "W": draw.normal(D, 4 * H, scale=D**-0.5),
                "b": draw.normal(4 * H),
                "U": draw.normal(H, 4 * H, scale=H**-0.5),
                "h": draw.normal(B, H),
                "c": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "gates": draw.unset(N, 4 * H),
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
                "c_prev": draw.unset(N, H) if kept else None,
                "tanh_c": draw.unset(N, H),
                "scratch": draw.unset(cell_scratch(4, H, B)),
            },
        )


def lstm_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, D, H, (reverse, bptt, dy) in _walks(BOTH, BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "x": draw.normal(N, D),
                "gates": draw.unit(N, 4 * H),
                "h_prev": draw.normal(N, H),
                "c_prev": draw.normal(N, H),
                "tanh_c": draw.unit(N, H),
                "W": draw.normal(D, 4 * H, scale=D**-0.5),
                "U": draw.normal(H, 4 * H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "dc": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "bptt": bptt,
                "dW": draw.unset(D, 4 * H),
                "db": draw.unset(4 * H),
                "dU": draw.unset(H, 4 * H),
                "dx": draw.normal(N, D) if dy == (bptt == 0) else None,
                "accumulate": reverse,
                "scratch": draw.unset(cell_scratch(4, H, B)),
            },
        )

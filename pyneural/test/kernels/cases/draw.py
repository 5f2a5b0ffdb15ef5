"""What the cases of every kernel are drawn from: sizes, batches of sequences, and arrays of one dtype."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Arguments = dict[str, Any]
Cases = Iterator[tuple[str, Arguments]]

SHAPES = {"empty": (0, 5), "one number": (1, 1), "one row": (1, 7), "one column": (7, 1), "large": (67, 131)}

LARGE = sorted(np.random.default_rng(24).integers(0, 31, 24).tolist(), reverse=True)
BATCHES = {  # the lengths of the sequences, longest first
    "B=0": [],
    "all empty": [0, 0, 0],
    "T=1": [1, 1, 1],
    "B=1": [5],
    "ragged": [6, 4, 4, 2, 1, 1, 0, 0],
    "large": LARGE,
}

BOTH = (False, True)


class Draw:
    """Arrays of one dtype from a fixed seed."""

    def __init__(self, dtype: type, seed: int = 1) -> None:
        self.dtype, self.rng = dtype, np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * self.rng.normal(size=shape)).astype(self.dtype)

    def unit(self, *shape: int) -> np.ndarray:
        """Within (0, 1), as gates are."""
        return self.rng.uniform(0.01, 0.99, shape).astype(self.dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        return self.rng.integers(low, high, shape, dtype=np.int64)

    def unset(self, *shape: int) -> np.ndarray:
        return np.full(shape, np.nan, self.dtype)


def unset(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


def counts_of(lengths: list[int]) -> np.ndarray:
    """How many sequences are alive at each step."""
    steps = range(max(lengths, default=0))
    return np.array([sum(length > t for length in lengths) for t in steps], np.int64)

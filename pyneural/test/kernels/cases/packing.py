"""Cases of the order of packed rows."""

from __future__ import annotations

import numpy as np

from pyneural.test.kernels.cases.draw import BATCHES, Cases, Draw, counts_of

# What each kernel writes.
WRITES = {
    "packing_order": ("order", "packed", "counts"),
    "row_numbers": ("out",),
}


def _unset(size: int) -> np.ndarray:
    return np.full(size, -7, np.int64)


def packing_order(dtype: type) -> Cases:
    rng = np.random.default_rng(1)
    for label, lengths in BATCHES.items():
        B, T = len(lengths), max(lengths, default=0)
        for more, given in (
            ("", rng.permutation(np.array(lengths, np.int64))),
            (" in order", np.array(lengths, np.int64)),
            (" and room for more steps", np.array(lengths[::-1], np.int64)),
        ):
            room = T + 3 * more.endswith("steps")
            yield label + more, {"lengths": given, "order": _unset(B), "packed": _unset(B), "counts": _unset(room)}


def row_numbers(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, lengths in BATCHES.items():
        sequences, steps = draw.integers(0, 999, len(lengths)), draw.integers(0, 999, max(lengths, default=0))
        yield label, {"sequences": sequences, "steps": steps, "counts": counts_of(lengths), "out": _unset(sum(lengths))}

"""The order of packed rows."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def packing_order(lengths: Integers, order: Integers, packed: Integers, counts: Integers) -> int:
    """Sequences of the `lengths` (B) given, longest first, equal ones as given: `order` (B) the numbers they had,
    `packed` (B) their lengths, counts[t] how many are alive at step t. Returns the rows of all."""
    bad = np.flatnonzero((lengths < 0) | (lengths > len(counts)))
    if bad.size:
        raise ValueError(f"lengths: expected numbers from 0 to {len(counts)}, got {lengths[bad[0]]}")
    order[...] = np.argsort(-lengths, kind="stable")
    packed[...] = lengths[order]
    counts[...] = len(lengths) - np.cumsum(np.bincount(lengths, minlength=len(counts) + 1))[:-1]
    return int(lengths.sum())


def row_numbers(sequences: Integers, steps: Integers, counts: Integers, out: Integers) -> None:
    """For the row of step t and sequence i: sequences[i] + steps[t]."""
    starts = np.cumsum(counts) - counts
    out[...] = np.repeat(steps, counts) + sequences[np.arange(len(out)) - np.repeat(starts, counts)]

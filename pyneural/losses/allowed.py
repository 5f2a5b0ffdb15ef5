"""What a path of labels may do, where a tagging scheme or the user's knowledge forbids some of it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyneural.packing import Steps

Integers = NDArray[np.int64]


class Allowed(NamedTuple):
    """What paths of labels may do: start with a label (K,), go from one to another (K, K), end with one (K,).

    >>> rising = Allowed(start=[True, True], transitions=[[True, True], [False, True]], end=[True, True])
    >>> rising.check(np.array([0, 1, 0]), Steps([3]))
    Traceback (most recent call last):
    ValueError: labels: sequence 0 goes from label 1 to label 0 at step 2, which is not allowed
    """

    start: Any
    transitions: Any
    end: Any

    def checked(self, K: int) -> "Allowed":
        """As arrays of bool, for K labels."""
        arrays = Allowed(*(np.array(part) for part in self))
        for name, array, shape in zip(self._fields, arrays, ((K,), (K, K), (K,)), strict=True):
            if array.shape != shape or array.dtype != bool:
                raise ValueError(f"allowed.{name}: expected bools of shape {shape}, got {array.dtype} {array.shape}")
        return arrays

    def check(self, labels: Integers, steps: Steps, previous: Integers | None = None) -> None:
        """Raises ValueError, which tells where, if a path among packed labels (N,) does what is not allowed.

        previous: (B,) the label before each packed sequence, -1 for none
        """
        K = len(self.start)
        may = self.checked(K)
        if not len(labels):
            return
        if labels.min() < 0 or labels.max() >= K:
            raise ValueError(f"labels: expected numbers from 0 to {K - 1}, got {labels.min()} to {labels.max()}")
        step, sequence = steps.step_of_row, steps.sequence_of_row
        first = step == 0
        known = np.full(steps.sequences, -1) if previous is None else previous
        before = np.where(first, known[sequence], labels[np.arange(len(labels)) - steps.counts[step - 1]])
        may_come = np.where(before < 0, may.start[labels], may.transitions[before, labels])
        may_stay = (step + 1 < steps.lengths[sequence]) | may.end[labels]
        if (may_come & may_stay).all():
            return
        number = steps.places[steps.order][sequence]  # as the user counts
        wrong = np.flatnonzero(~(may_come & may_stay))
        row = wrong[np.lexsort((step[wrong], number[wrong]))[0]]
        if may_come[row]:
            move = f"ends with label {labels[row]}"
        elif before[row] < 0:
            move = f"starts with label {labels[row]}"
        else:
            move = f"goes from label {before[row]} to label {labels[row]}"
        raise ValueError(f"labels: sequence {number[row]} {move} at step {step[row]}, which is not allowed")

"""Dropout (Srivastava et al. 2014), inverted: what is kept is scaled up in training, and inference does nothing.

    y = m ⊙ x,  m = 0 with probability `rate`, else 1 / (1 - rate)      dx = m ⊙ dy

"Locked" draws one mask a sequence and uses it at all its steps (Gal and Ghahramani 2016). Masks come from a
counter-based generator keyed by the network's seed, the layer and the step of training, and indexed by the sequence's
place in the batch and by the row's step in it: sharing a batch out changes no mask.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.neural_layer import Cost, Layer
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class RandomLayer(Layer):
    """A layer that draws in training: from a generator whose key the network sets before each step."""

    over_time = True

    def prepare(self) -> None:
        self._key = 0

    def draw(self, key: int) -> None:
        """Fixes the draws of the next step; called by the network."""
        self._key = key


class Dropout(RandomLayer):
    """y = m ⊙ x for x of shape (N, D), with a new mask each step of training.

    rate: the probability that a number is dropped, in [0, 1)
    locked: one mask a sequence instead of one a row
    """

    def __init__(self, rate: float, *, locked: bool = False) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate: expected a number in [0, 1), got {rate}")
        self.rate, self.locked = rate, locked

    def forward(self, x: Array, steps: Steps) -> Array:
        if self.rate == 0:
            return x
        mask = self._mask = self.work("mask", *x.shape)
        if self.locked:
            once = self.work("once", steps.sequences, x.shape[1])
            kernels.dropout_mask(steps.places_of_sequences, self._key, self.rate, once)
            np.take(once, steps.sequence_of_row, axis=0, out=mask, mode="clip")  # "clip" writes to out unbuffered
        else:
            kernels.dropout_mask(steps.places_of_rows, self._key, self.rate, mask)
        y = self.work("y", *x.shape)
        np.multiply(x, mask, out=y)
        return y

    def backward(self, dy: Array) -> Array:
        if self.rate == 0:
            return dy
        dx = self.work("dx", *dy.shape)
        np.multiply(dy, self._mask, out=dx)
        return dx

    def predict(self, x: Array, steps: Steps) -> Array:
        return x

    def cost(self, x: Array, steps: Steps) -> tuple[Cost, ...]:
        """A multiplication a number; x, m and y, then dy, m and dx. What draws the mask is not counted."""
        once = Cost(x.size, 3 * self.dtype.itemsize * x.size) if self.rate else Cost()
        return once, once


class WordDropout(RandomLayer):
    """In training, replaces ids by substitutes now and then: so that what stands for unknown words is learned.

        y_n = substitute[x_n] with probability `rate`, else x_n          x, y (N) whole numbers

    substitute: (V,) the id that takes the place of each; its own id where it is never replaced
    """

    def __init__(self, rate: float, substitute: ArrayLike) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"rate: expected a number in [0, 1), got {rate}")
        self.rate = rate
        self.substitute = np.asarray(substitute, dtype=np.int64)

    def forward(self, ids: Integers, steps: Steps) -> Integers:
        if self.rate == 0:
            return ids
        mask = self.work("mask", len(ids), 1)
        kernels.dropout_mask(steps.places_of_rows, self._key, self.rate, mask)
        return np.where(mask[:, 0] == 0, self.substitute[ids], ids)

    def backward(self, dy: None) -> None:
        return None

    def predict(self, ids: Integers, steps: Steps) -> Integers:
        return ids

    def cost(self, ids: Integers, steps: Steps) -> tuple[Cost, ...]:
        """Whole numbers in and out."""
        return Cost(bytes=2 * ids.nbytes if self.rate else 0), Cost()

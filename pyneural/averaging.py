"""The running average of a network's weights: less noisy than the weights themselves, and most often better."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.network import Network

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


class Average:
    """a_t = β a_{t-1} + (1 - β) w_t from a_0 = 0, in one flat buffer; the average is a_t / (1 - βᵗ), as Adam's.

    It costs a pass over what a step changes. For a row that is not touched k steps are one, a = w + βᵏ (a - w), so
    each row is brought up to date when it is about to change: `observe` comes before each update.

    memory: about how many of the last steps are averaged over, 1 / (1 - β)
    """

    def __init__(self, network: Network, memory: float) -> None:
        if not memory >= 1:
            raise ValueError(f"memory: expected at least 1 step, got {memory}")
        self.network = network
        self._log_beta = math.log1p(-1 / memory) if memory > 1 else -1e9
        self.values: Array = np.zeros_like(network.grads)
        """a"""
        self.steps = 0
        """updates observed"""
        self._seen = [np.zeros((stop - start) // width, dtype=np.int64) for start, stop, width, _ in network.regions()]

    def observe(self) -> None:
        """To be called between the gradient and the update."""
        for number, (start, stop, width, rows) in enumerate(self.network.regions()):
            self._catch_up(number, start, stop, width, rows)
        self.steps += 1

    def _catch_up(self, number: int, start: int, stop: int, width: int, rows: Integers | None) -> None:
        a, w = (array[start:stop].reshape(-1, width) for array in (self.values, self.network.values))
        seen = self._seen[number]
        some = np.arange(len(seen)) if rows is None else rows
        gains = self._gains(self.steps - seen[some])
        seen[some] = self.steps
        if len(seen) == 1:
            kernels.add_rows(a, w, None, 1 - gains[0], gains[0])
        else:
            now = a[some]
            a[some] = now + gains[:, None].astype(a.dtype) * (w[some] - now)

    def _gains(self, steps: Any) -> Any:
        """1 - βᵏ for k steps, without loss where β is close to 1."""
        return -np.expm1(steps * self._log_beta)

    def settled(self) -> Array:
        """`values`, every row of them brought up to date."""
        for number, (start, stop, width, _) in enumerate(self.network.regions()):
            self._catch_up(number, start, stop, width, None)
        return self.values

    def average(self) -> Array:
        """The average of the weights (as long as the gradient): a new array. Those themselves before the first step."""
        if not self.steps:
            return np.array(self.network.values[: len(self.values)])
        return np.asarray(self.settled() / self.values.dtype.type(self._gains(self.steps)))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within it the network has the average for its values."""
        values = self.network.values[: len(self.values)]
        kept = values.copy()
        values[...] = self.average()
        try:
            yield
        finally:
            values[...] = kept

    def restore(self, values: Array, steps: int) -> None:
        """Goes on from where `settled` values were saved after so many steps."""
        if values.shape != self.values.shape:
            raise ValueError(f"values: expected {self.values.shape[0]} of them, got shape {values.shape}")
        self.values[...], self.steps = values, steps
        for seen in self._seen:
            seen[...] = steps

"""Stochastic gradient descent: plain, momentum, Nesterov and Adam.

All update strictly in place, in one fused pass over values, gradient and state. With g the gradient after clipping and
with l2 · w added:

    Sgd        w -= η g
    Momentum   v = μ v + g;  w -= η v                         (Polyak 1964)
    Nesterov   v = μ v + g;  w -= η (g + μ v)                 (Nesterov 1983, as reformulated by Bengio et al. 2012:
                                                               w is always the point at which g is taken)
    Adam       m = β₁ m + (1 - β₁) g;  v = β₂ v + (1 - β₂) g²
               w -= η m̂ / (√v̂ + ε),  m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)     (Kingma and Ba 2015)

**Sparse rows.** Where a gradient touches only some rows of a matrix (an embedding's), only those rows are visited: the
cost of a step does not grow with the vocabulary. For `Momentum`, `Nesterov` and `Adam` that means that a row which the
batch did not use is left alone, state and all ("lazy Adam"): its velocity neither decays nor moves it. The count t of
steps is global. l2 and clipping apply to the rows touched. `dense=True` is the textbook formula on every number.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.network import Network
from pyneural.neural_layer import Region
from pyneural.schedules import Schedule, as_schedule

Array = NDArray[np.floating]
Terms = tuple[float, float, float]


class Optimiser(ABC):
    """Steps a flat vector of values against its gradient, in place.

    rate: a number, or a schedule of epochs
    l2: weight of ½ ‖w‖² in the objective
    clip_norm: the gradient is scaled down to this Euclidean norm where it is longer
    clip_value: each number of the gradient (so scaled) is clipped to ±this
    dense: visit every number, also those of a sparse gradient that are zero
    """

    states: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        rate: Schedule | float,
        *,
        l2: float = 0.0,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        dense: bool = False,
    ) -> None:
        self.rate = as_schedule(rate)
        for name, value in (("clip_norm", clip_norm), ("clip_value", clip_value)):
            if value is not None and not value > 0:
                raise ValueError(f"{name}: expected a number above 0 or None, got {value}")
        if not 0 <= l2 < math.inf:
            raise ValueError(f"l2: expected a finite number from 0, got {l2}")
        self.l2, self.clip_norm, self.clip_value, self.dense = l2, clip_norm, clip_value, dense
        self.steps = 0
        """steps taken"""
        self.state: dict[str, Array] = {}
        """flat arrays as long as the gradient, by name; made at the first step"""

    def step(self, network: Network, epoch: float = 0.0) -> float:
        """One step of a network along its gradient. Returns the Euclidean norm of the update."""
        return self.apply(network.values[: len(network.grads)], network.grads, network.regions(), epoch)

    def apply(self, values: Array, grads: Array, regions: Iterable[Region] | None = None, epoch: float = 0.0) -> float:
        """One step of any flat vector; `regions` are the stretches to visit, by default all."""
        if values.shape != grads.shape or values.ndim != 1 or values.dtype != grads.dtype:
            raise ValueError(
                f"values, grads: expected two vectors of one shape and type, got {values.shape} {values.dtype}, "
                f"{grads.shape} {grads.dtype}"
            )
        if values.dtype not in (np.float32, np.float64):
            raise TypeError(f"values, grads: expected float32 or float64, got {values.dtype}")
        if not values.flags.writeable:
            raise ValueError(
                "values: are read-only, as those of a model that is mapped to memory; load it unmapped to train it"
            )
        if any(state.shape != grads.shape or state.dtype != grads.dtype for state in self.state.values()):
            raise ValueError("grads: is not of the shape and type of the steps before; use one optimiser a network")
        for name in self.states:
            if name not in self.state:
                self.state[name] = np.zeros_like(grads)
        self.steps += 1
        whole = [Region(0, len(grads), len(grads), None)] if len(grads) else []
        visited = whole if regions is None or self.dense else list(regions)
        terms = (self._scale(grads, visited), self.clip_value or math.inf, self.l2)
        rate = self.rate(epoch)
        total = 0.0
        for start, stop, width, rows in visited:
            w, g, *state = (
                array[start:stop].reshape(-1, width)
                for array in (values, grads, *(self.state[name] for name in self.states))
            )
            total += self.update(w, g, state, rows, terms, rate)
        return math.sqrt(total)

    def _scale(self, grads: Array, regions: list[Region]) -> float:
        """What clipping by global norm multiplies the gradient by."""
        if self.clip_norm is None:
            return 1.0
        squares = (
            kernels.sum_of_squares(grads[start:stop].reshape(-1, width), rows) for start, stop, width, rows in regions
        )
        norm = math.sqrt(sum(squares))
        if not math.isfinite(norm):
            raise FloatingPointError(f"clip_norm: the gradient's norm is {norm}, there is nothing to scale it by")
        return 1.0 if norm <= self.clip_norm else self.clip_norm / norm

    @abstractmethod
    def update(
        self, w: Array, g: Array, state: list[Array], rows: NDArray[np.int64] | None, terms: Terms, rate: float
    ) -> float:
        """The rule on one region (R, width), or on its `rows`; returns the sum of the squares of the update."""

    def minimize(self, function: Callable[[Array], tuple[float, Array]], values: Array, steps: int) -> list[float]:
        """`steps` steps on any function of a flat vector, f(values) -> (loss, gradient); returns the losses."""
        losses = []
        for _ in range(steps):
            loss, gradient = function(values)
            losses.append(loss)
            self.apply(values, gradient)
        return losses

    def config(self) -> dict[str, Any]:
        """The hyperparameters."""
        described: dict[str, Any] = {"class": type(self).__name__, "rate": repr(self.rate)}
        return described | {k: v for k, v in vars(self).items() if k not in ("rate", "state", "steps")}


class Sgd(Optimiser):
    """w -= η g"""

    def update(
        self, w: Array, g: Array, state: list[Array], rows: NDArray[np.int64] | None, terms: Terms, rate: float
    ) -> float:
        return float(kernels.sgd_step(w, g, rows, terms, rate))


class Momentum(Optimiser):
    """v = μ v + g; w -= η v"""

    states = ("velocity",)
    nesterov: ClassVar[bool] = False

    def __init__(self, rate: Schedule | float, momentum: float = 0.9, **terms: Any) -> None:
        super().__init__(rate, **terms)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: expected a number in [0, 1), got {momentum}")
        self.momentum = momentum

    def update(
        self, w: Array, g: Array, state: list[Array], rows: NDArray[np.int64] | None, terms: Terms, rate: float
    ) -> float:
        return float(kernels.momentum_step(w, g, state[0], rows, terms, rate, self.momentum, self.nesterov))


class Nesterov(Momentum):
    """v = μ v + g; w -= η (g + μ v)"""

    nesterov = True


class Adam(Optimiser):
    """m = β₁ m + (1 - β₁) g; v = β₂ v + (1 - β₂) g²; w -= η m̂ / (√v̂ + ε)"""

    states = ("mean", "variance")

    def __init__(
        self,
        rate: Schedule | float = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **terms: Any,
    ) -> None:
        super().__init__(rate, **terms)
        for name, beta in (("beta1", beta1), ("beta2", beta2)):
            if not 0 <= beta < 1:
                raise ValueError(f"{name}: expected a number in [0, 1), got {beta}")
        if not epsilon >= 0:
            raise ValueError(f"epsilon: expected a number from 0, got {epsilon}")
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def update(
        self, w: Array, g: Array, state: list[Array], rows: NDArray[np.int64] | None, terms: Terms, rate: float
    ) -> float:
        mean, variance = state
        correction1, correction2 = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        return float(
            kernels.adam_step(
                w, g, mean, variance, rows, terms, rate, self.beta1, self.beta2, self.epsilon, correction1,
                correction2,
            )
        )  # fmt: skip

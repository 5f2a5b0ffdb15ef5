"""Learning rates as functions of time, counted in epochs (fractions included).

>>> rate = WarmUp(Halving(0.1, every=5), epochs=1)
>>> [rate(t) for t in (0.0, 0.5, 1.0, 5.0, 10.0)]
[0.0, 0.05, 0.1, 0.05, 0.025]
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


class Schedule(ABC):
    """rate = schedule(epoch)"""

    @abstractmethod
    def __call__(self, epoch: float) -> float: ...


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    rate: float

    def __call__(self, epoch: float) -> float:
        return self.rate


@dataclass(frozen=True)
class Halving(Schedule):
    """rate · ½^⌊t / every⌋: halved every so many epochs."""

    rate: float
    every: float

    def __call__(self, epoch: float) -> float:
        return self.rate * 0.5 ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """rate / (1 + decay · t)"""

    rate: float
    decay: float

    def __call__(self, epoch: float) -> float:
        return self.rate / (1 + self.decay * epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `rate` down to `final` in `epochs`, along half a cosine (Loshchilov and Hutter 2017)."""

    rate: float
    epochs: float
    final: float = 0.0

    def __call__(self, epoch: float) -> float:
        done = min(max(epoch / self.epochs, 0.0), 1.0)
        return self.final + (self.rate - self.final) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Rises in a straight line from 0 over the first `epochs`, then follows `schedule`."""

    schedule: Schedule | float
    epochs: float

    def __call__(self, epoch: float) -> float:
        return as_schedule(self.schedule)(epoch) * min(1.0, epoch / self.epochs)


def as_schedule(rate: Schedule | float) -> Schedule:
    """A number is a constant schedule."""
    if isinstance(rate, Schedule):
        return rate
    if not rate >= 0:
        raise ValueError(f"rate: expected a number from 0 or a schedule, got {rate!r}")
    return Constant(float(rate))

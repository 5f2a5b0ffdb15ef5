"""Learning rates as functions of time, counted in epochs (fractions included).

>>> rate = WarmUp(Halving(0.1, every=5), epochs=1)
>>> [rate(t) for t in (0.0, 0.5, 1.0, 5.0, 10.0)]
[0.0, 0.05, 0.1, 0.05, 0.025]
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


def _check(name: str, value: float, *, above: bool = False) -> None:
    """Raises ValueError unless it is a finite number from 0, or above 0."""
    if not (math.isfinite(value) and (value > 0 if above else value >= 0)):
        raise ValueError(f"{name}: expected a finite number {'above' if above else 'from'} 0, got {value!r}")


class Schedule(ABC):
    """rate = schedule(epoch)"""

    @abstractmethod
    def __call__(self, epoch: float) -> float: ...


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate throughout."""

    rate: float

    def __post_init__(self) -> None:
        _check("rate", self.rate)

    def __call__(self, epoch: float) -> float:
        return self.rate


@dataclass(frozen=True)
class Halving(Schedule):
    """rate · ½^⌊t / every⌋: halved every so many epochs."""

    rate: float
    every: float

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("every", self.every, above=True)

    def __call__(self, epoch: float) -> float:
        return self.rate * 0.5 ** math.floor(epoch / self.every)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """rate / (1 + decay · t)"""

    rate: float
    decay: float

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("decay", self.decay)

    def __call__(self, epoch: float) -> float:
        return self.rate / (1 + self.decay * epoch)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `rate` down to `final` in `epochs`, along half a cosine (Loshchilov and Hutter 2017)."""

    rate: float
    epochs: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check("rate", self.rate)
        _check("epochs", self.epochs, above=True)
        _check("final", self.final)

    def __call__(self, epoch: float) -> float:
        done = min(max(epoch / self.epochs, 0.0), 1.0)
        return self.final + (self.rate - self.final) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Rises in a straight line from 0 over the first `epochs`, then follows `schedule`."""

    schedule: Schedule | float
    epochs: float

    def __post_init__(self) -> None:
        as_schedule(self.schedule)
        _check("epochs", self.epochs, above=True)

    def __call__(self, epoch: float) -> float:
        return as_schedule(self.schedule)(epoch) * min(1.0, epoch / self.epochs)


def as_schedule(rate: Schedule | float) -> Schedule:
    """A number is a constant schedule."""
    if isinstance(rate, Schedule):
        return rate
    _check("rate", rate)
    return Constant(float(rate))

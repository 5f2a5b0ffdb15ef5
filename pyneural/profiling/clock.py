"""Timing the layers of a network from outside: their methods are shadowed for the while, on a replica.

One clock runs at all times, for one layer and direction; it is switched over when a layer's method begins and back when
it returns. So the time of a layer is its own, without that of the layers in it, and all times add up to the step's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, Protocol

from pyneural.neural_layer import Cost, Layer, Loss
from pyneural.packing import Batch, steps_of
from pyneural.profiling.machine import Machine
from pyneural.profiling.profile import BACKWARD, BOTH, FORWARD, Part, Profile

Key = tuple[str, str]
NETWORK: Key = ("", BOTH)
WARM_UP = 2  # steps: work arrays are made, caches filled


class Trained(Protocol):
    """What is needed of a network."""

    @property
    def dtype(self) -> Any: ...
    def descendants(self) -> Iterator[tuple[str, Layer]]: ...
    def loss_and_gradient(self, batch: Batch) -> float: ...


class Clock:
    """Seconds spent by key; the arguments that each layer was last called with."""

    def __init__(self) -> None:
        self.spent: defaultdict[Key, float] = defaultdict(float)
        self.arguments: dict[str, tuple[Any, ...]] = {}
        self._key, self._since = NETWORK, 0.0

    def switch(self, key: Key) -> Key:
        """Charges the time since the last switch, and goes on for `key`; returns the key before."""
        now = perf_counter()
        self.spent[self._key] += now - self._since
        before, self._key, self._since = self._key, key, now
        return before

    def shadow(self, layer: Layer, method: str, key: Key, *, noted: bool = False) -> None:
        """Puts a timed twin in the place of the layer's method; `noted`: keeps its arguments."""
        run = getattr(layer, method)

        def timed(*args: Any, **options: Any) -> Any:
            before = self.switch(key)
            try:
                return run(*args, **options)
            finally:
                self.switch(before)
                if noted:
                    self.arguments[key[0]] = args

        vars(layer)[method] = timed

    def time(self, step: Callable[[], Any]) -> dict[Key, float]:
        """One step: the seconds of each layer and direction."""
        self.spent.clear()
        self._since = perf_counter()
        step()
        self.switch(NETWORK)
        return dict(self.spent)


def profile(replica: Trained, batch: Batch, repeats: int, machine: Machine | None = None) -> Profile:
    """Times `repeats` steps of a replica made for the purpose, of no use afterwards. See `Network.profile`."""
    if repeats < 1:
        raise ValueError(f"repeats: expected at least 1, got {repeats}")
    from threadpoolctl import threadpool_limits  # here, as the command line imports this file to show its help

    layers = {name: layer for name, layer in replica.descendants() if name}
    clock = Clock()
    for name, layer in layers.items():
        if isinstance(layer, Loss):
            clock.shadow(layer, "loss_and_gradient", (name, BOTH), noted=True)
        else:
            clock.shadow(layer, "propagate", (name, FORWARD))
            clock.shadow(layer, "forward", (name, FORWARD), noted=True)
            clock.shadow(layer, "backward", (name, BACKWARD))
    with threadpool_limits(1, user_api="blas"):
        limits = machine or Machine.measure(replica.dtype)
        for _ in range(WARM_UP):
            replica.loss_and_gradient(batch)
        rounds = [clock.time(lambda: replica.loss_and_gradient(batch)) for _ in range(repeats)]
        if machine is None:
            limits = limits.better(Machine.measure(replica.dtype))
    costs: dict[Key, Cost] = {}
    for name, arguments in clock.arguments.items():
        told = layers[name].cost(*arguments)
        directions = (BOTH,) if isinstance(layers[name], Loss) else (FORWARD, BACKWARD)
        costs |= {(name, direction): cost for direction, cost in zip(directions, told, strict=False)}
    kinds = {name: type(layer).__name__ for name, layer in layers.items()} | {"": type(replica).__name__}
    seconds = {key: min(spent.get(key, 0.0) for spent in rounds) for key in rounds[-1]}
    order = [(name, direction) for name in kinds for direction in (FORWARD, BACKWARD, BOTH)]
    return Profile(
        parts=[
            Part(name, kinds[name], direction, seconds[name, direction], costs.get((name, direction)), limits)
            for name, direction in order
            if (name, direction) in seconds
        ],
        seconds=min(sum(spent.values()) for spent in rounds),
        rows=batch.items,
        sequences=steps_of(batch.inputs).sequences,
        machine=limits,
    )

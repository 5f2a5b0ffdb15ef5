"""Replicas over threads.

Each batch is shared out by sequences: the packed ones, longest first, go to the shares 0, 1, …, n - 1, n - 1, …, 1, 0,
0, 1, … in turn, so that every share is packed as it stands and holds about as many rows. Each replica of the network
(the same values, gradients and caches of its own) computes the gradient of its share; kernels run without the GIL. The
batch's gradient is then

    grads = Σ_i α_i grads_i,   α_i = weight_i / Σ_j weight_j  (1 where the reduction is "sum")

summed in the order of i, so a run is reproducible to the bit for the same n. Masks of dropout are keyed by a
sequence's place in the whole batch, so sharing does not change them.
"""

from concurrent import futures  # whole: it loads its pools only when they are asked for
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural import kernels
from pyneural.network import Network
from pyneural.packing import Batch, Gathered, Packed, Steps, steps_of

Integers = NDArray[np.int64]


def share(batch: Batch, number: int, count: int) -> Batch:
    """Share `number` of `count` of a batch."""
    return Share(number, count).of(batch)


class Share:
    """Picks the rows of one share. Parts of a batch that have their steps in common have them worked out once."""

    def __init__(self, number: int, count: int) -> None:
        self.number, self.count = number, count
        self.rows: dict[int, tuple[Integers, Steps]] = {}

    def of(self, batch: Batch) -> Batch:
        inputs = self._part(batch.inputs)
        return Batch(inputs, self._part(batch.targets), steps_of(inputs).rows)

    def _part(self, part: Any) -> Any:
        if isinstance(part, Gathered):
            rows, steps = self._rows_of(part.steps)
            used, ids = np.unique(part.ids[rows], return_inverse=True)
            return Gathered(_select(part.source, used), ids.astype(np.int64), steps)
        if isinstance(part, Packed):
            rows, steps = self._rows_of(part.steps)
            return Packed(part.rows[rows], steps)
        return type(part)(*(self._part(inner) for inner in part))

    def _rows_of(self, steps: Steps) -> tuple[Integers, Steps]:
        if id(steps) not in self.rows:
            sequences = _dealt(steps.sequences, self.number, self.count)
            given = steps.order[sequences]
            ends = None if steps.ends is None else steps.ends[given]
            own = Steps(steps.lengths[sequences], places=steps.places[given], ends=ends)
            self.rows[id(steps)] = own.row_numbers(sequences, steps.offsets[: len(own.counts)]), own
        return self.rows[id(steps)]


@lru_cache(maxsize=64)  # batches are mostly of one size
def _dealt(sequences: int, number: int, count: int) -> Integers:
    """Which of so many packed sequences share `number` of `count` gets."""
    turns = np.arange(0, sequences, count)
    turns[::2] += number
    turns[1::2] += count - 1 - number
    return turns[turns < sequences]


def _select(source: Any, users: Integers) -> Packed:
    """The sequences `users` (numbered as the user does) of a packed source, in that order."""
    if not isinstance(source, Packed):
        raise TypeError(f"source: expected packed rows, got {type(source).__name__}")
    steps = source.steps
    packed_of = steps.packed_of[users]
    chosen = Steps(steps.lengths[packed_of], places=steps.places[users])
    rows = chosen.row_numbers(packed_of[chosen.order], steps.offsets[: len(chosen.counts)])
    return Packed(source.rows[rows], chosen)


class Threads:
    """`count` threads at the most: fewer work where a batch is small, as a function of sizes alone."""

    WORTH_A_THREAD = 80e6
    """floating-point operations: most of a millisecond, several times what starting and adding up take"""

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"threads: expected at least 1, got {count}")
        self.count = count

    def of(self, network: Network) -> "Replicas":
        """The network's replicas, made once for a run of training."""
        return Replicas(network, self)


class Replicas:
    """A network and its replicas, one a thread; the network's own gradient is the sum."""

    def __init__(self, network: Network, threads: Threads) -> None:
        for name, layer in network.descendants():
            if getattr(layer, "carry", False):
                raise ValueError(f"threads: {name} carries state from batch to batch, which shares of a batch can't")
        self.networks = [network] + [network.replica() for _ in range(threads.count - 1)]
        self.pool = futures.ThreadPoolExecutor(threads.count - 1) if threads.count > 1 else None
        self._seen = {
            slot.name: np.zeros(slot.parameter.shape[0], dtype=bool) for slot in network.slots if slot.parameter.sparse
        }
        # a row costs about a multiplication and an addition with each parameter, forward, and twice that backward
        dense = sum(parameter.size for _, parameter in network.parameters() if not parameter.sparse)
        self.rows_each = max(1, int(threads.WORTH_A_THREAD / (6 * max(1, dense))))

    def loss_and_gradient(self, batch: Batch) -> float:
        """As the network's own, computed on shares of the batch."""
        steps = steps_of(batch.inputs)
        count = max(1, min(len(self.networks), steps.rows // self.rows_each, steps.sequences))
        own = self.networks[0]
        if count == 1 or self.pool is None:
            return own.loss_and_gradient(batch)
        for replica in self.networks[1:count]:
            replica.draws = own.draws
        others = [self.pool.submit(self._share, batch, i, count) for i in range(1, count)]
        try:
            first = self._share(batch, 0, count)
        finally:  # also where this share failed: no replica may still be at work when the next batch comes
            for other in others:
                other.exception()
        losses, weights = np.array([first, *(other.result() for other in others)]).T
        factors = np.ones(count) if own.loss.reduction == "sum" else weights / max(weights.sum(), 1e-300)
        self._reduce(factors.tolist())
        return float(np.dot(losses, factors))

    def _share(self, batch: Batch, number: int, count: int) -> tuple[float, float]:
        """The loss of a share, whose gradient is then its replica's, and its weight."""
        network, part = self.networks[number], share(batch, number, count)
        return network.loss_and_gradient(part), network.weight(part)

    def _reduce(self, factors: list[float]) -> None:
        """The network's own gradient becomes the weighted sum of all, in the order of the shares."""
        own, *others = self.networks[: len(factors)]
        for region in own.regions():
            if region.rows is None:
                total = own.grads[region.start : region.stop].reshape(1, -1)
                scale = factors[0]
                for replica, factor in zip(others, factors[1:], strict=True):
                    part = replica.grads[region.start : region.stop].reshape(1, -1)
                    kernels.add_rows(total, part, None, scale, factor)
                    scale = 1.0
        for slot, *slots in zip(*(network.slots for network in (own, *others)), strict=True):
            parameter = slot.parameter
            if not parameter.sparse or not parameter.trainable or parameter.rows is None:
                continue
            kernels.add_rows(parameter.grad, parameter.grad, parameter.rows, factors[0], 0.0)
            touched = parameter.rows
            for other, factor in zip(slots, factors[1:], strict=True):
                rows = other.parameter.rows
                assert rows is not None
                kernels.add_rows(parameter.grad, other.parameter.grad, rows, 1.0, factor)
                touched = np.concatenate([touched, rows])
            count = kernels.distinct(touched, self._seen[slot.name], union := np.empty_like(touched))
            parameter.rows = union[:count]

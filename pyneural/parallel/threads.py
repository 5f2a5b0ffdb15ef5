"""Replicas over threads.

Each batch is shared out by sequences: of the packed sequences, longest first, share i of n takes i, i + n, i + 2n, …,
so that every share is packed as it stands and holds about as many rows. Each replica of the network (the same values,
gradients and caches of its own) computes the gradient of its share; kernels run without the GIL. The batch's gradient
is then

    grads = Σ_i α_i grads_i,   α_i = weight_i / Σ_j weight_j  (1 where the reduction is "sum")

summed in the order of i, so a run is reproducible to the bit for the same n. Masks of dropout are keyed by a
sequence's place in the whole batch, so sharing does not change them.
"""

from concurrent import futures  # whole: it loads its pools only when they are asked for
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.network import Network
from pyneural.packing import Batch, Gathered, Packed, Steps, steps_of

Integers = NDArray[np.int64]


def share(batch: Batch, number: int, count: int) -> Batch:
    """Share `number` of `count` of a batch: every count-th packed sequence."""
    inputs = _share(batch.inputs, number, count)
    return Batch(inputs, _share(batch.targets, number, count), steps_of(inputs).rows)


def _share(part: Any, number: int, count: int) -> Any:
    if isinstance(part, Gathered):
        rows, steps = _rows_of(part.steps, number, count)
        used, ids = np.unique(part.ids[rows], return_inverse=True)
        return Gathered(_select(part.source, used), ids.astype(np.int64), steps)
    if isinstance(part, Packed):
        rows, steps = _rows_of(part.steps, number, count)
        return Packed(part.rows[rows], steps)
    return type(part)(*(_share(inner, number, count) for inner in part))


def _rows_of(steps: Steps, number: int, count: int) -> tuple[Integers, Steps]:
    sequences = np.arange(number, steps.sequences, count)
    rows = np.flatnonzero(steps.sequence_of_row % count == number)
    ends = None if steps.ends is None else steps.ends[steps.order[sequences]]
    return rows, Steps(steps.lengths[sequences], places=steps.places[steps.order[sequences]], ends=ends)


def _select(source: Any, users: Integers) -> Packed:
    """The sequences `users` (numbered as the user does) of a packed source, in that order."""
    if not isinstance(source, Packed):
        raise TypeError(f"source: expected packed rows, got {type(source).__name__}")
    steps = source.steps
    packed_of = steps.packed_of[users]
    chosen = Steps(steps.lengths[packed_of], places=steps.places[users])
    first = packed_of[chosen.order]
    return Packed(source.rows[steps.offsets[chosen.step_of_row] + first[chosen.sequence_of_row]], chosen)


class Threads:
    """`count` threads at the most: fewer work where a batch is small, as a function of its size alone."""

    ROWS_WORTH_A_THREAD = 64

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
        self.rows_each = threads.ROWS_WORTH_A_THREAD

    def loss_and_gradient(self, batch: Batch) -> float:
        """As the network's own, computed on shares of the batch."""
        steps = steps_of(batch.inputs)
        count = max(1, min(len(self.networks), steps.rows // self.rows_each, steps.sequences))
        own = self.networks[0]
        if count == 1 or self.pool is None:
            return own.loss_and_gradient(batch)
        shares = [share(batch, i, count) for i in range(count)]
        weights = np.array([own.weight(part) for part in shares])
        factors = np.ones(count) if own.loss.reduction == "sum" else weights / max(weights.sum(), 1e-300)
        for replica in self.networks[1:count]:
            replica.draws = own.draws
        others = [self.pool.submit(self.networks[i].loss_and_gradient, shares[i]) for i in range(1, count)]
        try:
            first = own.loss_and_gradient(shares[0])
        finally:
            futures.wait(
                others
            )  # also where this share failed: no replica may still be at work when the next batch comes
        losses = [first, *(other.result() for other in others)]
        self._reduce(count, factors)
        return float(np.dot(losses, factors))

    def _reduce(self, count: int, factors: NDArray[np.float64]) -> None:
        own = self.networks[0]
        for region in own.regions():
            if region.rows is None:
                total = own.grads[region.start : region.stop]
                total *= factors[0]
                for replica, factor in zip(self.networks[1:count], factors[1:], strict=True):
                    part = replica.grads[region.start : region.stop]
                    part *= factor
                    total += part
        for slots in zip(*(network.slots for network in self.networks[:count]), strict=True):
            parameter = slots[0].parameter
            if not parameter.sparse or not parameter.trainable or parameter.rows is None:
                continue
            parameter.grad[parameter.rows] *= factors[0]
            rows = [parameter.rows]
            for slot, factor in zip(slots[1:], factors[1:], strict=True):
                touched = slot.parameter.rows
                assert touched is not None
                parameter.grad[touched] += factor * slot.parameter.grad[touched]
                rows.append(touched)
            parameter.rows = np.unique(np.concatenate(rows))

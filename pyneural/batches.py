"""Data sets cut into batches, packed: shuffled ones of similar lengths, and long streams read side by side."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.packing import Batch, Gathered, Packed, Ragged, Steps

Integers = NDArray[np.int64]


def take(column: Any, indices: Integers, steps: Steps) -> Any:
    """The part of one column of data that a batch needs, packed."""
    if isinstance(column, np.ndarray):  # one row a sequence, brought to packed order
        if steps.of_rows:
            return Packed(column[indices], steps)
        return Packed(column[indices[steps.order]], steps.per_sequence())
    if hasattr(column, "take"):
        return column.take(indices, steps)
    if isinstance(column, tuple):
        parts = [take(part, indices, steps) for part in column]
        return type(column)(*parts) if hasattr(column, "_fields") else tuple(parts)
    raise TypeError(f"expected a Ragged, an array or a tuple of those, got {type(column).__name__}")


class Distinct:
    """A column whose rows are sequences themselves, many of them alike: words, each of them its characters. In a batch
    each distinct one comes once, and is brought to its rows (`Gathered`, for the layer `Gather`).

    ids: which sequence of `source` each row is
    """

    def __init__(self, ids: Ragged, source: Ragged) -> None:
        self.ids, self.source = ids, source
        self._seen = np.zeros(len(source), dtype=bool)
        self._places: Integers = np.zeros(len(source), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Integers:
        return self.ids.lengths

    def take(self, indices: Integers, steps: Steps) -> Gathered:
        ids = self.ids.take(indices, steps).rows
        distinct = np.empty_like(ids)
        distinct = distinct[: kernels.distinct(ids, self._seen, distinct)]
        self._places[distinct] = np.arange(len(distinct))
        return Gathered(self.source.take(distinct), self._places[ids], steps)


def first_column(inputs: Any) -> Any:
    return first_column(inputs[0]) if isinstance(inputs, tuple) else inputs


class Batches:
    """A data set cut into batches, shuffled anew each epoch as a function of (seed, epoch) alone.

    inputs: a Ragged or a list of arrays (sequences), an array (one row an item), or a named tuple of those
    targets: the same kinds; an array beside sequences is one target a sequence
    size: sequences (or rows) in a batch; the last may be smaller
    by_length: batches of sequences of similar length, themselves in random order: sequences are sorted by length
        within pools of `pool` batches
    """

    def __init__(
        self,
        inputs: Any,
        targets: Any,
        size: int = 32,
        *,
        seed: int = 0,
        shuffle: bool = True,
        by_length: bool = True,
        pool: int = 50,
    ) -> None:
        if size < 1:
            raise ValueError(f"size: expected at least 1, got {size}")
        self.inputs, self.targets = _column(inputs), _column(targets)
        self.size, self.seed, self.shuffle, self.by_length, self.pool = size, seed, shuffle, by_length, pool
        lead = first_column(self.inputs)
        self.count = len(lead)
        if not self.count:
            raise ValueError("inputs: expected at least one item, got none")
        self.lengths: Integers = lead.lengths if hasattr(lead, "lengths") else np.ones(self.count, dtype=np.int64)
        self._of_rows = not hasattr(lead, "lengths")
        self._steps: dict[int, Steps] = {}
        for name, column in (("inputs", self.inputs), ("targets", self.targets)):
            self._check(name, column)

    def _check(self, name: str, column: Any) -> None:
        for part in column if isinstance(column, tuple) else (column,):
            if isinstance(part, tuple):
                self._check(name, part)
            elif len(part) != self.count:
                raise ValueError(f"{name}: expected {self.count} items, as in the first input; got {len(part)}")
            elif hasattr(part, "lengths") and np.any(part.lengths != self.lengths):
                worst = int(np.flatnonzero(part.lengths != self.lengths)[0])
                raise ValueError(
                    f"{name}: sequence {worst} has {part.lengths[worst]} rows, expected {self.lengths[worst]}"
                )

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-self.count // self.size)

    def _plan(self, epoch: int) -> list[Integers]:
        """The items of each batch of an epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        items = rng.permutation(self.count) if self.shuffle else np.arange(self.count)
        if self._of_rows or not (self.by_length and self.shuffle):
            return [items[i : i + self.size] for i in range(0, self.count, self.size)]
        batches = []
        for start in range(0, self.count, self.size * self.pool):
            pool = items[start : start + self.size * self.pool]
            pool = pool[np.argsort(-self.lengths[pool], kind="stable")]
            batches += [pool[i : i + self.size] for i in range(0, len(pool), self.size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from its `start`-th on."""
        for indices in self._plan(number)[start:]:
            steps = self._steps_of(indices)
            yield Batch(take(self.inputs, indices, steps), take(self.targets, indices, steps), steps.rows)

    def _steps_of(self, indices: Integers) -> Steps:
        """Batches of so many rows lie in time alike."""
        if not self._of_rows:
            return Steps(self.lengths[indices])
        if len(indices) not in self._steps:
            self._steps[len(indices)] = Steps.single(len(indices))
        return self._steps[len(indices)]


def _column(data: Any) -> Any:
    if isinstance(data, tuple):
        parts = [_column(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else tuple(parts)
    if isinstance(data, list):
        return Ragged.of(data) if data and np.ndim(data[0]) else np.asarray(data)
    return data


class Streams:
    """Long documents read side by side, for layers that carry their state from batch to batch.

    The documents are dealt out to `streams` streams, each to the one with the least so far; a batch is the next
    at most `chunk` rows of every stream. A document ends only at the end of a chunk, which `steps.ends` tells, so that
    its state is then reset. Streams are neither shuffled nor sorted from batch to batch.
    """

    def __init__(self, inputs: Iterable[ArrayLike], targets: Iterable[ArrayLike], streams: int, chunk: int) -> None:
        if streams < 1 or chunk < 1:
            raise ValueError(f"streams, chunk: expected at least 1, got {streams}, {chunk}")
        self.inputs, self.targets = Ragged.of(list(inputs)), Ragged.of(list(targets))
        if not len(self.inputs.values) or np.any(self.inputs.offsets != self.targets.offsets):
            raise ValueError("inputs, targets: expected documents of equal lengths, and at least one row")
        self.streams, self.chunk = streams, chunk
        dealt: list[list[tuple[int, int, bool]]] = [[] for _ in range(streams)]
        filled = np.zeros(streams, dtype=np.int64)
        for first, last in zip(self.inputs.offsets[:-1], self.inputs.offsets[1:], strict=True):
            stream = int(np.argmin(filled))
            filled[stream] += last - first
            dealt[stream] += [(a, min(a + chunk, last), a + chunk >= last) for a in range(first, last, chunk)]
        self._dealt = dealt

    def __len__(self) -> int:
        """Batches in an epoch."""
        return max(len(pieces) for pieces in self._dealt)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from its `start`-th on; every epoch is the same."""
        for i in range(start, len(self)):
            pieces = [dealt[i] if i < len(dealt) else (0, 0, True) for dealt in self._dealt]
            steps = Steps([b - a for a, b, _ in pieces], ends=np.array([end for _, _, end in pieces]))
            first = np.array([a for a, _, _ in pieces])[steps.order]
            rows = steps.consecutive(first)
            yield Batch(Packed(self.inputs.values[rows], steps), Packed(self.targets.values[rows], steps), steps.rows)

"""Sequences of uneven length as rows: ragged data sets, packed batches, and the user's order restored.

A batch of B sequences, longest first, is stored step by step: first step 0 of all sequences, then step 1 of those that
have one, and so on. `counts[t]` sequences are alive at step t and N = counts.sum() rows hold the whole batch, with no
padding. B rows that are no sequences are B sequences of one step: every batch is packed, nothing is a special case.

>>> packed = pack([np.array([1., 2.]), np.array([3., 4., 5.])])
>>> packed.rows
array([3., 1., 4., 2., 5.])
>>> packed.steps.counts, packed.steps.order
(array([2, 2, 1]), array([1, 0]))
>>> unpack(packed.rows, packed.steps)
[array([1., 2.]), array([3., 4., 5.])]
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels

Integers = NDArray[np.int64]


class Steps:
    """How the rows of a packed batch lie in time. Immutable.

    lengths: length of each sequence in the user's order, zeros allowed
    places: the sequence's place in the whole batch (that is shared out over threads), which random masks are keyed by
    ends: of sequences that continue from batch to batch, those whose document ends here
    """

    def __init__(
        self, lengths: ArrayLike, places: Integers | None = None, ends: NDArray[np.bool_] | None = None
    ) -> None:
        lengths = np.asarray(lengths, dtype=np.int64, order="C")
        if lengths.ndim != 1:
            raise ValueError(f"lengths: expected a vector of numbers, got shape {lengths.shape}")
        self.order: Integers = np.empty_like(lengths)
        """(B,) the user's number of each packed sequence"""
        self.lengths: Integers = np.empty_like(lengths)
        """(B,) of the packed sequences, longest first"""
        self.counts: Integers = np.empty(max(0, int(lengths.max(initial=0))), dtype=np.int64)
        """(T,) sequences alive at each step"""
        self.rows: int = kernels.packing_order(lengths, self.order, self.lengths, self.counts)
        """N"""
        self.of_rows: bool = len(self.counts) == 1 and self.rows == len(lengths)
        """every sequence has one step; they are packed in the user's order"""
        self.ends = ends
        if places is not None:
            self.places = places

    @classmethod
    def single(cls, count: int) -> "Steps":
        """`count` sequences of one step."""
        return cls(np.ones(count, dtype=np.int64))

    @property
    def sequences(self) -> int:
        """B"""
        return len(self.lengths)

    @cached_property
    def offsets(self) -> Integers:
        """(T,) the first row of each step."""
        return np.cumsum(self.counts) - self.counts

    def row_numbers(self, sequences: Integers, steps: Integers) -> Integers:
        """(N,) for the row of packed sequence i at step t: sequences[i] + steps[t]."""
        rows = np.empty(self.rows, dtype=np.int64)
        kernels.row_numbers(sequences, steps, self.counts, rows)
        return rows

    def consecutive(self, starts: Integers) -> Integers:
        """(N,) for each packed row, its row where the rows of packed sequence i are those from starts[i] on."""
        return self.row_numbers(starts, np.arange(len(self.counts)))

    @cached_property
    def places(self) -> Integers:
        """(B,) in the user's order"""
        return np.arange(self.sequences)

    @cached_property
    def step_of_row(self) -> Integers:
        """(N,)"""
        return self.consecutive(np.zeros_like(self.lengths))

    @cached_property
    def sequence_of_row(self) -> Integers:
        """(N,) in packed numbering"""
        return self.row_numbers(np.arange(self.sequences), np.zeros_like(self.counts))

    @cached_property
    def flat(self) -> Integers:
        """(N,) for each packed row, its row when the sequences stand one after the other in the user's order."""
        return self.consecutive((np.cumsum(self.lengths_as_given) - self.lengths_as_given)[self.order])

    @cached_property
    def packed_of(self) -> Integers:
        """(B,) the packed number of each of the user's sequences: `order` the other way round"""
        packed = np.empty_like(self.order)
        packed[self.order] = np.arange(len(self.order))
        return packed

    @cached_property
    def lengths_as_given(self) -> Integers:
        """(B,) in the user's order"""
        return self.lengths[self.packed_of]

    @cached_property
    def places_of_sequences(self) -> Integers:
        """(B,) keys of random masks drawn once for a packed sequence."""
        return self.places[self.order] << 32

    @cached_property
    def places_of_rows(self) -> Integers:
        """(N,) keys of random masks drawn for each row: the same wherever the row is computed."""
        return self.consecutive(self.places_of_sequences)

    def per_sequence(self) -> "Steps":
        """One row a sequence, in packed order: what is left after the last state is taken."""
        return Steps(np.ones(self.sequences, dtype=np.int64), places=self.places[self.order])


class Packed(NamedTuple):
    """Rows (N, …) and how they lie in time."""

    rows: Any
    steps: Steps


class Gathered(NamedTuple):
    """What is computed of the sequences of another batch, brought to the rows of this one: row i is that of sequence
    ids[i] of `source`, numbered in the user's order."""

    source: Any
    ids: Integers
    steps: Steps


class Batch(NamedTuple):
    """Inputs of a network (Packed, Gathered, or a named tuple of such) and targets in the same packed order."""

    inputs: Any
    targets: Any
    items: int
    """how many things are counted: rows"""


def steps_of(inputs: Any) -> Steps:
    """The steps of a network's inputs: those of the first, where there are several."""
    if isinstance(inputs, Packed | Gathered):
        return inputs.steps
    if isinstance(inputs, tuple) and inputs:
        return steps_of(inputs[0])
    raise TypeError(f"inputs: expected packed rows or a named tuple of them, got {type(inputs).__name__}")


def pack(sequences: Sequence[ArrayLike] | NDArray[Any], dtype: Any = None) -> Packed:
    """A list of arrays (T_i, …) as one packed batch; an array (N, …) is N rows that are no sequences."""
    if isinstance(sequences, np.ndarray) and sequences.dtype != object:
        rows = np.ascontiguousarray(sequences, dtype=dtype)
        return Packed(rows, Steps.single(len(rows)))
    return Ragged.of(list(sequences), dtype).take(np.arange(len(sequences)))


def unpack(rows: NDArray[Any], steps: Steps) -> list[NDArray[Any]]:
    """The rows of each sequence, in the user's order."""
    if len(rows) != steps.rows:
        raise ValueError(f"rows: expected {steps.rows} of them, got {len(rows)}")
    flat = np.empty_like(rows)
    flat[steps.flat] = rows
    return np.split(flat, np.cumsum(steps.lengths_as_given)[:-1]) if steps.sequences else []


class Ragged:
    """Sequences stored one after the other: `values` (sum of T_i, …) and `offsets` (S + 1)."""

    def __init__(self, values: NDArray[Any], offsets: ArrayLike) -> None:
        self.values = np.ascontiguousarray(values)
        self.offsets: Integers = np.asarray(offsets, dtype=np.int64)
        if self.offsets.ndim != 1 or not len(self.offsets) or self.offsets[0] != 0 or np.any(np.diff(self.offsets) < 0):
            raise ValueError("offsets: expected numbers that start at 0 and never fall")
        if self.offsets[-1] != len(values):
            raise ValueError(f"offsets: expected the last to be the number of rows, {len(values)}; got {offsets!r}")

    @classmethod
    def of(cls, sequences: Sequence[ArrayLike], dtype: Any = None) -> "Ragged":
        """From a list of arrays (T_i, …); numbers that are whole become int64 unless `dtype` says otherwise."""
        arrays = [np.asarray(sequence, dtype=dtype) for sequence in sequences]
        shapes = {array.shape[1:] for array in arrays if array.size or array.ndim > 1}
        if any(array.ndim == 0 for array in arrays):
            raise ValueError("sequences: expected a list of arrays, one a sequence; got a list of numbers")
        if len(shapes) > 1:
            raise ValueError(f"sequences: expected rows of one shape, got {sorted(shapes)}")
        shape = shapes.pop() if shapes else ()
        filled = [array.reshape(-1, *shape) for array in arrays if array.size]
        if filled:
            values = np.concatenate(filled)
        else:
            values = np.zeros((0, *shape), dtype=dtype or (np.result_type(*arrays) if arrays else np.float64))
        if values.dtype.kind in "iub" and dtype is None:
            values = values.astype(np.int64, copy=False)
        return cls(values, np.concatenate([[0], np.cumsum([len(array) for array in arrays], dtype=np.int64)]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[i] for i in range(len(self)))

    @property
    def lengths(self) -> Integers:
        """(S,)"""
        return np.diff(self.offsets)

    def take(self, indices: Integers, steps: Steps | None = None) -> Packed:
        """The sequences `indices` as one packed batch, by one gather."""
        if steps is None:
            steps = Steps(self.lengths[indices])
        return Packed(self.values[steps.consecutive(self.offsets[:-1][indices[steps.order]])], steps)

"""What losses over sequences of labels say of whole paths and of stretches of them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyneural import kernels
from pyneural.losses.allowed import Allowed
from pyneural.packing import Steps

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
Float64 = NDArray[np.float64]
Chain = tuple[Array, Array, Array, Array, Integers, Integers | None]
"""scores (N, K), of starts (K), transitions (K, K), ends (K); how many sequences are alive at each step (T); the label
before each sequence, -1 for none (B)"""


class BestPaths(NamedTuple):
    """The n most probable paths of each packed sequence, best first.

    A sequence may have fewer: the labels of the rest are -1, their scores -inf and their probabilities 0. Paths of
    equal score always come in the same order.
    """

    labels: Integers
    """(n, N)"""
    scores: Float64
    """(n, B)"""
    probabilities: Float64
    """(n, B) of the whole path, given the sequence"""


def best_paths(chain: Chain, n: int, logZ: Float64) -> BestPaths:
    """Of the paths through a chain, whose log Z (B,) are known."""
    if n < 1:
        raise ValueError(f"n: expected at least one path, got {n}")
    x, counts = chain[0], chain[4]
    labels = np.empty((n, len(x)), dtype=np.int64)
    scores = np.empty((n, len(logZ)))
    pointers, scratch = kernels.best_paths_room(len(counts), x.shape[1], n)
    kernels.crf_best_paths(*chain, labels, scores, np.empty(pointers, dtype=np.int64), np.empty(scratch))
    possible = np.isfinite(scores)
    gap = np.subtract(scores, logZ, out=np.full_like(scores, -np.inf), where=possible)
    return BestPaths(labels, scores, np.exp(np.minimum(gap, 0)))


def span_rows(steps: Steps, spans: ArrayLike) -> tuple[Integers, Integers]:
    """(the rows of each span, one span after the other; where in them each span begins)

    spans: (S, 3) of each its packed sequence, its first step, and the step after its last
    """
    spans = np.asarray(spans)
    if spans.size == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if spans.ndim != 2 or spans.shape[1] != 3 or spans.dtype.kind not in "iu":
        raise ValueError(
            f"spans: expected whole numbers (S, 3): sequence, start, stop; got {spans.dtype} of shape {spans.shape}"
        )
    sequence, start, stop = spans.astype(np.int64).T
    known = (sequence >= 0) & (sequence < steps.sequences)
    fits = known & (start >= 0) & (start < stop) & (stop <= steps.lengths[np.where(known, sequence, 0)])
    if not fits.all():
        at = int(np.argmin(fits))
        raise ValueError(
            f"spans: expected 0 <= start < stop <= length of one of {steps.sequences} sequences, got sequence "
            f"{sequence[at]}, start {start[at]}, stop {stop[at]} in span {at}"
        )
    lengths = stop - start
    first = np.cumsum(lengths) - lengths
    step = np.arange(lengths.sum()) - np.repeat(first - start, lengths)
    return steps.offsets[step] + np.repeat(sequence, lengths), first


def best_allowed(x: Array, steps: Steps, moves: Allowed) -> Integers:
    """The best path (N,) of each sequence among those of allowed moves, rows of scores x (N, K) being independent."""
    start, transitions, end = (np.where(part, 0, -np.inf).astype(x.dtype) for part in moves)
    labels, scores = np.empty(len(x), dtype=np.int64), np.empty(steps.sequences)
    scratch = np.empty(kernels.crf_scratch(len(steps.counts), x.shape[1]))
    kernels.crf_viterbi(x, start, transitions, end, steps.counts, None, labels, scores, scratch)
    return labels

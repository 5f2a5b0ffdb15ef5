"""The linear-chain conditional random field."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
Float64 = NDArray[np.float64]


def _sequences(counts: Integers, B: int) -> list[Integers]:
    """The rows of each packed sequence."""
    offset = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    return [(offset + b)[counts > b].astype(np.int64) for b in range(B)]


def _first(start: Array, transitions: Array, previous: Integers | None, b: int) -> Array:
    return start if previous is None or previous[b] < 0 else transitions[previous[b]]


def _log_sum_exp(x: Float64) -> Float64:
    """Over the first axis; -inf where all is -inf."""
    largest = np.maximum(x.max(axis=0), -1e300)
    with np.errstate(divide="ignore"):
        return np.asarray(largest + np.log(np.exp(x - largest).sum(axis=0)))


class Expected(NamedTuple):
    """Of all paths through each sequence; where none can be, log_partition is -inf and the rest 0."""

    log_partition: Float64
    """log Z (B)"""
    marginals: Float64
    """p(y_t = k) (N, K)"""
    befores: list[Float64 | None]
    """p(y_{t-1} = i | y_t = j) (K, K) of each row; None of a first one"""
    starts: Float64
    pairs: Float64
    ends: Float64
    """expected counts of starts (K), transitions (K, K) and ends (K)"""


def _expected(
    scores: Array, start: Array, transitions: Array, end: Array, counts: Integers, previous: Integers | None, B: int
) -> Expected:
    A = transitions.astype(np.float64)
    s = scores.astype(np.float64)
    K = len(A)
    logZ, marginals = np.zeros(B), np.zeros(s.shape)
    befores: list[Float64 | None] = [None] * len(s)
    starts, pairs, ends = np.zeros(K), np.zeros((K, K)), np.zeros(K)
    for b, rows in enumerate(_sequences(counts, B)):
        if not len(rows):
            continue
        alpha = _first(start, transitions, previous, b) + s[rows[0]]
        c = _log_sum_exp(alpha)
        logZ[b], alpha = c, alpha - np.maximum(c, -1e300)
        for row in rows[1:]:
            paths = alpha[:, None] + A
            best = _log_sum_exp(paths)
            befores[row] = np.exp(paths - np.maximum(best, -1e300))
            alpha = best + s[row]
            c = _log_sum_exp(alpha)
            logZ[b], alpha = logZ[b] + c, alpha - np.maximum(c, -1e300)
        last = alpha + end
        c = _log_sum_exp(last)
        logZ[b] += c
        p = np.exp(last - np.maximum(c, -1e300))
        ends += p
        for row in rows[:0:-1]:
            pair = befores[row] * p
            marginals[row] = p
            pairs += pair
            p = pair.sum(axis=1)
        marginals[rows[0]] = p
        first = starts if previous is None or previous[b] < 0 else pairs[previous[b]]
        first += p
    return Expected(logZ, marginals, befores, starts, pairs, ends)


def crf_marginals(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    logZ: Float64,
    marginals: Array,
    scratch: Float64,
) -> None:
    """logZ (B) and p(y_t = k) (N, K): see crf.h."""
    logZ[...], marginals[...], *_ = _expected(scores, start, transitions, end, counts, previous, len(logZ))


def crf_links(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    logZ: Float64,
    marginals: Array,
    links: Float64,
    scratch: Float64,
) -> None:
    """logZ (B), p(y_t = k) (N, K), and the links of the path `tags`: of each row, p(y_{t-1} = the tag before |
    y_t = the tag there) (N), 1 in a first row."""
    _check_tags(tags, scores.shape[1])
    expected = _expected(scores, start, transitions, end, counts, previous, len(logZ))
    logZ[...], marginals[...], links[...] = expected.log_partition, expected.marginals, 1
    for rows in _sequences(counts, len(logZ)):
        for before, row in pairwise(rows):
            links[row] = expected.befores[row][tags[before], tags[row]]


def _check_tags(tags: Integers, K: int) -> None:
    bad = np.flatnonzero((tags < 0) | (tags >= K))
    if bad.size:
        raise ValueError(f"tags: expected labels from 0 to {K - 1}, got {tags[bad[0]]} in row {bad[0]}")


def crf_gradient(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    scale: float,
    losses: Float64,
    dscores: Array,
    dstart: Array,
    dtransitions: Array,
    dend: Array,
    scratch: Float64,
) -> None:
    """losses (B) = logZ - score(tags), and `scale` times the gradient of their sum: expected counts minus the own."""
    B, K = len(losses), scores.shape[1]
    _check_tags(tags, K)
    logZ, marginals, _, starts, pairs, ends = _expected(scores, start, transitions, end, counts, previous, B)
    losses[...] = logZ
    for b, rows in enumerate(_sequences(counts, B)):
        if not len(rows):
            continue
        path = tags[rows]
        first = _first(start, transitions, previous, b)
        losses[b] -= np.float64(first[path[0]]) + np.float64(end[path[-1]])
        losses[b] -= scores[rows, path].sum(dtype=np.float64)
        losses[b] -= transitions[path[:-1], path[1:]].sum(dtype=np.float64)
        marginals[rows, path] -= 1
        np.add.at(pairs, (path[:-1], path[1:]), -1)
        ends[path[-1]] -= 1
        if previous is None or previous[b] < 0:
            starts[path[0]] -= 1
        else:
            pairs[previous[b], path[0]] -= 1
    for out, count in ((dscores, marginals), (dstart, starts), (dtransitions, pairs), (dend, ends)):
        out[...] = scale * count


def crf_viterbi(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: Float64,
    scratch: Float64,
) -> None:
    """The best path of each sequence (N) and its score (B); of equal scores the lowest label wins."""
    A = transitions.astype(np.float64)
    for b, rows in enumerate(_sequences(counts, len(path_scores))):
        path_scores[b] = 0
        if not len(rows):
            continue
        delta = _first(start, transitions, previous, b).astype(np.float64) + scores[rows[0]]
        back = []
        for row in rows[1:]:
            paths = delta[:, None] + A
            back.append(paths.argmax(axis=0))
            delta = paths.max(axis=0) + scores[row]
        delta = delta + end
        best = int(delta.argmax())
        path_scores[b] = delta[best]
        tags[rows[-1]] = best
        for row, pointer in zip(rows[-2::-1], reversed(back), strict=True):
            best = int(pointer[best])
            tags[row] = best


def crf_best_paths(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: Float64,
    pointers: Integers,
    scratch: Float64,
) -> None:
    """The n best paths of each sequence, best first (n, N), and their scores (n, B): see best_paths.h."""
    n, B = path_scores.shape
    A = transitions.astype(np.float64)
    tags[...], path_scores[...] = -1, -np.inf
    for b, rows in enumerate(_sequences(counts, B)):
        if not len(rows):
            path_scores[0, b] = 0
            continue
        delta = np.full((len(A), n), -np.inf)
        delta[:, 0] = _first(start, transitions, previous, b).astype(np.float64) + scores[rows[0]]
        back = []
        for row in rows[1:]:
            best = [_best_of_lists(delta, into, n) for into in A.T]
            back.append([origins for _, origins in best])
            delta = np.array([top for top, _ in best]) + scores[row][:, None]
        top, places = _best_of_lists(delta, end.astype(np.float64), n)
        path_scores[:, b] = top
        for m in range(n):
            if not top[m] > -np.inf:
                continue
            label, place = divmod(int(places[m]), n)
            tags[m, rows[-1]] = label
            for row, origins in zip(rows[-2::-1], reversed(back), strict=True):
                label, place = divmod(int(origins[label][place]), n)
                tags[m, row] = label


def _best_of_lists(delta: Float64, a: Float64, n: int) -> tuple[Float64, Integers]:
    """The n largest delta[i, m] + a[i] and their i n + m; of equal ones the lowest first."""
    candidates = (delta + a[:, None]).ravel()
    candidates[~(candidates > -np.inf)] = -np.inf  # NaN
    origins = np.argsort(-candidates, kind="stable")[:n]
    return candidates[origins], origins

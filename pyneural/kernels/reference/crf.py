"""The linear-chain conditional random field."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Integers = NDArray[np.int64]


def _sequences(counts: Integers, B: int) -> list[Integers]:
    """The rows of each packed sequence."""
    offset = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    return [(offset + b)[counts > b].astype(np.int64) for b in range(B)]


def _first(start: Array, transitions: Array, previous: Integers | None, b: int) -> Array:
    return start if previous is None or previous[b] < 0 else transitions[previous[b]]


def _log_sum_exp(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis; -inf where all is -inf."""
    largest = np.maximum(x.max(axis=0), -1e300)
    with np.errstate(divide="ignore"):
        return np.asarray(largest + np.log(np.exp(x - largest).sum(axis=0)))


def crf_marginals(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    logZ: NDArray[np.float64],
    marginals: Array,
    dstart: NDArray[np.float64] | None,
    dtransitions: NDArray[np.float64] | None,
    dend: NDArray[np.float64] | None,
    scratch: NDArray[np.float64],
) -> None:
    """logZ (B), p(y_t = k) (N, K), and expected counts added to dstart, dtransitions, dend: see crf.h."""
    A = transitions.astype(np.float64)
    s = scores.astype(np.float64)
    for b, rows in enumerate(_sequences(counts, len(logZ))):
        logZ[b] = 0
        if not len(rows):
            continue
        alpha = _first(start, transitions, previous, b) + s[rows[0]]
        c = _log_sum_exp(alpha)
        logZ[b], alpha, responsibilities = c, alpha - c, []
        for row in rows[1:]:
            paths = alpha[:, None] + A
            best = _log_sum_exp(paths)
            responsibilities.append(np.exp(paths - np.maximum(best, -1e300)))
            alpha = best + s[row]
            c = _log_sum_exp(alpha)
            logZ[b], alpha = logZ[b] + c, alpha - c
        last = alpha + end
        c = _log_sum_exp(last)
        logZ[b] += c
        p = np.exp(last - c)
        if dend is not None:
            dend += p
        for row, R in zip(rows[:0:-1], reversed(responsibilities), strict=True):
            marginals[row] = p
            pairs = R * p
            if dtransitions is not None:
                dtransitions += pairs
            p = pairs.sum(axis=1)
        marginals[rows[0]] = p
        if dstart is not None and dtransitions is not None:
            first = dstart if previous is None or previous[b] < 0 else dtransitions[previous[b]]
            first += p


def crf_path_scores(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: NDArray[np.float64],
    marginals: Array | None,
    dstart: NDArray[np.float64] | None,
    dtransitions: NDArray[np.float64] | None,
    dend: NDArray[np.float64] | None,
) -> None:
    """The scores of the given paths (B); their own counts are taken off the other arrays where those are given."""
    K = scores.shape[1]
    bad = np.flatnonzero((tags < 0) | (tags >= K))
    if bad.size:
        raise ValueError(f"tags: expected labels from 0 to {K - 1}, got {tags[bad[0]]} in row {bad[0]}")
    for b, rows in enumerate(_sequences(counts, len(path_scores))):
        path_scores[b] = 0
        if not len(rows):
            continue
        path = tags[rows]
        first = _first(start, transitions, previous, b)
        path_scores[b] = np.float64(first[path[0]]) + np.float64(end[path[-1]])
        path_scores[b] += scores[rows, path].sum(dtype=np.float64)
        path_scores[b] += transitions[path[:-1], path[1:]].sum(dtype=np.float64)
        if marginals is None or dstart is None or dtransitions is None or dend is None:
            continue
        marginals[rows, path] -= 1
        np.add.at(dtransitions, (path[:-1], path[1:]), -1)
        dend[path[-1]] -= 1
        if previous is None or previous[b] < 0:
            dstart[path[0]] -= 1
        else:
            dtransitions[previous[b], path[0]] -= 1


def crf_viterbi(
    scores: Array,
    start: Array,
    transitions: Array,
    end: Array,
    counts: Integers,
    previous: Integers | None,
    tags: Integers,
    path_scores: NDArray[np.float64],
    scratch: NDArray[np.float64],
    pointers: Integers,
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

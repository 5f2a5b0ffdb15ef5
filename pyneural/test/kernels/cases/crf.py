"""Cases of the conditional random field."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.kernels.sizes import best_paths_room, crf_scratch
from pyneural.test.kernels.cases.draw import BATCHES, BOTH, LARGE, Arguments, Cases, Draw, counts_of, unset

# What each kernel writes.
WRITES = {
    "crf_best_paths": ("tags", "path_scores"),
    "crf_gradient": ("losses", "dscores", "dstart", "dtransitions", "dend"),
    "crf_links": ("logZ", "marginals", "links"),
    "crf_marginals": ("logZ", "marginals"),
    "crf_viterbi": ("tags", "path_scores"),
}

# How far the transitions span: from 300 on the compiled kernels must see for themselves whether probabilities serve a
# sequence, or do it again in logarithms (`crf_lanes.h`).
SPANS = {"span of 299": 299.0, "span of 301": 301.0, "span of 600": 600.0}
# What some transitions, starts and ends are, in a batch with scores of 300 in every other row
FAR = {f"far at {low:g}": low for low in (-280.0, -400.0, -1e4, -np.inf)}
OF_ONE_LABEL = ("small", "scores of 1e4", "ties")
KINDS = (*OF_ONE_LABEL, "scores of 1e6", "barred", "barred start", "no path", "a NaN", *SPANS, *FAR)


def _chains(draw: Draw) -> Iterator[tuple[str, int, int, int, Arguments]]:
    """(label, N, B, K, the arguments that the kernels have in common)."""
    for (size, lengths), K, kind, known in product(BATCHES.items(), (1, 5, 19), KINDS, BOTH):
        if (kind not in OF_ONE_LABEL and K == 1) or (size == "large") != (K == 19):
            continue
        yield _chain(draw, size, lengths, K, kind, known)
    for K, (size, lengths), known in product((1, 2, 9, 17, 40), WIDE.items(), BOTH):
        yield _chain(draw, size, lengths, K, "small", known)


WIDE = {"one of 9": [9], "nine": [7, 7, 6, 6, 6, 5, 3, 3, 1], "large": LARGE}


def _chain(
    draw: Draw, size: str, lengths: list[int], K: int, kind: str, known: bool
) -> tuple[str, int, int, int, Arguments]:
    N, B = sum(lengths), len(lengths)
    scale = 1e4 if kind == "scores of 1e4" else 1
    model = [draw.normal(*s, scale=scale) for s in ((N, K), (K,), (K, K), (K,))]
    if kind == "ties":
        model = [np.rint(x) for x in model]
    scores, start, transitions, end = model
    if kind == "scores of 1e6":
        scores, start, end = 1e6 * scores, 1e6 * start, 1e6 * end
    if kind == "a NaN":
        scores[N // 2 :][:1, 0] = np.nan
    if kind == "barred":  # a label without a way in, one without a way out, and two that may not meet
        transitions[:, 1], transitions[0, :1], transitions[2, :], end[3] = -np.inf, -np.inf, -np.inf, -np.inf
        transitions[2, 4] = 0
    if kind == "barred start":
        start[1:] = -np.inf
    if kind == "no path":  # but of one step, or of two
        transitions[...], transitions[0, 1] = -np.inf, 0
    if kind in SPANS:
        transitions = draw.rng.uniform(0, SPANS[kind], (K, K)).astype(draw.dtype)
        transitions.flat[[0, -1]] = 0, SPANS[kind]
        scores = scores * draw.dtype(100)
    if kind in FAR:
        for x in (start, transitions, end):
            x[draw.rng.random(x.shape) < 0.4] = FAR[kind]
        start[0] = transitions[0, :] = transitions[:, 0] = end[0] = 0  # there is always a way by label 0
        scores[1::2] *= 300
    previous = draw.integers(-1, K, B) if known else None
    if previous is not None and kind == "barred":
        previous[previous == 2] = -1
    shared = {
        "scores": scores,
        "start": start,
        "transitions": transitions,
        "end": end,
        "counts": counts_of(lengths),
        "previous": previous,
    }
    return f"{size} {K=} {kind} {known=}", N, B, K, shared


def _scratch(shared: Arguments, K: int) -> Arguments:
    return {"scratch": unset(crf_scratch(len(shared["counts"]), K))}


def crf_marginals(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        yield label, shared | {"logZ": unset(B), "marginals": draw.unset(N, K)} | _scratch(shared, K)


def crf_gradient(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        for scale in (1.0, 0.125):
            yield (
                f"{label} {scale=}",
                shared
                | {"tags": draw.integers(0, K, N), "scale": scale, "losses": unset(B), "dscores": draw.unset(N, K)}
                | {"dstart": draw.unset(K), "dtransitions": draw.unset(K, K), "dend": draw.unset(K)}
                | _scratch(shared, K),
            )


def crf_links(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        results = {"logZ": unset(B), "marginals": draw.unset(N, K), "links": unset(N)}
        yield label, shared | {"tags": draw.integers(0, K, N)} | results | _scratch(shared, K)


def crf_viterbi(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        yield label, shared | {"tags": np.full(N, -7, np.int64), "path_scores": unset(B)} | _scratch(shared, K)


def crf_best_paths(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        if "a NaN" in label:
            continue  # which is no score, and in no order with others
        for n in (1, 3, 10) if N < 50 else (4,):
            pointers, scratch = best_paths_room(len(shared["counts"]), K, n)
            room = {"pointers": np.zeros(pointers, np.int64), "scratch": unset(scratch)}
            yield f"{label} {n=}", shared | {"tags": np.full((n, N), -7, np.int64), "path_scores": unset(n, B)} | room

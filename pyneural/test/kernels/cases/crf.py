"""Cases of the conditional random field."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.test.kernels.cases.draw import BATCHES, BOTH, Arguments, Cases, Draw, counts_of, unset

# What each kernel writes.
WRITES = {
    "crf_marginals": ("logZ", "marginals", "dstart", "dtransitions", "dend"),
    "crf_path_scores": ("path_scores", "marginals", "dstart", "dtransitions", "dend"),
    "crf_viterbi": ("tags", "path_scores"),
}


def _chains(draw: Draw) -> Iterator[tuple[str, int, int, int, Arguments]]:
    """(label, N, B, K, the arguments that the three kernels have in common)."""
    kinds = ("small", "scores of 1e4", "ties", "barred", "barred start")
    for (size, lengths), K, kind, known in product(BATCHES.items(), (1, 5, 19), kinds, BOTH):
        if (kind.startswith("barred") and K == 1) or (size == "large") != (K == 19):
            continue
        N, B = sum(lengths), len(lengths)
        scale = 1e4 if kind == "scores of 1e4" else 1
        model = [draw.normal(*s, scale=scale) for s in ((N, K), (K,), (K, K), (K,))]
        if kind == "ties":
            model = [np.rint(x) for x in model]
        scores, start, transitions, end = model
        if kind == "barred":  # a label without a way in, one without a way out, and two that may not meet
            transitions[:, 1], transitions[0, :1], transitions[2, :], end[3] = (
                -np.inf,
                -np.inf,
                -np.inf,
                -np.inf,
            )
            transitions[2, 4] = 0
        if kind == "barred start":
            start[1:] = -np.inf
        previous = draw.integers(-1, K, B) if known else None
        if previous is not None and kind == "barred":
            previous[previous == 2] = -1
        yield (
            f"{size} {K=} {kind} {known=}",
            N,
            B,
            K,
            {
                "scores": scores,
                "start": start,
                "transitions": transitions,
                "end": end,
                "counts": counts_of(lengths),
                "previous": previous,
            },
        )


def _expected_counts(draw: Draw, K: int) -> Arguments:
    """Float64 whatever the dtype, and added to."""
    return {name: draw.rng.normal(size=s) for name, s in (("dstart", K), ("dtransitions", (K, K)), ("dend", K))}


NO_COUNTS: Arguments = {"dstart": None, "dtransitions": None, "dend": None}


def crf_marginals(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        scratch = 3 * K + (len(shared["counts"]) + 1) * K * K
        for counted in BOTH:
            yield (
                f"{label} {counted=}",
                shared
                | {"logZ": unset(B), "marginals": draw.unset(N, K)}
                | (_expected_counts(draw, K) if counted else NO_COUNTS)
                | {"scratch": unset(scratch)},
            )


def crf_path_scores(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        for counted in BOTH:
            yield (
                f"{label} {counted=}",
                shared
                | {"tags": draw.integers(0, K, N), "path_scores": unset(B)}
                | {"marginals": draw.unit(N, K) if counted else None}
                | (_expected_counts(draw, K) if counted else NO_COUNTS),
            )


def crf_viterbi(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, N, B, K, shared in _chains(draw):
        T = len(shared["counts"])
        yield (
            label,
            shared
            | {"tags": np.full(N, -7, np.int64), "path_scores": unset(B)}
            | {"scratch": unset(2 * K), "pointers": np.full(T * K, -7, np.int64)},
        )

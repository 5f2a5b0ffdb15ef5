"""Arguments for every kernel: CASES[name](dtype) yields (label, arguments by name), the same at every call.

An array that a kernel must overwrite comes filled with NaN, so that an element left out shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

Arguments = dict[str, Any]
Cases = Iterator[tuple[str, Arguments]]

# What each kernel writes; all other arrays are read only. Scratch is written too, with nothing anybody reads.
WRITES: dict[str, tuple[str, ...]] = {
    "activation_backward": ("dx",),
    "activation_forward": ("y",),
    "adam_step": ("values", "mean", "variance"),
    "affine": ("y",),
    "column_sums": ("out",),
    "crf_marginals": ("logZ", "marginals", "dstart", "dtransitions", "dend"),
    "crf_path_scores": ("path_scores", "marginals", "dstart", "dtransitions", "dend"),
    "crf_viterbi": ("tags", "path_scores"),
    "distinct": ("seen", "rows"),
    "dropout_mask": ("mask",),
    "exponential": ("y",),
    "gather": ("out",),
    "gru_backward": ("dh", "da", "dm"),
    "gru_forward": ("gates", "h", "y", "h_prev", "m"),
    "lstm_backward": ("dh", "dc", "da"),
    "lstm_forward": ("gates", "h", "c", "y", "h_prev", "c_prev", "tanh_c"),
    "matmul": ("out",),
    "momentum_step": ("values", "velocity"),
    "rnn_backward": ("dh", "da"),
    "rnn_forward": ("h", "y", "h_prev"),
    "scatter_add": ("grad",),
    "sgd_step": ("values",),
    "softmax": ("out",),
    "softmax_gradient": ("losses", "dscores"),
    "sum_of_squares": (),
    "zero_rows": ("grad",),
}
SCRATCH = ("scratch", "pointers")

SHAPES = {"empty": (0, 5), "one number": (1, 1), "one row": (1, 7), "one column": (7, 1), "large": (67, 131)}

LARGE = sorted(np.random.default_rng(24).integers(0, 31, 24).tolist(), reverse=True)
BATCHES = {  # the lengths of the sequences, longest first
    "B=0": [],
    "all empty": [0, 0, 0],
    "T=1": [1, 1, 1],
    "B=1": [5],
    "ragged": [6, 4, 4, 2, 1, 1, 0, 0],
    "large": LARGE,
}


class Draw:
    """Arrays of one dtype from a fixed seed."""

    def __init__(self, dtype: type, seed: int = 1) -> None:
        self.dtype, self.rng = dtype, np.random.default_rng(seed)

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * self.rng.normal(size=shape)).astype(self.dtype)

    def unit(self, *shape: int) -> np.ndarray:
        """Within (0, 1), as gates are."""
        return self.rng.uniform(0.01, 0.99, shape).astype(self.dtype)

    def integers(self, low: int, high: int, *shape: int) -> np.ndarray:
        return self.rng.integers(low, high, shape, dtype=np.int64)

    def unset(self, *shape: int) -> np.ndarray:
        return np.full(shape, np.nan, self.dtype)


def unset(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan)


def counts_of(lengths: list[int]) -> np.ndarray:
    """How many sequences are alive at each step."""
    steps = range(max(lengths, default=0))
    return np.array([sum(length > t for length in lengths) for t in steps], np.int64)


# ---- linear algebra -------------------------------------------------------------------------------------


def _strided(x: np.ndarray) -> np.ndarray:
    """The same numbers as some columns of a wider matrix."""
    wide = np.full((x.shape[0], x.shape[1] + 5), 7, x.dtype)
    wide[:, 2 : 2 + x.shape[1]] = x
    return wide[:, 2 : 2 + x.shape[1]]


def matmul(dtype: type) -> Cases:
    draw = Draw(dtype)
    sizes = [(0, 3, 4), (3, 0, 4), (3, 4, 0), (1, 5, 3), (1, 1, 1), (4, 1, 3), (2, 3, 1), (33, 17, 65)]
    for (M, N, K), ta, tb, accumulate, strides in product(sizes, *[(False, True)] * 4):
        layout = _strided if strides else np.asarray
        yield (
            f"{M=} {N=} {K=} {ta=} {tb=} {accumulate=} {strides=}",
            {
                "a": layout(draw.normal(K, M) if ta else draw.normal(M, K)),
                "b": layout(draw.normal(N, K) if tb else draw.normal(K, N)),
                "out": layout(draw.normal(M, N) if accumulate else draw.unset(M, N)),
                "transpose_a": ta,
                "transpose_b": tb,
                "accumulate": accumulate,
            },
        )


def affine(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, D)), H, bias in product(SHAPES.items(), (1, 19), (False, True)):
        b = draw.normal(H) if bias else None
        yield (
            f"{size} {H=} {bias=}",
            {"x": draw.normal(N, D), "W": draw.normal(D, H), "b": b, "y": draw.unset(N, H)},
        )


def column_sums(dtype: type) -> Cases:
    draw = Draw(dtype)
    for size, (N, D) in SHAPES.items():
        yield size, {"x": draw.normal(N, D), "out": draw.unset(D)}


# ---- element by element ---------------------------------------------------------------------------------


def _with_extremes(x: np.ndarray) -> np.ndarray:
    extremes = [0.0, -0.0, 1.0, np.inf, -np.inf, 1e30, -1e30, 1e-30, 50.0, -50.0, np.nan]
    x.flat[: len(extremes)] = extremes[: x.size]
    return x


def activation_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), kind, ceiling in product([*SHAPES.items(), ("cube", (2, 3, 5))], range(4), (1.0, 2.5)):
        x = _with_extremes(draw.normal(*shape, scale=4))
        yield (
            f"{size} {kind=} {ceiling=}",
            {"x": x, "y": draw.unset(*shape), "kind": kind, "ceiling": ceiling},
        )


def activation_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), kind, ceiling in product([*SHAPES.items(), ("cube", (2, 3, 5))], range(4), (1.0, 2.5)):
        y = np.clip(draw.normal(*shape), *[(-1, 1), (0, 1), (0, np.inf), (0, ceiling)][kind])
        dx, dy = draw.unset(*shape), draw.normal(*shape)
        dy.flat[:4] = [0, np.inf, -np.inf, np.nan][: dy.size]
        yield f"{size} {kind=} {ceiling=}", {"y": y, "dy": dy, "dx": dx, "kind": kind, "ceiling": ceiling}


def exponential(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, shape), scale in product(SHAPES.items(), (1e-3, 1, 30)):
        x = _with_extremes(draw.normal(*shape, scale=scale))
        yield f"{size} {scale=}", {"x": x, "y": draw.unset(*shape)}


def dropout_mask(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, D)), rate, key in product(SHAPES.items(), (0.0, 0.3, 0.999), (0, 5, 2**64 - 1)):
        places = draw.integers(0, 2**62, N)
        yield f"{size} {rate=} {key=}", {"places": places, "key": key, "rate": rate, "mask": draw.unset(N, D)}


def _scores(draw: Draw, N: int, K: int) -> Iterator[tuple[str, np.ndarray]]:
    yield "", draw.normal(N, K)
    yield "scores of 1e4", draw.normal(N, K, scale=1e4)
    yield "equal scores", np.full((N, K), 3, draw.dtype)


def softmax(dtype: type) -> Cases:
    draw = Draw(dtype)
    for size, (N, K) in SHAPES.items():
        for label, scores in _scores(draw, N, K):
            yield f"{size} {label}", {"scores": scores, "out": draw.unset(N, K)}
        barred = draw.normal(N, K)
        barred[:, 1:2] = -np.inf
        yield f"{size} score of -inf", {"scores": barred, "out": draw.unset(N, K)}


def softmax_gradient(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (size, (N, K)), weighted, smoothing in product(SHAPES.items(), (False, True), (0.0, 0.1)):
        for label, scores in _scores(draw, N, K):
            yield (
                f"{size} {label} {weighted=} {smoothing=}",
                {
                    "scores": scores,
                    "targets": draw.integers(0, K, N),
                    "weights": draw.unit(K) if weighted else None,
                    "smoothing": smoothing,
                    "scale": 0.7,
                    "losses": unset(N),
                    "dscores": draw.unset(N, K),
                },
            )


# ---- embedding ------------------------------------------------------------------------------------------


def _ids(draw: Draw) -> Iterator[tuple[str, int, np.ndarray]]:
    yield "no ids", 6, draw.integers(0, 6, 0)
    yield "one word", 1, draw.integers(0, 1, 5)
    yield "one id", 6, draw.integers(0, 6, 1)
    yield "repeated", 6, draw.integers(0, 6, 40)
    yield "large", 500, draw.integers(0, 500, 300)


def gather(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"table": draw.normal(V, D), "ids": ids, "out": draw.unset(len(ids), D)}


def scatter_add(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"ids": ids, "dy": draw.normal(len(ids), D), "grad": draw.normal(V, D)}


def zero_rows(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, V, ids), D in product(_ids(draw), (1, 19)):
        yield f"{label} {D=}", {"rows": ids, "grad": draw.normal(V, D)}


def distinct(dtype: type) -> Cases:
    for label, V, ids in _ids(Draw(dtype)):
        yield label, {"ids": ids, "seen": np.zeros(V, np.int64), "rows": np.full(len(ids) + 1, -7, np.int64)}


# ---- recurrent cells ------------------------------------------------------------------------------------


def _walks(*variants: tuple[Any, ...]) -> Iterator[tuple[str, np.ndarray, int, int, int, tuple[Any, ...]]]:
    """(label, counts, N, B, H, one choice of each variant) for every batch."""
    for (size, lengths), *choice in product(BATCHES.items(), *variants):
        H = 1 if size == "T=1" else 33 if size == "large" else 5
        yield f"{size} {choice}", counts_of(lengths), sum(lengths), len(lengths), H, tuple(choice)


BOTH = (False, True)
BPTT = (0, 2)


def rnn_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, kind, kept) in _walks(BOTH, range(3), BOTH):
        yield (
            label,
            {
                "a": draw.normal(N, H),
                "U": draw.normal(H, H, scale=H**-0.5),
                "h": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "kind": kind,
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
            },
        )


def rnn_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, kind, bptt, dy) in _walks(BOTH, range(3), BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "y": np.clip(draw.normal(N, H), -0.9 if kind == 0 else 0, 0.9),
                "U": draw.normal(H, H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "kind": kind,
                "bptt": bptt,
                "da": draw.unset(N, H),
                "scratch": draw.unset(H * H),
            },
        )


def gru_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, reset_after, kept) in _walks(BOTH, BOTH, BOTH):
        yield (
            label,
            {
                "gates": draw.normal(N, 3 * H),
                "U": draw.normal(H, 3 * H, scale=H**-0.5),
                "c": draw.normal(H) if reset_after else None,
                "h": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
                "m": draw.unset(N, H),
                "scratch": draw.unset(B * 3 * H),
            },
        )


def gru_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, reset_after, bptt, dy) in _walks(BOTH, BOTH, BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "gates": draw.unit(N, 3 * H),
                "m": draw.normal(N, H),
                "h_prev": draw.normal(N, H),
                "U": draw.normal(H, 3 * H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "bptt": bptt,
                "da": draw.unset(N, 3 * H),
                "dm": draw.unset(N, H) if reset_after else None,
                "scratch": draw.unset(3 * H * H + B * 3 * H),
            },
        )


def lstm_forward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, kept) in _walks(BOTH, BOTH):
        yield (
            label,
            {
                "gates": draw.normal(N, 4 * H),
                "U": draw.normal(H, 4 * H, scale=H**-0.5),
                "h": draw.normal(B, H),
                "c": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "y": draw.unset(N, H),
                "h_prev": draw.unset(N, H) if kept else None,
                "c_prev": draw.unset(N, H) if kept else None,
                "tanh_c": draw.unset(N, H),
                "scratch": draw.unset(B * 4 * H),
            },
        )


def lstm_backward(dtype: type) -> Cases:
    draw = Draw(dtype)
    for label, counts, N, B, H, (reverse, bptt, dy) in _walks(BOTH, BPTT, BOTH):
        yield (
            label,
            {
                "dy": draw.normal(N, H) if dy else None,
                "gates": draw.unit(N, 4 * H),
                "c_prev": draw.normal(N, H),
                "tanh_c": draw.unit(N, H),
                "U": draw.normal(H, 4 * H, scale=H**-0.5),
                "dh": draw.normal(B, H),
                "dc": draw.normal(B, H),
                "counts": counts,
                "reverse": reverse,
                "bptt": bptt,
                "da": draw.unset(N, 4 * H),
                "scratch": draw.unset(4 * H * H),
            },
        )


# ---- conditional random field ---------------------------------------------------------------------------


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


# ---- optimisers -----------------------------------------------------------------------------------------


def _steps(draw: Draw) -> Iterator[tuple[str, tuple[int, int], Arguments]]:
    shapes = {
        "empty": (0, 3),
        "one number": (1, 1),
        "one vector": (1, 1001),
        "one column": (7, 1),
        "table": (23, 19),
    }
    terms = [(1.0, np.inf, 0.0), (0.5, 0.1, 0.0), (2.0, 1.0, 0.01)]
    for (size, (R, D)), terms_, visit in product(shapes.items(), terms, ("all", "some", "none")):
        if visit == "all":
            rows = None
        else:
            rows = draw.rng.permutation(R)[: (R + 1) // 2 if visit == "some" else 0].astype(np.int64)
        yield (
            f"{size} terms={terms_} rows={visit}",
            (R, D),
            {
                "values": draw.normal(R, D),
                "grads": draw.normal(R, D),
                "rows": rows,
                "terms": terms_,
                "rate": 0.1,
            },
        )


def sum_of_squares(dtype: type) -> Cases:
    for label, _, step in _steps(Draw(dtype)):
        yield label, {"x": step["values"], "rows": step["rows"]}


def sgd_step(dtype: type) -> Cases:
    for label, _, step in _steps(Draw(dtype)):
        yield label, step


def momentum_step(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, shape, step), nesterov in product(_steps(draw), BOTH):
        fresh = {name: step[name].copy() for name in ("values", "grads")}
        more = {"velocity": draw.normal(*shape), "momentum": 0.9, "nesterov": nesterov}
        yield f"{label} {nesterov=}", step | fresh | more


def adam_step(dtype: type) -> Cases:
    draw = Draw(dtype)
    for (label, shape, step), t in product(_steps(draw), (1, 1000)):
        fresh = {name: step[name].copy() for name in ("values", "grads")}
        zero = t == 1
        yield (
            f"{label} {t=}",
            step
            | fresh
            | {
                "mean": draw.normal(*shape, scale=0 if zero else 1),
                "variance": draw.normal(*shape, scale=0 if zero else 1) ** 2,
                "beta1": 0.9,
                "beta2": 0.999,
                "epsilon": 1e-8,
                "correction1": 1 - 0.9**t,
                "correction2": 1 - 0.999**t,
            },
        )


CASES: dict[str, Callable[[type], Cases]] = {
    f.__name__: f
    for f in (
        activation_backward,
        activation_forward,
        adam_step,
        affine,
        column_sums,
        crf_marginals,
        crf_path_scores,
        crf_viterbi,
        distinct,
        dropout_mask,
        exponential,
        gather,
        gru_backward,
        gru_forward,
        lstm_backward,
        lstm_forward,
        matmul,
        momentum_step,
        rnn_backward,
        rnn_forward,
        scatter_add,
        sgd_step,
        softmax,
        softmax_gradient,
        sum_of_squares,
        zero_rows,
    )
}

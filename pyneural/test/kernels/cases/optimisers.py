"""Cases of the updates of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from pyneural.test.kernels.cases.draw import BOTH, Arguments, Cases, Draw

# What each kernel writes.
WRITES = {
    "add_rows": ("total",),
    "adam_step": ("values", "mean", "variance"),
    "momentum_step": ("values", "velocity"),
    "sgd_step": ("values",),
    "sum_of_squares": (),
}


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


def add_rows(dtype: type) -> Cases:
    for label, _, step in _steps(Draw(dtype)):
        yield (
            label,
            {"total": step["values"], "part": step["grads"], "rows": step["rows"], "scale": 0.25, "weight": 0.75},
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

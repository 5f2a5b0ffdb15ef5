"""One pass of each update rule."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Integers = NDArray[np.int64]

Terms = tuple[float, float, float]


def _visited(x: Array, rows: Integers | None) -> Integers | slice:
    return slice(None) if rows is None else rows


def _effective(values: Array, grads: Array, at: Integers | slice, terms: Terms) -> Array:
    """clip(g scale) + l2 w: the gradient that the rule sees."""
    scale, clip, l2 = terms
    return np.asarray(np.clip(grads[at] * scale, -clip, clip) + l2 * values[at])


def _apply(values: Array, at: Integers | slice, update: Array) -> float:
    values[at] -= update
    return float(np.sum(np.square(update, dtype=np.float64)))


def add_rows(total: Array, part: Array, rows: Integers | None, scale: float, weight: float) -> None:
    """total = scale total + weight part, in the rows given or in all."""
    at = slice(None) if rows is None else rows
    total[at] = total.dtype.type(scale) * total[at] + total.dtype.type(weight) * part[at]


def sum_of_squares(x: Array, rows: Integers | None) -> float:
    """The sum of the squares of the rows visited, in float64."""
    return float(np.sum(np.square(x[_visited(x, rows)], dtype=np.float64)))


def sgd_step(values: Array, grads: Array, rows: Integers | None, terms: Terms, rate: float) -> float:
    """w -= rate g."""
    at = _visited(values, rows)
    return _apply(values, at, rate * _effective(values, grads, at, terms))


def momentum_step(
    values: Array,
    grads: Array,
    velocity: Array,
    rows: Integers | None,
    terms: Terms,
    rate: float,
    momentum: float,
    nesterov: bool,
) -> float:
    """v = momentum v + g; w -= rate v, or with Nesterov's look ahead w -= rate (g + momentum v)."""
    at = _visited(values, rows)
    g = _effective(values, grads, at, terms)
    velocity[at] = momentum * velocity[at] + g
    return _apply(values, at, rate * (g + momentum * velocity[at] if nesterov else velocity[at]))


def adam_step(
    values: Array,
    grads: Array,
    mean: Array,
    variance: Array,
    rows: Integers | None,
    terms: Terms,
    rate: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    correction1: float,
    correction2: float,
) -> float:
    """w -= rate m^ / (sqrt(v^) + epsilon), m^ = m / correction1, v^ = v / correction2 (Kingma and Ba 2015)."""
    at = _visited(values, rows)
    g = _effective(values, grads, at, terms)
    mean[at] = beta1 * mean[at] + (1 - beta1) * g
    variance[at] = beta2 * variance[at] + (1 - beta2) * g * g
    update = rate * (mean[at] / correction1) / (np.sqrt(variance[at] / correction2) + epsilon)
    return _apply(values, at, update)

"""Probabilities that can be believed: what the model gives 70 % should be right seven times of ten.

Trained networks are too sure of themselves (Guo et al. 2017). One number, fitted on held-out data, mends most of it:
all scores are multiplied by β, which leaves the order of the paths, and so every prediction, as it is. β is the one
whose mean loss -log p(path) on the held-out data is least; log Z(β) - β score is convex in β, so there is one minimum.
For the scores of a `Dense` layer and a `Crf` above it, to multiply the scores is to multiply their parameters.
"""

import math
from collections.abc import Callable
from typing import Any

from pyneural.batches import Batches
from pyneural.network import Network
from pyneural.neural_layer import Layer

LOWEST, HIGHEST = 0.2, 2.0  # so far and no farther, for held-out data may be few, or all right
GOLDEN = (math.sqrt(5) - 1) / 2


def calibrate(network: Network, top: Layer, batches: Batches) -> float:
    """Multiplies the parameters of `top`, the last layer of the body, and of the loss by the best β for the batches, in
    place. Returns β."""
    held: list[tuple[float, Any, tuple[Any, ...]]] = []
    for batch in batches.epoch(0):
        y = network.body.propagate(network.pack(batch.inputs), training=False)
        rows, *rest = network._with_target(y, batch)
        held.append((network.weight(batch), rows.copy(), tuple(rest)))
    parameters = [parameter for _, parameter in network.loss.parameters()]
    kept = [parameter.value.copy() for parameter in parameters]

    def loss(beta: float) -> float:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.value[...] = value * beta
        return sum(
            weight * network.loss.predict_loss(rows * rows.dtype.type(beta), *rest) for weight, rows, rest in held
        )

    try:
        beta = math.exp(minimum(lambda logarithm: loss(math.exp(logarithm)), math.log(LOWEST), math.log(HIGHEST)))
    finally:
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.value[...] = value
    for parameter in (*parameters, *(parameter for _, parameter in top.parameters())):
        parameter.value[...] *= parameter.value.dtype.type(beta)
    return beta


def minimum(f: Callable[[float], float], low: float, high: float, tolerance: float = 1e-3) -> float:
    """Where a function with one minimum between `low` and `high` has it: golden-section search (Kiefer 1953).

    >>> round(minimum(lambda x: (x - 1) ** 2, -3, 4), 2)
    1.0
    """
    inner, outer = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    f_inner, f_outer = f(inner), f(outer)
    while high - low > tolerance:
        if f_inner < f_outer:
            high, outer, f_outer = outer, inner, f_inner
            inner = high - GOLDEN * (high - low)
            f_inner = f(inner)
        else:
            low, inner, f_inner = inner, outer, f_outer
            outer = low + GOLDEN * (high - low)
            f_outer = f(outer)
    return (low + high) / 2

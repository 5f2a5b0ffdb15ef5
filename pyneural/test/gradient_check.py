"""Gradient checks, for this framework's layers and for yours.

    from pyneural.test.gradient_check import check_gradients

    check_gradients(MyLayer(3, 4), rng.standard_normal((5, 3)))                      # a layer, on rows
    check_gradients(Gru(3, 4), [rng.standard_normal((T, 3)) for T in (4, 1, 2)])     # on ragged sequences
    check_gradients(Network(body, Crf(5)), sequences, labels)                        # a whole network

The analytic gradient of a scalar is compared, coordinate by coordinate, with central differences

    (L(θ + h) - L(θ - h)) / 2h,   h = 1e-5 max(1, |θ|)

in float64, for every parameter and every real-valued input. A layer without a loss is given the scalar L = Σ c ⊙ y
with fixed random c. Random draws (dropout) are frozen. Keep inputs away from kinks, as those of relu at 0: there is no
derivative to agree with.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyneural.network import Network
from pyneural.neural_layer import Layer, Loss
from pyneural.packing import Batch, Gathered, Packed, Steps, pack, steps_of

Array = NDArray[np.floating]


class Projection(Loss):
    """L = Σ c ⊙ x, c fixed normal draws: a scalar on top of any layer, with dL/dx = c."""

    def __init__(self, seed: int = 0) -> None:
        self.reduction = "sum"
        self.draw_seed = seed

    def weight(self, target: Any, steps: Steps) -> float:
        return 1.0

    def loss_and_gradient(self, x: Array, target: Any) -> tuple[float, Array]:
        c = np.random.default_rng(self.draw_seed).standard_normal(x.shape).astype(x.dtype)
        return float(np.vdot(c, x)), c


def error(analytic: Array, numeric: Array) -> Array:
    """|analytic - numeric| / max(1, |analytic|, |numeric|), each coordinate."""
    return np.abs(analytic - numeric) / np.maximum(1, np.maximum(np.abs(analytic), np.abs(numeric)))


def as_batch(network: Network, inputs: Any, targets: Any) -> Batch:
    """Inputs and targets as the user has them, as one batch: everything in one packed order."""
    packed = network.pack(inputs)
    steps = steps_of(packed)
    if targets is None:
        return Batch(packed, None, steps.rows)
    return Batch(packed, _pack_like(network, targets, steps), steps.rows)


def _pack_like(network: Network, targets: Any, steps: Steps) -> Any:
    if isinstance(targets, Packed):
        return network.pack(targets)
    if isinstance(targets, tuple):
        return type(targets)(*(_pack_like(network, part, steps) for part in targets))
    if isinstance(targets, list):
        return network.pack(pack(targets))
    return network.pack(Packed(np.asarray(targets)[steps.order], steps.per_sequence()))


def with_loss(layer: Layer, seed: int = 0) -> Network:
    """The layer as a network, under a `Projection` where it is no network."""
    return layer if isinstance(layer, Network) else Network(layer, Projection(seed))


def _real_inputs(inputs: Any, gradient: Any, name: str = "inputs") -> Iterator[tuple[str, Array, Array]]:
    """(name, values, gradient) of each real-valued part of the inputs."""
    if isinstance(inputs, Gathered):
        yield from _real_inputs(inputs.source, gradient, f"{name}.source")
    elif isinstance(inputs, Packed):
        if inputs.rows.dtype.kind == "f":
            if gradient is None:
                raise AssertionError(f"{name}: backward returned no gradient for a real-valued input")
            if gradient.shape != inputs.rows.shape:
                raise AssertionError(
                    f"{name}: backward returned a gradient of shape {gradient.shape}, expected {inputs.rows.shape}"
                )
            yield name, inputs.rows, gradient
    else:
        for field, part, part_gradient in zip(inputs._fields, inputs, gradient, strict=True):
            yield from _real_inputs(part, part_gradient, f"{name}.{field}")


def check_gradients(
    layer: Layer,
    inputs: Any,
    targets: Any = None,
    *,
    seed: int = 1,
    tolerance: float = 1e-7,
    spread: float = 0.4,
    frozen: bool = True,
) -> float:
    """Compares every coordinate of every gradient; returns the largest error.

    layer: a layer or a whole network; (re)allocated in float64
    inputs, targets: as the user has them (lists of arrays, arrays, named tuples), or packed
    spread: standard deviation of normal noise added to the initial values, so that no parameter sits at a special one
    frozen: keep the random draws of the first evaluation

    Raises AssertionError naming the parameter or input, the coordinate and both gradients.
    """
    network = with_loss(layer, seed)
    network.allocate(seed=seed, dtype=np.float64)
    rng = np.random.default_rng(seed)
    network.values += spread * rng.standard_normal(network.values.shape)
    batch = as_batch(network, inputs, targets)

    def loss() -> float:
        if frozen:
            network.draws = 0
        network.reset_state()
        return network.loss_and_gradient(batch, input_gradient=True)

    loss()
    loss()  # so that a layer that adds to its gradients instead of overwriting them is found
    checked: list[tuple[str, Array, Array]] = [
        (slot.name, network.values[slot.start : slot.stop], network.grads[slot.start : slot.stop].copy())
        for slot in network.slots
        if slot.parameter.trainable
    ]
    checked += [
        (name, values.reshape(-1), np.array(gradient).reshape(-1))
        for name, values, gradient in _real_inputs(batch.inputs, network.input_gradient)
    ]
    if not checked:
        raise ValueError("layer: has neither a trained parameter nor a real-valued input to check")
    worst = 0.0
    for name, values, analytic in checked:
        numeric = np.empty_like(analytic)
        for i, value in enumerate(values.tolist()):
            h = 1e-5 * max(1.0, abs(value))
            values[i] = value + h
            above = loss()
            values[i] = value - h
            below = loss()
            values[i] = value
            numeric[i] = (above - below) / (2 * h)
        errors = error(analytic, numeric)
        if not errors.size:
            continue
        at = int(np.argmax(errors))
        if not errors[at] <= tolerance:  # so that NaN fails
            raise AssertionError(
                f"{name}: coordinate {at}: analytic gradient {analytic[at]:.10g}, numeric {numeric[at]:.10g}, "
                f"error {errors[at]:.3g} > {tolerance:g}; {int((errors > tolerance).sum())} of {errors.size} differ"
            )
        worst = max(worst, float(errors[at]))
    return worst


def check_direction(
    layer: Layer, inputs: Any, targets: Any = None, *, seed: int = 1, tolerance: float = 1e-7, directions: int = 3
) -> float:
    """Compares the derivative along random directions of all parameters at once: for real sizes, where every
    coordinate would take too long. Returns the largest relative error."""
    network = with_loss(layer, seed)
    network.allocate(seed=seed, dtype=np.float64)
    batch = as_batch(network, inputs, targets)
    rng = np.random.default_rng(seed)
    start = network.values.copy()
    worst = 0.0

    def loss_at(values: Array) -> float:
        network.values[...] = values
        network.draws = 0
        network.reset_state()
        return network.loss_and_gradient(batch, input_gradient=True)

    for _ in range(directions):
        direction = rng.standard_normal(len(network.grads))
        direction /= np.linalg.norm(direction)
        whole = np.zeros_like(start)
        whole[: len(direction)] = direction
        loss_at(start)
        analytic = float(direction @ network.grads)
        h = 1e-4
        numeric = (8 * (loss_at(start + h * whole) - loss_at(start - h * whole))
                   - (loss_at(start + 2 * h * whole) - loss_at(start - 2 * h * whole))) / (12 * h)  # fmt: skip
        difference = float(error(np.array(analytic), np.array(numeric)))
        if not difference <= tolerance:
            raise AssertionError(f"direction: analytic {analytic:.12g}, numeric {numeric:.12g}, error {difference:.3g}")
        worst = max(worst, difference)
    network.values[...] = start
    return worst


def check_float32(layer: Layer, inputs: Any, targets: Any = None, *, seed: int = 1, tolerance: float = 1e-5) -> float:
    """Compares loss and gradient in float32 with those in float64 at the same values, by norm:
    ‖g₃₂ - g₆₄‖ / ‖g₆₄‖. Returns the larger of the two errors."""
    network = with_loss(layer, seed)
    results: list[tuple[float, Array]] = []
    values = None
    for dtype in (np.float32, np.float64):
        network.allocate(seed=seed, dtype=dtype)
        if values is None:
            values = network.values.copy()
        network.values[...] = values
        loss = network.loss_and_gradient(as_batch(network, inputs, targets))
        results.append((loss, network.grads.astype(np.float64)))
    (loss32, grad32), (loss64, grad64) = results
    worst = max(
        abs(loss32 - loss64) / max(1.0, abs(loss64)),
        float(np.linalg.norm(grad32 - grad64)) / max(float(np.linalg.norm(grad64)), 1e-30),
    )
    if not worst <= tolerance:
        raise AssertionError(f"float32: differs from float64 by {worst:.3g} > {tolerance:g}")
    return worst

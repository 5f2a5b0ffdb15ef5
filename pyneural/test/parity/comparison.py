"""What the parity tests have in common: outputs and gradients compared in float64, weights drawn, batches made."""

from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from pyneural import Network
from pyneural.neural_layer import Layer
from pyneural.packing import Steps
from pyneural.test.parity.torch_weights import Tie

torch = pytest.importorskip("torch")

Array = NDArray[np.floating]
TOLERANCE = 1e-10
LENGTHS = {
    "ragged": [3, 1, 7, 4, 1, 5],  # in no order, with single steps
    "ties": [2, 2, 2],
    "one": [6],
    "single steps": [1, 1, 1, 1],
}


def same(ours: Any, theirs: Any, what: str = "") -> None:
    if isinstance(theirs, torch.Tensor):
        theirs = theirs.detach().numpy()
    np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE, err_msg=what)


def same_gradients(ties: list[Tie]) -> None:
    for one in ties:
        same(one.parameter.grad, one.gradient, f"gradient of {one.name}")


def allocated(body: Layer, loss: Any, rng: Generator) -> Network:
    """Every parameter drawn, biases too, so that none is at a special value."""
    network = Network(body, loss).allocate(dtype=np.float64)
    network.values[...] = 0.5 * rng.standard_normal(network.values.shape)
    return network


def sequences_of(lengths: list[int], dim: int, rng: Generator) -> list[Array]:
    return [rng.standard_normal((T, dim)) for T in lengths]


def leaf(array: Array) -> Any:
    return torch.tensor(array, requires_grad=True)


def packed_sequence(data: Any, steps: Steps) -> Any:
    """pyneural's packed rows are a PackedSequence's `data`, and its counts the batch sizes."""
    return torch.nn.utils.rnn.PackedSequence(data, torch.from_numpy(steps.counts))


def upstream(shape: tuple[int, ...]) -> Any:
    """The gradient that `Projection` gives to an output of this shape."""
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


class Identity(Layer):
    """So that a loss alone is a network."""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy

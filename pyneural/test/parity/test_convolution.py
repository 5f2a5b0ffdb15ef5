"""The convolution with its maximum over time against PyTorch's, of each sequence alone."""

import numpy as np
import pytest
from numpy.random import Generator

from pyneural import ConvolutionMax
from pyneural.test.gradient_check import Projection, as_batch
from pyneural.test.parity.comparison import LENGTHS, allocated, leaf, same, same_gradients, sequences_of, upstream
from pyneural.test.parity.torch_weights import tie

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.parity


@pytest.mark.parametrize("width", [1, 3, 5])
@pytest.mark.parametrize("activation", ["relu", "tanh", None])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_convolution(lengths: list[int], activation: str | None, width: int, rng: Generator) -> None:
    layer, module = ConvolutionMax(3, 4, width, activation), torch.nn.Conv1d(3, 4, width, padding=width // 2)
    network = allocated(layer, Projection(), rng)
    ties = tie(layer, module.double())
    sequences = sequences_of(lengths, 3, rng)
    batch = as_batch(network, sequences, None)
    network.loss_and_gradient(batch, input_gradient=True)
    steps = batch.inputs.steps
    xs = [leaf(sequences[i]) for i in steps.order]
    y = torch.stack([module(x.T).max(dim=1).values for x in xs])
    y = getattr(torch, activation)(y) if activation else y
    y.backward(upstream(tuple(y.shape)))
    same(network.forward(batch.inputs).rows, y, "outputs")
    for i, x in enumerate(xs):
        same(network.input_gradient[steps.sequence_of_row == i], x.grad, "gradient of the inputs")
    same_gradients(ties)
    np.testing.assert_array_equal(steps.lengths, [len(x) for x in xs])

"""Layers and losses of plain rows against PyTorch: dense, embedding, cross entropy, squared error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from pyneural import Dense, Embedding, Network, Softmax, SquaredError
from pyneural.neural_layer import Loss
from pyneural.test.gradient_check import Projection, as_batch
from pyneural.test.parity.comparison import (
    LENGTHS,
    Array,
    Identity,
    allocated,
    leaf,
    same,
    same_gradients,
    upstream,
)
from pyneural.test.parity.torch_weights import tie

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.parity

Integers = NDArray[np.int64]

# ---- layers

ACTIVATIONS: dict[str | None, Callable[[Any], Any]] = {
    None: lambda s: s,
    "tanh": lambda s: torch.tanh(s),
    "sigmoid": lambda s: torch.sigmoid(s),
    "relu": lambda s: torch.relu(s),
    "clipped_relu": lambda s: torch.clamp(s, 0, 1),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense(activation: str | None, rng: Generator) -> None:
    layer, module = Dense(6, 4, activation), torch.nn.Linear(6, 4)
    network = allocated(layer, Projection(), rng)
    ties = tie(layer, module)
    rows = rng.standard_normal((11, 6))
    network.loss_and_gradient(as_batch(network, rows, None), input_gradient=True)
    x = leaf(rows)
    y = ACTIVATIONS[activation](module(x))
    y.backward(upstream(tuple(y.shape)))
    same(network.forward(network.pack(rows)).rows, y, "outputs")
    same(network.input_gradient, x.grad, "gradient of the inputs")
    same_gradients(ties)


def test_embedding(rng: Generator) -> None:
    """Rows used more than once add up; rows that a batch does not use keep nothing of the batch before."""
    layer = Embedding(20, 5)
    network = allocated(layer, Projection(), rng)
    for _ in range(3):
        module = torch.nn.Embedding(20, 5)
        ties = tie(layer, module)
        ids = [rng.integers(0, 20, size=T) for T in LENGTHS["ragged"]]
        batch = as_batch(network, ids, None)
        network.loss_and_gradient(batch)
        y = module(torch.from_numpy(batch.inputs.rows))
        y.backward(upstream(tuple(y.shape)))
        same(network.forward(batch.inputs).rows, y, "outputs")
        same_gradients(ties)


# ---- losses


def check_loss(loss: Loss, scores: Array, target: Any, theirs: Callable[[Any, Any], Any]) -> None:
    network = Network(Identity(), loss).allocate(dtype=np.float64)
    ours = network.loss_and_gradient(as_batch(network, scores, target), input_gradient=True)
    x = leaf(scores)
    their_loss = theirs(x, torch.from_numpy(target))
    their_loss.backward()
    same(ours, their_loss, "loss")
    same(network.input_gradient, x.grad, "gradient of the scores")


@pytest.fixture
def scores(rng: Generator) -> Array:
    return 3 * rng.standard_normal((13, 5))


@pytest.fixture
def labels(rng: Generator) -> Integers:
    return rng.integers(0, 5, size=13)


WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0, 3.0])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("weights", "smoothing"), [(None, 0.0), (WEIGHTS, 0.0), (None, 0.1)])
def test_cross_entropy(
    weights: Array | None, smoothing: float, reduction: str, scores: Array, labels: Integers
) -> None:
    theirs = torch.nn.CrossEntropyLoss(
        None if weights is None else torch.from_numpy(weights), label_smoothing=smoothing, reduction=reduction
    )
    loss = Softmax(class_weights=weights, smoothing=smoothing, reduction=reduction)
    check_loss(loss, scores, labels, theirs)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_weighted_and_smoothed(reduction: str, scores: Array, labels: Integers) -> None:
    """Here the definitions differ. PyTorch weighs each class's term, Σ_k w_k t_nk (-log p_nk); pyneural the
    row, by its label's weight, w_n Σ_k t_nk (-log p_nk). Both divide the mean by Σ_n w_n. So the twin is the
    unweighted loss of each row, weighed by hand."""

    def theirs(x: Any, target: Any) -> Any:
        rows = torch.nn.functional.cross_entropy(x, target, label_smoothing=0.1, reduction="none")
        weights = torch.from_numpy(WEIGHTS)[target]
        total = (weights * rows).sum()
        return total / weights.sum() if reduction == "mean" else total

    check_loss(Softmax(class_weights=WEIGHTS, smoothing=0.1, reduction=reduction), scores, labels, theirs)


def test_cross_entropy_of_large_scores(scores: Array, labels: Integers) -> None:
    check_loss(Softmax(), 300 * scores, labels, torch.nn.CrossEntropyLoss())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_squared_error(reduction: str, scores: Array, rng: Generator) -> None:
    """PyTorch's is Σ (x - y)², its mean over all N·D numbers; pyneural's half of it, the mean over rows."""
    share = 0.5 * scores.shape[1] if reduction == "mean" else 0.5
    theirs = torch.nn.MSELoss(reduction=reduction)
    target = rng.standard_normal(scores.shape)
    check_loss(SquaredError(reduction=reduction), scores, target, lambda x, y: share * theirs(x, y))

"""A steady step of training allocates next to nothing, and its cost follows the work, not the vocabulary."""

import os
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batch,
    Bidirectional,
    Concatenate,
    Crf,
    Dense,
    Dropout,
    Embedding,
    FactoredSoftmax,
    Gru,
    LastStep,
    Layer,
    Loss,
    Lstm,
    Momentum,
    Network,
    Optimiser,
    Rnn,
    Sequential,
    Sgd,
    Softmax,
    SquaredError,
    kernels,
)
from pyneural.test.gradient_check import as_batch

WIDTH, SEQUENCES, LENGTH = 128, 16, 20
ACTIVATIONS = SEQUENCES * LENGTH * WIDTH * 4  # bytes of one (N, WIDTH) array, 160 kB: none may be allocated anew
# the NumPy twins are written to be read, and make arrays as they go
compiled = pytest.mark.skipif(os.environ.get("PYNEURAL_KERNELS") == "reference", reason="promised of compiled kernels")
BODIES: dict[str, Callable[[], Layer]] = {
    "dense": lambda: Sequential(Dense(WIDTH, WIDTH, "tanh"), Dense(WIDTH, WIDTH, "relu")),
    "dropout": lambda: Sequential(Dropout(0.5), Dropout(0.5, locked=True), Dense(WIDTH, WIDTH)),
    "rnn": lambda: Bidirectional(Rnn(WIDTH, 64), Rnn(WIDTH, 64)),
    "gru": lambda: Bidirectional(Gru(WIDTH, 64), Gru(WIDTH, 64, reset_after=False)),
    "lstm": lambda: Bidirectional(Lstm(WIDTH, 64), Lstm(WIDTH, 64)),
    "branches": lambda: Concatenate(Dense(WIDTH, 64), Gru(WIDTH, 64)),
}
LOSSES: dict[str, Callable[[], Loss]] = {
    "softmax": Softmax,
    "crf": lambda: Crf(WIDTH),
    "squared error": SquaredError,
    "factored softmax": lambda: FactoredSoftmax(WIDTH, WIDTH),
}


def peak(network: Network, batch: Batch, optimiser: Optimiser) -> int:
    """Bytes allocated at the most within a step, once the workspaces have their sizes."""
    for _ in range(3):
        network.loss_and_gradient(batch)
        optimiser.step(network)
    tracemalloc.start()
    try:
        network.loss_and_gradient(batch)
        optimiser.step(network)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def batch_for(network: Network, rng: np.random.Generator) -> Batch:
    inputs = [rng.standard_normal((LENGTH, WIDTH)) for _ in range(SEQUENCES)]
    if isinstance(network.loss, SquaredError):
        return as_batch(network, inputs, [rng.standard_normal((LENGTH, WIDTH)) for _ in range(SEQUENCES)])
    return as_batch(network, inputs, [rng.integers(0, WIDTH, LENGTH) for _ in range(SEQUENCES)])


@compiled
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("loss", ["softmax", "crf"])
def test_bodies(body: str, loss: str) -> None:
    network = Network(BODIES[body](), LOSSES[loss]()).allocate(seed=1)
    assert peak(network, batch_for(network, np.random.default_rng(0)), Adam(1e-3)) < ACTIVATIONS / 4


@compiled
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str) -> None:
    network = Network(Dense(WIDTH, WIDTH), LOSSES[loss]()).allocate(seed=1)
    # the factored softmax brings the rows of each cluster together: their numbers are made anew, the rows are not
    assert peak(network, batch_for(network, np.random.default_rng(0)), Sgd(1e-3)) < ACTIVATIONS / 2


@compiled
def test_last_step_and_embedding() -> None:
    rng = np.random.default_rng(0)
    body = Sequential(Embedding(500, WIDTH), LastStep(Bidirectional(Gru(WIDTH, 64), Gru(WIDTH, 64))), Dense(WIDTH, 5))
    network = Network(body, Softmax()).allocate(seed=1)
    words = [rng.integers(0, 500, LENGTH) for _ in range(SEQUENCES)]
    assert peak(network, as_batch(network, words, rng.integers(0, 5, SEQUENCES)), Momentum(1e-3)) < ACTIVATIONS / 4


@pytest.mark.parametrize(
    "optimiser", [Sgd(0.1), Momentum(0.1), Adam(0.1, clip_norm=1.0)], ids=lambda o: type(o).__name__
)
def test_rows_visited_do_not_grow_with_the_vocabulary(optimiser: Optimiser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every kernel of a step is given to go through: counted, so that noise is no excuse."""
    visited = 0

    def counted(kernel: Callable[..., object], rows_at: int) -> Callable[..., object]:
        def run(values: np.ndarray, *arguments: object) -> object:
            nonlocal visited
            rows = arguments[rows_at]
            visited += values.size if rows is None else len(rows) * values.shape[1]  # type: ignore[arg-type]
            return kernel(values, *arguments)

        return run

    for name, rows_at in (("sgd_step", 1), ("momentum_step", 2), ("adam_step", 3), ("sum_of_squares", 0)):
        monkeypatch.setattr(kernels, name, counted(getattr(kernels, name), rows_at))
    totals = []
    for vocabulary in (100, 100_000):
        optimiser.state, visited = {}, 0
        network = Network(Sequential(Embedding(vocabulary, 8), Dense(8, 3)), Softmax()).allocate(seed=1)
        ids = np.arange(40) % 30
        for _ in range(2):
            network.loss_and_gradient(as_batch(network, ids, ids % 3))
            optimiser.step(network)
        totals.append(visited)
    assert totals[0] == totals[1] > 0

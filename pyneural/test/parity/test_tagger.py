"""The CRF, a whole tagger and its training against PyTorch and pytorch-crf, from words to updated weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from pyneural import Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential
from pyneural.packing import Batch, Steps, unpack
from pyneural.sgd import Adam, Momentum, Nesterov, Optimiser, Sgd
from pyneural.test.gradient_check import as_batch
from pyneural.test.parity.comparison import (
    LENGTHS,
    Identity,
    allocated,
    leaf,
    packed_sequence,
    same,
    same_gradients,
    sequences_of,
)
from pyneural.test.parity.torch_weights import Tie, tie

torch = pytest.importorskip("torch")
torchcrf = pytest.importorskip("torchcrf")

pytestmark = pytest.mark.parity

# ---- the conditional random field


def padded(rows: Any, steps: Steps) -> Any:
    """(T, B, …), zeros where there is nothing, for pytorch-crf."""
    return torch.nn.utils.rnn.pad_packed_sequence(packed_sequence(rows, steps))[0]


def mask_of(steps: Steps) -> Any:
    return torch.from_numpy(np.arange(steps.sequences) < steps.counts[:, None])


def check_crf(network: Network, batch: Batch, crf: Any, emissions: Any, ties: list[Tie]) -> None:
    """Loss, and what pytorch-crf decodes against what pyneural does; leaves the gradients in the modules."""
    steps = batch.inputs.steps
    loss = network.loss_and_gradient(batch, input_gradient=True)
    scores = padded(emissions, steps)
    their_loss = -crf(
        scores,
        padded(torch.from_numpy(batch.targets.rows), steps),
        mask_of(steps),
        reduction=network.loss.reduction,
    )
    their_loss.backward()
    same(loss, their_loss, "loss")
    same_gradients(ties)
    rows = network.forward(batch.inputs).rows
    paths = unpack(network.loss.predict(rows, steps), steps)
    for place, theirs in zip(steps.order, crf.decode(scores, mask_of(steps)), strict=True):
        assert paths[place].tolist() == theirs


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_crf(lengths: list[int], reduction: str, rng: Generator) -> None:
    K = 5
    network = allocated(Identity(), Crf(K, reduction=reduction), rng)
    crf = torchcrf.CRF(K)
    ties = tie(network.loss, crf)
    scores = [2 * s for s in sequences_of(lengths, K, rng)]
    batch = as_batch(network, scores, [rng.integers(0, K, size=T) for T in lengths])
    x = leaf(batch.inputs.rows)
    check_crf(network, batch, crf, x, ties)
    same(network.input_gradient, x.grad, "gradient of the scores")


class Tagger:
    """Embedding, bidirectional GRU, dense layer and CRF, in both frameworks with the same weights."""

    V, D, H, K = 20, 4, 5, 6

    def __init__(self, rng: Generator) -> None:
        V, D, H, K = self.V, self.D, self.H, self.K
        words, cells, top = Embedding(V, D), Bidirectional(Gru(D, H), Gru(D, H)), Dense(2 * H, K)
        self.network = allocated(Sequential(words, cells, top), Crf(K), rng)
        self.embedding, self.gru = torch.nn.Embedding(V, D), torch.nn.GRU(D, H, bidirectional=True)
        self.linear, self.crf = torch.nn.Linear(2 * H, K), torchcrf.CRF(K)
        self.ties = tie(words, self.embedding) + tie(cells, self.gru) + tie(top, self.linear)
        self.ties += tie(self.network.loss, self.crf)
        self.modules = torch.nn.ModuleList([self.embedding, self.gru, self.linear, self.crf])

    def batch(self, lengths: list[int], rng: Generator) -> Batch:
        ids, labels = ([rng.integers(0, n, size=T) for T in lengths] for n in (self.V, self.K))
        return as_batch(self.network, ids, labels)

    def emissions(self, batch: Batch) -> Any:
        """The scores that PyTorch gives, as packed rows."""
        vectors = self.embedding(torch.from_numpy(batch.inputs.rows))
        return self.linear(self.gru(packed_sequence(vectors, batch.inputs.steps))[0].data)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
def test_tagger(lengths: list[int], rng: Generator) -> None:
    """From words to loss and back."""
    tagger = Tagger(rng)
    assert sum(one.parameter.size for one in tagger.ties) == len(tagger.network.values)
    batch = tagger.batch(lengths, rng)
    check_crf(tagger.network, batch, tagger.crf, tagger.emissions(batch), tagger.ties)


# ---- optimisers

OPTIMISERS: dict[str, tuple[Callable[..., Optimiser], Callable[..., Any]]] = {
    "sgd": (lambda **o: Sgd(0.1, **o), lambda p, **o: torch.optim.SGD(p, 0.1, **o)),
    "momentum": (
        lambda **o: Momentum(0.05, 0.9, **o),
        lambda p, **o: torch.optim.SGD(p, 0.05, momentum=0.9, **o),
    ),
    "nesterov": (
        lambda **o: Nesterov(0.05, 0.8, **o),
        lambda p, **o: torch.optim.SGD(p, 0.05, momentum=0.8, nesterov=True, **o),
    ),
    "adam": (
        lambda **o: Adam(0.01, 0.8, 0.99, 1e-6, **o),
        lambda p, **o: torch.optim.Adam(p, 0.01, betas=(0.8, 0.99), eps=1e-6, **o),
    ),
}


@pytest.mark.parametrize("l2", [0.0, 0.03])
@pytest.mark.parametrize("kind", OPTIMISERS)
def test_training(kind: str, l2: float, rng: Generator) -> None:
    """Twenty steps of a tagger, a new batch each. PyTorch's second recurrent bias is held at zero but for the
    part that pyneural has too; `dense`, as PyTorch moves every row of the embedding at every step."""
    tagger = Tagger(rng)
    rest = torch.cat([torch.zeros(2 * tagger.H), torch.ones(tagger.H)])
    for bias in (tagger.gru.bias_hh_l0, tagger.gru.bias_hh_l0_reverse):
        bias.register_hook(lambda gradient: gradient * rest)
    ours, theirs = OPTIMISERS[kind]
    optimiser, their_optimiser = ours(l2=l2, dense=True), theirs(tagger.modules.parameters(), weight_decay=l2)
    start = tagger.network.values.copy()
    for _ in range(20):
        batch = tagger.batch(rng.integers(1, 7, size=4).tolist(), rng)
        their_optimiser.zero_grad()
        check_crf(tagger.network, batch, tagger.crf, tagger.emissions(batch), tagger.ties)
        optimiser.step(tagger.network)
        their_optimiser.step()
    for one in tagger.ties:
        same(one.parameter.value, one.value, one.name)
    assert np.abs(tagger.network.values - start).max() > 0.05

"""Outputs and every gradient against PyTorch, in float64, on the same weights and the same ragged batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from pyneural import (
    Activation,
    Bidirectional,
    Crf,
    Dense,
    Embedding,
    Gru,
    LastStep,
    Lstm,
    Network,
    Rnn,
    Sequential,
    Softmax,
    SquaredError,
)
from pyneural.neural_layer import Layer, Loss
from pyneural.packing import Batch, Steps, unpack
from pyneural.sgd import Adam, Momentum, Nesterov, Optimiser, Sgd
from pyneural.test.gradient_check import Projection, as_batch
from pyneural.test.parity.torch_weights import Tie, tie

torch = pytest.importorskip("torch")
torchcrf = pytest.importorskip("torchcrf")

pytestmark = pytest.mark.parity

Array = NDArray[np.floating]
Integers = NDArray[np.int64]
TOLERANCE = 1e-10
LENGTHS = {
    "ragged": [3, 1, 7, 4, 1, 5],  # in no order, with single steps
    "ties": [2, 2, 2],
    "one": [6],
    "single steps": [1, 1, 1, 1],
}
CELLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "tanh": (lambda D, H: Rnn(D, H, "tanh"), lambda *a, **o: torch.nn.RNN(*a, nonlinearity="tanh", **o)),
    "relu": (lambda D, H: Rnn(D, H, "relu"), lambda *a, **o: torch.nn.RNN(*a, nonlinearity="relu", **o)),
    "gru": (Gru, lambda *a, **o: torch.nn.GRU(*a, **o)),
    "lstm": (Lstm, lambda *a, **o: torch.nn.LSTM(*a, **o)),
}


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(7)


@pytest.fixture(autouse=True)
def float64() -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


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


# ---- packing


def test_packed_rows_are_a_packed_sequence(rng: Generator) -> None:
    sequences = sequences_of([4, 1, 6, 3], 2, rng)
    theirs = torch.nn.utils.rnn.pack_sequence([torch.from_numpy(s) for s in sequences], enforce_sorted=False)
    network = Network(Activation("tanh"), Projection()).allocate(dtype=np.float64)
    rows, steps = network.pack(sequences)
    np.testing.assert_array_equal(rows, theirs.data.numpy())
    np.testing.assert_array_equal(steps.counts, theirs.batch_sizes.numpy())
    np.testing.assert_array_equal(steps.order, theirs.sorted_indices.numpy())


# ---- recurrent layers


def states_of(cells: list[Any]) -> list[Array]:
    """What PyTorch calls h (and c): (cells, B, H) each, of states (B, states · H) in the user's order."""
    both = np.stack([cell.final_state for cell in cells])
    return np.split(both, cells[0].states, axis=2)


def initial_states(cells: list[Any], batch: Batch, rng: Generator) -> list[Any]:
    """Draws an initial state for each cell; returns h (and c) as tensors, in packed order."""
    steps = batch.inputs.steps
    drawn = rng.standard_normal((len(cells), steps.sequences, cells[0].states * cells[0].dim_hidden))
    for cell, state in zip(cells, drawn, strict=True):
        cell.set_state(state)
    return [leaf(part) for part in np.split(drawn[:, steps.order], cells[0].states, axis=2)]


def check_recurrent(
    body: Layer, cells: list[Any], module: Any, lengths: list[int], rng: Generator, initial: bool
) -> None:
    """The whole of it: outputs, final states, and the gradients of parameters, inputs and initial states."""
    network = allocated(body, Projection(), rng)
    ties = tie(body, module)
    assert sum(one.parameter.size for one in ties) == len(network.values)
    batch = as_batch(network, sequences_of(lengths, module.input_size, rng), None)
    steps = batch.inputs.steps
    given = initial_states(cells, batch, rng) if initial else []
    loss = network.loss_and_gradient(batch)

    x = leaf(batch.inputs.rows)
    start = (tuple(given) if len(given) == 2 else given[0]) if given else None
    y, final = module(packed_sequence(x, steps), start)
    their_loss = (y.data * upstream(tuple(y.data.shape))).sum()
    their_loss.backward()

    same(loss, their_loss, "loss")
    same(network.forward(batch.inputs).rows, y.data, "outputs")
    for ours, theirs in zip(states_of(cells), final if isinstance(final, tuple) else (final,), strict=True):
        same(ours[:, steps.order], theirs, "final states")
    same(network.input_gradient, x.grad, "gradient of the inputs")
    same_gradients(ties)
    if given:
        gradients = np.split(np.stack([cell.initial_gradient for cell in cells]), cells[0].states, axis=2)
        for ours, theirs in zip(gradients, given, strict=True):
            same(ours[:, steps.order], theirs.grad, "gradient of the initial states")


@pytest.mark.parametrize("initial", [False, True], ids=["from zeros", "from states"])
@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("kind", CELLS)
class TestRecurrent:
    def test_one_direction(self, kind: str, lengths: list[int], initial: bool, rng: Generator) -> None:
        ours, theirs = CELLS[kind]
        cell = ours(3, 5)
        check_recurrent(cell, [cell], theirs(3, 5), lengths, rng, initial)

    def test_bidirectional(self, kind: str, lengths: list[int], initial: bool, rng: Generator) -> None:
        ours, theirs = CELLS[kind]
        cells = [ours(3, 5), ours(3, 5)]
        check_recurrent(Bidirectional(*cells), cells, theirs(3, 5, bidirectional=True), lengths, rng, initial)

    def test_two_layers(self, kind: str, lengths: list[int], initial: bool, rng: Generator) -> None:
        ours, theirs = CELLS[kind]
        cells = [ours(3, 5), ours(3, 5), ours(10, 5), ours(10, 5)]
        body = Sequential(Bidirectional(*cells[:2]), Bidirectional(*cells[2:]))
        module = theirs(3, 5, num_layers=2, bidirectional=True)
        check_recurrent(body, cells, module, lengths, rng, initial)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "bidirectional"])
@pytest.mark.parametrize("kind", CELLS)
def test_last_step_is_h_n(kind: str, bidirectional: bool, rng: Generator) -> None:
    ours, theirs = CELLS[kind]
    body = LastStep(Bidirectional(ours(3, 5), ours(3, 5)) if bidirectional else ours(3, 5))
    module = theirs(3, 5, bidirectional=bidirectional)
    network = allocated(body, Projection(), rng)
    ties = tie(body, module)
    batch = as_batch(network, sequences_of(LENGTHS["ragged"], 3, rng), None)
    loss = network.loss_and_gradient(batch)

    x = leaf(batch.inputs.rows)
    final = module(packed_sequence(x, batch.inputs.steps))[1]
    h_n = final[0] if kind == "lstm" else final
    last = torch.cat(tuple(h_n), dim=1)
    their_loss = (last * upstream(tuple(last.shape))).sum()
    their_loss.backward()

    same(loss, their_loss, "loss")
    same(network.forward(batch.inputs).rows, last, "last states")
    same(network.input_gradient, x.grad, "gradient of the inputs")
    same_gradients(ties)


def test_large_gru(rng: Generator) -> None:
    """Sizes at which the kernels work in blocks, with remainders."""
    cells = [Gru(37, 53), Gru(37, 53)]
    lengths = rng.integers(1, 40, size=33).tolist()
    module = torch.nn.GRU(37, 53, bidirectional=True)
    network = Network(Bidirectional(*cells), Projection()).allocate(dtype=np.float64)
    ties = tie(network.body, module)
    batch = as_batch(network, sequences_of(lengths, 37, rng), None)
    network.loss_and_gradient(batch)
    x = leaf(batch.inputs.rows)
    y = module(packed_sequence(x, batch.inputs.steps))[0].data
    y.backward(upstream(tuple(y.shape)))
    same(network.input_gradient, x.grad, "gradient of the inputs")
    same_gradients(ties)


# ---- plain rows

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
    network.loss_and_gradient(as_batch(network, rows, None))
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


class Identity(Layer):
    """So that a loss alone is a network."""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy


def check_loss(loss: Loss, scores: Array, target: Any, theirs: Callable[[Any, Any], Any]) -> None:
    network = Network(Identity(), loss).allocate(dtype=np.float64)
    ours = network.loss_and_gradient(as_batch(network, scores, target))
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


# ---- the conditional random field


def padded(rows: Any, steps: Steps) -> Any:
    """(T, B, …), zeros where there is nothing, for pytorch-crf."""
    return torch.nn.utils.rnn.pad_packed_sequence(packed_sequence(rows, steps))[0]


def mask_of(steps: Steps) -> Any:
    return torch.from_numpy(np.arange(steps.sequences) < steps.counts[:, None])


def check_crf(network: Network, batch: Batch, crf: Any, emissions: Any, ties: list[Tie]) -> None:
    """Loss, and what pytorch-crf decodes against what pyneural does; leaves the gradients in the modules."""
    steps = batch.inputs.steps
    loss = network.loss_and_gradient(batch)
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

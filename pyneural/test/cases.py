"""The table that the core tests walk: every layer, loss, activation and cell, alone and put together.

Data are columns as a data set has them, from which any share of a batch can be taken.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from pyneural import kernels
from pyneural.batches import Distinct, first_column, take
from pyneural.components import (
    Activation,
    ClippedRelu,
    ConvolutionMax,
    Dense,
    Dropout,
    Embedding,
    Gru,
    Lstm,
    Recurrent,
    Rnn,
    WordDropout,
)
from pyneural.layers import Bidirectional, Concatenate, Gather, LastStep, Sequential
from pyneural.losses import Allowed, Continued, Crf, FactoredSoftmax, Softmax, SquaredError, Weighted
from pyneural.network import Network
from pyneural.neural_layer import Layer, Loss
from pyneural.packing import Batch, Packed, Ragged, Steps
from pyneural.tagging.schemes import allowed

Column = Any
Maker = Callable[[Sequence[int], np.random.Generator], Column]

compiled_only = pytest.mark.skipif(kernels.__dict__.get("isa") is None, reason="reference kernels check no shapes")
SHAPES = {"ragged": (3, 1, 5, 0, 2), "one step": (1, 1, 1), "one sequence": (4,)}


class Case(NamedTuple):
    """A layer or a whole network, and makers of its data: columns for sequences of given lengths."""

    make: Callable[[], Layer]
    inputs: Maker
    targets: Maker | None = None
    exact: bool = True  # the gradient is that of the loss: bptt_steps cuts it


class Words(NamedTuple):
    """Inputs of a network: words, and what else is known of them."""

    words: Column
    chars: Column


class Started(NamedTuple):
    """Inputs of a network: rows, and the state in which each sequence starts."""

    rows: Column
    state: Column


# ---- layers and a loss that only tests need


class FromState(Layer):
    """A recurrent layer whose initial state is an input, so that its gradient is checked as any input's."""

    def __init__(self, cell: Recurrent) -> None:
        self.cell = cell

    def forward(self, *args: Any) -> Any:
        raise NotImplementedError

    def propagate(self, batch: Started, training: bool) -> Packed:
        order = batch.rows.steps.order
        state = np.empty_like(batch.state.rows)
        state[order] = batch.state.rows
        self.cell.set_state(state)
        return self.cell.propagate(batch.rows, training)

    def backward(self, dy: Any) -> Started:
        order = self.cell._steps.order
        return Started(self.cell.backward(dy), self.cell.initial_gradient[order])


class AddFinal(Layer):
    """Each row plus the final hidden state of its sequence: a recurrent layer with both gradients in use."""

    over_time = True

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def forward(self, x: Any, steps: Steps) -> Any:
        self._steps = steps
        y = self.layer.propagate(Packed(x, steps), training=True).rows
        return y + self.layer.hidden[steps.sequence_of_row]

    def backward(self, dy: Any) -> Any:
        d_hidden = np.zeros((self._steps.sequences, dy.shape[1]), dy.dtype)
        np.add.at(d_hidden, self._steps.sequence_of_row, dy)
        return self.layer.backward(dy, d_hidden)


class HalfSquares(Loss):
    """½ Σ x²: a loss without targets."""

    reduction = "sum"

    def weight(self, target: Any, steps: Steps) -> float:
        return 1.0

    def loss_and_gradient(self, x: Any, target: Any) -> tuple[float, Any]:
        return 0.5 * float(np.vdot(x, x)), x.copy()

    def predict(self, x: Any) -> Any:
        return x.copy()


# ---- columns


def _ragged(values: Any, lengths: Sequence[int]) -> Ragged:
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))


def real(D: int) -> Maker:
    return lambda lengths, rng: _ragged(rng.standard_normal((sum(lengths), D)), lengths)


def ids(V: int) -> Maker:
    """Whole numbers: words, or labels."""
    return lambda lengths, rng: _ragged(rng.integers(0, V, sum(lengths)), lengths)


def numbers(lengths: Sequence[int], rng: np.random.Generator) -> Ragged:
    """One real number a row."""
    return _ragged(rng.standard_normal(sum(lengths)), lengths)


def each(low: int, high: int) -> Maker:
    """A whole number a sequence."""
    return lambda lengths, rng: rng.integers(low, high, len(lengths))


def walk(may: Allowed, T: int, rng: np.random.Generator, before: int = -1) -> Any:
    """T labels drawn from what is allowed after the label before (-1 for none)."""
    can_end = [np.asarray(may.end)]  # whether one can come to an end in time from each label
    for _ in range(T - 1):
        can_end.insert(0, (may.transitions & can_end[0]).any(axis=1))
    labels = []
    for on in can_end[:T]:
        before = int(rng.choice(np.flatnonzero(on & (may.start if before < 0 else may.transitions[before]))))
        labels.append(before)
    return labels


def walks(may: Allowed) -> Maker:
    return lambda lengths, rng: Ragged.of([walk(may, T, rng) for T in lengths], dtype=np.int64)


def continued_walks(may: Allowed) -> Maker:
    def make(lengths: Sequence[int], rng: np.random.Generator) -> Continued:
        before = rng.integers(-1, len(may.start), len(lengths))
        labels = [walk(may, T, rng, known) for T, known in zip(lengths, before, strict=True)]
        return Continued(Ragged.of(labels, dtype=np.int64), before)

    return make


def real_each(D: int) -> Maker:
    return lambda lengths, rng: rng.standard_normal((len(lengths), D))


def positive(lengths: Sequence[int], rng: np.random.Generator) -> Ragged:
    return Ragged.of([rng.uniform(0, 2, T) for T in lengths], dtype=np.float64)


def positive_each(lengths: Sequence[int], rng: np.random.Generator) -> Any:
    return rng.uniform(0, 2, len(lengths))


def spelt(lengths: Sequence[int], rng: np.random.Generator) -> Words:
    words = ids(6)(lengths, rng)
    return Words(words, Distinct(words, Ragged.of([rng.integers(0, 5, T) for T in (2, 4, 1, 3, 2, 5)])))


def named(kind: type, *makers: Maker) -> Maker:
    return lambda lengths, rng: kind(*(make(lengths, rng) for make in makers))


# ---- the table

CELLS: dict[str, Callable[..., Recurrent]] = {
    "rnn tanh": Rnn,
    "rnn sigmoid": lambda D, H, **options: Rnn(D, H, "sigmoid", **options),
    "rnn relu": lambda D, H, **options: Rnn(D, H, "relu", **options),
    "gru": Gru,
    "gru reset before": lambda D, H, **options: Gru(D, H, reset_after=False, **options),
    "lstm": Lstm,
}


def _cases_of(cell: Callable[..., Recurrent]) -> dict[str, Case]:
    def both(D: int) -> Bidirectional:
        return Bidirectional(cell(D, 3), cell(D, 2))

    x, started = real(3), named(Started, real(3), real_each(4 * cell(1, 1).states))
    return {
        "forward": Case(lambda: cell(3, 4), x),
        "reverse": Case(lambda: cell(3, 4, reverse=True), x),
        "bidirectional": Case(lambda: both(3), x),
        "stacked": Case(lambda: Sequential(cell(3, 4), cell(4, 2, reverse=True)), x),
        "stacked bidirectional": Case(lambda: Sequential(both(3), both(5)), x),
        "last step": Case(lambda: LastStep(cell(3, 4)), x),
        "last step reverse": Case(lambda: LastStep(cell(3, 4, reverse=True)), x),
        "last step bidirectional": Case(lambda: LastStep(both(3)), x),
        "from state": Case(lambda: FromState(cell(3, 4)), started),
        "from state reverse": Case(lambda: FromState(cell(3, 4, reverse=True)), started),
        "rows and final": Case(lambda: AddFinal(cell(3, 4)), x),
        "rows and final bidirectional": Case(lambda: AddFinal(both(3)), x),
        "bptt": Case(lambda: cell(3, 4, bptt_steps=2), x, exact=False),
    }


def _dense(loss: Callable[[], Loss], H: int = 4) -> Callable[[], Network]:
    return lambda: Network(Dense(3, H), loss())


def _tagger(rate: float = 0.0) -> Network:
    below, above = Dropout(rate, locked=True), Dropout(rate)
    return Network(Sequential(Embedding(6, 3), below, Bidirectional(Gru(3, 4), Gru(3, 4)), above, Dense(8, 4)), Crf(4))


def _letters(encoder: Layer) -> Gather:
    return Gather(Sequential(Embedding(5, 2), encoder))


def _speller(encoder: Layer, *, swapped: bool = False) -> Network:
    """encoder: from 2 to 5"""
    words, chars = Embedding(6, 3), _letters(encoder)
    both = Concatenate(chars=chars, words=words) if swapped else Concatenate(words=words, chars=chars)
    return Network(Sequential(both, Gru(8, 4), Dense(4, 3)), Crf(3))


IOBES = allowed(["O", "B", "I", "E", "S"], "IOBES")
IOB1 = allowed(["O", "B-X", "I-X", "I-Y"], "IOB1")


def _both_ways() -> LastStep:
    return LastStep(Bidirectional(Gru(2, 3), Gru(2, 2)))


ACTIVATIONS = ("tanh", "sigmoid", "relu", "clipped_relu", ClippedRelu(0.5))
CASES: dict[str, Case] = {
    "dense": Case(lambda: Dense(3, 4), real(3)),
    "dense tanh": Case(lambda: Dense(3, 4, "tanh"), real(3)),
    "dense clipped relu": Case(lambda: Dense(3, 4, ClippedRelu(0.7)), real(3)),
    **{f"activation {f}": Case(lambda f=f: Activation(f), real(3)) for f in ACTIVATIONS},
    "embedding": Case(lambda: Embedding(4, 3), ids(4)),
    "embedding frozen": Case(lambda: Sequential(Embedding(4, 3, trainable=False), Dense(3, 2)), ids(4)),
    "frozen below": Case(lambda: Sequential(Dense(3, 4, "tanh").freeze(), Gru(4, 3).freeze(), Dense(3, 2)), real(3)),
    "word dropout": Case(lambda: Sequential(WordDropout(0.4, [0, 0, 0, 3]), Embedding(4, 3)), ids(4)),
    "dropout": Case(lambda: Dropout(0.4), real(3)),
    "dropout locked": Case(lambda: Dropout(0.4, locked=True), real(3)),
    "dropout of nothing": Case(lambda: Sequential(Dense(3, 2), Dropout(0.0), Dense(2, 2)), real(3)),
    **{f"convolution {f}": Case(lambda f=f: ConvolutionMax(3, 4, activation=f), real(3)) for f in (None, *ACTIVATIONS)},
    **{f"convolution {width} wide": Case(lambda w=width: ConvolutionMax(3, 4, w), real(3)) for width in (1, 5, 9)},
    **{f"{name}, {kind}": case for name, cell in CELLS.items() for kind, case in _cases_of(cell).items()},
    "concatenate shared": Case(lambda: Concatenate(Dense(3, 2), Gru(3, 2), Dense(3, 1, "tanh")), real(3)),
    "concatenate shared ids": Case(lambda: Concatenate(Embedding(4, 2), Embedding(4, 3)), ids(4)),
    "by name": Case(lambda: Concatenate(chars=Lstm(2, 3), words=Embedding(5, 2)), named(Words, ids(5), real(2))),
    "concatenate per sequence": Case(
        lambda: Network(Sequential(Concatenate(chars=Dense(2, 3), words=LastStep(Gru(3, 2))), Dense(5, 3)), Softmax()),
        named(Words, real(3), real_each(2)),
        each(0, 3),
    ),
    "gather": Case(lambda: Concatenate(words=Embedding(6, 2), chars=_letters(LastStep(Rnn(2, 3)))), spelt),
    "gather convolved": Case(
        lambda: Concatenate(words=Embedding(6, 2), chars=_letters(ConvolutionMax(2, 3, activation="relu"))), spelt
    ),
    "softmax": Case(_dense(Softmax), real(3), ids(4)),
    "softmax weighted": Case(_dense(lambda: Softmax(class_weights=[1, 2, 0.5, 3], smoothing=0.1)), real(3), ids(4)),
    "softmax sum": Case(_dense(lambda: Softmax(class_weights=[1, 2, 0, 3], reduction="sum")), real(3), ids(4)),
    "softmax per sequence": Case(
        lambda: Network(Sequential(LastStep(Lstm(3, 2)), Dense(2, 3)), Softmax()), real(3), each(0, 3)
    ),
    "softmax of weighted rows": Case(
        _dense(lambda: Softmax(class_weights=[0.5, 2.0, 1.0, 0.0], smoothing=0.1)),
        real(3),
        named(Weighted, ids(4), positive),
    ),
    "softmax of weights per sequence": Case(
        lambda: Network(Sequential(LastStep(Gru(3, 2)), Dense(2, 3)), Softmax(reduction="sum")),
        real(3),
        named(Weighted, each(0, 3), positive_each),
    ),
    "squared error of weighted rows": Case(_dense(SquaredError, 2), real(3), named(Weighted, real(2), positive)),
    "squared error": Case(_dense(SquaredError, 2), real(3), real(2)),
    "squared error of one": Case(lambda: Network(Rnn(3, 1), SquaredError(reduction="sum")), real(3), numbers),
    "squared error on rnn": Case(lambda: Network(Sequential(Rnn(3, 4), Dense(4, 2)), SquaredError()), real(3), real(2)),
    "factored softmax on rnn": Case(
        lambda: Network(Sequential(Embedding(7, 3), Rnn(3, 4)), FactoredSoftmax(4, 11)), ids(7), ids(11)
    ),
    "factored sum": Case(
        _dense(lambda: FactoredSoftmax(2, 4, clusters=[1, 0, 2, 0], reduction="sum"), 2), real(3), ids(4)
    ),
    "crf": Case(_dense(lambda: Crf(4)), real(3), ids(4)),
    "crf sum": Case(_dense(lambda: Crf(2, reduction="sum"), 2), real(3), ids(2)),
    "crf of IOBES": Case(_dense(lambda: Crf(5, allowed=IOBES), 5), real(3), walks(IOBES)),
    "crf of IOB1, continued": Case(_dense(lambda: Crf(4, allowed=IOB1)), real(3), continued_walks(IOB1)),
    "crf continued": Case(_dense(lambda: Crf(4)), real(3), named(Continued, ids(4), each(-1, 4))),
    "tagger": Case(_tagger, ids(6), ids(4)),
    "tagger with dropout": Case(lambda: _tagger(0.4), ids(6), ids(4)),
    "tagger of letters": Case(lambda: _speller(_both_ways()), spelt, ids(3)),
    "tagger of letters, swapped": Case(lambda: _speller(_both_ways(), swapped=True), spelt, ids(3)),
    "tagger of letters, convolved": Case(lambda: _speller(ConvolutionMax(2, 5)), spelt, ids(3)),
}


# ---- networks and batches


def network_of(case: Case, dtype: Any = np.float64, seed: int = 3) -> Network:
    """The case's network, allocated; a layer without a loss stands under `HalfSquares`."""
    layer = case.make()
    network = layer if isinstance(layer, Network) else Network(layer, HalfSquares())
    network.allocate(seed=seed, dtype=dtype)
    network.values += 0.3 * np.random.default_rng(seed).standard_normal(len(network.values)).astype(dtype)
    return network


class Data:
    """Data for a case, and batches of any of its items."""

    def __init__(self, case: Case, lengths: Sequence[int], seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.inputs = case.inputs(lengths, rng)
        self.targets = None if case.targets is None else case.targets(lengths, rng)
        self.lengths = np.array(first_column(self.inputs).lengths)

    def batch(self, indices: Any = None) -> Batch:
        """Those items, in that order; a random mask stays that of its item."""
        indices = np.arange(len(self.lengths)) if indices is None else np.asarray(indices, dtype=np.int64)
        steps = Steps(self.lengths[indices], places=indices)
        targets = None if self.targets is None else take(self.targets, indices, steps)
        return Batch(take(self.inputs, indices, steps), targets, steps.rows)

"""Packing and recurrent layers against PyTorch: outputs, states and every gradient on the same ragged batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.random import Generator

from pyneural import Activation, Bidirectional, Gru, LastStep, Lstm, Network, Rnn, Sequential
from pyneural.neural_layer import Layer
from pyneural.packing import Batch
from pyneural.test.gradient_check import Projection, as_batch
from pyneural.test.parity.comparison import (
    LENGTHS,
    Array,
    allocated,
    leaf,
    packed_sequence,
    same,
    same_gradients,
    sequences_of,
    upstream,
)
from pyneural.test.parity.torch_weights import tie

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.parity

CELLS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "tanh": (lambda D, H: Rnn(D, H, "tanh"), lambda *a, **o: torch.nn.RNN(*a, nonlinearity="tanh", **o)),
    "relu": (lambda D, H: Rnn(D, H, "relu"), lambda *a, **o: torch.nn.RNN(*a, nonlinearity="relu", **o)),
    "gru": (Gru, lambda *a, **o: torch.nn.GRU(*a, **o)),
    "lstm": (Lstm, lambda *a, **o: torch.nn.LSTM(*a, **o)),
}


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
    loss = network.loss_and_gradient(batch, input_gradient=True)

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
    loss = network.loss_and_gradient(batch, input_gradient=True)

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
    network.loss_and_gradient(batch, input_gradient=True)
    x = leaf(batch.inputs.rows)
    y = module(packed_sequence(x, batch.inputs.steps))[0].data
    y.backward(upstream(tuple(y.shape)))
    same(network.input_gradient, x.grad, "gradient of the inputs")
    same_gradients(ties)

"""Every gradient of the table against central differences; what they can't tell, against plain computations."""

import numpy as np
import pytest

from pyneural import (
    Bidirectional,
    Crf,
    Dense,
    Embedding,
    Gru,
    Lstm,
    Network,
    Ragged,
    Sequential,
    SquaredError,
    Streams,
    unpack,
)
from pyneural.test.cases import CASES, CELLS, SHAPES, Case, Data
from pyneural.test.gradient_check import as_batch, check_direction, check_float32, check_gradients

EXACT = {name: case for name, case in CASES.items() if case.exact}
every_shape = pytest.mark.parametrize("lengths", SHAPES.values(), ids=SHAPES)
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


@every_shape
@pytest.mark.parametrize("case", EXACT.values(), ids=EXACT)
def test_every_coordinate(case: Case, lengths):
    batch = Data(case, lengths).batch()
    assert check_gradients(case.make(), batch.inputs, batch.targets) <= 1e-7


@every_shape
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_float32(case: Case, lengths):
    batch = Data(case, lengths).batch()
    assert check_float32(case.make(), batch.inputs, batch.targets) <= 1e-5


def test_table_is_complete():
    """Every layer and loss that the package offers is in the table."""
    import pyneural

    public = {kind.__name__ for kind in vars(pyneural).values() if isinstance(kind, type)}
    layers = {name for name in public if issubclass(getattr(pyneural, name), pyneural.Layer)}
    used = {type(layer).__name__ for case in CASES.values() for _, layer in case.make().descendants()}
    assert layers - used <= {"Layer", "Loss", "Recurrent"}


def test_tagger_of_real_size():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 30, 16)
    body = Sequential(Embedding(2000, 100), Bidirectional(Gru(100, 100), Gru(100, 100)), Dense(200, 9))
    words, labels = ([rng.integers(0, n, T) for T in lengths] for n in (2000, 9))
    assert check_direction(Network(body, Crf(9)), words, labels) <= 1e-7


# ---- gradients that are not those of the loss


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("k", [1, 2, 3, 9])
@every_cell
def test_bptt_steps(cell, k, reverse):
    """Cut every k steps, the gradient is that of blocks of k steps, each from the state before, a constant."""
    rng = np.random.default_rng(k)
    x, target = ([rng.standard_normal((T, D)) for T in (7, 2, 5, 0, 4)] for D in (3, 4))
    cut = Network(cell(3, 4, bptt_steps=k, reverse=reverse), SquaredError(reduction="sum"))
    cut.allocate(dtype=np.float64)
    whole = as_batch(cut, x, target)
    loss = cut.loss_and_gradient(whole, input_gradient=True)

    blocks = Network(cell(3, 4, reverse=reverse), SquaredError(reduction="sum")).allocate(
        values=cut.values, dtype=float
    )
    state, total, grads = None, 0.0, np.zeros_like(cut.grads)
    d_blocks = []
    for first in sorted(range(0, 7, k), reverse=reverse):
        batch = as_batch(blocks, *([part[first : first + k] for part in parts] for parts in (x, target)))
        blocks.body.set_state(state)
        total += blocks.loss_and_gradient(batch, input_gradient=True)
        grads += blocks.grads
        state = blocks.body.final_state.copy()
        d_blocks.append(unpack(blocks.input_gradient.copy(), batch.inputs.steps))
    assert loss == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(cut.grads, grads, rtol=0, atol=1e-12)
    np.testing.assert_allclose(cut.body.final_state, state, rtol=0, atol=1e-14)
    for i, dx in enumerate(unpack(cut.input_gradient, whole.inputs.steps)):
        pieces = [block[i] for block in (d_blocks[::-1] if reverse else d_blocks)]
        np.testing.assert_allclose(dx, np.concatenate(pieces), rtol=0, atol=1e-12)


@every_cell
def test_carried_state(cell):
    """Over streams, each batch starts where the one before ended, unless a document ended there."""
    rng = np.random.default_rng(0)
    documents, targets = ([rng.standard_normal((T, D)) for T in (9, 4, 7, 2, 1)] for D in (3, 4))
    carrying = Network(cell(3, 4, carry=True), SquaredError(reduction="sum")).allocate(dtype=np.float64)
    plain = Network(cell(3, 4), SquaredError(reduction="sum")).allocate(values=carrying.values, dtype=np.float64)
    loss, state = 0.0, None
    batches = Streams(documents, targets, streams=2, chunk=3)
    for batch in batches.epoch(0):
        plain.body.set_state(state)
        assert carrying.loss_and_gradient(batch) == plain.loss_and_gradient(batch)
        np.testing.assert_array_equal(carrying.grads, plain.grads)
        loss += plain.loss_and_gradient(batch)
        state = plain.body.final_state.copy()
        state[batch.inputs.steps.ends] = 0
    plain.body.set_state(None)
    assert loss == pytest.approx(plain.loss_of(as_batch(plain, documents, targets)), rel=1e-12)
    held_out = [carrying.loss_of(batch) for batch in batches.epoch(1)]  # has a state of its own
    assert sum(held_out) == pytest.approx(loss, rel=1e-12)
    carrying.reset_state()
    assert sum(carrying.loss_of(batch) for batch in batches.epoch(1)) == pytest.approx(loss, rel=1e-12)


@every_cell
def test_state_in_users_order(cell):
    """States go in and come out in the user's order, whatever the packed one."""
    network = Network(cell(2, 3), SquaredError(reduction="sum")).allocate(dtype=np.float64)
    network.values += 0.3
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((T, 2)) for T in (1, 3, 0, 2)]
    states = rng.standard_normal((4, 3 * network.body.states))

    def run(which: slice):
        network.body.set_state(states[which])
        network.loss_and_gradient(as_batch(network, x[which], [np.zeros((len(rows), 3)) for rows in x[which]]))
        return network.body.final_state, network.body.initial_gradient

    together, alone = run(slice(None)), [run(slice(i, i + 1)) for i in range(4)]
    for whole, parts in zip(together, zip(*alone, strict=True), strict=True):
        np.testing.assert_allclose(whole, np.concatenate(parts), rtol=0, atol=1e-13)
    np.testing.assert_array_equal(together[0][2], states[2])  # the empty sequence ends where it starts


def test_repeated_ids():
    """The gradient of a row is the sum over the places where it was used."""
    network = Network(Embedding(5, 2), SquaredError(reduction="sum")).allocate(dtype=np.float64)
    network.loss_and_gradient(
        as_batch(network, [np.array([3, 1, 3]), np.array([3])], [np.zeros((3, 2)), np.zeros((1, 2))])
    )
    E = network.body.table.value
    np.testing.assert_allclose(network.body.table.grad, E * np.array([0, 1, 0, 3, 0])[:, None], rtol=1e-14)


# ---- the checker itself


class Wrong(Dense):
    """Dense, with something done to its gradients."""

    def __init__(self, harm):
        super().__init__(3, 2)
        self._harm = harm

    def __deepcopy__(self, memo):
        return Wrong(self._harm)

    def backward(self, dy):
        before = self.W.grad.copy()
        dx = super().backward(dy).copy()
        return self._harm(self, before, dx)


def harm_one(layer, before, dx):
    layer.W.grad[2, 1] *= 1.001
    return dx


def harm_nan(layer, before, dx):
    layer.b.grad[1] = np.nan
    return dx


def harm_accumulating(layer, before, dx):
    layer.W.grad[...] += before
    return dx


def harm_input(layer, before, dx):
    dx[1, 2] += 0.01
    return dx


def harm_nan_input(layer, before, dx):
    dx[0, 0] = np.nan
    return dx


def harm_missing(layer, before, dx):
    return None


def harm_shape(layer, before, dx):
    return dx[:-1]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (harm_one, r"body\.W: coordinate 5: analytic"),
        (harm_nan, r"body\.b: coordinate 1: analytic gradient nan"),
        (harm_accumulating, r"body\.W: coordinate"),
        (harm_input, "inputs: coordinate 5: analytic"),
        (harm_nan_input, "inputs: coordinate 0: analytic gradient nan"),
        (harm_missing, "inputs: backward returned no gradient"),
        (harm_shape, r"inputs: .*shape"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_checker_names_what_is_wrong(harm, message):
    x = np.random.default_rng(0).standard_normal((4, 3))
    with pytest.raises(AssertionError, match=message):
        check_gradients(Wrong(harm), x)


def test_checker_finds_a_wrong_direction():
    def harm(layer, before, dx):
        layer.W.grad[...] *= 1.01
        return dx

    with pytest.raises(AssertionError, match="direction"):
        check_direction(Wrong(harm), np.random.default_rng(0).standard_normal((4, 3)))


def test_checker_has_something_to_check():
    with pytest.raises(ValueError, match="neither"):
        check_gradients(Embedding(4, 2, trainable=False), [np.array([1, 2])])


def test_checker_leaves_inputs_alone():
    x = np.random.default_rng(0).standard_normal((4, 3))
    before = x.copy()
    check_gradients(Lstm(3, 2), [x])
    check_gradients(Dense(3, 2), x)
    np.testing.assert_array_equal(x, before)
    assert len(Ragged.of([x])) == 1

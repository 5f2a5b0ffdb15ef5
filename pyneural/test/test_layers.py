"""What layers refuse and with which words, how a network describes itself, and how parameters start."""

import json
from typing import NamedTuple

import numpy as np
import pytest

from pyneural import (
    Activation,
    Bidirectional,
    ClippedRelu,
    Concatenate,
    ConvolutionMax,
    Crf,
    Dense,
    Dropout,
    Embedding,
    FactoredSoftmax,
    Gather,
    Gru,
    LastStep,
    Lstm,
    Network,
    Parameter,
    Rnn,
    Sequential,
    Softmax,
    SquaredError,
    WordDropout,
)
from pyneural.initializers import Constant, Gates, Given, Glorot, Identity, Normal, Orthogonal, Uniform, Zeros
from pyneural.test.cases import CASES, compiled_only
from pyneural.test.gradient_check import as_batch


class Words(NamedTuple):
    words: object
    chars: object


class Tags(NamedTuple):
    tags: object


def network(*layers, loss=None) -> Network:
    return Network(Sequential(*layers), loss or Softmax()).allocate(seed=1)


same_cell = Gru(2, 3)
x = np.zeros((3, 2))


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Sequential(), "layers: expected at least one"),
        (lambda: Sequential(Dense(2, 3), Dense(4, 2)), "Dense: expects 4 inputs, Dense below gives 3"),
        (lambda: Sequential(Embedding(9, 3), Gru(4, 2)), "Gru: expects 4 inputs, Embedding below gives 3"),
        (lambda: Sequential(Bidirectional(Gru(2, 3), Rnn(2, 1)), Dense(3, 2)), "expects 3 inputs, Bidirectional.* 4"),
        (lambda: Sequential(LastStep(Gru(2, 3)), Dense(2, 2)), "Dense: expects 2 inputs, LastStep below gives 3"),
        (lambda: Sequential(Concatenate(Dense(2, 1), Gru(2, 3)), Dense(3, 2)), "Concatenate below gives 4"),
        (lambda: Sequential(Sequential(Dense(2, 1)), Sequential(Dense(3, 2))), "Sequential: expects 3 inputs"),
        (lambda: network(Dense(2, 3), loss=Crf(4)), "loss: .* expects 4 inputs, the body gives 3"),
        (lambda: network(Dense(2, 3), loss=FactoredSoftmax(4, 9)), "loss: .* expects 4 inputs, the body gives 3"),
        (lambda: Bidirectional(Gru(2, 3), Gru(3, 3)), "backward: expected 2 inputs, as forward; got 3"),
        (lambda: Bidirectional(Gru(2, 3, carry=True), Gru(2, 3)), "forward: a bidirectional layer can't carry"),
        (lambda: Bidirectional(same_cell, same_cell), "backward: expected a cell of its own"),
        (lambda: Concatenate(), "branches: expected some by position, or some by name"),
        (lambda: Concatenate(Dense(2, 1), words=Dense(2, 1)), "branches: expected some by position, or some by name"),
        (lambda: Activation("softplus"), "activation: expected one of tanh, sigmoid, relu, clipped_relu.*'softplus'"),
        (lambda: Activation(None), "activation: expected one of tanh"),
        (lambda: Dense(2, 3, "thanh"), "activation: expected one of tanh.* or None; got 'thanh'"),
        (lambda: Dense(0, 3), r"expected dimensions of at least 1, got \(0, 3\)"),
        (lambda: Gru(2, -1), "expected dimensions of at least 1"),
        (lambda: Rnn(2, 3, "clipped_relu"), "activation: expected 'tanh', 'sigmoid' or 'relu', got 'clipped_relu'"),
        (lambda: Lstm(2, 3, bptt_steps=-1), "bptt_steps: expected at least 0, got -1"),
        (lambda: ConvolutionMax(2, 3, 4), "width: expected an odd number of steps, got 4"),
        (lambda: ConvolutionMax(2, 3, -1), "width: expected an odd number of steps, got -1"),
        (lambda: Sequential(Embedding(9, 3), ConvolutionMax(4, 2)), "ConvolutionMax: expects 4 inputs"),
        (lambda: ClippedRelu(0.0), "ceiling: expected a number above 0, got 0.0"),
        (lambda: Dropout(1.0), r"rate: expected a number in \[0, 1\), got 1.0"),
        (lambda: Dropout(-0.1), r"rate: expected a number in \[0, 1\), got -0.1"),
        (lambda: WordDropout(1.5, [0, 1]), r"rate: expected a number in \[0, 1\), got 1.5"),
        (lambda: Embedding(3, 2, vectors=np.zeros((2, 3))), r"vectors: expected shape \(3, 2\), got \(2, 3\)"),
        (lambda: Embedding(1, 1, vectors=[[0]], init=Zeros()), "vectors, init: expected one of them, got both"),
        (lambda: Softmax(smoothing=1.0), r"smoothing: expected a number in \[0, 1\), got 1.0"),
        (lambda: Softmax(class_weights=[1, -1]), "class_weights: expected a vector of numbers from 0"),
        (lambda: Softmax(reduction="max"), "reduction: expected 'mean' or 'sum', got 'max'"),
        (lambda: SquaredError(reduction=None), "reduction: expected 'mean' or 'sum', got None"),
        (lambda: Crf(0), "expected dimensions of at least 1"),
        (lambda: FactoredSoftmax(2, 3, clusters=[0, 1]), r"clusters: expected 3 numbers from 0, got shape \(2,\)"),
        (lambda: FactoredSoftmax(2, 3, clusters=[0, 2, 2]), "clusters: cluster 1 has no label"),
        (lambda: Parameter(3, init=Zeros(), sparse=True), "a sparse parameter is a matrix"),
        (lambda: Parameter(init=Zeros()), "shape: expected dimensions of at least 1"),
        (lambda: network(Embedding(5, 3)).predict([np.array([1, 5])]), "ids: expected numbers from 0 to 4, got 5"),
        (lambda: network(Embedding(5, 3)).predict([np.array([-1])]), "ids: expected numbers from 0 to 4, got -1"),
        (lambda: _loss(Dense(2, 3), x, x, SquaredError()), r"target: expected shape \(3, 3\).* got \(3, 2\)"),
        (lambda: _loss(Dense(2, 3), x, np.array([0, 4, 1]), FactoredSoftmax(3, 4)), "labels from 0 to 3"),
        (lambda: _state(np.zeros((2, 4))), r"initial state: expected shape \(1, 3\), one row a sequence; got \(2, 4\)"),
    ],
)  # fmt: skip
def test_what_is_refused(attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt()


@compiled_only
@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: network(Dense(2, 3)).predict(np.zeros((4, 3))), r"x: expected shape \(4, 2\), got \(4, 3\)"),
        (lambda: network(Gru(2, 3)).predict([np.zeros((4, 3))]), r"x: expected shape \(4, 2\), got \(4, 3\)"),
        (lambda: network(ConvolutionMax(2, 3)).predict([np.zeros((4, 3))]), r"W: expected shape \(9, 3\)"),
        (lambda: _loss(Dense(2, 3), x, np.array([0, 3, 1])), "targets: expected labels from 0 to 2, got 3 in row 1"),
        (lambda: _loss(Dense(2, 3), x, np.array([0, 1])), "expected"),
        (lambda: _loss(Dense(2, 3), x, np.array([0, 1, 1]), Softmax(class_weights=[1, 2])), "expected 3, one a class"),
        (lambda: network(Embedding(5, 3)).predict([np.array([1.0])]), "ids: got float32"),
    ],
)  # fmt: skip
def test_data_that_do_not_fit(attempt, message):
    with pytest.raises((ValueError, TypeError), match=message):
        attempt()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Bidirectional(Dense(2, 3), Gru(2, 3)), "forward: expected a recurrent layer, got Dense"),
        (lambda: LastStep(Dense(2, 3)), "layer: expected a recurrent or bidirectional layer, got Dense"),
        (lambda: Network(Softmax, Softmax()), "body: expected a Layer, got ABCMeta"),
        (lambda: Network(Dense(2, 3), Dense(3, 2)), "loss: expected a Loss, got Dense"),
        (lambda: Sequential(Dense(2, 3), "tanh"), "layers: expected layers, got str"),
        (lambda: Concatenate(Dense, Dense), "branches: expected layers, got ABCMeta"),
        (lambda: Given(["a"]), "values: expected numbers"),
        (lambda: network(Dense(2, 3)).predict(np.array([["a", "b"]])), "inputs: expected numbers, got an array of <U1"),
        (lambda: network(Gather(LastStep(Gru(2, 3)))).predict([x]), "inputs: expected Gathered"),
        (lambda: network(Concatenate(words=Dense(2, 3))).predict((x,)), "inputs: expected a named tuple"),
        (lambda: Softmax().backward(x), "a loss has no gradient above it"),
    ],
)  # fmt: skip
def test_what_is_of_a_wrong_type(attempt, message):
    with pytest.raises(TypeError, match=message):
        attempt()


def test_inputs_of_other_names():
    named = network(Concatenate(words=Dense(2, 3), chars=Dense(2, 1)))
    with pytest.raises(ValueError, match="inputs: expected a named tuple of words, chars; got tags"):
        named.predict(Tags(x))
    with pytest.raises(ValueError, match="inputs: expected a named tuple of words, chars; got rows, steps"):
        named.predict(x)
    with pytest.raises(ValueError, match=r"branches: expected as many rows from each, got {'words': 1, 'chars': 3}"):
        network(Concatenate(words=LastStep(Gru(2, 3)), chars=Dense(2, 1))).predict(Words([x], [x]))


def _loss(layer, inputs, targets, loss=None):
    whole = network(layer, loss=loss)
    batch = as_batch(whole, inputs, np.zeros(len(inputs)))
    whole.loss_and_gradient(batch._replace(targets=batch.targets._replace(rows=targets)))


def _state(state):
    whole = network(Gru(2, 3))
    whole.body.layers[0].set_state(state)
    whole.predict([x])


# ---- descriptions


def test_config():
    body = Sequential(
        Concatenate(words=Embedding(9, 3), chars=Gather(LastStep(Bidirectional(Gru(2, 3), Lstm(2, 4))))),
        Dropout(0.25, locked=True),
        Rnn(10, 5, "relu", bptt_steps=4),
        Dense(5, 2, ClippedRelu(2.0)),
    )
    config = Network(body, Crf(2, reduction="sum")).config()
    assert json.loads(json.dumps(config)) == config
    assert config["class"] == "Network"
    assert config["loss"] == {"class": "Crf", "labels": 2, "reduction": "sum", "allowed": None}
    body = config["body"]
    assert [body[f"layers.{i}"]["class"] for i in range(4)] == ["Concatenate", "Dropout", "Rnn", "Dense"]
    assert body["layers.1"] == {"class": "Dropout", "rate": 0.25, "locked": True}
    assert body["layers.2"].items() >= {"dim_in": 10, "dim_hidden": 5, "activation": "relu", "bptt_steps": 4}.items()
    assert body["layers.3"].items() >= {"dim_out": 2, "activation": "clipped_relu", "ceiling": 2.0}.items()
    chars = body["layers.0"]["branches.chars"]["layer"]["layer"]
    assert chars["class"] == "Bidirectional"
    cells = [cell for cell in chars.values() if isinstance(cell, dict)]
    assert [(cell["class"], cell["reverse"]) for cell in cells] == [("Gru", False), ("Lstm", True)]
    assert cells[0]["reset_after"] is True


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_config_is_json_and_survives_allocation(case):
    layer = case.make()
    before = layer.config()
    assert json.loads(json.dumps(before)) == before
    if isinstance(layer, Network):
        layer.allocate()
        assert layer.config() == before == layer.replica().config()


# ---- initial values


def filled(init, *shape, dtype=np.float64, seed=0):
    value = np.full(shape, np.nan, dtype=dtype)
    init(value, np.random.default_rng(seed))
    return value


@pytest.mark.parametrize("shape", [(4, 9), (30, 60), (60, 30)])
@pytest.mark.parametrize("blocks", [1, 3])
def test_glorot(shape, blocks):
    value = filled(Glorot(blocks), *shape)
    bound = np.sqrt(6 / (shape[0] + shape[1] // blocks))
    assert np.abs(value).max() <= bound
    assert np.abs(value).max() > 0.8 * bound
    if value.size > 1000:
        assert value.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)


@pytest.mark.parametrize("shape", [(5, 15), (5, 6), (7, 9)])
def test_orthogonal(shape):
    blocks = np.split(filled(Orthogonal(3), *shape), 3, axis=1)
    for block in blocks:
        product = block @ block.T if block.shape[0] <= block.shape[1] else block.T @ block
        np.testing.assert_allclose(product, np.eye(min(block.shape)), atol=1e-14)
    assert np.abs(blocks[0] - blocks[1]).max() > 0.1


def test_simple_ones():
    np.testing.assert_array_equal(filled(Zeros(), 3), 0)
    np.testing.assert_array_equal(filled(Constant(2.5), 3, 2), 2.5)
    np.testing.assert_array_equal(filled(Identity(2, 0.5), 3, 6), np.tile(0.5 * np.eye(3), 2))
    np.testing.assert_array_equal(filled(Gates((0, 1, 2)), 6), [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(filled(Given([[1, 2]]), 1, 2), [[1, 2]])
    assert np.abs(filled(Uniform(0.3), 1000)).max() == pytest.approx(0.3, rel=0.01)
    assert filled(Normal(0.2), 10000).std() == pytest.approx(0.2, rel=0.03)
    for init in (Glorot(2), Orthogonal(2), Normal(), Uniform(1.0)):
        single, double = filled(init, 4, 6, dtype=np.float32), filled(init, 4, 6)
        np.testing.assert_array_equal(single, double.astype(np.float32))
        assert (filled(init, 4, 6, seed=1) != double).all()


@pytest.mark.parametrize("init", [Glorot(2), Orthogonal(2), Identity(2)], ids=lambda init: type(init).__name__)
def test_blocks_must_fit(init):
    for shape in ((3,), (3, 5)):
        with pytest.raises(ValueError, match=f"{type(init).__name__}: expected a matrix of 2 blocks, got"):
            filled(init, *shape)
    with pytest.raises(ValueError, match=r"values: expected shape \(2,\), got \(3,\)"):
        filled(Given([1, 2, 3]), 2)


def test_where_layers_start():
    cell, plain = Lstm(3, 4), Lstm(3, 4, forget_bias=0.0)
    gru, irnn = Gru(3, 4), Rnn(4, 4, "relu", init_recurrent=Identity())
    vectors = np.arange(6.0).reshape(3, 2)
    table, dense = Embedding(3, 2, vectors=vectors), Dense(2, 3, init_bias=Given(np.log([0.5, 0.3, 0.2])))
    Network(Concatenate(Sequential(table, dense, cell), Sequential(plain, irnn), gru), Softmax()).allocate(seed=1)
    np.testing.assert_array_equal(cell.b.value, np.repeat([0, 1, 0, 0], 4))
    np.testing.assert_array_equal(plain.b.value, 0)
    np.testing.assert_array_equal(gru.b.value, 0)
    np.testing.assert_array_equal(gru.c.value, 0)
    np.testing.assert_array_equal(irnn.U.value, np.eye(4))
    np.testing.assert_array_equal(table.table.value, vectors)
    np.testing.assert_allclose(dense.b.value, np.log([0.5, 0.3, 0.2]), rtol=1e-6)
    for layer, blocks in ((cell, 4), (gru, 3)):
        for block in np.split(layer.U.value, blocks, axis=1):
            np.testing.assert_allclose(block @ block.T, np.eye(4), atol=1e-6)


@pytest.mark.parametrize("cell", [Rnn(2, 3), Gru(2, 3), Gru(2, 3, reset_after=False), Lstm(2, 3)])
def test_what_forward_kept_is_used_once(cell):
    network = Network(cell, Softmax()).allocate(dtype=np.float64)
    batch = as_batch(network, [np.ones((2, 2))], [np.array([0, 1])])
    network.loss_and_gradient(batch)
    with pytest.raises(RuntimeError, match="expected a forward before each"):
        cell.backward(np.ones((2, 3)))
    rows = batch.inputs
    cell.forward(rows.rows, rows.steps)
    cell.predict(rows.rows, rows.steps)  # overwrites it
    with pytest.raises(RuntimeError, match="expected a forward before each"):
        cell.backward(np.ones((2, 3)))

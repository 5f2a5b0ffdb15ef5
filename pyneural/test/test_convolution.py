"""The convolution over time beside a plain computation; empty sequences, ties, bfloat16, distinct words."""

import numpy as np
import pytest

from pyneural import ConvolutionMax, Embedding, Gather, Gathered, Network, Sequential, Softmax, kernels
from pyneural.packing import Steps, pack
from pyneural.test.cases import HalfSquares
from pyneural.test.gradient_check import as_batch


def plain(layer, x):
    """One sequence, as the equation says it."""
    T, h = len(x), layer.width // 2
    W = layer.W.value.reshape(layer.width, layer.dim_in, layer.dim_out)
    s = np.tile(layer.b.value, (T, 1))
    for t in range(T):
        for o in range(layer.width):
            if 0 <= t + o - h < T:
                s[t] += x[t + o - h] @ W[o]
    return s.max(axis=0) if T else np.zeros(layer.dim_out)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_what_it_computes(width):
    rng = np.random.default_rng(0)
    layer = ConvolutionMax(3, 4, width)
    network = Network(layer, Softmax()).allocate(seed=1, dtype=np.float64)
    network.values[...] = rng.standard_normal(network.values.shape)
    sequences = [rng.standard_normal((T, 3)) for T in (2, 0, 7, 1, 3)]
    np.testing.assert_allclose(network.scores(sequences), [plain(layer, x) for x in sequences], rtol=1e-13)


@pytest.mark.parametrize("activation", [None, "tanh", "sigmoid", "relu"])
def test_empty_sequences_are_zeros_without_a_gradient(activation):
    network = Network(ConvolutionMax(3, 4, activation=activation), HalfSquares()).allocate(seed=1)
    network.values += 0.5  # the bias too
    y = network.forward(network.pack([np.zeros((0, 3)), np.ones((2, 3))]))
    assert (y.steps.sequences, y.steps.rows) == (2, 2)
    np.testing.assert_array_equal(y.rows[1], 0)
    assert y.rows[0].all()
    network.backward(np.array([[0] * 4, [1] * 4], np.float32))
    assert not network.grads.any()


def test_the_first_of_equal_steps_has_the_gradient():
    network = Network(ConvolutionMax(2, 3, 1), HalfSquares()).allocate(seed=1)
    network.loss_and_gradient(as_batch(network, [np.ones((4, 2)), np.ones((2, 2))], None), input_gradient=True)
    steps = Steps([4, 2]).step_of_row
    assert network.input_gradient[steps == 0].all()
    assert not network.input_gradient[steps > 0].any()


def test_nan_is_not_passed_over():
    network = Network(ConvolutionMax(1, 2, 1), HalfSquares()).allocate(seed=1)
    for place in range(3):
        x = np.arange(3.0)[:, None]
        x[place] = np.nan
        assert np.isnan(network.scores([x])).all()


def test_products_in_bfloat16_are_near():
    x = [np.random.default_rng(T).standard_normal((T, 20)) for T in (4, 9, 1)]
    full, half = (
        Network(ConvolutionMax(20, 30), HalfSquares()).allocate(seed=1, precision=precision).scores(x)
        for precision in ("full", "bf16")
    )
    difference = np.linalg.norm(half - full) / np.linalg.norm(full)
    assert difference < 2e-2
    if kernels.bf16 is not None:
        assert difference > 1e-5  # it was not float32 that was computed


def test_each_distinct_word_is_read_once():
    """Brought to the words, the rows and their gradients are those of reading every word where it stands."""
    rng = np.random.default_rng(0)
    spellings = [rng.integers(0, 5, T) for T in (2, 4, 1, 0, 5)]
    ids = rng.integers(0, 5, 12)
    letters = [Sequential(Embedding(5, 2), ConvolutionMax(2, 6, activation="relu")) for _ in range(2)]
    once, each = (
        Network(body, HalfSquares()).allocate(seed=1, dtype=np.float64) for body in (Gather(letters[0]), letters[1])
    )
    loss = once.loss_and_gradient(as_batch(once, Gathered(pack(spellings), ids, Steps.single(12)), None))
    expected = each.loss_and_gradient(as_batch(each, [spellings[i] for i in ids], None))
    assert loss == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(once.grads, each.grads, rtol=0, atol=1e-13)

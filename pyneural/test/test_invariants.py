"""What must not change a result: the batch that a sequence is in, its order, the path taken, what others do."""

from typing import NamedTuple

import numpy as np
import pytest

from pyneural import (
    Bidirectional,
    Concatenate,
    Crf,
    Dense,
    Dropout,
    Embedding,
    Gru,
    LastStep,
    Network,
    Sequential,
    Softmax,
    WordDropout,
    unpack,
)
from pyneural.packing import steps_of
from pyneural.test.cases import CASES, SHAPES, Case, Data, Words, network_of
from pyneural.test.gradient_check import as_batch

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
RAGGED = SHAPES["ragged"]


def close(actual, expected, tolerance=1e-12):
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def weight_of(network, batch):
    return network.weight(batch) if network.loss.reduction == "mean" else 1.0


def predicted(network, batch):
    """One array a sequence, in the order of the items."""
    answer = network.predict(batch.inputs)
    return answer if isinstance(answer, list) else [answer[i : i + 1] for i in range(len(answer))]


def real_gradients(network, batch):
    """The gradients of the inputs, one array a sequence where they are per row, else none."""
    gradient, steps = network.input_gradient, steps_of(batch.inputs)
    return unpack(gradient, steps) if isinstance(gradient, np.ndarray) else None


@every_case
def test_batched_equals_one_by_one(case: Case):
    network, data = network_of(case), Data(case, RAGGED)
    whole = data.batch()
    predictions = predicted(network, whole)
    total, weight, grads, alone = 0.0, 0.0, np.zeros_like(network.grads), []
    for i in range(len(RAGGED)):
        network.draws = 0
        share = data.batch([i])
        w = weight_of(network, share)
        total += w * network.loss_and_gradient(share, input_gradient=True)
        grads += w * network.grads
        weight += w
        if real_gradients(network, share) is not None:
            alone.append(w * real_gradients(network, share)[0])
        np.testing.assert_allclose(predicted(network, share)[0], predictions[i], rtol=0, atol=1e-12)
    over = weight_of(network, whole)
    assert over == pytest.approx(weight if network.loss.reduction == "mean" else 1.0)
    network.draws = 0
    assert network.loss_and_gradient(whole, input_gradient=True) * over == pytest.approx(total, rel=1e-12)
    close(network.grads * over, grads)
    if alone:
        close(np.concatenate(real_gradients(network, whole)) * over, np.concatenate(alone))


@every_case
def test_order_of_the_batch(case: Case):
    network, data = network_of(case), Data(case, RAGGED)
    order = np.array([4, 2, 0, 3, 1])
    straight, permuted = data.batch(), data.batch(order)
    loss = network.loss_and_gradient(straight)
    grads = network.grads.copy()
    network.draws = 0
    assert network.loss_and_gradient(permuted) == pytest.approx(loss, rel=1e-12)
    close(network.grads, grads)
    expected = predicted(network, straight)
    for i, got in zip(order, predicted(network, permuted), strict=True):
        close(got, expected[i])


@every_case
def test_predict_is_forward_without_dropout(case: Case):
    network, batch = network_of(case), Data(case, RAGGED).batch()
    for _, layer in network.descendants():
        if isinstance(layer, Dropout | WordDropout):
            with_dropout = network.scores(batch.inputs)
            layer.rate = 0.0
            np.testing.assert_equal(network.scores(batch.inputs), with_dropout)
    y = network.body.propagate(batch.inputs, training=True).rows.copy()
    np.testing.assert_array_equal(network.body.propagate(batch.inputs, training=False).rows, y)
    assert network.loss_of(batch) == network.loss_and_gradient(batch)


@pytest.mark.parametrize("lengths", [(0, 0), ()], ids=["empty sequences", "no sequences"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_case
def test_batches_without_rows(case: Case, lengths, dtype):
    """Nothing has no loss and no gradient, and what comes after is as it would have been."""
    network, batch, empty = network_of(case, dtype), Data(case, RAGGED).batch(), Data(case, lengths).batch()
    loss = network.loss_and_gradient(batch := _typed(network, batch))
    grads = network.grads.copy()
    network.draws = 0
    empty_loss = network.loss_and_gradient(_typed(network, empty))
    assert np.isfinite(empty_loss)
    if "per sequence" not in _name(case):  # a sequence without rows has a score all the same
        assert empty_loss == 0
        assert not network.grads.any()
    assert np.isfinite(network.grads).all()
    assert len(network.predict(empty.inputs)) == len(lengths)
    network.draws = 0
    assert network.loss_and_gradient(batch) == loss
    np.testing.assert_array_equal(network.grads, grads)


def _typed(network, batch):
    return batch._replace(
        inputs=network.pack(batch.inputs), targets=None if batch.targets is None else network.pack(batch.targets)
    )


def _name(case):
    return next(name for name, other in CASES.items() if other is case)


@every_case
def test_two_runs_are_bit_identical(case: Case):
    data = Data(case, RAGGED)
    runs = []
    for _ in range(2):
        network = network_of(case, np.float32)
        losses = []
        for indices in ([0, 1, 2], [3, 4], [4, 0, 2, 1, 3]):
            losses.append(network.loss_and_gradient(_typed(network, data.batch(indices))))
            network.values[: len(network.grads)] -= np.float32(0.1) * network.grads
        runs.append((losses, network.values.tobytes(), network.grads.tobytes()))
    assert runs[0] == runs[1]


# ---- replicas


@every_case
def test_replica(case: Case):
    network, data = network_of(case), Data(case, RAGGED)
    batch, other = data.batch(), data.batch([2, 0])
    network.loss_and_gradient(other)
    before = network.grads.copy()
    twin = network.replica()
    assert twin.values is network.values
    assert not np.shares_memory(twin.grads, network.grads)
    network.draws = twin.draws = 5
    loss = twin.loss_and_gradient(batch)
    np.testing.assert_array_equal(network.grads, before)
    assert network.loss_and_gradient(batch) == loss
    np.testing.assert_array_equal(twin.grads, network.grads)
    network.values += 0.01
    network.draws = twin.draws
    assert network.loss_and_gradient(batch) == twin.loss_and_gradient(batch)


@every_case
def test_replica_between_forward_and_backward(case: Case):
    network, data = network_of(case), Data(case, RAGGED)
    batch, other = data.batch(), data.batch([4, 2, 0])
    y = network.forward(batch.inputs).rows.copy()
    dy = np.random.default_rng(0).standard_normal(y.shape)
    network.backward(dy)
    expected = network.grads.copy()
    twin = network.replica()
    again = network.forward(batch.inputs).rows
    twin.loss_and_gradient(other)
    twin.predict(other.inputs)
    np.testing.assert_array_equal(again, y)
    network.backward(dy)
    np.testing.assert_array_equal(network.grads, expected)


def test_replica_needs_buffers():
    with pytest.raises(RuntimeError, match="call allocate"):
        Network(Dense(2, 2), Softmax()).replica()


# ---- inputs as users have them


def tagger() -> Network:
    body = Sequential(Embedding(9, 3), Bidirectional(Gru(3, 4), Gru(3, 4)), Dense(8, 3))
    return Network(body, Crf(3)).allocate(seed=1, dtype=np.float64)


def test_predictions_of_nothing():
    network = tagger()
    assert network.predict([]) == []
    assert [len(path) for path in network.predict([[], []])] == [0, 0]
    assert [len(path) for path in network.predict([np.zeros(0, dtype=np.int64)])] == [0]
    rows = Network(Dense(2, 3), Softmax()).allocate()
    assert rows.predict(np.zeros((0, 2))).shape == (0,)
    assert rows.probabilities(np.zeros((0, 2))).shape == (0, 3)


def test_rows_or_sequences():
    """An array is rows, a list is sequences; both give what they were asked for, in order."""
    network = Network(Dense(2, 3), Softmax()).allocate(seed=1)
    x = np.random.default_rng(0).standard_normal((6, 2))
    rows = network.predict(x)
    assert rows.shape == (6,)
    in_sequences = network.predict([x[:1], x[1:4], x[4:]])
    assert [len(part) for part in in_sequences] == [1, 3, 2]
    np.testing.assert_array_equal(np.concatenate(in_sequences), rows)
    np.testing.assert_allclose(network.probabilities(x).sum(axis=1), 1, rtol=1e-6)


class Two(NamedTuple):
    text: object
    features: object


@pytest.mark.parametrize("swapped", [False, True], ids=["as declared", "swapped"])
def test_named_inputs_in_any_order(swapped):
    """Lists in a named tuple, whatever the order of the branches: one answer a sequence, as the user has them."""
    branches = {"words": Embedding(9, 3), "chars": Gru(2, 3)}
    branches = dict(reversed(branches.items())) if swapped else branches
    network = Network(Sequential(Concatenate(**branches), Dense(6, 3)), Softmax()).allocate(seed=1)
    rng = np.random.default_rng(0)
    lengths = (1, 4, 0, 2)
    inputs = Words([rng.integers(0, 9, T) for T in lengths], [rng.standard_normal((T, 2)) for T in lengths])
    together = network.probabilities(inputs)
    assert [len(p) for p in together] == list(lengths)
    for i in range(4):
        alone = network.probabilities(Words([inputs.words[i]], [inputs.chars[i]]))
        close(together[i], alone[0], 1e-6)


def test_arrays_beside_sequences():
    """An array in a named tuple, after sequences, is one row a sequence."""
    body = Sequential(Concatenate(text=LastStep(Gru(2, 3)), features=Dense(2, 3)), Dense(6, 3))
    network = Network(body, Softmax()).allocate(seed=1)
    rng = np.random.default_rng(0)
    text, features = [rng.standard_normal((T, 2)) for T in (1, 4, 0, 2)], rng.standard_normal((4, 2))
    together = network.probabilities(Two(text, features))
    for i in range(4):
        close(together[i], network.probabilities(Two([text[i]], features[i : i + 1]))[0], 1e-6)


def test_inputs_that_do_not_match():
    network = Network(Concatenate(words=Embedding(9, 3), chars=Gru(2, 3)), Softmax()).allocate()
    words, chars = [np.array([1, 2]), np.array([3])], [np.zeros((1, 2)), np.zeros((2, 2))]
    with pytest.raises(ValueError, match="chars"):
        network.predict(Words(words, chars))
    with pytest.raises(ValueError, match="named tuple of words, chars"):
        network.predict(Two(words, chars[::-1]))


# ---- random masks


@pytest.mark.parametrize("locked", [False, True], ids=["per row", "locked"])
def test_masks_are_independent(locked):
    """Over steps of training, layers, sequences and (unless locked) rows, any two agree in about half of the places."""
    first, second = Dropout(0.5, locked=locked), Dropout(0.5, locked=locked)
    network = Network(Sequential(first, second), Softmax(reduction="sum")).allocate(seed=1)
    x = [np.ones((3, 4000), dtype=np.float32)] * 3
    masks = []
    for _ in range(2):
        network.loss_and_gradient(as_batch(network, x, [np.zeros(3, dtype=np.int64)] * 3))
        for layer in (first, second):
            if locked:
                np.testing.assert_array_equal(layer._mask[3:6], layer._mask[:3])
            masks += list(layer._mask[: 3 if locked else 9].copy())
    kept = np.array(masks) > 0
    assert abs(kept.mean() - 0.5) < 0.01
    for i in range(len(kept)):
        for j in range(i):
            assert abs((kept[i] == kept[j]).mean() - 0.5) < 0.05, (i, j)

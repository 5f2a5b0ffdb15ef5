"""One buffer for all values, one for all gradients; nothing replaces them, and nothing grows."""

import tracemalloc

import numpy as np
import pytest

from pyneural import (
    Batch,
    Bidirectional,
    Crf,
    Dense,
    Embedding,
    FactoredSoftmax,
    Gru,
    Lstm,
    Network,
    Packed,
    Sequential,
    Softmax,
    SquaredError,
    Steps,
)
from pyneural.test.cases import CASES, SHAPES, Case, Data, network_of
from pyneural.test.gradient_check import as_batch

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def small(**options) -> Network:
    body = Sequential(Embedding(7, 3, **options), Gru(3, 4), Dense(4, 2))
    return Network(body, Crf(2))


def address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_views_lie_in_the_order_of_declaration(case: Case, dtype):
    network = network_of(case, dtype)
    declared = list(network.parameters())
    trained = [(name, p) for name, p in declared if p.trainable]
    frozen = [(name, p) for name, p in declared if not p.trainable]
    assert [(slot.name, slot.parameter) for slot in network.slots] == trained + frozen
    place = 0
    for slot in network.slots:
        assert (slot.start, slot.stop) == (place, place + slot.parameter.size)
        place = slot.stop
        for buffer, view in ((network.values, slot.parameter.value), (network.grads, slot.parameter._grad)):
            if buffer is network.grads and not slot.parameter.trainable:
                continue
            assert view.shape == slot.parameter.shape
            assert view.dtype == dtype
            assert view.flags.c_contiguous
            assert np.shares_memory(view, buffer)
            assert address(view) == address(buffer) + slot.start * buffer.itemsize
    assert network.values.shape == (place,)
    assert network.grads.shape == (sum(p.size for _, p in trained),)
    assert network.values.flags.c_contiguous
    assert network.grads.flags.c_contiguous


@every_case
def test_training_replaces_nothing(case: Case):
    network, data = network_of(case), Data(case, SHAPES["ragged"])
    buffers = network.values, network.grads
    views = [(id(s.parameter), id(s.parameter.value), address(s.parameter.value)) for s in network.slots]
    frozen = network.values[len(network.grads) :].copy()
    for indices in ([0, 1], [2, 3, 4], [0, 1, 2, 3, 4]):
        before = network.values.copy()
        network.loss_and_gradient(data.batch(indices))
        np.testing.assert_array_equal(network.values, before)  # a gradient changes no value
        network.values[: len(network.grads)] -= 0.01 * network.grads
    assert network.values is buffers[0]
    assert network.grads is buffers[1]
    assert views == [(id(s.parameter), id(s.parameter.value), address(s.parameter.value)) for s in network.slots]
    np.testing.assert_array_equal(network.values[len(network.grads) :], frozen)


@every_case
def test_gradients_are_overwritten(case: Case):
    """Batch after batch, `grads` is the gradient of the last one alone, and rows it did not touch are zero."""
    network, data = network_of(case), Data(case, SHAPES["ragged"])
    for indices in ([0, 1, 2, 3, 4], [3], [2], [4, 0], [1]):
        network.draws = 0
        network.loss_and_gradient(data.batch(indices))
        fresh = network_of(case)
        fresh.loss_and_gradient(data.batch(indices))
        np.testing.assert_array_equal(network.grads, fresh.grads)
        covered = np.zeros(len(network.grads), dtype=int)
        for region in network.regions():
            rows = covered[region.start : region.stop].reshape(-1, region.width)
            rows[slice(None) if region.rows is None else region.rows] += 1
        assert covered.max(initial=0) <= 1  # no number is visited twice
        assert not network.grads[covered == 0].any()


# ---- the caller's own buffers


def test_buffers_of_the_caller(tmp_path):
    donor = small().allocate(seed=4)
    mapped = np.memmap(tmp_path / "values", dtype=np.float32, mode="w+", shape=donor.values.shape)
    mapped[...] = donor.values
    grads = np.full(donor.grads.shape, np.nan, dtype=np.float32)
    network = small().allocate(seed=5, values=mapped, grads=grads)
    assert network.values is mapped
    assert network.grads is grads
    assert not grads.any()
    np.testing.assert_array_equal(mapped, donor.values)  # taken as they are
    batch = as_batch(network, [np.array([1, 2, 1])], [np.array([0, 1, 1])])
    assert network.loss_and_gradient(batch) == donor.loss_and_gradient(batch)
    np.testing.assert_array_equal(grads, donor.grads)
    mapped -= 0.1 * grads
    mapped.flush()
    again = small().allocate(values=np.fromfile(tmp_path / "values", dtype=np.float32))
    assert again.loss_of(batch) == network.loss_of(batch) != donor.loss_of(batch)


SIZE = sum(p.size for _, p in small().parameters())


@pytest.mark.parametrize("name", ["values", "grads"])
@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros(SIZE),
        np.zeros(SIZE + 1, np.float32),
        np.zeros((1, SIZE), np.float32),
        np.zeros(2 * SIZE, np.float32)[::2],
    ],
    ids=["type", "size", "dimensions", "strides"],
)
def test_wrong_buffers(name, wrong):
    with pytest.raises(ValueError, match=rf"{name}: expected a contiguous float32 array of shape \({SIZE},\)"):
        small().allocate(**{name: wrong})


@pytest.mark.parametrize("dtype", [np.float16, np.int64, complex])
def test_wrong_number_type(dtype):
    with pytest.raises(TypeError, match="dtype: expected float32 or float64"):
        small().allocate(dtype=dtype)


def test_before_allocation():
    network = small()
    batch = Batch(Packed(np.array([1]), Steps([1])), Packed(np.array([1]), Steps([1])), 1)
    for attempt in (
        lambda: network.body.layers[0].table.value,
        lambda: network.body.layers[0].table.grad,
        lambda: network.body.layers[1].U.grad,
        lambda: network.slots,
        lambda: list(network.regions()),
        lambda: network.predict([np.array([1])]),
        lambda: network.loss_and_gradient(batch),
        lambda: network.replica(),
    ):
        with pytest.raises(RuntimeError, match=r"allocate\(\)"):
            attempt()


def test_one_place_a_layer():
    dense = Dense(3, 3)
    with pytest.raises(ValueError, match=r"body\.layers\.1: is the same object as body\.layers\.0"):
        Network(Sequential(dense, dense), Softmax())


def test_seeds():
    a, b, c = (small().allocate(seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.values, b.values)
    assert (a.values != c.values).any()
    wide = small().allocate(seed=1, dtype=np.float64)
    np.testing.assert_array_equal(wide.values.astype(np.float32), a.values)  # one draw for both types


def test_allocating_again_starts_afresh():
    network = small().allocate(seed=1)
    start = network.values.copy()
    batch = as_batch(network, [np.array([1, 2, 1])], [np.array([0, 1, 1])])
    loss = network.loss_and_gradient(batch)
    network.values += 1
    network.allocate(seed=1)
    np.testing.assert_array_equal(network.values, start)
    assert not network.grads.any()
    assert network.loss_and_gradient(batch) == loss


# ---- frozen


def test_freeze():
    network = Network(Sequential(Dense(3, 4), Lstm(4, 2).freeze(), Dense(2, 2)), SquaredError())
    network.allocate(seed=1, dtype=np.float64)
    assert [slot.name for slot in network.slots] == [
        *(f"body.layers.{i}.{name}" for i in (0, 2) for name in "Wb"),
        *(f"body.layers.1.{name}" for name in "WUb"),
    ]
    assert len(network.grads) == 4 * 4 + 3 * 2
    free = Network(Sequential(Dense(3, 4), Lstm(4, 2), Dense(2, 2)), SquaredError()).allocate(dtype=np.float64)
    for slot in network.slots:
        dict(free.parameters())[slot.name].value[...] = slot.parameter.value
    rng = np.random.default_rng(0)
    x, y = [rng.standard_normal((4, 3))], [rng.standard_normal((4, 2))]
    assert network.loss_and_gradient(as_batch(network, x, y)) == free.loss_and_gradient(as_batch(free, x, y))
    for slot in network.slots[:4]:
        np.testing.assert_array_equal(slot.parameter.grad, dict(free.parameters())[slot.name].grad)
    with pytest.raises(RuntimeError, match="freeze before allocate"):
        network.freeze()


def test_all_frozen():
    network = small().freeze().allocate(seed=1)
    assert network.grads.shape == (0,)
    assert list(network.regions()) == []
    batch = as_batch(network, [np.array([1, 2, 1])], [np.array([0, 1, 1])])
    assert network.loss_and_gradient(batch) == network.loss_of(batch)


# ---- sparse rows


def test_sparse_gradient_is_the_true_one():
    network = small().allocate(seed=1, dtype=np.float64)
    table = network.body.layers[0].table
    dense = Network(Sequential(Dense(7, 3), Gru(3, 4), Dense(4, 2)), Crf(2)).allocate(dtype=np.float64)
    dense.body.layers[0].b.value[...] = 0
    pairs = dict(dense.parameters())
    for slot in network.slots:
        pairs[slot.name.replace("0.table", "0.W")].value[...] = slot.parameter.value
    rng = np.random.default_rng(0)
    for used in ([1, 2], [5], [0, 3, 6], [], [2, 3], [6]):
        ids = [rng.choice(used, T) if used else np.zeros(0, dtype=np.int64) for T in (3, 1, 4)]
        labels = [rng.integers(0, 2, len(part)) for part in ids]
        network.loss_and_gradient(as_batch(network, ids, labels))
        dense.loss_and_gradient(as_batch(dense, [np.eye(7)[part] for part in ids], labels))
        distinct = np.unique(np.concatenate(ids))
        assert sorted(table.rows.tolist()) == distinct.tolist()
        untouched = np.setdiff1d(np.arange(7), distinct)
        np.testing.assert_array_equal(table.grad[untouched], 0)
        np.testing.assert_allclose(table.grad, pairs["body.layers.0.W"].grad, rtol=0, atol=1e-14)


def test_factored_softmax_touches_the_clusters_of_its_targets():
    loss = FactoredSoftmax(3, 9, clusters=np.arange(9) % 3)
    network = Network(Dense(2, 3), loss).allocate(seed=1)
    for labels, clusters in (([0, 3], {0}), ([1, 8], {1, 2}), ([], set()), ([5], {2})):
        x = np.ones((len(labels), 2))
        network.loss_and_gradient(as_batch(network, x, np.array(labels, dtype=np.int64)))
        assert {int(k) % 3 for k in loss.label_of_slot[loss.V.rows]} == clusters
        assert {int(k) % 3 for k in loss.label_of_slot[np.flatnonzero(loss.v.grad)]} == clusters


# ---- a steady state


def test_workspaces_are_reused():
    rng = np.random.default_rng(0)
    body = Sequential(Embedding(50, 20), Bidirectional(Gru(20, 30), Lstm(20, 30)), Dense(60, 5, "tanh"))
    network = Network(body, Crf(5)).allocate(seed=1)
    batches = []
    for _ in range(6):
        lengths = rng.integers(1, 20, 8)
        batches.append(as_batch(network, *([rng.integers(0, n, T) for T in lengths] for n in (50, 5))))

    def step():
        for batch in batches:
            network.loss_and_gradient(batch)
            network.values -= np.float32(0.01) * network.grads

    def workspaces():
        return {
            (name, key): (address(buffer), buffer.size)
            for name, layer in network.descendants()
            for key, buffer in layer._buffers.items()
        }

    step()
    before = workspaces()
    assert before
    for _ in range(2):
        step()
    tracemalloc.start()
    try:
        step()
        grown = tracemalloc.get_traced_memory()[0]
        for _ in range(10):
            step()
        grown = tracemalloc.get_traced_memory()[0] - grown
    finally:
        tracemalloc.stop()
    assert workspaces() == before
    assert grown < 4000  # bytes, over 60 steps

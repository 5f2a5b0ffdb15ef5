"""Sharing a batch over threads changes nothing but the order of a sum."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batch,
    Batches,
    Bidirectional,
    Crf,
    Dense,
    Dropout,
    Embedding,
    Gathered,
    Gru,
    LastStep,
    Lstm,
    Network,
    Packed,
    Ragged,
    Sequential,
    Sgd,
    Softmax,
    SquaredError,
    Steps,
    Threads,
    epochs,
    fit,
)  # fmt: skip
from pyneural.kernels import blas
from pyneural.packing import steps_of
from pyneural.parallel.threads import share
from pyneural.test.cases import CASES, Data, network_of

LENGTHS = (3, 1, 5, 0, 2, 4, 4, 1, 0, 7, 2)
KINDS = [name for name in CASES if isinstance(CASES[name].make(), Network)]
every_network = pytest.mark.parametrize("name", KINDS)


class Eager(Threads):
    """Shares out even a single row."""

    WORTH_A_THREAD = 0.0


class Two(NamedTuple):
    left: object
    right: object


# ---- shares


def items(part):
    """Every row of a part of a batch as (place, step, its content), whatever the kind of the part."""
    if isinstance(part, Gathered):
        of = {}
        for n, packed in enumerate(part.source.steps.packed_of):
            mine = part.source.steps.sequence_of_row == packed
            of[n] = (part.source.rows[mine].tolist(), int(part.source.steps.places[n]))
        rows = [of[int(i)] for i in part.ids]
    else:
        rows = np.asarray(part.rows).tolist()
    places = part.steps.places_of_rows >> 32, part.steps.places_of_rows & 0xFFFFFFFF
    return [(int(place), int(step), row) for place, step, row in zip(*places, rows, strict=True)]


def parts_of(value):
    return [value] if isinstance(value, Packed | Gathered) else list(value)


@every_network
@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_shares_partition_the_batch(name, count):
    """Each row of each input and target is in one share, at its step, with the key of its random masks."""
    batch = Data(CASES[name], LENGTHS).batch()
    shares = [share(batch, i, count) for i in range(count)]
    assert sum(part.items for part in shares) == batch.items == sum(LENGTHS)
    lengths = [steps_of(part.inputs).lengths for part in shares]
    assert sorted(np.concatenate(lengths)) == sorted(LENGTHS)
    assert max(map(sum, lengths)) - min(map(sum, lengths)) <= max(LENGTHS)
    for which in ("inputs", "targets"):
        columns = [parts_of(getattr(part, which)) for part in [batch, *shares]]
        assert len({type(getattr(part, which)) for part in [batch, *shares]}) == 1
        for whole, *pieces in zip(*columns, strict=True):
            found = [row for piece in pieces for row in items(piece)]
            assert sorted(found, key=str) == sorted(items(whole), key=str)


def test_shares_of_distinct_words_are_distinct():
    batch = Data(CASES["tagger of letters"], LENGTHS).batch()
    for i in range(3):
        gathered = share(batch, i, 3).inputs.chars
        assert gathered.ids.dtype == np.int64
        assert set(gathered.ids) == set(range(gathered.source.steps.sequences))


def test_shares_keep_the_ends_of_documents():
    ends = np.array([True, False, True, False, False])
    steps = Steps([1, 3, 2, 3, 1], ends=ends)
    batch = Batch(Packed(np.arange(10), steps), Packed(np.arange(10), steps), 10)
    for i in range(2):
        part = steps_of(share(batch, i, 2).inputs)
        for place, end in zip(part.places, part.ends, strict=True):
            assert ends[place] == end


# ---- the same gradient


@every_network
@pytest.mark.parametrize("count", [2, 3])
def test_same_loss_and_gradient(name, count):
    """Over several batches: rows touched before are zeroed, and the rows touched are the union of the shares'."""
    case = CASES[name]
    alone, shared = network_of(case), network_of(case)
    replicas = Eager(count).of(shared)
    data = Data(case, LENGTHS)
    for indices in (range(11), [1, 4, 7], [3], [9, 2, 0, 5], [3, 8], range(10, -1, -1)):
        batch = data.batch(list(indices))
        expected, loss = alone.loss_and_gradient(batch), replicas.loss_and_gradient(batch)
        assert loss == pytest.approx(expected, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(shared.grads, alone.grads, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(shared.slots, alone.slots, strict=True):
            if theirs.parameter.sparse and theirs.parameter.trainable:
                assert sorted(ours.parameter.rows) == sorted(theirs.parameter.rows)
        assert shared.draws == alone.draws


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    "loss", [Crf, lambda K, **r: Softmax(class_weights=[1, 0, 5.5], **r), lambda K, **r: Softmax(**r)]
)
def test_training_is_the_same(loss, reduction):
    """A deep network with dropout, trained with lazy rows and clipping, ends where it would alone."""
    rng = np.random.default_rng(4)
    words = [rng.integers(0, 50, rng.integers(0, 9)) for _ in range(40)]
    ends = []
    for parallel in (None, Eager(1), Eager(2), Eager(4)):
        body = Sequential(
            Embedding(60, 4), Dropout(0.3), Bidirectional(Gru(4, 5), Lstm(4, 3)), Dropout(0.3, locked=True), Dense(8, 3)
        )
        network = Network(body, loss(3, reduction=reduction)).allocate(seed=1, dtype=np.float64)
        batches = Batches(words, [w % 3 for w in words], 16)
        fit(network, batches, Adam(0.01, clip_norm=1.0), 4, parallel=parallel)
        ends.append(network.values.copy())
    assert ends[0].tobytes() == ends[1].tobytes()
    for values in ends[2:]:
        np.testing.assert_allclose(values, ends[0], rtol=1e-9, atol=1e-9)


def test_sequence_level_targets_and_rows():
    rng = np.random.default_rng(5)
    texts, labels = [rng.integers(0, 9, n) for n in rng.integers(1, 6, 23)], rng.integers(0, 2, 23)
    x, y = rng.standard_normal((23, 3)), rng.standard_normal((23, 2))
    for make, inputs, targets in (
        (lambda: Network(Sequential(Embedding(9, 3), LastStep(Gru(3, 4)), Dense(4, 2)), Softmax()), texts, labels),
        (lambda: Network(Sequential(Dense(3, 4, "tanh"), Dense(4, 2)), SquaredError()), x, y),
    ):
        networks = [make().allocate(seed=1, dtype=np.float64) for _ in range(2)]
        replicas = Eager(3).of(networks[1])
        for batch in Batches(inputs, targets, 9).epoch(0):
            assert replicas.loss_and_gradient(batch) == pytest.approx(networks[0].loss_and_gradient(batch), rel=1e-12)
            np.testing.assert_allclose(networks[1].grads, networks[0].grads, rtol=1e-12, atol=1e-14)


# ---- how many threads, and when


def test_small_batches_use_fewer_threads():
    used = []

    class Counting(Dense):
        def forward(self, x):
            used.append(len(x))
            return super().forward(x)

    class Worth64Rows(Threads):
        WORTH_A_THREAD = 64 * 6 * 6  # six parameters, six operations with each

    network = Network(Counting(2, 2), Softmax()).allocate()
    for threads, sizes in (
        (Worth64Rows(3), {1: 1, 63: 1, 127: 1, 128: 2, 191: 2, 192: 3, 1000: 3}),
        (Threads(1), {1000: 1}),
        (Eager(3), {1: 1, 2: 2, 3: 3, 9: 3}),
    ):
        replicas = threads.of(network)
        for rows, expected in sizes.items():
            used.clear()
            batch = next(Batches(np.ones((rows, 2), np.float32), np.zeros(rows, int), rows).epoch(0))
            replicas.loss_and_gradient(batch)
            assert len(used) == expected
            assert sum(used) == rows


def test_one_long_sequence_stays_whole():
    network = Network(Sequential(Gru(2, 3), Dense(3, 2)), Softmax()).allocate()
    batch = next(Batches([np.ones((999, 2), np.float32)], [np.zeros(999, int)], 1).epoch(0))
    alone = network.loss_and_gradient(batch)
    assert Threads(4).of(network).loss_and_gradient(batch) == alone


def test_two_runs_are_bit_identical():
    data, ends = Ragged.of([np.arange(n) % 20 for n in range(1, 90)]), []
    for _ in range(3):
        body = Sequential(Embedding(20, 8), Dropout(0.2), Lstm(8, 8), Dense(8, 4))
        network = Network(body, Crf(4)).allocate(seed=1)
        records = list(epochs(network, Batches(data, Ragged(data.values % 4, data.offsets), 30), Adam(0.01), 3,
                              parallel=Threads(3)))  # fmt: skip
        ends.append((network.values.tobytes(), [record.loss for record in records]))
    assert ends[0] == ends[1] == ends[2]


def test_the_network_is_stepped_in_place():
    network = Network(Sequential(Embedding(20, 4), Dense(4, 4)), Softmax()).allocate()
    values, grads = network.values, network.grads
    replicas = Eager(3).of(network)
    assert all(twin.values is values for twin in replicas.networks)
    assert len({twin.grads.ctypes.data for twin in replicas.networks}) == 3
    words = [np.arange(n) for n in (3, 9, 4)]
    fit(network, Batches(words, [w % 4 for w in words], 3), Sgd(0.1), 2, parallel=Eager(3))
    assert network.values is values
    assert network.grads is grads


def test_networks_trained_at_the_same_time():
    """Kernels keep nothing between calls: two networks, each in a thread of its own, end as they would alone."""
    rng = np.random.default_rng(6)
    words = [rng.integers(0, 30, rng.integers(1, 30)) for _ in range(60)]

    def train(seed, parallel=None):
        body = Sequential(Embedding(30, 6), Dropout(0.2), Gru(6, 7 + seed), Lstm(7 + seed, 5), Dense(5, 4))
        network = Network(body, Crf(4) if seed % 2 else Softmax()).allocate(seed=seed)
        fit(network, Batches(words, [w % 4 for w in words], 12, seed=seed), Adam(0.01), 3, parallel=parallel)
        return network.values.tobytes()

    expected = [train(seed) for seed in range(4)]
    shared = [train(seed, Threads(2)) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, range(4))) == expected
        assert list(pool.map(train, range(4), [Threads(2)] * 4)) == shared


# ---- errors


def test_carry_is_refused():
    network = Network(Sequential(Embedding(5, 2), Gru(2, 3, carry=True), Dense(3, 2)), Softmax()).allocate()
    with pytest.raises(ValueError, match=r"threads: body\.layers\.1 carries state"):
        Threads(2).of(network)


@pytest.mark.parametrize("make", [Threads, blas.set_threads])
@pytest.mark.parametrize("count", [0, -1])
def test_at_least_one_thread(make, count):
    with pytest.raises(ValueError, match="expected at least 1"):
        make(count)


def test_an_error_in_a_share_is_raised():
    """And what comes after is as if nothing had been."""
    network = Network(Sequential(Embedding(5, 2), Dense(2, 2)), Softmax()).allocate(dtype=np.float64)
    replicas = Eager(3).of(network)
    good = next(Batches(np.array([0, 1, 2, 3, 4]), np.array([0, 1, 0, 1, 0]), 5, shuffle=False).epoch(0))
    expected = replicas.loss_and_gradient(good)
    grads = network.grads.copy()
    for place in range(3):
        ids = np.array([0, 1, 2, 3, 4])
        ids[place] = 99
        bad = next(Batches(ids, np.zeros(5, int), 5, shuffle=False).epoch(0))
        with pytest.raises(ValueError):
            replicas.loss_and_gradient(bad)
        assert replicas.loss_and_gradient(good) == expected
        np.testing.assert_array_equal(network.grads, grads)


@pytest.mark.skipif("OPENBLAS_NUM_THREADS" in os.environ or "OMP_NUM_THREADS" in os.environ, reason="the user's number")
def test_blas_uses_one_thread():
    assert blas.library.threads == 1

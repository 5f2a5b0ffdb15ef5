"""Packed rows, ragged data sets, batches and streams."""

from typing import NamedTuple

import numpy as np
import pytest

from pyneural import Batches, Packed, Ragged, Steps, Streams, pack, unpack
from pyneural.packing import steps_of

LENGTHS = [
    (), (0,), (1,), (4,), (0, 0), (1, 1, 1), (3, 1, 5, 0, 2), (2, 2, 2), (1, 2, 3), (3, 2, 1), (0, 7, 0),
    *(tuple(np.random.default_rng(seed).integers(0, 9, seed + 2)) for seed in range(12)),
]  # fmt: skip
every_length = pytest.mark.parametrize("lengths", LENGTHS, ids=str)
WIDTHS = pytest.mark.parametrize("width", [(), (1,), (3,), (2, 3)], ids=str)


class Pair(NamedTuple):
    left: object
    right: object


# ---- steps and packing


@every_length
def test_steps(lengths):
    """Against the definition: step by step, longest first, equal lengths in the user's order."""
    steps = Steps(lengths)
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    rows = [(t, b) for t in range(max(lengths, default=0)) for b, i in enumerate(order) if lengths[i] > t]
    assert steps.order.tolist() == order
    assert steps.packed_of.tolist() == [order.index(i) for i in range(len(order))]
    assert steps.lengths.tolist() == [lengths[i] for i in order]
    assert steps.lengths_as_given.tolist() == list(lengths)
    assert (steps.rows, steps.sequences) == (sum(lengths), len(lengths))
    assert steps.counts.tolist() == [sum(n > t for n in lengths) for t in range(max(lengths, default=0))]
    assert steps.offsets.tolist() == [[r[0] for r in rows].index(t) for t in range(len(steps.counts))]
    assert list(zip(steps.step_of_row, steps.sequence_of_row, strict=True)) == rows
    starts = np.cumsum([0, *lengths])
    assert steps.flat.tolist() == [starts[order[b]] + t for t, b in rows]
    for integers in (steps.order, steps.lengths, steps.counts, steps.offsets, steps.flat, steps.packed_of):
        assert integers.dtype == np.int64


@every_length
@WIDTHS
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_round_trip(lengths, width, dtype):
    rng = np.random.default_rng(len(lengths))
    sequences = [(100 * rng.standard_normal((T, *width))).astype(dtype) for T in lengths]
    rows, steps = pack(sequences)
    assert rows.shape == (sum(lengths), *(width if lengths else ()))
    assert rows.dtype == (dtype if lengths else np.float64)
    for n, i in enumerate(steps.order):
        np.testing.assert_array_equal(rows[steps.sequence_of_row == n], sequences[i])
    back = unpack(rows, steps)
    assert len(back) == len(sequences)
    for given, got in zip(sequences, back, strict=True):
        np.testing.assert_array_equal(got, given)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, bool])
def test_whole_numbers_become_int64(dtype):
    assert pack([np.array([1, 0], dtype=dtype), np.array([], dtype=dtype)]).rows.dtype == np.int64
    assert pack([[1, 2], []]).rows.tolist() == [1, 2]
    assert pack([[1, 2], []], dtype=np.float32).rows.dtype == np.float32


def test_rows_that_are_no_sequences():
    x = np.arange(6.0).reshape(3, 2)
    packed = pack(x)
    np.testing.assert_array_equal(packed.rows, x)
    assert packed.steps.counts.tolist() == [3]
    assert packed.steps.order.tolist() == [0, 1, 2]
    assert [part.tolist() for part in unpack(*packed)] == [[row] for row in x.tolist()]


def test_places_follow_their_sequences():
    """The key of a random draw is the sequence's place and the step, however the batch is shared out."""
    whole = Steps([3, 1, 2])
    keys = {(p, t): k for p, t, k in _keys(whole, [0, 1, 2])}
    share = Steps([2, 3], places=np.array([2, 0]))
    assert {(p, t): k for p, t, k in _keys(share, [2, 0])}.items() <= keys.items()
    assert len(set(keys.values())) == 6
    np.testing.assert_array_equal(share.per_sequence().places_of_rows, share.places_of_sequences)


def _keys(steps, places):
    user = steps.order[steps.sequence_of_row]
    for i, t, key in zip(user, steps.step_of_row, steps.places_of_rows, strict=True):
        yield places[i], int(t), int(key)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: Steps([1, -1]), "lengths: expected numbers from 0 to 1, got -1"),
        (lambda: Steps([[1]]), "lengths: expected a vector"),
        (lambda: pack([1.0, 2.0]), "sequences: expected a list of arrays"),
        (lambda: pack([np.zeros((2, 3)), np.zeros((1, 2))]), r"expected rows of one shape, got \[\(2,\), \(3,\)\]"),
        (lambda: unpack(np.zeros(3), Steps([1, 1])), "rows: expected 2 of them, got 3"),
        (lambda: Ragged(np.zeros(3), [1, 3]), "offsets: expected numbers that start at 0"),
        (lambda: Ragged(np.zeros(3), [0, 2, 1, 3]), "offsets: expected numbers that start at 0 and never fall"),
        (lambda: Ragged(np.zeros(3), [0, 2]), "expected the last to be the number of rows, 3"),
        (lambda: Ragged(np.zeros(3), []), "offsets"),
        (lambda: Batches([[1]], [[1]], size=0), "size: expected at least 1, got 0"),
        (lambda: Batches([], []), "inputs: expected at least one item"),
        (lambda: Batches([[1], [2]], [[1]]), "targets: expected 2 items, as in the first input; got 1"),
        (lambda: Batches([[1], [2, 3]], [[1], [2]]), "targets: sequence 1 has 1 rows, expected 2"),
        (lambda: Batches(Pair([[1]], [[1, 2]]), [[1]]), "inputs: sequence 0 has 2 rows, expected 1"),
        (lambda: Batches(Pair([[1]], np.zeros((2, 3))), [[1]]), "inputs: expected 1 items"),
        (lambda: Streams([[1]], [[1]], streams=0, chunk=1), "expected at least 1, got 0, 1"),
        (lambda: Streams([[1]], [[1]], streams=1, chunk=0), "expected at least 1, got 1, 0"),
        (lambda: Streams([[1, 2]], [[1]], streams=1, chunk=1), "documents of equal lengths"),
        (lambda: Streams([], [], streams=1, chunk=1), "at least one row"),
    ],
)
def test_what_is_refused(attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt()


def test_steps_of():
    packed = pack([[1, 2]])
    assert steps_of(packed) is steps_of(Pair(packed, None)) is packed.steps
    with pytest.raises(TypeError, match="expected packed rows"):
        steps_of(np.zeros(3))


# ---- ragged data sets


@every_length
def test_ragged(lengths):
    sequences = [np.arange(T) + 10 * i for i, T in enumerate(lengths)]
    ragged = Ragged.of(sequences)
    assert len(ragged) == len(lengths)
    assert ragged.lengths.tolist() == list(lengths)
    assert [part.tolist() for part in ragged] == [part.tolist() for part in sequences]
    rng = np.random.default_rng(0)
    for _ in range(3 if lengths else 0):
        indices = rng.integers(0, len(lengths), rng.integers(0, 6))
        assert [p.tolist() for p in unpack(*ragged.take(indices))] == [sequences[i].tolist() for i in indices]


# ---- batches


def numbered(lengths):
    """Each row knows the item that it belongs to, and its step."""
    return [np.stack([np.full(T, i), np.arange(T)], axis=1) for i, T in enumerate(lengths)]


def items_of(batch):
    """The items of a batch in the user's order; checks that inputs and targets go together."""
    np.testing.assert_array_equal(batch.inputs.rows, batch.targets.rows)
    assert batch.inputs.steps is batch.targets.steps
    assert batch.items == len(batch.inputs.rows)
    parts = unpack(batch.inputs.rows, batch.inputs.steps)
    for part in parts:
        assert len(set(part[:, 0])) == 1
        np.testing.assert_array_equal(part[:, 1], np.arange(len(part)))
    return [int(part[0, 0]) for part in parts]


@pytest.mark.parametrize("size", [1, 4, 7, 23, 100])
@pytest.mark.parametrize("by_length", [False, True])
@pytest.mark.parametrize("pool", [1, 2, 50])
def test_every_item_once_an_epoch(size, by_length, pool):
    lengths = np.random.default_rng(0).integers(1, 9, 23)
    data = numbered(lengths)
    options = {"size": size, "seed": 3, "by_length": by_length, "pool": pool}
    batches = Batches(data, data, **options)
    epochs = [[items_of(batch) for batch in batches.epoch(number)] for number in range(3)]
    for epoch in epochs:
        assert len(epoch) == len(batches) == -(-23 // size)
        assert sorted(item for batch in epoch for item in batch) == list(range(23))
        assert max(map(len, epoch)) <= size
    assert len({str(epoch) for epoch in epochs}) == 3
    again = Batches(Ragged.of(data), Ragged.of(data), **options)
    for number in (2, 0):  # an epoch depends on seed and number alone
        for start in range(len(batches) + 1):
            assert [items_of(batch) for batch in again.epoch(number, start)] == epochs[number][start:]
    if size < 23:
        other = Batches(data, data, **{**options, "seed": 4})
        assert [items_of(batch) for batch in other.epoch(0)] != epochs[0]


def test_similar_lengths_together():
    lengths = np.random.default_rng(0).integers(1, 40, 400)
    data = numbered(lengths)

    def spread(**options):
        return np.mean([np.ptp(b.inputs.steps.lengths) for b in Batches(data, data, 20, **options).epoch(0)])

    assert spread() < 4 < 20 < spread(by_length=False)
    order = [items_of(batch) for batch in Batches(data, data, 20).epoch(0)]
    means = [lengths[batch].mean() for batch in order]
    assert means != sorted(means, reverse=True)  # the batches themselves are in random order


def test_unshuffled():
    data = numbered([2, 1, 3, 1, 2])
    batches = Batches(data, data, 2, shuffle=False)
    assert [items_of(batch) for batch in batches.epoch(5)] == [[0, 1], [2, 3], [4]]


def test_rows():
    x = np.arange(20.0).reshape(10, 2)
    seen = []
    for batch in Batches(x, np.arange(10), 4).epoch(0):
        np.testing.assert_array_equal(batch.inputs.rows, x[batch.targets.rows])
        assert batch.inputs.steps.counts.tolist() == [len(batch.inputs.rows)]
        seen += batch.targets.rows.tolist()
    assert sorted(seen) == list(range(10))


def test_a_target_a_sequence():
    """An array beside sequences, and a list of numbers: in the packed order of the sequences."""
    lengths = [1, 4, 2, 0, 3]
    data = numbered(lengths)
    for targets in (np.arange(5), [0, 1, 2, 3, 4]):
        for batch in Batches(data, targets, 3, seed=1).epoch(0):
            assert len(batch.targets.rows) == batch.inputs.steps.sequences
            for n, target in enumerate(batch.targets.rows):
                part = batch.inputs.rows[batch.inputs.steps.sequence_of_row == n]
                assert len(part) == lengths[target]
                assert set(part[:, 0]) <= {target}


def test_named_tuples():
    lengths = [1, 4, 2, 0, 3]
    data, per_item = numbered(lengths), np.arange(5) * 10
    inputs = Pair(data, Pair([10.0 * part for part in data], per_item))
    for batch in Batches(inputs, Pair(data, per_item), 2).epoch(0):
        assert isinstance(batch.inputs, Pair)
        left, (right, each) = batch.inputs
        assert isinstance(batch.inputs.right, Pair)
        np.testing.assert_array_equal(10 * left.rows, right.rows)
        np.testing.assert_array_equal(batch.targets.left.rows, left.rows)
        np.testing.assert_array_equal(batch.targets.right.rows, each.rows)
        np.testing.assert_array_equal(each.rows[left.steps.sequence_of_row], 10 * left.rows[:, 0])
        assert isinstance(left, Packed)


# ---- streams


@pytest.mark.parametrize("streams", [1, 2, 3, 9])
@pytest.mark.parametrize("chunk", [1, 3, 50])
def test_streams(streams, chunk):
    lengths = [5, 3, 7, 1, 4, 6]
    documents = numbered(lengths)
    batches = Streams(documents, documents, streams, chunk)
    read = [[] for _ in range(streams)]
    ended = []
    for batch in batches.epoch(0):
        steps = batch.inputs.steps
        np.testing.assert_array_equal(batch.inputs.rows, batch.targets.rows)
        assert batch.items == len(batch.inputs.rows) > 0
        assert steps.sequences == streams
        for stream, part in enumerate(unpack(batch.inputs.rows, steps)):
            assert len(part) <= chunk
            assert len(set(part[:, 0])) <= 1  # of one document
            read[stream] += part.tolist()
            if len(part):
                last = part[-1]
                assert steps.ends[stream] == (last[1] + 1 == lengths[last[0]])
                ended += [int(last[0])] if steps.ends[stream] else []
            else:
                assert steps.ends[stream]
    assert sorted(ended) == list(range(6))
    assert sorted(row for stream in read for row in stream) == np.concatenate(documents).tolist()
    for rows in read:
        assert rows == [row for i in dict.fromkeys(i for i, _ in rows) for row in documents[i].tolist()]
    if streams == 3:
        assert max(map(len, read)) <= 12  # 26 rows, dealt out evenly
    whole = [batch.inputs.rows.tolist() for batch in batches.epoch(0)]
    assert len(whole) == len(batches)
    assert [batch.inputs.rows.tolist() for batch in batches.epoch(3, start=1)] == whole[1:]

"""A CRF that not every path is allowed in, against the paths that are."""

from collections.abc import Iterator

import numpy as np
import pytest

from pyneural import Adam, Allowed, Continued, Crf, Dense, Momentum, Nesterov, Network, Sgd, Steps, Threads
from pyneural.checkpoint import load_model, save_model
from pyneural.safetensors import FormatError
from pyneural.tagging.schemes import allowed, convert
from pyneural.test.cases import IOBES, walk
from pyneural.test.gradient_check import as_batch
from pyneural.test.test_crf import LENGTHS, SCALES, drawn, enumerated, network_of, path_score, relative

RISING = Allowed([True, True, False], np.triu(np.ones((3, 3), dtype=bool)), [True, True, True])


def rules(K: int) -> Iterator[Allowed]:
    """What leaves a path of any length from anywhere, by label 0."""
    rng = np.random.default_rng(K)
    for share in (0.3, 0.7):
        some = Allowed(*(rng.random(shape) < share for shape in ((K,), (K, K), (K,))))
        some.start[0] = some.transitions[:, 0] = some.end[0] = True
        yield some


def allowed_network(K, may, *values, dtype=np.float64):
    network = Network(Dense(K, K), Crf(K, allowed=may, reduction="sum")).allocate(dtype=dtype)
    network.body.W.value[...], network.body.b.value[...] = np.eye(K), 0
    for parameter, value in zip((network.loss.start, network.loss.transitions, network.loss.end), values, strict=True):
        parameter.value[...] = value
    return network


@pytest.mark.parametrize("continued", [False, True], ids=["", "previous labels"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("K", [2, 3, 4])
def test_every_allowed_path(K, scale, continued):
    """As the same CRF with scores of -inf; but what stands in the parameters is finite, and its gradient exactly 0."""
    rng = np.random.default_rng([K, int(scale), continued])
    for may in rules(K):
        values = [drawn(rng, scale, *shape) for shape in ((K,), (K, K), (K,))]
        barred = [np.where(part, value, -np.inf) for part, value in zip(may, values, strict=True)]
        sequences = [drawn(rng, scale, T, K) for T in LENGTHS]
        previous = rng.integers(-1, K, len(LENGTHS)) if continued else np.full(len(LENGTHS), -1)
        labels = [np.array(walk(may, T, rng, p), np.int64) for T, p in zip(LENGTHS, previous, strict=True)]
        network = allowed_network(K, may, *values)
        crf = network.loss
        batch = as_batch(network, sequences, Continued(labels, previous) if continued else labels)
        steps = batch.inputs.steps
        given = previous[steps.order] if continued else None
        options = {"previous": previous} if continued else {}
        known = [enumerated(s, *barred, p) if len(s) else None for s, p in zip(sequences, previous, strict=True)]
        logZ = crf.log_partition(batch.inputs.rows, steps, given)[steps.packed_of]
        assert relative(logZ, [e.log_partition if e else 0 for e in known]) <= 1e-10
        loss, first, pairs, last = 0.0, np.zeros(K), np.zeros((K, K)), np.zeros(K)
        marginals, best = network.probabilities(sequences, **options), network.predict(sequences, **options)
        for i, e in enumerate(known):
            if e is None:
                continue
            path = labels[i]
            assert relative(marginals[i], e.marginals) <= 1e-10
            assert path_score(sequences[i], *barred, previous[i], best[i]) == pytest.approx(e.best_score, rel=1e-10)
            loss += e.log_partition - path_score(sequences[i], *values, previous[i], path)
            first, pairs, last = first + e.first, pairs + e.pairs, last + e.last
            last[path[-1]] -= 1
            if previous[i] < 0:
                first[path[0]] -= 1
            else:
                pairs[previous[i], path[0]] -= 1
            np.subtract.at(pairs, (path[:-1], path[1:]), 1)
        assert relative(network.loss_and_gradient(batch), loss) <= 1e-10
        for part, parameter, expected in zip(
            may, (crf.start, crf.transitions, crf.end), (first, pairs, last), strict=True
        ):
            assert relative(parameter.grad, expected) <= 1e-10
            assert not parameter.grad[~part].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES"])
def test_predictions_are_well_formed(scheme, dtype):
    rng = np.random.default_rng(0)
    labels = ["O", *(f"{prefix}-{kind}" for kind in "XY" for prefix in ("BIES" if scheme == "IOBES" else "BI"))]
    K = len(labels)
    network = allowed_network(
        K, allowed(labels, scheme), *(rng.standard_normal(s) for s in (K, (K, K), K)), dtype=dtype
    )
    for numbers in network.predict([3 * rng.standard_normal((T, K)) for T in range(1, 40)]):
        tags = [labels[number] for number in numbers]
        assert convert(tags, scheme, scheme) == tags


@pytest.mark.parametrize("optimiser", [Sgd, Momentum, Nesterov, Adam])
def test_no_optimiser_moves_what_is_forbidden(optimiser):
    rng = np.random.default_rng(0)
    network = Network(Dense(4, 5), Crf(5, allowed=IOBES)).allocate(seed=1)
    batch = as_batch(network, [rng.standard_normal((T, 4)) for T in LENGTHS], [walk(IOBES, T, rng) for T in LENGTHS])
    steps, losses = optimiser(0.1, l2=0.01), []
    for _ in range(30):
        losses.append(network.loss_and_gradient(batch))
        steps.step(network)
    assert losses[-1] < 0.7 * losses[0]
    assert np.isfinite(network.values).all()
    crf = network.loss
    for part, parameter in zip(IOBES, (crf.start, crf.transitions, crf.end), strict=True):
        assert not parameter.value[~part].any()
        assert parameter.value[part].all()


# ---- paths and sequences that can't be


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ([2, 2], "sequence 1 starts with label 2 at step 0"),
        ([0, 1, 1, 0, 1], "sequence 1 goes from label 1 to label 0 at step 3"),
        ([1, 0, 2, 1], "sequence 1 goes from label 1 to label 0 at step 1"),
    ],
)
def test_forbidden_target(path, message):
    """Is told by the user's number of the sequence, in training and of held-out data."""
    network = allowed_network(3, RISING, 0, 0, 0)
    batch = as_batch(network, [np.zeros((n, 3)) for n in (3, len(path), 7)], [[0, 1, 2], path, [0, 0, 0, 0, 1, 1, 2]])
    for loss in (network.loss_and_gradient, network.loss_of):
        with pytest.raises(ValueError, match=f"labels: {message}, which is not allowed"):
            loss(batch)


def test_forbidden_target_in_a_share_of_a_batch():
    rng = np.random.default_rng(0)
    labels = [walk(IOBES, 4, rng) for _ in range(10)]
    labels[6] = [0, 1, 2, 2]
    network = Network(Dense(5, 5), Crf(5, allowed=IOBES)).allocate()
    batch = as_batch(network, [np.zeros((4, 5)) for _ in labels], labels)
    with pytest.raises(ValueError, match="labels: sequence 6 ends with label 2 at step 3, which is not allowed"):
        Threads(2).of(network).loss_and_gradient(batch)


def test_forbidden_after_the_label_before():
    network = allowed_network(3, RISING, 0, 0, 0)
    targets = Continued([np.array([2, 2])], np.array([1]))
    assert np.isfinite(network.loss_and_gradient(as_batch(network, [np.zeros((2, 3))], targets)))
    targets = Continued([np.array([1, 2])], np.array([2]))
    with pytest.raises(ValueError, match="sequence 0 goes from label 2 to label 1 at step 0"):
        network.loss_and_gradient(as_batch(network, [np.zeros((2, 3))], targets))


def test_check_of_a_whole_data_set():
    steps = Steps([1, 3, 2])
    assert RISING.check(np.array([0, 0, 1, 1, 1, 2]), steps) is None
    with pytest.raises(ValueError, match="sequence 2 goes from label 1 to label 0 at step 1"):
        RISING.check(np.array([0, 1, 0, 0, 0, 1]), steps)
    with pytest.raises(ValueError, match="labels: expected numbers from 0 to 2, got 0 to 3"):
        RISING.check(np.array([0, 1, 0, 0, 0, 3]), steps)
    RISING.check(np.zeros(0, np.int64), Steps([0, 0]))


def test_infinite_loss_without_a_forbidden_move():
    """A score of -inf of the user's own is no error."""
    network = allowed_network(3, RISING, 0, 0, 0)
    scores = np.zeros((2, 3))
    scores[1, 1] = -np.inf
    crf, steps = network.loss, Steps([2])
    assert crf.loss_and_gradient(scores, np.array([0, 1]), steps)[0] == np.inf


def test_sequence_without_a_path():
    may = Allowed([True, False], [[False, True], [False, False]], [False, True])  # 0 1 alone
    network = allowed_network(2, may, 0, 0, 0)
    crf, steps = network.loss, Steps([2, 1, 2])
    x = np.zeros((5, 2))
    assert crf.log_partition(x, steps).tolist() == [0, 0, -np.inf]
    best = crf.best_paths(x, steps, 2)
    assert best.probabilities.tolist() == [[1, 1, 0], [0, 0, 0]]
    assert best.labels.tolist() == [[0, 0, -1, 1, 1], [-1] * 5]
    message = "sequence 1: has no allowed path of 1 steps with a probability above 0"
    for answer in (network.predict, network.probabilities):
        with pytest.raises(ValueError, match=message):
            answer([np.zeros((T, 2)) for T in (2, 1, 2)])
    with pytest.raises(ValueError, match=message):
        crf.span_probabilities(x, steps, np.array([0, 0, 0, 1, 1]), [(0, 0, 2)])


# ---- what it is made of


@pytest.mark.parametrize(
    ("may", "message"),
    [
        (
            Allowed(np.ones(3, bool), np.ones((2, 2), bool), np.ones(2, bool)),
            r"allowed.start: .* \(2,\), got bool \(3,\)",
        ),
        (Allowed(np.ones(2, bool), np.ones((2, 3), bool), np.ones(2, bool)), r"allowed.transitions: .* \(2, 2\)"),
        (Allowed(np.ones(2, bool), np.ones((2, 2), bool), np.ones(2)), "allowed.end: expected bools .* got float64"),
    ],
)
def test_wrong_shapes(may, message):
    with pytest.raises(ValueError, match=message):
        Crf(2, allowed=may)


def test_what_is_allowed_is_part_of_a_model(tmp_path):
    network = allowed_network(3, RISING, 1, 2, 3)
    assert network.config()["loss"]["allowed"]["transitions"]["shape"] == [3, 3]
    save_model(network, tmp_path / "model")
    same = allowed_network(3, Allowed(*(np.asarray(part).tolist() for part in RISING)), 0, 0, 0)
    load_model(same, tmp_path / "model")
    np.testing.assert_array_equal(same.values, network.values)
    for other in (None, RISING._replace(start=[True] * 3)):
        with pytest.raises(FormatError, match=r"network\.loss\.allowed"):
            load_model(allowed_network(3, other, 0, 0, 0), tmp_path / "model")


def test_everything_allowed_is_as_if_nothing_were_said():
    rng = np.random.default_rng(0)
    everything = Allowed(np.ones(4, bool), np.ones((4, 4), bool), np.ones(4, bool))
    values = [rng.standard_normal(shape) for shape in (4, (4, 4), 4)]
    scores, labels = [rng.standard_normal((T, 4)) for T in LENGTHS], [rng.integers(0, 4, T) for T in LENGTHS]
    ours, free = allowed_network(4, everything, *values), network_of(4, *values)
    assert ours.loss_and_gradient(as_batch(ours, scores, labels)) == free.loss_and_gradient(
        as_batch(free, scores, labels)
    )
    for mine, theirs in zip(ours.predict(scores), free.predict(scores), strict=True):
        np.testing.assert_array_equal(mine, theirs)

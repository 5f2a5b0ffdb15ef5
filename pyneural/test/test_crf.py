"""The CRF against every path there is, written out."""

from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
import pytest

from pyneural import Continued, Crf, Dropout, Network, unpack
from pyneural.test.cases import compiled_only
from pyneural.test.gradient_check import as_batch, check_float32

LENGTHS = (3, 1, 5, 0, 2, 4)


class Enumerated(NamedTuple):
    """What all paths of one sequence say."""

    log_partition: float
    marginals: np.ndarray
    first: np.ndarray
    pairs: np.ndarray
    last: np.ndarray
    best: tuple[int, ...]
    best_score: float


def enumerated(s, start, A, end, previous=-1):
    T, K = s.shape
    paths = list(product(range(K), repeat=T))
    scores = np.array([path_score(s, start, A, end, previous, path) for path in paths])
    top = scores.max()
    p = np.exp(scores - top)
    logZ = top + np.log(p.sum())
    p /= p.sum()
    marginals, first, pairs, last = np.zeros((T, K)), np.zeros(K), np.zeros((K, K)), np.zeros(K)
    for path, weight in zip(paths, p, strict=True):
        for t, label in enumerate(path):
            marginals[t, label] += weight
        if previous < 0:
            first[path[0]] += weight
        else:
            pairs[previous, path[0]] += weight
        for before, label in pairwise(path):
            pairs[before, label] += weight
        last[path[-1]] += weight
    best = int(np.argmax(scores))
    return Enumerated(logZ, marginals, first, pairs, last, paths[best], top)


def path_score(s, start, A, end, previous, path):
    score = (start[path[0]] if previous < 0 else A[previous, path[0]]) + end[path[-1]]
    score += sum(s[t, label] for t, label in enumerate(path))
    return score + sum(A[i, j] for i, j in pairwise(path))


def network_of(K, start, A, end, reduction="sum", dtype=np.float64):
    network = Network(Dropout(0.0), Crf(K, reduction=reduction)).allocate(dtype=dtype)
    crf = network.loss
    crf.start.value[...], crf.transitions.value[...], crf.end.value[...] = start, A, end
    return network


def drawn(rng, scale, *shape):
    """Scores whose sums are exact in float64, so that the enumeration is, too."""
    return np.round(rng.standard_normal(shape) * scale * 1024) / 1024


def relative(actual, expected):
    return np.max(np.abs(np.asarray(actual) - expected) / np.maximum(1, np.abs(expected)), initial=0)


SCALES = {"even": 0.0, "small": 0.1, "ordinary": 2.0, "1e4": 1e4, "1e6": 1e6}


@pytest.mark.parametrize("continued", [False, True], ids=["", "previous labels"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_every_path(K, scale, continued):
    rng = np.random.default_rng([K, int(scale), continued])
    start, A, end = (drawn(rng, scale, *shape) for shape in ((K,), (K, K), (K,)))
    sequences = [drawn(rng, scale, T, K) for T in LENGTHS]
    labels = [rng.integers(0, K, T) for T in LENGTHS]
    previous = rng.integers(-1, K, len(LENGTHS)) if continued else np.full(len(LENGTHS), -1)
    network = network_of(K, start, A, end)
    crf = network.loss
    batch = as_batch(network, sequences, Continued(labels, previous) if continued else labels)
    steps = batch.inputs.steps
    given = previous[steps.order] if continued else None

    known = [enumerated(s, start, A, end, p) if len(s) else None for s, p in zip(sequences, previous, strict=True)]
    logZ = np.empty(len(LENGTHS))
    logZ[steps.order] = crf.log_partition(batch.inputs.rows, steps, given)
    assert relative(logZ, [e.log_partition if e else 0 for e in known]) <= 1e-10

    options = {"previous": previous} if continued else {}
    probabilities, best = network.probabilities(sequences, **options), network.predict(sequences, **options)
    best_scores = np.empty(len(LENGTHS))
    best_scores[steps.order] = crf.viterbi(batch.inputs.rows, steps, given)[1]
    loss, first, pairs, last = 0.0, np.zeros(K), np.zeros((K, K)), np.zeros(K)
    loss_and_gradient = network.loss_and_gradient(batch, input_gradient=True)
    d_scores = unpack(network.input_gradient, steps)
    for i, e in enumerate(known):
        if e is None:
            assert len(best[i]) == len(probabilities[i]) == best_scores[i] == 0
            continue
        path = labels[i]
        assert relative(probabilities[i], e.marginals) <= 1e-10
        assert relative(probabilities[i].sum(axis=1), np.ones(len(path))) <= 1e-12
        assert relative(best_scores[i], e.best_score) <= 1e-10
        found = path_score(sequences[i], start, A, end, previous[i], best[i])
        assert relative(found, e.best_score) <= 1e-10
        if scale:
            assert tuple(best[i]) == e.best
        loss += e.log_partition - path_score(sequences[i], start, A, end, previous[i], path)
        onehot = np.eye(K)[path]
        assert relative(d_scores[i], e.marginals - onehot) <= 1e-10
        first += e.first
        pairs += e.pairs
        last += e.last - onehot[-1]
        if previous[i] < 0:
            first -= onehot[0]
        else:
            pairs[previous[i], path[0]] -= 1
        np.subtract.at(pairs, (path[:-1], path[1:]), 1)
    assert relative(loss_and_gradient, loss) <= 1e-10
    for parameter, expected in ((crf.start, first), (crf.transitions, pairs), (crf.end, last)):
        assert relative(parameter.grad, expected) <= 1e-10


def test_mean_is_over_sequences():
    rng = np.random.default_rng(0)
    start, A, end = rng.standard_normal(3), rng.standard_normal((3, 3)), rng.standard_normal(3)
    sequences, labels = [rng.standard_normal((T, 3)) for T in LENGTHS], [rng.integers(0, 3, T) for T in LENGTHS]
    total, mean = network_of(3, start, A, end), network_of(3, start, A, end, "mean")
    loss = total.loss_and_gradient(as_batch(total, sequences, labels))
    assert mean.loss_and_gradient(as_batch(mean, sequences, labels)) * len(LENGTHS) == pytest.approx(loss)
    np.testing.assert_allclose(mean.grads * len(LENGTHS), total.grads, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1, 20, 1000])
@pytest.mark.parametrize("never", [-np.inf, -1e30])
def test_forbidden_transitions(never, scale, dtype):
    """What can't be has no probability, no expected count and no path, and makes no NaN."""
    K = 4
    rng = np.random.default_rng(0)
    A, start, end = rng.standard_normal((K, K)), rng.standard_normal(K), rng.standard_normal(K)
    A[0, 1] = A[2, 1] = A[3, 3] = A[1, 0] = start[1] = end[2] = never
    A[:, 3] = never  # 3 only at the start
    sequences = [scale * rng.standard_normal((T, K)) for T in LENGTHS]
    labels = [np.resize([0, 2, 0], T) for T in LENGTHS]
    for path in labels:
        path[-1:] = 0
    network = network_of(K, start, A, end, dtype=dtype)
    batch = as_batch(network, sequences, labels)
    loss = network.loss_and_gradient(batch, input_gradient=True)
    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for i, (best, p) in enumerate(zip(network.predict(sequences), network.probabilities(sequences), strict=True)):
        if not len(sequences[i]):
            continue
        e = enumerated(sequences[i], start, A, end)
        assert tuple(best) == e.best
        np.testing.assert_allclose(p, e.marginals, rtol=0, atol=tolerance)
        loss -= e.log_partition - path_score(sequences[i], start, A, end, -1, labels[i])
    assert abs(loss) < 100 * tolerance
    assert np.isfinite(network.grads).all()
    assert np.isfinite(network.input_gradient).all()
    assert not network.loss.transitions.grad[np.isin(A, never)].any()
    assert network.loss.start.grad[1] == 0
    assert network.loss.end.grad[2] == 0


def test_impossible_path_has_no_likelihood():
    A = np.zeros((2, 2))
    A[0, 1] = -np.inf
    network = network_of(2, np.zeros(2), A, np.zeros(2))
    loss = network.loss_and_gradient(as_batch(network, [np.zeros((2, 2))], [np.array([0, 1])]))
    assert loss == np.inf
    assert np.isfinite(network.grads).all()


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_long_sequences(scale):
    """Marginals still sum to one, and the gradient in single precision is that in double."""
    rng = np.random.default_rng(0)
    sequences, labels = [scale * rng.standard_normal((2000, 9))], [rng.integers(0, 9, 2000)]
    network = network_of(9, *(rng.standard_normal(shape) for shape in (9, (9, 9), 9)))
    np.testing.assert_allclose(network.probabilities(sequences)[0].sum(axis=1), 1, rtol=0, atol=1e-11)
    check_float32(Network(Dropout(0.0), Crf(9)), sequences, labels)


def test_ties_go_to_the_lowest_label():
    network = network_of(3, np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    assert network.predict([np.zeros((4, 3))])[0].tolist() == [0, 0, 0, 0]


@compiled_only
@pytest.mark.parametrize(
    ("labels", "previous", "message"),
    [
        ([0, 3], None, "tags: expected labels from 0 to 2, got 3"),
        ([0, -1], None, "tags: expected labels from 0 to 2, got -1"),
        ([0, 1], [3], "previous: expected labels from -1 to 2, got 3"),
        ([0, 1], [-2], "previous: expected labels from -1 to 2, got -2"),
        ([0, 1, 2], None, "tags: expected shape"),
    ],
)
def test_wrong_labels(labels, previous, message):
    network = network_of(3, np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    labels = [np.array(labels)]
    targets = labels if previous is None else Continued(labels, np.array(previous))
    with pytest.raises(ValueError, match=message):
        network.loss_and_gradient(as_batch(network, [np.zeros((2, 3))], targets))

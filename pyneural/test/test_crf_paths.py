"""The n best paths, and the probability of stretches of labels, against every path there is."""

from itertools import product

import numpy as np
import pytest

from pyneural import Allowed, Crf, Dropout, Network, Softmax, Steps
from pyneural.test.cases import IOBES
from pyneural.test.test_crf import LENGTHS, SCALES, drawn, network_of, path_score

FREE = "everything allowed"


def case(K, scale, may, continued):
    """(loss, rows, steps, previous or None, for each packed sequence {path: probability} and {path: score})"""
    rng = np.random.default_rng([K, int(scale), continued])
    values = [drawn(rng, scale, *shape) for shape in ((K,), (K, K), (K,))]
    network = Network(Dropout(0.0), Crf(K, allowed=may)).allocate(dtype=np.float64)
    crf = network.loss
    crf.start.value[...], crf.transitions.value[...], crf.end.value[...] = values
    if may is not None:
        values = [np.where(part, value, -np.inf) for part, value in zip(may, values, strict=True)]
    packed = network.pack([drawn(rng, scale, T, K) for T in LENGTHS])
    rows, steps = packed.rows, packed.steps
    previous = rng.integers(-1, K, len(LENGTHS)) if continued else None
    known = []
    for b, T in enumerate(steps.lengths):
        own = rows[steps.offsets[:T] + b]
        before = -1 if previous is None else previous[b]
        scores = {
            path: path_score(own, *values, before, path) if T else 0.0 for path in product(range(K), repeat=int(T))
        }
        known.append({path: score for path, score in scores.items() if score > -np.inf})
    return crf, rows, steps, previous, known


def probabilities(scores):
    top = max(scores.values())
    total = sum(np.exp(score - top) for score in scores.values())
    return {path: np.exp(score - top) / total for path, score in scores.items()}


def some_rules(K):
    rng = np.random.default_rng(K)
    may = Allowed(*(rng.random(shape) < 0.5 for shape in ((K,), (K, K), (K,))))
    may.start[0] = may.transitions[:, 0] = may.end[0] = True
    return may


@pytest.mark.parametrize("continued", [False, True], ids=["", "previous labels"])
@pytest.mark.parametrize("rules", [FREE, "some forbidden"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_n_best_of_every_path(K, scale, rules, continued):
    crf, rows, steps, previous, known = case(K, scale, None if rules == FREE else some_rules(K), continued)
    for n in (1, 2, 7, 100):
        best = crf.best_paths(rows, steps, n, previous)
        assert best.labels.shape == (n, len(rows))
        assert best.scores.shape == best.probabilities.shape == (n, len(LENGTHS))
        for b, scores in enumerate(known):
            T, p, expected = steps.lengths[b], probabilities(scores), sorted(scores.values(), reverse=True)[:n]
            found = len(expected)
            np.testing.assert_allclose(best.scores[:found, b], expected, rtol=1e-10, atol=1e-10)
            paths = [tuple(labels[steps.offsets[:T] + b]) for labels in best.labels]
            assert len(set(paths[:found])) == found
            for m, path in enumerate(paths[:found]):
                assert best.scores[m, b] == pytest.approx(scores[path], rel=1e-10, abs=1e-10)
                assert best.probabilities[m, b] == pytest.approx(p[path], rel=1e-8, abs=1e-10)
            assert all(set(path) <= {-1} for path in paths[found:])
            assert np.isneginf(best.scores[found:, b]).all()
            assert not best.probabilities[found:, b].any()
    tags, top = crf.viterbi(rows, steps, previous)
    np.testing.assert_array_equal(best.labels[0], tags)
    np.testing.assert_array_equal(best.scores[0], top)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("K", [3, 9, 20])
def test_many_paths_of_long_sequences(K, dtype):
    """One after the other they fall, none comes twice, and their scores are those of the paths."""
    rng = np.random.default_rng(0)
    network = network_of(K, *(rng.standard_normal(shape) for shape in (K, (K, K), K)), dtype=dtype)
    crf, steps, n = network.loss, Steps([150, 40, 40, 3]), 60
    x = rng.standard_normal((steps.rows, K)).astype(dtype)
    best = crf.best_paths(x, steps, n)
    values = (parameter.value.astype(float) for parameter in (crf.start, crf.transitions, crf.end))
    start, A, end = values
    for b, T in enumerate(steps.lengths[:3]):
        rows = steps.offsets[:T] + b
        paths = [tuple(labels[rows]) for labels in best.labels]
        assert len(set(paths)) == n
        assert (np.diff(best.scores[:, b]) <= 0).all()
        for path, score in zip(paths, best.scores[:, b], strict=True):
            assert score == pytest.approx(path_score(x[rows].astype(float), start, A, end, -1, path))
    assert (np.diff(best.probabilities, axis=0) <= 0).all()
    assert (best.probabilities.sum(axis=0) <= 1 + 1e-9).all()
    again = crf.best_paths(x, steps, n)
    np.testing.assert_array_equal(again.labels, best.labels)
    fewer = crf.best_paths(x, steps, 7)
    np.testing.assert_array_equal(fewer.labels, best.labels[:7])


def test_not_a_number():
    """Gives some labels or none, but no nonsense."""
    network = network_of(3, np.zeros(3), np.zeros((3, 3)), np.zeros(3))
    steps = Steps([3, 2])
    for row in range(5):
        x = np.zeros((5, 3))
        x[row, row % 3] = np.nan
        assert np.isin(network.loss.best_paths(x, steps, 4).labels, [-1, 0, 1, 2]).all()


# ---- spans


def every_span(steps):
    return [
        (b, start, stop) for b, T in enumerate(steps.lengths) for start in range(T) for stop in range(start + 1, T + 1)
    ]


@pytest.mark.parametrize("continued", [False, True], ids=["", "previous labels"])
@pytest.mark.parametrize("rules", [FREE, "some forbidden"])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
@pytest.mark.parametrize("K", [1, 2, 3, 4])
def test_spans_of_every_path(K, scale, rules, continued):
    crf, rows, steps, previous, known = case(K, scale, None if rules == FREE else some_rules(K), continued)
    spans = every_span(steps)
    for labels in (np.random.default_rng(0).integers(0, K, len(rows)), crf.predict(rows, steps, previous)):
        answers = crf.span_probabilities(rows, steps, labels, spans, previous)
        assert answers.dtype == np.float64
        for (b, start, stop), answer in zip(spans, answers, strict=True):
            wanted = tuple(labels[steps.offsets[start:stop] + b])
            p = sum(p for path, p in probabilities(known[b]).items() if path[start:stop] == wanted)
            assert answer == pytest.approx(p, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entities_of_iobes(dtype):
    """Of a token, the probabilities of all entities that it may be in, and of O, add up to one."""
    rng = np.random.default_rng(0)
    network = Network(Dropout(0.0), Crf(5, allowed=IOBES)).allocate(dtype=dtype)
    network.values[...] = rng.standard_normal(len(network.values))
    T, at = 7, 3
    x, steps = rng.standard_normal((T, 5)).astype(dtype), Steps([T])
    total = float(network.probabilities([x])[0][at, 0])
    for start in range(at + 1):
        for stop in range(at + 1, T + 1):
            labels = np.zeros(T, np.int64)
            labels[start:stop] = [4] if stop == start + 1 else [1, *[2] * (stop - start - 2), 3]
            total += network.loss.span_probabilities(x, steps, labels, [(0, start, stop)]).item()
    assert total == pytest.approx(1, rel=1e-5 if dtype == np.float32 else 1e-12)


def test_span_of_a_whole_path_is_the_path():
    rng = np.random.default_rng(0)
    network = network_of(6, *(rng.standard_normal(shape) for shape in (6, (6, 6), 6)))
    steps = Steps(rng.integers(1, 25, 40))
    x = 3 * rng.standard_normal((steps.rows, 6))
    spans = np.stack([np.arange(40), np.zeros(40, int), steps.lengths], axis=1)
    best = network.loss.best_paths(x, steps, 3)
    for labels, p in zip(best.labels, best.probabilities, strict=True):
        whole = labels.copy()
        missing = whole < 0
        whole[missing] = 0
        answers = network.loss.span_probabilities(x, steps, whole, spans)
        complete = ~missing[steps.offsets[0] + np.arange(40)]
        np.testing.assert_allclose(answers[complete], p[complete], rtol=1e-9)


# ---- the same questions to a softmax


def test_softmax_is_a_crf_without_transitions():
    rng = np.random.default_rng(0)
    network = Network(Dropout(0.0), Softmax()).allocate(dtype=np.float64)
    chain = network_of(4, np.zeros(4), np.zeros((4, 4)), np.zeros(4))
    packed = network.pack([5 * rng.standard_normal((T, 4)) for T in LENGTHS])
    x, steps = packed.rows, packed.steps
    ours, expected = network.loss.best_paths(x, steps, 6), chain.loss.best_paths(x, steps, 6)
    np.testing.assert_array_equal(ours.labels, expected.labels)
    np.testing.assert_allclose(ours.probabilities, expected.probabilities, rtol=1e-10)
    np.testing.assert_array_equal(ours.labels[0], network.loss.predict(x))
    labels, spans = rng.integers(0, 4, len(x)), every_span(steps)
    p = network.loss.span_probabilities(x, steps, labels, spans)
    np.testing.assert_allclose(p, chain.loss.span_probabilities(x, steps, labels, spans), rtol=1e-10)
    b, start, stop = spans[-1]
    rows = steps.offsets[start:stop] + b
    assert p[-1] == pytest.approx(np.prod(network.loss.probabilities(x)[rows, labels[rows]]))


# ---- wrong questions


@pytest.mark.parametrize("kind", ["crf", "softmax"])
@pytest.mark.parametrize(
    "span", [(2, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 1, 1), (0, 2, 1), (0, 0, 4), (1, 0, 3)], ids=str
)
def test_wrong_spans(kind, span):
    loss = Network(Dropout(0.0), Crf(2) if kind == "crf" else Softmax()).allocate(dtype=np.float64).loss
    x, steps, labels = np.zeros((5, 2)), Steps([2, 3]), np.zeros(5, np.int64)
    message = f"got sequence {span[0]}, start {span[1]}, stop {span[2]} in span 1"
    with pytest.raises(ValueError, match=f"spans: expected 0 <= start < stop .* 2 sequences, {message}"):
        loss.span_probabilities(x, steps, labels, [(0, 0, 3), span])
    with pytest.raises(ValueError, match=r"spans: expected whole numbers \(S, 3\).* got float64 of shape \(1, 3\)"):
        loss.span_probabilities(x, steps, labels, np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"got int64 of shape \(3,\)"):
        loss.span_probabilities(x, steps, labels, [0, 0, 1])
    assert loss.span_probabilities(x, steps, labels, []).shape == (0,)
    with pytest.raises(ValueError, match="n: expected at least one path, got 0"):
        loss.best_paths(x, steps, 0)


def test_labels_of_a_missing_path():
    loss = network_of(2, np.zeros(2), np.zeros((2, 2)), np.zeros(2)).loss
    x, steps = np.zeros((1, 2)), Steps([1])
    best = loss.best_paths(x, steps, 3)
    assert best.labels.tolist() == [[0], [1], [-1]]
    with pytest.raises(ValueError, match="tags: expected labels from 0 to 1, got -1"):
        loss.span_probabilities(x, steps, best.labels[2], [(0, 0, 1)])

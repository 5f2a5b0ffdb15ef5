"""The running average of weights beside its definition."""

import numpy as np
import pytest

from pyneural import Adam, Sgd, fit, scorer
from pyneural.averaging import Average
from pyneural.checkpoint import Checkpoints
from pyneural.test.test_training import sentences, tagger


@pytest.mark.parametrize("memory", [1, 1.5, 20, 1e5])
def test_it_is_the_average_by_definition(memory: float) -> None:
    """Rows of the embedding that a step leaves alone are part of it all the same."""
    network, batches, optimiser = tagger(), sentences(size=2), Adam(0.05)
    average = Average(network, memory)
    expected, beta, steps = np.zeros(len(network.grads)), 1 - 1 / memory, 0
    assert np.array_equal(average.average(), network.values)
    for epoch in range(2):
        for batch in batches.epoch(epoch):
            network.loss_and_gradient(batch)
            average.observe()
            optimiser.step(network)
            steps += 1
            expected = beta * expected + (1 - beta) * network.values.astype(np.float64)
            if steps % 5 == 0:
                np.testing.assert_allclose(average.average(), expected / (1 - beta**steps), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(average.average(), expected / (1 - beta**steps), rtol=1e-4, atol=1e-6)


def test_the_network_has_it_for_as_long_as_it_is_applied() -> None:
    network = tagger()
    average = Average(network, 10)
    fit(network, sentences(), Sgd(0.1), 1)
    average.observe()
    values = network.values.copy()
    with average.applied():
        assert np.array_equal(network.values, average.average())
    assert np.array_equal(network.values, values)


def test_fit_evaluates_and_ends_with_the_average() -> None:
    seen, batches = [], sentences()

    def score(network) -> float:
        seen.append(network.values.copy())
        return -len(seen)  # the first is the best

    network = tagger()
    fit(network, batches, Adam(0.05), 3, evaluate=score, averaging=1.0)
    assert np.array_equal(network.values, seen[0])
    plain, averaged = tagger(), tagger()
    fit(plain, batches, Adam(0.05), 3)
    fit(averaged, batches, Adam(0.05), 3, averaging=0.5)
    assert not np.array_equal(plain.values, averaged.values)
    assert np.linalg.norm(plain.values - averaged.values) < np.linalg.norm(plain.values - tagger().values)


def test_what_is_wrong_is_said(tmp_path) -> None:
    with pytest.raises(ValueError, match="memory: expected at least 1 step, got 0"):
        Average(tagger(), 0)
    with pytest.raises(ValueError, match="averaging: expected a number of epochs from 0, got -1"):
        fit(tagger(), sentences(), Sgd(0.1), 1, averaging=-1)
    with pytest.raises(ValueError, match="expected"):
        Average(tagger(), 2).restore(np.zeros(3, np.float32), 1)
    options = {"evaluate": scorer(sentences()), "checkpoints": Checkpoints(tmp_path)}
    fit(tagger(), sentences(), Sgd(0.1), 1, **options)
    with pytest.raises(ValueError, match="averaging: step-00000007 was saved without an average"):
        fit(tagger(), sentences(), Sgd(0.1), 2, averaging=1, resume=True, **options)

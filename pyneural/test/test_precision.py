"""`allocate(precision="bf16")`: products in bfloat16, everything else as it was."""

import numpy as np
import pytest

from pyneural import Bidirectional, Crf, Dense, Embedding, Gru, Lstm, Network, Rnn, Sequential, Softmax, kernels
from pyneural.batches import Batches
from pyneural.sgd import Adam
from pyneural.training import fit

CELLS = {"rnn": Rnn, "gru": Gru, "lstm": Lstm}


def tagger(cell, precision: str) -> Network:
    body = Sequential(Embedding(50, 20), Bidirectional(cell(20, 24), cell(20, 24)), Dense(48, 5))
    return Network(body, Crf(5)).allocate(seed=3, precision=precision)


def corpus() -> Batches:
    rng = np.random.default_rng(7)
    words = [rng.integers(0, 50, n) for n in rng.integers(1, 12, 60)]
    return Batches(words, [(w % 7) % 5 for w in words], 16)


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_gradient_is_near(cell) -> None:
    """Values start equal; loss and gradient differ by bfloat16's rounding, where there is any."""
    full, half = tagger(cell, "full"), tagger(cell, "bf16")
    assert (full.precision, half.precision) == ("full", "bf16")
    assert full.values.tobytes() == half.values.tobytes()
    batch = next(corpus().epoch(0))
    assert half.loss_and_gradient(batch) == pytest.approx(full.loss_and_gradient(batch), rel=1e-2)
    assert half.values.dtype == half.grads.dtype == np.float32
    difference = np.linalg.norm(half.grads - full.grads) / np.linalg.norm(full.grads)
    assert difference < 2e-2
    if kernels.bf16 is not None:
        assert difference > 1e-5  # it was not float32 that was computed


def test_it_learns_as_well() -> None:
    ends = []
    for precision in ("full", "bf16"):
        network = tagger(Gru, precision)
        fit(network, corpus(), Adam(0.01), 20)
        ends.append(network.loss_of(next(corpus().epoch(0))))
    assert ends[1] == pytest.approx(ends[0], rel=0.2, abs=0.05)


def test_a_replica_and_what_it_can_go_with() -> None:
    network = tagger(Gru, "bf16")
    assert network.replica().precision == "bf16"
    with pytest.raises(ValueError, match="precision: expected 'full' or 'bf16', got 'half'"):
        Network(Dense(2, 2), Softmax()).allocate(precision="half")
    with pytest.raises(ValueError, match="precision: bf16 goes with dtype float32, got float64"):
        Network(Dense(2, 2), Softmax()).allocate(dtype=np.float64, precision="bf16")

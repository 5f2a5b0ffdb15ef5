"""The optimisers on a network with sparse rows: those touched follow the formula, the others keep every bit."""

import math
from typing import NamedTuple

import numpy as np
import pytest

from pyneural import Concatenate, Cosine, Dense, Embedding, Network, Sequential, Sgd, Softmax, WarmUp
from pyneural.test.gradient_check import as_batch
from pyneural.test.test_sgd import MAKE, Textbook, agree, every_rule, every_terms


class Inputs(NamedTuple):
    words: object
    shapes: object


def tagger(dtype=np.float64) -> Network:
    """Two sparse tables side by side, a dense layer after them, and a frozen one."""
    tables = Concatenate(words=Embedding(9, 3), shapes=Embedding(6, 2))
    return Network(Sequential(tables, Dense(5, 5).freeze(), Dense(5, 4, "tanh")), Softmax()).allocate(3, dtype=dtype)


def addresses(network):
    """Where the buffers and every view of them lie."""
    views = [slot.parameter.value for slot in network.slots] + [slot.parameter.grad for slot in network.slots[:4]]
    return [array.ctypes.data for array in (network.values, network.grads, *views)]


def some_batch(network, rng):
    """Four words out of the first eight: the last row of each table is never used."""
    ids = [rng.integers(0, n, 4) for n in (8, 5)]
    return as_batch(network, Inputs([ids[0]], [ids[1]]), [rng.integers(0, 4, 4)]), ids


def touched(ids):
    """Where in the buffer the rows used lie, and all that is dense."""
    words = [range(3 * i, 3 * i + 3) for i in np.unique(ids[0])]
    shapes = [range(27 + 2 * i, 29 + 2 * i) for i in np.unique(ids[1])]
    return np.concatenate([*words, *shapes, range(39, 39 + 24)])


@every_rule
@every_terms
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
def test_formula_of_a_network(name, terms, dtype, dense):
    """Rows touched follow the formula with the global count of steps; the others, state and all, keep every bit."""
    rng, network = np.random.default_rng(5), tagger(dtype)
    schedule = WarmUp(Cosine(0.3, epochs=3, final=0.1), epochs=0.5)
    optimiser = MAKE[name](schedule, dense=dense, **terms)
    n = len(network.grads)
    assert n == 63
    places = addresses(network)
    frozen, w = network.values[n:].tobytes(), network.values[:n].astype(np.float64)
    book = Textbook(name, n, **terms)
    for t in range(1, 21):
        batch, ids = some_batch(network, rng)
        network.loss_and_gradient(batch)
        g, before = network.grads.copy(), network.values.copy()
        states = {key: state.copy() for key, state in optimiser.state.items()}
        at = np.arange(n) if dense else touched(ids)
        untouched = np.setdiff1d(np.arange(n), at)
        epoch = t / 8
        norm = optimiser.step(network, epoch)
        rate = (0.1 + 0.2 * (1 + math.cos(math.pi * min(epoch, 3) / 3)) / 2) * min(epoch / 0.5, 1)
        taken = book.update(w, book.clipped(g.astype(np.float64))[at], t, rate, at)
        w[at] -= taken
        agree(network.values[:n], w, dtype)
        agree(norm, np.linalg.norm(taken), dtype)
        assert network.values[untouched].tobytes() == before[untouched].tobytes()
        for key, state in states.items():
            assert optimiser.state[key][untouched].tobytes() == state[untouched].tobytes()
        np.testing.assert_array_equal(network.grads, g)
    assert network.values[n:].tobytes() == frozen
    assert addresses(network) == places
    assert network.values.dtype == dtype
    last_rows = [*range(24, 27), *range(37, 39)]
    if not dense:
        assert not any(state[last_rows].any() for state in optimiser.state.values())


@pytest.mark.parametrize("terms", [{}, {"clip_value": 0.05}], ids=["plain", "clipped"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sgd_is_the_same_sparse_and_dense(terms, dtype):
    """To the bit: rows untouched have a gradient of zero."""
    runs = []
    for dense in (False, True):
        rng, network, optimiser = np.random.default_rng(6), tagger(dtype), Sgd(0.3, dense=dense, **terms)
        for _ in range(10):
            network.loss_and_gradient(some_batch(network, rng)[0])
            optimiser.step(network)
        runs.append(network.values.tobytes())
    assert runs[0] == runs[1]

"""Profiles: the work of every layer beside hand counts, times that add up, and a network that stays as it was."""

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyneural import (
    Activation,
    Batches,
    Bidirectional,
    ConvolutionMax,
    Cost,
    Crf,
    Dense,
    Dropout,
    Embedding,
    FactoredSoftmax,
    Gru,
    LastStep,
    Layer,
    Loss,
    Lstm,
    Network,
    Profile,
    Rnn,
    Sequential,
    Softmax,
    SquaredError,
    WordDropout,
)
from pyneural.profiling import Machine, clock
from pyneural.test.cases import CASES, SHAPES, Data, HalfSquares, network_of
from pyneural.test.gradient_check import as_batch

MACHINE = Machine("float32", 1e11, 2e9, {1 << 16: 5e10, 1 << 20: 8e10, 1 << 26: 2e10})
LENGTHS = (3, 1, 0, 2)  # N = 6
WORDS = [np.array([1, 0, 1]), np.array([3]), np.zeros(0, np.int64), np.array([3, 3])]  # 3 distinct
REAL = [np.random.default_rng(T).standard_normal((T, 3)) for T in LENGTHS]


def costs(layer: Layer, inputs: Any, loss: Loss | None = None, targets: Any = None) -> dict[str, Cost]:
    """By direction, of the layer, or of the loss on top of it."""
    network = Network(layer, loss or HalfSquares()).allocate(seed=1)
    parts = network.profile(as_batch(network, inputs, targets), repeats=1, machine=MACHINE).parts
    name = "loss" if loss else "body"
    return {part.direction: part.cost for part in parts if part.name == name}


@pytest.mark.parametrize(
    ("layer", "inputs", "forward", "backward"),
    [
        # Dense(3, 4): x W is 6 x 3 x 4 terms; x, W, b and y are 18, 12, 4 and 24 numbers of 4 bytes
        (Dense(3, 4), REAL, Cost(144, 4 * 58, 0), Cost(288, 4 * (18 + 12 + 24 + 18 + 16), 0)),
        (Dense(3, 4, "tanh"), REAL, Cost(144, 4 * 58, 24), Cost(288, 4 * (18 + 12 + 24 + 24 + 18 + 16), 0)),
        (Dense(3, 4, "relu"), REAL, Cost(144, 4 * 58, 0), Cost(288, 4 * (18 + 12 + 24 + 24 + 18 + 16), 0)),
        (Activation("sigmoid"), REAL, Cost(0, 4 * 36, 18), Cost(54, 4 * 54, 0)),
        (Activation("relu"), REAL, Cost(18, 4 * 36, 0), Cost(18, 4 * 54, 0)),
        (Dropout(0.5, locked=True), REAL, Cost(18, 4 * 54, 0), Cost(18, 4 * 54, 0)),
        (Dropout(0.0), REAL, Cost(), Cost()),
        # cells from 3 to 4: for each of 6 rows 3 x 4 and 4 x 4 terms a gate
        (Rnn(3, 4), REAL, Cost(336, 4 * (18 + 24 + 24 + 32), 24), Cost(672, 4 * (36 + 3 * 24 + 64), 0)),
        (Rnn(3, 4, "relu"), REAL, Cost(336, 4 * (18 + 24 + 24 + 32), 0), Cost(672, 4 * (36 + 3 * 24 + 64), 0)),
        (Gru(3, 4), REAL, Cost(1008, 4 * (18 + 6 * 24 + 100), 72), Cost(2016, 4 * (36 + 6 * 24 + 200), 0)),
        (Gru(3, 4, reset_after=False), REAL, Cost(1008, 4 * 258, 72), Cost(2016, 4 * (36 + 6 * 24 + 192), 0)),
        (Lstm(3, 4), REAL, Cost(1344, 4 * (18 + 8 * 24 + 128), 120), Cost(2688, 4 * (36 + 8 * 24 + 256), 0)),
        # windows of 3 x 3 numbers and 2 filters: forward for 6 rows, backward for 4 sequences; winners are of 8 bytes
        (ConvolutionMax(3, 2), REAL, Cost(216, 4 * (18 + 20 + 8) + 64, 0), Cost(288, 4 * (36 + 38 + 8) + 64, 0)),
        (ConvolutionMax(3, 2, 3, "tanh"), REAL, Cost(216, 4 * 46 + 64, 8), Cost(288, 4 * (36 + 38 + 16) + 64, 0)),
        # 6 ids of 8 bytes; rows of 5 numbers, 3 distinct
        (Embedding(4, 5), WORDS, Cost(0, 48 + 20 * 9, 0), Cost(0, 48 + 20 * 12, 0)),
        (Embedding(4, 5, trainable=False), WORDS, Cost(0, 48 + 20 * 9, 0), Cost()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else "",
)
def test_the_work_of_layers(layer: Layer, inputs: Any, forward: Cost, backward: Cost) -> None:
    assert costs(layer, inputs) == {"forward": forward, "backward": backward}


def test_the_work_of_losses() -> None:
    labels = [np.arange(T) % 3 for T in LENGTHS]
    # from 3 rows to the next, three products of 4 x 4 each; e^s, e^A and a logarithm a row
    assert costs(Dense(3, 4), REAL, Crf(4), labels) == {"both": Cost(288, 4 * 2 * (24 + 24) + 48, 24 + 16 + 6)}
    assert costs(Dense(3, 4), REAL, Softmax(), labels) == {"both": Cost(96, 4 * 48 + 48, 24 + 6)}
    targets = [np.zeros((T, 4)) for T in LENGTHS]
    assert costs(Dense(3, 4), REAL, SquaredError(), targets) == {"both": Cost(96, 4 * 72, 0)}
    # labels 0 and 1 stand in a cluster of 2, label 2 in one of 3: targets 0 1 2, 0, 0 1 give 5 x 2 + 1 x 3 scores
    factored = FactoredSoftmax(4, 5, clusters=[0, 0, 1, 1, 1])
    assert costs(Dense(3, 4), REAL, factored, labels) == {
        "both": Cost(6 * 4 * (12 + 13), 4 * (48 + 20 + 3 * 25) + 48, 25 + 12)
    }


def test_word_dropout_moves_whole_numbers() -> None:
    network = Network(Sequential(WordDropout(0.5, [0, 0, 0, 3]), Embedding(4, 2)), HalfSquares()).allocate()
    parts = network.profile(as_batch(network, WORDS, None), repeats=1, machine=MACHINE).parts
    assert [part.cost for part in parts if part.kind == "WordDropout"] == [Cost(bytes=96), Cost()]


@pytest.mark.parametrize("lengths", [*SHAPES.values(), (0, 0)], ids=[*SHAPES, "no rows"])
@pytest.mark.parametrize("name", CASES)
def test_every_network(name: str, lengths: tuple[int, ...]) -> None:
    """It runs, can be printed and written, and tells of every layer that the step went through."""
    network = network_of(CASES[name])
    batch = Data(CASES[name], lengths).batch()
    found = network.profile(batch, repeats=1, machine=MACHINE)
    assert {part.name for part in found.parts} == {name for name, _ in network.descendants()}
    assert all(part.seconds >= 0 for part in found.parts)
    assert sum(part.seconds for part in found.parts) == pytest.approx(found.seconds)
    assert (found.rows, len(str(found).splitlines())) == (batch.items, len({p.name for p in found.parts}) + 6)
    told = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [part["name"] for part in told["parts"]] == [part.name for part in found.parts]


class Sleeper(Layer):
    """y = x, so many seconds later; tells nothing of its work."""

    def __init__(self, now: list[float], forward: float, backward: float) -> None:
        self._now, self.pauses = now, (forward, backward)

    def __deepcopy__(self, memo: Any) -> "Sleeper":
        return Sleeper(self._now, *self.pauses)

    def forward(self, x: Any) -> Any:
        self._now[0] += self.pauses[0]
        return x

    def backward(self, dy: Any) -> Any:
        self._now[0] += self.pauses[1]
        return dy


class Around(Sleeper):
    """A sleeper around another, which it calls in its own way."""

    def __init__(self, now: list[float], forward: float, backward: float, inner: Layer) -> None:
        super().__init__(now, forward, backward)
        self.inner = inner

    def __deepcopy__(self, memo: Any) -> "Around":
        return Around(self._now, *self.pauses, copy.deepcopy(self.inner, memo))

    def forward(self, x: Any) -> Any:
        return super().forward(self.inner.forward(x))

    def backward(self, dy: Any) -> Any:
        return super().backward(self.inner.backward(dy))


def test_times_are_each_layers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(clock, "perf_counter", lambda: now[0])
    body = Sequential(Sleeper(now, 1, 2), Around(now, 4, 8, Sleeper(now, 16, 32)))
    network = Network(body, HalfSquares()).allocate()
    found = network.profile(as_batch(network, REAL, None), repeats=3, machine=MACHINE)
    assert {(part.name, part.direction): part.seconds for part in found.parts if part.seconds} == {
        ("body.layers.0", "forward"): 1,
        ("body.layers.0", "backward"): 2,
        ("body.layers.1", "forward"): 4,
        ("body.layers.1", "backward"): 8,
        ("body.layers.1.inner", "forward"): 16,
        ("body.layers.1.inner", "backward"): 32,
    }
    assert found.seconds == 63
    assert {part.share for part in found.parts} == {None}
    assert re.search(r"^ {4}inner: Sleeper +16000\.000( +–){4} +32000\.000( +–){4} +76 %$", str(found), re.MULTILINE)


def tagger() -> tuple[Network, Batches]:
    rng = np.random.default_rng(0)
    body = Sequential(Embedding(50, 40), Dropout(0.3), Bidirectional(Gru(40, 50), Gru(40, 50)), Dense(100, 5))
    lengths = rng.integers(1, 30, 32)
    words, labels = ([rng.integers(0, n, T) for T in lengths] for n in (50, 5))
    return Network(body, Crf(5)).allocate(seed=1), Batches(words, labels)


@pytest.fixture(scope="module")
def found() -> Profile:
    network, batches = tagger()
    return network.profile(next(batches.epoch(0)), repeats=5)


def test_times_add_up_and_work_is_within_limits(found: Profile) -> None:
    assert 0.5 * found.seconds < sum(part.seconds for part in found.parts) <= found.seconds
    shares = [part.share for part in found.parts if part.share is not None]
    assert len(shares) == 11  # 5 components in both directions, and the loss
    assert all(0 < share < 3 for share in shares), "far beyond the machine's limit"
    assert found.machine.dtype == "float32"
    assert found.machine.products > 1e8
    assert found.machine.functions > 1e6
    assert min(found.machine.copies.values()) > 1e8


@pytest.mark.parametrize("carry", [False, True])
def test_the_network_stays_as_it_was(carry: bool) -> None:
    def make() -> Network:
        body = Sequential(Embedding(4, 3), Dropout(0.4), Gru(3, 4, carry=carry), Dense(4, 3))
        return Network(body, Crf(3)).allocate(seed=1)

    profiled, other = make(), make()
    batch = as_batch(profiled, WORDS, [np.arange(T) % 3 for T in LENGTHS])
    for network in (profiled, other):
        network.loss_and_gradient(batch, input_gradient=True)
    profiled.profile(batch, repeats=2, machine=MACHINE)
    for name in ("values", "grads", "input_gradient"):
        np.testing.assert_array_equal(getattr(profiled, name), getattr(other, name))
    assert not {"forward", "backward", "propagate"} & {
        name for _, each in profiled.descendants() for name in vars(each)
    }
    assert profiled.draws == other.draws
    assert profiled.loss_and_gradient(batch) == other.loss_and_gradient(batch)
    np.testing.assert_array_equal(profiled.grads, other.grads)


def test_limits() -> None:
    assert MACHINE.seconds(Cost(flops=10**9)) == pytest.approx(0.01)
    assert MACHINE.seconds(Cost(flops=10**9, bytes=1000, functions=2 * 10**7)) == pytest.approx(0.02)
    assert MACHINE.seconds(Cost(bytes=10**9)) == pytest.approx(0.05)
    assert MACHINE.bandwidth(0) == MACHINE.bandwidth(1 << 20) == 8e10, "what a larger copy reaches, a smaller could"
    slow = Machine("float32", 1e10, 3e9, {1 << 16: 6e10, 1 << 20: 1e10, 1 << 26: 3e10})
    better = Machine("float32", 1e11, 3e9, {1 << 16: 6e10, 1 << 20: 8e10, 1 << 26: 3e10})
    assert MACHINE.better(slow) == slow.better(MACHINE) == better
    assert MACHINE.bandwidth((1 << 20) + 1) == MACHINE.bandwidth(1 << 40) == 2e10


def test_unallocated_and_repeats() -> None:
    network = Network(Dense(3, 2), HalfSquares()).allocate()
    batch = as_batch(network, REAL, None)
    with pytest.raises(ValueError, match="repeats: expected at least 1, got 0"):
        network.profile(batch, repeats=0)
    with pytest.raises(RuntimeError, match="allocate"):
        Network(Dense(3, 2), HalfSquares()).profile(batch)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_plot(found: Profile, tmp_path: Path, ending: str) -> None:
    found.plot(tmp_path / f"roof.{ending}")
    content = (tmp_path / f"roof.{ending}").read_bytes()
    assert content.startswith(b"\x89PNG") or b"<svg" in content
    network = Network(LastStep(Rnn(3, 2)), HalfSquares()).allocate()
    of_nothing = network.profile(as_batch(network, [np.zeros((0, 3))], None), repeats=1, machine=MACHINE)
    of_nothing.plot(tmp_path / f"nothing.{ending}")


def test_plot_without_matplotlib_names_the_extra(found: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="`plot` extra"):
        found.plot("roof.png")

"""A step's work follows the numbers it is given: no Python work for each time step or row, nothing by the vocabulary.

Work is counted, so that a noisy machine is no excuse: in instructions of the interpreter, in rows that kernels visit.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batches,
    Bidirectional,
    ConvolutionMax,
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
    Momentum,
    Network,
    Optimiser,
    Rnn,
    Sequential,
    Sgd,
    Softmax,
    kernels,
)
from pyneural.test.gradient_check import as_batch

# the NumPy twins loop over the steps in Python
compiled = pytest.mark.skipif(os.environ.get("PYNEURAL_KERNELS") == "reference", reason="promised of compiled kernels")
VOCABULARY, WIDTH, LABELS = 50, 8, 5
BODIES: dict[str, Callable[[], Layer]] = {
    "rnn": lambda: Rnn(WIDTH, WIDTH),
    "gru": lambda: Gru(WIDTH, WIDTH),
    "gru, reset before": lambda: Gru(WIDTH, WIDTH, reset_after=False),
    "lstm": lambda: Lstm(WIDTH, WIDTH),
    "bptt steps": lambda: Lstm(WIDTH, WIDTH, bptt_steps=3),
    "bidirectional": lambda: Sequential(
        Bidirectional(Gru(WIDTH, WIDTH), Lstm(WIDTH, WIDTH)), Dense(2 * WIDTH, WIDTH, "tanh")
    ),
    "dropout": lambda: Sequential(Dropout(0.5), Rnn(WIDTH, WIDTH), Dropout(0.5, locked=True)),
}
LOSSES: dict[str, Callable[[], Loss]] = {
    "softmax": Softmax,
    "crf": lambda: Crf(LABELS),
    "factored softmax": lambda: FactoredSoftmax(LABELS, LABELS),
}


class Count:
    """Instructions of the interpreter, and calls of C functions from Python."""

    instructions = 0
    calls = 0


@contextmanager
def counted() -> Iterator[Count]:
    """What Python does meanwhile: a loop over steps or rows shows in the instructions, `map` and the like do too."""
    count = Count()

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        frame.f_trace_opcodes = True
        count.instructions += event == "opcode"
        return trace

    def profile(frame: FrameType, event: str, argument: object) -> None:
        count.calls += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    gc.disable()  # what it calls back is no part of a step
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        yield count
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
        gc.enable()


def python_work(body: Layer, loss: Loss, sequences: int, length: int, *, last: bool = False) -> tuple[int, int]:
    """Of making a batch of sequences, and of a training step on it, once a like one has set the work arrays up.

    last: the body gives one row a sequence, and there is one label a sequence
    """
    rng = np.random.default_rng(0)
    network = Network(Sequential(Embedding(VOCABULARY, WIDTH), body, Dense(WIDTH, LABELS)), loss).allocate(seed=1)
    words = [rng.integers(0, VOCABULARY, length - length * i // (2 * sequences)) for i in range(sequences)]
    labels: Any = rng.integers(0, LABELS, sequences) if last else [word % LABELS for word in words]
    batches, optimiser = Batches(words, labels, sequences, shuffle=False), Adam(1e-3, clip_norm=1e6)
    for _ in range(2):
        for batch in batches.epoch(0):
            network.loss_and_gradient(batch)
            optimiser.step(network)
    with counted() as count:
        for batch in batches.epoch(0):
            network.loss_and_gradient(batch)
            optimiser.step(network)
    return count.instructions, count.calls


def check_it_stays(work: Callable[[int, int], tuple[int, int]]) -> None:
    """The same for 4 sequences of at most 5 steps, for ten times the steps, and for ten times the sequences."""
    few = work(4, 5)
    assert work(4, 50) == few
    assert work(40, 5) == few
    assert few[0] > 100


@compiled
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("loss", ["softmax", "crf"])
def test_no_python_work_by_the_step_or_the_row(body: str, loss: str) -> None:
    check_it_stays(lambda sequences, length: python_work(BODIES[body](), LOSSES[loss](), sequences, length))


@compiled
def test_no_python_work_by_the_row_in_a_factored_softmax() -> None:
    body, loss = BODIES["rnn"], LOSSES["factored softmax"]
    check_it_stays(lambda sequences, length: python_work(body(), loss(), sequences, length))


@compiled
@pytest.mark.parametrize(
    "body",
    [lambda: LastStep(Gru(WIDTH, WIDTH)), lambda: ConvolutionMax(WIDTH, WIDTH, activation="tanh")],
    ids=["last step", "convolution"],
)
def test_no_python_work_by_the_step_where_one_row_is_left(body: Callable[[], Layer]) -> None:
    check_it_stays(lambda sequences, length: python_work(body(), Softmax(), sequences, length, last=True))


@compiled
@pytest.mark.parametrize("loss", ["softmax", "crf"])
def test_no_python_work_by_the_step_in_a_prediction(loss: str) -> None:
    """By the sequence there is some: each is handed in, and out, as an array of its own."""

    def work(length: int) -> tuple[int, int]:
        body = Sequential(Embedding(VOCABULARY, WIDTH), BODIES["bidirectional"](), Dense(WIDTH, LABELS))
        network = Network(body, LOSSES[loss]()).allocate(seed=1)
        words = [np.arange(n) for n in (length, length // 2, 1)]
        network.predict(words)
        with counted() as count:
            network.predict(words)
        return count.instructions, count.calls

    assert work(50) == work(5)


def test_a_loop_in_python_is_counted() -> None:
    def work(n: int) -> tuple[int, int]:
        with counted() as count:
            [abs(i) for i in range(n)]
        return count.instructions, count.calls

    few, many = work(10), work(20)
    assert many[0] >= few[0] + 10
    assert many[1] == few[1] + 10


@pytest.mark.parametrize(
    "optimiser", [Sgd(0.1), Momentum(0.1), Adam(0.1, clip_norm=1.0)], ids=lambda o: type(o).__name__
)
def test_rows_visited_do_not_grow_with_the_vocabulary(optimiser: Optimiser, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every kernel of a step is given to go through: counted, so that noise is no excuse."""
    visited = 0

    def counted(kernel: Callable[..., object], rows_at: int) -> Callable[..., object]:
        def run(values: np.ndarray, *arguments: object) -> object:
            nonlocal visited
            rows = arguments[rows_at]
            visited += values.size if rows is None else len(rows) * values.shape[1]  # type: ignore[arg-type]
            return kernel(values, *arguments)

        return run

    for name, rows_at in (("sgd_step", 1), ("momentum_step", 2), ("adam_step", 3), ("sum_of_squares", 0)):
        monkeypatch.setattr(kernels, name, counted(getattr(kernels, name), rows_at))
    totals = []
    for vocabulary in (5_000, 400_000):
        optimiser.state, visited = {}, 0
        network = Network(Sequential(Embedding(vocabulary, 8), Dense(8, 3)), Softmax()).allocate(seed=1)
        ids = np.arange(40) % 30
        for _ in range(2):
            network.loss_and_gradient(as_batch(network, ids, ids % 3))
            optimiser.step(network)
        totals.append(visited)
    assert totals[0] == totals[1] > 0

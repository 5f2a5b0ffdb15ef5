"""A steady step of training allocates next to nothing, in Python or in C, and training for long takes no more memory.

Memory that C takes is seen where it is had from the system: the kernel counts the pages that a process touches for the
first time (page faults) and those it holds (RSS). With every larger array in a mapping of its own, as the C library can
be told, no array can be had and given back between two steps without pages touched anew.
"""

import os
import platform
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pyneural import (
    Adam,
    Batch,
    Batches,
    Bidirectional,
    Concatenate,
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
    SquaredError,
    epochs,
)
from pyneural.progress import Position
from pyneural.test.gradient_check import as_batch

WIDTH, SEQUENCES, LENGTH = 128, 16, 20
ACTIVATIONS = SEQUENCES * LENGTH * WIDTH * 4  # bytes of one (N, WIDTH) array, 160 kB: none may be allocated anew
# the NumPy twins are written to be read, and make arrays as they go
compiled = pytest.mark.skipif(os.environ.get("PYNEURAL_KERNELS") == "reference", reason="promised of compiled kernels")
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks Linux and its C library about memory")
BODIES: dict[str, Callable[[], Layer]] = {
    "dense": lambda: Sequential(Dense(WIDTH, WIDTH, "tanh"), Dense(WIDTH, WIDTH, "relu")),
    "dropout": lambda: Sequential(Dropout(0.5), Dropout(0.5, locked=True), Dense(WIDTH, WIDTH)),
    "rnn": lambda: Bidirectional(Rnn(WIDTH, 64), Rnn(WIDTH, 64)),
    "gru": lambda: Bidirectional(Gru(WIDTH, 64), Gru(WIDTH, 64, reset_after=False)),
    "lstm": lambda: Bidirectional(Lstm(WIDTH, 64), Lstm(WIDTH, 64)),
    "branches": lambda: Concatenate(Dense(WIDTH, 64), Gru(WIDTH, 64)),
}
LOSSES: dict[str, Callable[[], Loss]] = {
    "softmax": Softmax,
    "crf": lambda: Crf(WIDTH),
    "squared error": SquaredError,
    "factored softmax": lambda: FactoredSoftmax(WIDTH, WIDTH),
}


def peak(network: Network, batch: Batch, optimiser: Optimiser) -> int:
    """Bytes allocated at the most within a step, once the workspaces have their sizes."""
    for _ in range(3):
        network.loss_and_gradient(batch)
        optimiser.step(network)
    tracemalloc.start()
    try:
        network.loss_and_gradient(batch)
        optimiser.step(network)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def batch_for(network: Network, rng: np.random.Generator) -> Batch:
    inputs = [rng.standard_normal((LENGTH, WIDTH)) for _ in range(SEQUENCES)]
    if isinstance(network.loss, SquaredError):
        return as_batch(network, inputs, [rng.standard_normal((LENGTH, WIDTH)) for _ in range(SEQUENCES)])
    return as_batch(network, inputs, [rng.integers(0, WIDTH, LENGTH) for _ in range(SEQUENCES)])


@compiled
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("loss", ["softmax", "crf"])
def test_bodies(body: str, loss: str) -> None:
    network = Network(BODIES[body](), LOSSES[loss]()).allocate(seed=1)
    assert peak(network, batch_for(network, np.random.default_rng(0)), Adam(1e-3)) < ACTIVATIONS / 4


@compiled
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss: str) -> None:
    network = Network(Dense(WIDTH, WIDTH), LOSSES[loss]()).allocate(seed=1)
    # the factored softmax brings the rows of each cluster together: their numbers are made anew, the rows are not
    assert peak(network, batch_for(network, np.random.default_rng(0)), Sgd(1e-3)) < ACTIVATIONS / 2


ENCODERS: dict[str, Callable[[], Layer]] = {
    "last step": lambda: LastStep(Bidirectional(Gru(WIDTH, 64), Gru(WIDTH, 64))),
    "convolution": lambda: ConvolutionMax(WIDTH, WIDTH, activation="relu"),
}


@compiled
@pytest.mark.parametrize("encoder", ENCODERS)
def test_one_row_a_sequence_and_embedding(encoder: str) -> None:
    rng = np.random.default_rng(0)
    body = Sequential(Embedding(500, WIDTH), ENCODERS[encoder](), Dense(WIDTH, 5))
    network = Network(body, Softmax()).allocate(seed=1)
    words = [rng.integers(0, 500, LENGTH) for _ in range(SEQUENCES)]
    assert peak(network, as_batch(network, words, rng.integers(0, 5, SEQUENCES)), Momentum(1e-3)) < ACTIVATIONS / 4


def tell(program: str, **environment: str) -> str:
    """What a program prints in a process of its own, whose memory nothing else uses."""
    run = subprocess.run([sys.executable, "-c", program], env=os.environ | environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def page_faults() -> None:
    """Prints, for each body and loss, the fewest page faults in a step, and in one that makes an array besides."""
    import resource  # not on every system

    def faults(*functions: Callable[[], object]) -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for function in functions:
            function()
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    for name, body in BODIES.items():
        for loss in LOSSES:
            network, optimiser = Network(body(), LOSSES[loss]()).allocate(seed=1), Adam(1e-3)
            batch = batch_for(network, np.random.default_rng(0))

            def step(network: Network = network, batch: Batch = batch, optimiser: Optimiser = optimiser) -> None:
                network.loss_and_gradient(batch)
                optimiser.step(network)

            for _ in range(3):
                step()
            # the least of several: the kernel itself now and then takes pages away to see who wants them
            least = min(faults(step) for _ in range(10))
            more = min(faults(step, lambda: np.ones(ACTIVATIONS // 4, dtype=np.float32)) for _ in range(10))
            print(least, more, name, loss, sep=", ")


@compiled
@glibc
def test_a_step_faults_in_no_page() -> None:
    program = "from pyneural.test import test_steady; test_steady.page_faults()"
    threshold = str(ACTIVATIONS // 4)
    lines = tell(program, MALLOC_MMAP_THRESHOLD_=threshold, OPENBLAS_NUM_THREADS="1").splitlines()
    assert len(lines) == len(BODIES) * len(LOSSES)
    for line in lines:
        least, more = map(int, line.split(", ")[:2])
        assert least == 0, line
        assert more >= ACTIVATIONS // os.sysconf("SC_PAGE_SIZE"), line  # so would an array be seen


def resident_memory() -> None:
    """Prints the bytes held after some steps of training on ragged batches, and after many more."""
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 200, rng.integers(1, 41)) for _ in range(400)]
    batches = Batches(words, [word % 5 for word in words], 8)  # shuffled: each epoch has batches of other shapes
    body = Sequential(Embedding(200, 16), Bidirectional(Gru(16, 16), Lstm(16, 16)), Dropout(0.2), Dense(32, 5))
    network, optimiser, position = Network(body, Crf(5)).allocate(seed=1), Adam(1e-3), Position()
    for last in (20, 120):
        for _ in epochs(network, batches, optimiser, last, position=position):
            pass
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
        print(position.epoch * len(batches), pages * os.sysconf("SC_PAGE_SIZE"))


@compiled
@glibc
def test_memory_stays_flat_over_thousands_of_ragged_steps() -> None:
    program = "from pyneural.test import test_steady; test_steady.resident_memory()"
    (first, early), (last, late) = (map(int, line.split()) for line in tell(program).splitlines())
    assert last - first == 5000
    assert late - early < 1_000_000  # 200 bytes a step; the smallest of the work arrays has more

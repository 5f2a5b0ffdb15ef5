"""What the BLAS library and its threads are worth at the sizes of small and medium networks.

    python -m benchmarks.blas_threads

Three measurements, interleaved, the minimum of many:
1. one product of the recurrent loop, (32, H) x (H, 3 H), float32: the chosen BLAS with 1 and with all threads, and
   Intel MKL with one where the package `mkl` is installed;
2. a training step of a bidirectional GRU + CRF tagger: BLAS with 1 and with all threads, and `Threads(n)` shares;
3. the throughput of n jobs of one thread each, against one job whose BLAS has n threads: separate processes.
"""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path

import numpy as np

from benchmarks.timing import interleaved
from pyneural import Adam, Batches, Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential, Threads
from pyneural.kernels import blas, matmul

CORES = os.cpu_count() or 1
SECONDS = 5.0
ROUNDS = 3


def tagger(hidden: int) -> tuple[Network, Batches]:
    """A tagger and sentences of random words: the cost of a step does not depend on what they say."""
    rng = np.random.default_rng(0)
    lengths = [30, *np.clip(rng.poisson(18, 31), 1, 30)]
    words = [rng.integers(0, 5000, n) for n in lengths]
    tags = [rng.integers(0, 9, n) for n in lengths]
    body = Sequential(
        Embedding(5000, hidden),
        Bidirectional(Gru(hidden, hidden), Gru(hidden, hidden)),
        Dense(2 * hidden, 9),
    )
    return Network(body, Crf(9)).allocate(seed=1), Batches(words, tags, 32)


def mkl_product(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Callable[[], object] | None:
    """c = a b by MKL, everything prepared but the call itself; None where MKL is not installed."""
    try:
        files = metadata.files("mkl") or []
    except metadata.PackageNotFoundError:
        return None
    library = next((str(Path(f.locate()).resolve()) for f in files if f.name.startswith("libmkl_rt.so")), None)
    if library is None:
        return None
    os.environ["MKL_THREADING_LAYER"] = "SEQUENTIAL"
    gemm = ctypes.CDLL(library).cblas_sgemm
    gemm.restype = None
    (m, k), n = a.shape, b.shape[1]
    integers = {size: ctypes.c_int(size) for size in (101, 111, m, n, k)}
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    return partial(
        gemm, integers[101], integers[111], integers[111], integers[m], integers[n], integers[k], one,
        pointers[0], integers[k], pointers[1], integers[n], zero, pointers[2], integers[n],
    )  # fmt: skip


def with_threads(count: int, run: Callable[[], object]) -> Callable[[], object]:
    """The run, its BLAS set to so many threads first (the setting is not timed apart: it takes microseconds)."""

    def timed() -> object:
        blas.set_threads(count)
        return run()

    return timed


def products() -> None:
    print(f"\n1. one product (32, H) x (H, 3H), float32, microseconds; {CORES} cores")
    for hidden in (50, 100, 300):
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal(s).astype(np.float32) for s in ((32, hidden), (hidden, 3 * hidden)))
        c = np.empty((32, 3 * hidden), np.float32)
        cases = {
            "OpenBLAS, 1 thread": with_threads(1, lambda a=a, b=b, c=c: [matmul(a, b, c) for _ in range(200)]),
            f"OpenBLAS, {CORES} threads": with_threads(
                CORES, lambda a=a, b=b, c=c: [matmul(a, b, c) for _ in range(200)]
            ),
        }
        if (mkl := mkl_product(a, b, c)) is not None:
            cases["MKL, 1 thread"] = lambda mkl=mkl: [mkl() for _ in range(200)]
        times = interleaved(cases, 30)
        print(f"   H={hidden:4d}  " + "   ".join(f"{name} {1e6 * t / 200:8.1f}" for name, t in times.items()))


def worker(hidden: int, blas_threads: int, shares: int, seconds: float) -> None:
    """Trains for so many seconds; prints the shortest step in milliseconds, and how many steps there were."""
    network, batches = tagger(hidden)
    batch, adam = next(batches.epoch(0)), Adam(1e-3)
    gradient = Threads(shares).of(network).loss_and_gradient
    blas.set_threads(blas_threads)
    count, best, end = 0, float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        gradient(batch)
        adam.step(network)
        best = min(best, time.perf_counter() - start)
        count += 1
    print(1e3 * best, count)


def train(jobs: int, *arguments: float) -> tuple[float, int]:
    """The worker in so many processes at once: the shortest step of any, and the steps of all."""
    command = [sys.executable, "-m", "benchmarks.blas_threads", "--worker", *map(str, arguments)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(jobs)]
    results = [job.communicate()[0].split() for job in running]
    return min(float(best) for best, _ in results), sum(int(count) for _, count in results)


def steps() -> None:
    # each in a process of its own: threads of OpenBLAS keep spinning for a while, in the way of what comes next
    print("\n2. a training step (forward + backward + Adam), 32 sentences, milliseconds")
    cases = {"1 thread": (1, 1), f"BLAS {CORES} threads": (CORES, 1), f"Threads({CORES})": (1, CORES)}
    for hidden in (50, 100, 300):
        best = dict.fromkeys(cases, float("inf"))
        for _ in range(ROUNDS):
            for name, (blas_threads, shares) in cases.items():
                best[name] = min(best[name], train(1, hidden, blas_threads, shares, 2.0)[0])
        print(f"   H={hidden:4d}  " + "   ".join(f"{name} {milliseconds:7.2f}" for name, milliseconds in best.items()))


def jobs() -> None:
    print(f"\n3. steps a second of the whole machine, H=100, over {SECONDS:.0f} s")
    cases = {
        "1 job, 1 thread": (1, 1, 1),
        f"1 job, {CORES} BLAS threads": (1, CORES, 1),
        f"1 job, Threads({CORES})": (1, 1, CORES),
        f"{CORES} jobs, 1 thread each": (CORES, 1, 1),
    }
    best = dict.fromkeys(cases, 0.0)
    for _ in range(ROUNDS):
        for name, (count, blas_threads, shares) in cases.items():
            best[name] = max(best[name], train(count, 100, blas_threads, shares, SECONDS)[1] / SECONDS)
    for name, rate in best.items():
        print(f"   {name:24s} {rate:8.1f}")


if __name__ == "__main__":
    if "--worker" in sys.argv:
        hidden, blas_threads, shares, seconds = sys.argv[-4:]
        worker(int(hidden), int(blas_threads), int(shares), float(seconds))
    else:
        print(blas.library.version, f"{blas.library.threads} threads", blas.library.path)
        products()
        steps()
        jobs()

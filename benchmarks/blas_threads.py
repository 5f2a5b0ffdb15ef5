"""What the BLAS library and its threads are worth at the sizes of small and medium networks.

    python -m benchmarks.blas_threads

Three measurements, interleaved, the minimum of many:
1. one product of the recurrent loop, (32, H) x (H, 3 H), float32: SciPy's OpenBLAS with 1 and with all threads, and
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

from pyneural import Adam, Batches, Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential, Threads
from pyneural.kernels import blas, matmul

CORES = os.cpu_count() or 1
SECONDS = 6.0


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


def interleaved(cases: dict[str, Callable[[], object]], rounds: int, times: int = 1) -> dict[str, float]:
    """The shortest time of each case in seconds, taken in turns."""
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(rounds):
        for name, run in cases.items():
            start = time.perf_counter()
            for _ in range(times):
                run()
            best[name] = min(best[name], (time.perf_counter() - start) / times)
    return best


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
    libraries = [x for x in blas.controllers() if "numpy.libs" not in x.filepath]

    def timed() -> object:
        for library in libraries:
            library.set_num_threads(count)
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


def steps() -> None:
    print("\n2. a training step (forward + backward + Adam), 32 sentences, milliseconds")
    for hidden in (50, 100, 300):
        cases: dict[str, Callable[[], object]] = {}
        for name, count in (("BLAS 1 thread", 1), (f"BLAS {CORES} threads", CORES)):
            network, batches = tagger(hidden)
            batch, adam = next(batches.epoch(0)), Adam(1e-3)
            cases[name] = with_threads(count, lambda n=network, b=batch, a=adam: (n.loss_and_gradient(b), a.step(n)))
        network, batches = tagger(hidden)
        batch, adam, replicas = next(batches.epoch(0)), Adam(1e-3), Threads(CORES).of(network)
        cases[f"Threads({CORES})"] = with_threads(
            1, lambda n=network, b=batch, a=adam, r=replicas: (r.loss_and_gradient(b), a.step(n))
        )
        times = interleaved(cases, 60)
        print(f"   H={hidden:4d}  " + "   ".join(f"{name} {1e3 * t:7.2f}" for name, t in times.items()))


def worker(threads: int) -> None:
    """Steps for SECONDS seconds; prints how many."""
    network, batches = tagger(100)
    batch, adam = next(batches.epoch(0)), Adam(1e-3)
    blas.set_threads(threads)
    count, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        network.loss_and_gradient(batch)
        adam.step(network)
        count += 1
    print(count)


def jobs() -> None:
    print(f"\n3. steps a second of the whole machine, H=100, over {SECONDS:.0f} s")

    def run(count: int, threads: int) -> float:
        command = [sys.executable, "-m", "benchmarks.blas_threads", "--worker", str(threads)]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return sum(int(job.communicate()[0]) for job in running) / SECONDS

    results = {
        "1 job, 1 thread": (1, 1),
        f"1 job, {CORES} BLAS threads": (1, CORES),
        f"{CORES} jobs, 1 thread": (CORES, 1),
    }
    for name, (count, threads) in results.items():
        print(f"   {name:24s} {max(run(count, threads) for _ in range(3)):8.1f}")


if __name__ == "__main__":
    if "--worker" in sys.argv:
        worker(int(sys.argv[-1]))
    else:
        for library in blas.libraries():
            print(
                library["internal_api"],
                library["version"],
                f"{library['num_threads']} threads",
                library["filepath"].split("/")[-1],
            )
        products()
        steps()
        jobs()

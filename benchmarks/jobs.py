"""Several trainings on one machine: one job of n threads, or n jobs of one thread each?

    python -m benchmarks.jobs

Prints the training steps a second of the whole machine, a bidirectional GRU and CRF on 32 sentences: the best of
several runs in turns. Each job is a process of its own.
"""

import os
import subprocess
import sys
import time

import numpy as np

from pyneural import Adam, Batches, Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential, Threads

CORES = os.cpu_count() or 1
SECONDS = 4.0
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


def job(hidden: int, threads: int) -> None:
    """Trains for SECONDS; prints the steps."""
    network, batches = tagger(hidden)
    batch, adam = next(batches.epoch(0)), Adam(1e-3)
    gradient = Threads(threads).of(network).loss_and_gradient
    steps, end = 0, time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        gradient(batch)
        adam.step(network)
        steps += 1
    print(steps)


def rate(jobs: int, *arguments: int) -> float:
    """Steps a second of so many jobs side by side."""
    command = [sys.executable, "-m", "benchmarks.jobs", *map(str, arguments)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(jobs)]
    return sum(int(job.communicate()[0]) for job in running) / SECONDS


def main() -> None:
    cases = {"1 job, 1 thread": (1, 1), f"1 job, {CORES} threads": (1, CORES), f"{CORES} jobs, 1 thread": (CORES, 1)}
    for hidden in (50, 100, 300):
        best = dict.fromkeys(cases, 0.0)
        for _ in range(ROUNDS):
            for name, (jobs, threads) in cases.items():
                best[name] = max(best[name], rate(jobs, hidden, threads))
        print(f"H={hidden:4d}   " + "   ".join(f"{name}: {steps:7.1f}" for name, steps in best.items()), flush=True)


if __name__ == "__main__":
    job(*map(int, sys.argv[1:])) if len(sys.argv) > 1 else main()

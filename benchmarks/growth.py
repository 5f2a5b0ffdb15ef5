"""What must not grow with the vocabulary, and what must grow less than the number of labels.

    python -m benchmarks.growth

1. a training step (gradient, then optimiser) of an embedding under a softmax, at V = 5,000 and V = 400,000;
2. the gradient of the class-factored softmax beside the full one, at K = 1,000, 10,000 and 100,000 labels.

One thread, float32, 600 rows of 100 numbers, interleaved, minima, milliseconds.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.timing import interleaved
from pyneural import Adam, Batches, Dense, Embedding, FactoredSoftmax, Loss, Momentum, Network, Sequential, Sgd, Softmax

ROWS, WIDTH, ROUNDS = 600, 100, 100


def vocabulary() -> None:
    print("1. a step, by vocabulary")
    rng = np.random.default_rng(0)
    for make in (Sgd, Momentum, Adam):
        cases: dict[str, Callable[[], object]] = {}
        for V in (5_000, 400_000):
            network = Network(Sequential(Embedding(V, WIDTH), Dense(WIDTH, 9)), Softmax()).allocate(seed=1)
            batch = next(Batches(rng.integers(0, V, ROWS), rng.integers(0, 9, ROWS), ROWS).epoch(0))
            optimiser = make(1e-3, clip_norm=1.0)
            cases[f"V={V:,}"] = lambda n=network, b=batch, o=optimiser: (n.loss_and_gradient(b), o.step(n))
        times = interleaved(cases, ROUNDS)
        print(f"   {make.__name__:9s}" + "   ".join(f"{name} {1e3 * t:.3f}" for name, t in times.items()))


def labels() -> None:
    print("2. loss and gradient, by labels")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((ROWS, WIDTH)).astype(np.float32)
    for K in (1_000, 10_000, 100_000):
        cases: dict[str, Callable[[], object]] = {}
        factored: Loss = FactoredSoftmax(WIDTH, K)
        batch = next(Batches(x, rng.integers(0, K, ROWS), ROWS).epoch(0))
        for name, network in (
            ("factored", Network(Dense(WIDTH, WIDTH), factored).allocate(seed=1)),
            ("full", Network(Sequential(Dense(WIDTH, WIDTH), Dense(WIDTH, K)), Softmax()).allocate(seed=1)),
        ):
            cases[name] = lambda n=network, b=batch: n.loss_and_gradient(b)
        times = interleaved(cases, 5 if K == 100_000 else 20)
        print(f"   K={K:<9,d}" + "   ".join(f"{name} {1e3 * t:.2f}" for name, t in times.items()))


if __name__ == "__main__":
    vocabulary()
    labels()

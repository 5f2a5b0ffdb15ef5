"""What must not grow with the vocabulary, and what must grow less than the number of labels.

    python -m benchmarks.growth

1. a training step (gradient, then optimiser) at V = 5,000 and V = 400,000, of an embedding under a softmax, and of a
   tagger (embedding, bidirectional GRU of 100 units each way, CRF); on one batch again and again, or on several in
   turn, whose rows come from memory: the more, the larger the vocabulary. Words are drawn uniformly; of a text's, more
   are frequent and stay in the cache;
2. the gradient of the class-factored softmax beside the full one, at K = 1,000, 10,000 and 100,000 labels.

One thread, float32, 600 rows of 100 numbers, interleaved, minima, milliseconds.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.timing import interleaved
from pyneural import (
    Adam,
    Batches,
    Bidirectional,
    Crf,
    Dense,
    Embedding,
    FactoredSoftmax,
    Gru,
    Loss,
    Momentum,
    Network,
    Optimiser,
    Sequential,
    Sgd,
    Softmax,
)

ROWS, SENTENCES, WIDTH, ROUNDS = 600, 30, 100, 100
MAKE: dict[str, Callable[[int], Network]] = {
    "embedding": lambda V: Network(Sequential(Embedding(V, WIDTH), Dense(WIDTH, 9)), Softmax()),
    "tagger": lambda V: Network(
        Sequential(Embedding(V, WIDTH), Bidirectional(Gru(WIDTH, WIDTH), Gru(WIDTH, WIDTH)), Dense(2 * WIDTH, 9)),
        Crf(9),
    ),
}


def vocabulary() -> None:
    print("1. a step, by vocabulary")
    for kind in MAKE:
        for count, rounds in ((1, ROUNDS), (8, ROUNDS // 4)):
            for make in (Sgd, Momentum, Adam):
                cases = {f"V={V:,}": _steps(kind, V, make(1e-3, clip_norm=1.0), count) for V in (5_000, 400_000)}
                times = interleaved(cases, rounds)
                few, many = times.values()
                print(
                    f"   {kind:9s} {make.__name__:8s} {count} batch{'es' * (count > 1):2s}   "
                    + "   ".join(f"{name} {1e3 * t / count:.3f}" for name, t in times.items())
                    + f"   {many / few - 1:+.1%}"
                )


def _steps(kind: str, V: int, optimiser: Optimiser, count: int) -> Callable[[], object]:
    """A step on each of so many batches."""
    rng = np.random.default_rng(0)
    network = MAKE[kind](V).allocate(seed=1)
    words, tags = ([rng.integers(0, top, ROWS // SENTENCES) for _ in range(SENTENCES * count)] for top in (V, 9))
    batches = list(Batches(words, tags, SENTENCES).epoch(0))

    def run() -> None:
        for batch in batches:
            network.loss_and_gradient(batch)
            optimiser.step(network)

    return run


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

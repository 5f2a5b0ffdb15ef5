"""One training step of a tagger, pyneural against PyTorch: forward, backward, momentum update, on one thread.

    python -m benchmarks.tagger_step [--pairs 100] [--json FILE] [--no-compile]

The network is an embedding, a bidirectional GRU, a dense layer and a CRF. Both sides are given the same
weights and the same ready-made batches, and must agree on the loss and on every gradient before anything is
timed. Then every form in which a PyTorch user might write the step is timed, and the fastest (by minimum) of
those that compute the same function is the peer. Its steps and pyneural's are run by turns, a few steps each, so
that whatever else the machine does falls on both, and each finds its own data in the caches, as when training.
As a traced or compiled CRF is bound to one T, the fastest form that takes batches of any length is paired too.

The PyTorch forms are those of `torch_taggers`. The padded one is timed for interest only: it is another function.

pyneural's update visits the rows of the embedding that the batch used ("lazy", its default); PyTorch's visits
all. The textbook update (`dense=True`), the same rule as PyTorch's, is paired with the peer too.
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import threadpoolctl
import torch

import pyneural
from benchmarks.torch_taggers import MOMENTUM, RATE, B, D, Form, H, K, Prepared, T, V, forms, prepare
from pyneural import Bidirectional, Crf, Dense, Embedding, Gru, Network, Sequential, kernels
from pyneural.sgd import Momentum

Step = Callable[[Prepared], float]


def our_tagger() -> Network:
    body = Sequential(Embedding(V, D), Bidirectional(Gru(D, H), Gru(D, H)), Dense(2 * H, K))
    network = Network(body, Crf(K)).allocate(seed=1)
    network.loss.transitions.value[...] = np.random.default_rng(2).normal(0, 0.1, (K, K))
    return network


def check_agreement(network: Network, one: Form, batch: Prepared) -> None:
    """Raises AssertionError where a form's loss or gradient is not pyneural's, as far as float32 goes."""
    ties = one.module.tie(network)
    one.module.zero_grad()
    theirs = one.loss(batch)
    theirs.backward()
    ours = network.loss_and_gradient(batch.ours)
    assert abs(ours - theirs.item()) <= 1e-5 * abs(ours), f"{one.name}: loss {theirs.item()}, pyneural's {ours}"
    for each in ties:
        difference = np.linalg.norm(each.parameter.grad - each.gradient) / np.linalg.norm(each.parameter.grad)
        assert difference <= 1e-4, f"{one.name}: gradient of {each.name} differs by {difference:.2g}"


def our_step(dense: bool) -> Step:
    network, optimiser = our_tagger(), Momentum(RATE, MOMENTUM, dense=dense)

    def step(batch: Prepared) -> float:
        loss = network.loss_and_gradient(batch.ours)
        optimiser.step(network)
        return loss

    return step


def by_turns(steps: dict[str, Step], batches: list[Prepared], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each step of each kind. A round is all batches by one kind, then all by the next."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):  # the first warms up
        for name, step in steps.items():
            for batch in batches:
                begin = time.perf_counter()
                step(batch)
                if number:
                    times[name].append(1e3 * (time.perf_counter() - begin))
    return times


class Row(NamedTuple):
    """A line of the result."""

    name: str
    minimum: float
    median: float


def rows_of(times: dict[str, list[float]]) -> list[Row]:
    return [Row(name, min(each), statistics.median(each)) for name, each in times.items()]


def environment() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "pyneural": pyneural.__version__,
        "instructions": str(kernels.isa),
    }


def measure(pairs: int, compiled: bool) -> dict[str, Any]:
    batches = [prepare(np.random.default_rng(seed)) for seed in range(8)]
    network = our_tagger()
    candidates = forms(network, batches[0], compiled)
    for one in candidates:
        if one.exact:
            check_agreement(network, one, batches[0])
    tried = rows_of(by_turns({one.name: one.step for one in candidates}, batches, 3))
    fastest = {row.name: row.minimum for row in tried}
    exact = sorted((one for one in candidates if one.exact), key=lambda one: fastest[one.name])
    peer, flexible = exact[0], next(one for one in exact if one.any_length)
    rounds = -(-pairs // len(batches))
    return {
        "benchmark": "tagger_step",
        "sizes": {"V": V, "D": D, "H": H, "K": K, "B": B, "T": T, "rows": [b.ours.items for b in batches]},
        "environment": environment(),
        "paired": [
            paired("pyneural", our_step(dense=False), peer, batches, rounds),
            paired("pyneural, dense=True", our_step(dense=True), peer, batches, rounds),
            paired("pyneural", our_step(dense=False), flexible, batches, rounds),
        ],
        "forms tried": [row._asdict() for row in tried],
    }


def paired(name: str, ours: Step, theirs: Form, batches: list[Prepared], rounds: int) -> dict[str, Any]:
    """Both times, and their ratio by minima, by medians, and as the median over pairs of one batch."""
    times = by_turns({name: ours, theirs.name: theirs.step}, batches, rounds)
    mine, other = rows_of(times)
    ratios = [b / a for a, b in zip(*times.values(), strict=True)]
    return {
        "pyneural": mine._asdict(),
        "peer": other._asdict(),
        "pairs": len(ratios),
        "ratio": {
            "of minima": other.minimum / mine.minimum,
            "of medians": other.median / mine.median,
            "median of pairs": statistics.median(ratios),
        },
    }


def report(result: dict[str, Any]) -> str:
    """The result as a table."""

    def line(row: dict[str, Any], who: str = "PyTorch: ") -> str:
        return f"{who + row['name']:56} {row['minimum']:8.2f} {row['median']:8.2f}"

    lines = [f"{'one step, one thread, float32':56} {'min ms':>8} {'median':>8}"]
    lines += [line(row) for row in result["forms tried"]]
    for pair in result["paired"]:
        lines += ["", line(pair["pyneural"], ""), line(pair["peer"])]
        ratios = ", ".join(f"{ratio:.2f} {kind}" for kind, ratio in pair["ratio"].items())
        lines.append(f"PyTorch / pyneural: {ratios} ({pair['pairs']} pairs)")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100, help="steps of each side, by turns")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    parser.add_argument("--json", metavar="FILE", help="also write the result here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with threadpoolctl.threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit and torch.compile announce their own ways
        result = measure(arguments.pairs, not arguments.no_compile)
    print(report(result))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=2)


if __name__ == "__main__":
    main()

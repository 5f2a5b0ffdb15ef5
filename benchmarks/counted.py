"""The process whose instructions are counted: `python -m benchmarks.counted`, run by `benchmarks.instructions`.

Each case takes some steps that bring its work arrays, and the interpreter's caches, to their steady state, then marks
the start, takes the steps that count, and marks the end.

The sizes are small because under callgrind a multiplication and addition of eight numbers takes a microsecond, and
because beside the products of wide layers nothing else shows: at H = 25 a pass more over the gates does.
"""

import gc
import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from benchmarks.cases import READY_BATCHES, Case, build, tagger
from benchmarks.peers.pyneural_peer import crf_alone, stepper

MARK = "getppid"
"""a function of the C library that nothing else here calls: callgrind writes its counts, and starts anew, at each"""


# How much more a step may take. Names lie elsewhere in memory in each process, and so get in each other's way in the
# interpreter's cache of attributes: that moves all counts a little, and those of steps that are mostly Python more.
MOSTLY_C, MOSTLY_PYTHON = 0.01, 0.03


class Counted(NamedTuple):
    """A case, the steps before the count, the steps counted, the tolerance."""

    case: Case
    before: int = 2
    steps: int = 2
    tolerance: float = MOSTLY_C


wide = partial(tagger, V=1000, B=8, T=12)
narrow = partial(tagger, V=1000, D=25, H=25, T=15)

CASES = [
    # the first, so that the code the taggers share is warm for them
    Counted(tagger("bigru_crf_b1", loss="crf", V=1000, D=16, H=16, B=1, T=5), 20, 20, MOSTLY_PYTHON),
    Counted(wide("bigru_crf_h100", loss="crf")),
    Counted(narrow("bigru_softmax_h25")),
    Counted(narrow("bilstm_softmax_h25", cell="lstm")),
    Counted(narrow("birnn_softmax_h25", cell="rnn")),
    Counted(Case("char_encoder", "characters", V=100, D=25, H=25, B=60, T=10)),
    Counted(Case("char_convolution", "convolution", V=100, D=25, H=50, B=100, T=11)),
    Counted(Case("crf", "crf", loss="crf")),
    Counted(Case("mlp", "mlp", D=100, H=100, K=10, B=32), 4, 4, MOSTLY_PYTHON),
    Counted(Case("embedding", "embedding", V=50_000, B=100), 4, 4, MOSTLY_PYTHON),
    Counted(wide("predict", kind="predict", loss="crf")),
]


def step_of(case: Case) -> Callable[[int], Any]:
    """One step on the batch of that number."""
    problem = build(case)
    network, batches = problem.network, problem.batches
    if case.kind == "predict":
        return lambda i: network.predict(batches[i].inputs)
    if case.kind == "crf":
        return lambda i: crf_alone(network, batches[i])
    step: Callable[[int], Any] = stepper(problem, 1)
    return step


def main() -> None:
    mark = getattr(os, MARK)
    for case, before, steps, _ in CASES:
        step = step_of(case)
        for number in range(before):
            step(number % READY_BATCHES)
        gc.collect()
        gc.disable()
        mark()
        for number in range(steps):
            step(number % READY_BATCHES)
        mark()
        gc.enable()


if __name__ == "__main__":
    main()

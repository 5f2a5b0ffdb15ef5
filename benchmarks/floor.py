"""The floor: the time that a step's arithmetic takes at this machine's own measured rates.

Products: 3 x the FLOPs of the forward pass (forward, gradient of the weights, gradient of the input; 2 x for a layer on
data, whose input's gradient nobody asks for), at the rate of numpy's product of two 1024 x 1024 float32 matrices with
as many threads. For bf16 cases at the rate of PyTorch's bf16 product of that size, if that is faster. Inference: 1 x.
Of a convolution's maxima, backward is 2 x a single window a sequence.

Element-wise work, counted for `birnn` and `char_encoder` alone, whose products are small: each activation's function,
and in training its derivative, at the rate of pyneural's tanh over an array in the second cache.

Rates are measured between the runs of the case itself, so that what else the machine does falls on them as well.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.cases import Problem
from pyneural import kernels
from pyneural.packing import steps_of

SIZE = 1024
CACHED = 32 * 1024  # numbers: 128 kB
GATES = {"gru": 3, "lstm": 4, "rnn": 1}


class Work(NamedTuple):
    """What a step has to do."""

    flops: float
    activations: int


def work_of(problem: Problem) -> Work | None:
    """None where the arithmetic does not tell: a CRF alone, rows of a table."""
    case = problem.case
    N = steps_of(problem.batches[0].inputs).rows
    D, H, K, G = case.D, case.H, case.K, GATES[case.cell]
    match case.kind:
        case "tagger" | "predict" | "characters":
            tops = case.B if case.kind == "characters" else N
            forward = 2 * (2 * N * (D + H) * G * H) + 2 * tops * 2 * H * K
            counted = case.kind == "characters" or case.cell == "rnn"
            return Work((1 if case.kind == "predict" else 3) * forward, 2 * N * G * H if counted else 0)
        case "convolution":  # of the steps of a sequence only a maximum has a gradient
            return Work(2 * 3 * D * H * (N + 2 * case.B) + 3 * (2 * case.B * H * K), 0)
        case "mlp":
            return Work(2 * (2 * N * D * H) + 3 * (2 * N * H * K), 0)
    return None


def floor_ms(work: Work, best: dict[str, float], threads: int) -> float:
    """best: the shortest time of each probe in milliseconds; element-wise ones ran on one thread."""
    product = min(best["sgemm"], best.get("bf16", np.inf))
    elements = sum(best.get(name, 0.0) for name in ("tanh", "tanh_backward")) / CACHED
    return work.flops * product / (2 * SIZE**3) + work.activations * elements / threads


class Machine:
    """The probes, run by turns like any peer (see `worker`). Its process sets how many threads numpy's BLAS has."""

    def __init__(self, problem: Problem, threads: int) -> None:
        rng = np.random.default_rng(0)
        a, b = (rng.standard_normal((SIZE, SIZE)).astype(np.float32) for _ in range(2))
        c = np.empty_like(a)
        self.probes: dict[str, Callable[[], object]] = {"sgemm": lambda: np.matmul(a, b, out=c)}
        work = work_of(problem)
        if work is not None and work.activations:
            x, y = rng.standard_normal((2, CACHED // 64, 64)).astype(np.float32)
            z = np.empty_like(x)
            self.probes["tanh"] = lambda: kernels.activation_forward(x, y, 0)
            self.probes["tanh_backward"] = lambda: kernels.activation_backward(y, x, z, 0)
        if problem.case.precision == "bf16":
            self._add_bf16(threads)

    def _add_bf16(self, threads: int) -> None:
        try:
            import torch
        except ImportError:
            return  # then the float32 rate it is
        torch.set_num_threads(threads)
        a, b = (torch.randn(SIZE, SIZE).to(torch.bfloat16) for _ in range(2))
        c = torch.empty_like(a)
        self.probes["bf16"] = lambda: torch.mm(a, b, out=c)

    def run(self, count: int) -> dict[str, list[float]]:
        """Milliseconds of each probe; `count` is of products, the short probes are repeated more."""
        times: dict[str, list[float]] = {}
        for name, probe in self.probes.items():
            repeats = 20 * count if name.startswith("tanh") else count
            times[name] = []
            for _ in range(repeats):
                start = time.perf_counter()
                probe()
                times[name].append(round(1e3 * (time.perf_counter() - start), 5))
        return times

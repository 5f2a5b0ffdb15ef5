"""What one core of this machine can do, measured in a fraction of a second.

Three rates bound a pass through a layer: arithmetic (multiplications and additions in matrix products), functions
(exponentials and the like), and memory traffic. The first two use the same vector units, one after the other; traffic
may go on beside them. So the least time that a pass can take is

    max(flops / products + functions / rate of functions, bytes / bandwidth)

Bandwidth is that of a copy, what is read and what is written taken together. It falls with the memory that a copy
touches, as that fits one cache or another; a pass is held to the best that a copy of as many bytes, or more, reaches
when repeated: as if all its operands were still in the nearest cache that can hold them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import DTypeLike

from pyneural import kernels
from pyneural.neural_layer import Cost

SIDES = (384, 768)  # of the matrices multiplied: in a core's own cache, and past it; a few milliseconds
COPIED = tuple(2**power for power in (16, 18, 20, 22, 24, 26))  # bytes read and written: 64 KiB to 64 MiB
VALUES = 4096  # of the function, in the first cache


@dataclass(frozen=True)
class Machine:
    """The limits of one thread.

    dtype: the number type they are measured with
    products: FLOP/s of a square matrix product, the better of the kernels' BLAS and NumPy's
    functions: exponentials a second
    copies: bytes read and written → bytes a second
    """

    dtype: str
    products: float
    functions: float
    copies: dict[int, float]

    @classmethod
    def measure(cls, dtype: DTypeLike) -> "Machine":
        """The limits for numbers of that type, with as many threads of the BLAS as are set: the caller sets one."""
        number = np.dtype(dtype)
        products = []
        for side in SIDES:
            a, b, c = (np.full((side, side), 0.5, number) for _ in range(3))
            for multiply in (partial(kernels.matmul, a, b, c), partial(np.matmul, a, b, out=c)):
                products.append(2 * side**3 / fastest(multiply, 0.03))
        x = np.linspace(-3, 3, VALUES, dtype=number)
        exponential = fastest(partial(kernels.exponential, x, np.empty_like(x)), 0.005)
        copies = {}
        for size in COPIED:
            source = np.ones(size // 2, np.uint8)
            copies[size] = size / fastest(partial(np.copyto, np.zeros_like(source), source), 0.01)
        return cls(number.name, max(products), VALUES / exponential, copies)

    def better(self, other: "Machine") -> "Machine":
        """Of each limit the higher: what was measured twice, on a machine that does other things too."""
        copies = {size: max(rate, other.copies[size]) for size, rate in self.copies.items()}
        products, functions = max(self.products, other.products), max(self.functions, other.functions)
        return Machine(self.dtype, products, functions, copies)

    def bandwidth(self, moved: int) -> float:
        """Bytes a second: the best of the copies of so many bytes or more, or that of the largest."""
        enough = min(moved, max(self.copies))
        return max(rate for size, rate in self.copies.items() if size >= enough)

    def seconds(self, cost: Cost) -> float:
        """The least time that the work can take."""
        arithmetic = cost.flops / self.products + cost.functions / self.functions
        return max(arithmetic, cost.bytes / self.bandwidth(cost.bytes))

    def __str__(self) -> str:
        cache, memory = self.bandwidth(0), self.bandwidth(max(self.copies))
        return (
            f"limits measured: {self.dtype} products {self.products / 1e9:.0f} GFLOP/s, exponentials "
            f"{self.functions / 1e9:.1f} G/s, copies {cache / 1e9:.0f} GB/s in cache, {memory / 1e9:.0f} in memory"
        )


def fastest(call: Callable[[], object], seconds: float) -> float:
    """The shortest time of a call, repeated for so many seconds, and at least three times."""
    best, repeats, end = float("inf"), 0, perf_counter() + seconds
    while repeats < 3 or perf_counter() < end:
        begin = perf_counter()
        call()
        best, repeats = min(best, perf_counter() - begin), repeats + 1
    return best
